"""The digest of a measurement's code: what changes it, and what does not."""

import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path

import pytest

from bloop_reproduction import revision

CLAIM = """
from made_up import helpers
from made_up.training import train as fit

STEPS = 3
LABEL = "x"

def measure(setting):
    from made_up.late import finish
    return finish(fit(STEPS) + helpers.double(1))

def draw(figure):
    return LABEL
"""
FILES = {
    "__init__.py": "",
    "claim.py": CLAIM,
    "helpers.py": "def double(x):\n    return 2 * x\n",
    "late.py": "def finish(x):\n    return x\n",
    "training.py": "RATE = 0.1\n\ndef train(n):\n    return RATE * n\n\ndef unused():\n    pass\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "made_up"
    package.mkdir()
    for name, text in FILES.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(revision, "PACKAGE", "made_up")
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "made_up"]:
        del sys.modules[name]
    revision._module.cache_clear()
    revision._exists.cache_clear()


def digest() -> str:
    revision._module.cache_clear()
    invalidate_caches()
    return revision.revision(import_module("made_up.claim").measure)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("claim.py", "STEPS = 3", "STEPS = 4"),
        ("claim.py", "double(1)", "double(2)"),
        ("training.py", "RATE = 0.1", "RATE = 0.2"),
        ("training.py", "RATE * n", "RATE + n"),
        ("helpers.py", "2 * x", "3 * x"),
        ("late.py", "return x", "return -x"),
    ],
)
def test_what_a_measurement_reaches_changes_it(folder: Path, file: str, old: str, new: str) -> None:
    before = digest()
    (folder / file).write_text(FILES[file].replace(old, new))
    assert digest() != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("claim.py", 'LABEL = "x"', 'LABEL = "y"'),
        ("claim.py", "return LABEL", "return None"),
        ("training.py", "pass", "return 1"),
    ],
)
def test_what_it_does_not_reach_leaves_it(folder: Path, file: str, old: str, new: str) -> None:
    before = digest()
    assert old in FILES[file]
    (folder / file).write_text(FILES[file].replace(old, new))
    assert digest() == before
