"""Subjects by name: loading them, and naming them in counterexamples that run."""

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bloop_proofs import LAWS, LawViolation, LoadError, check_implementation, load
from bloop_proofs.source import source_of
from tests.proofs.subjects import (
    ROOT,
    breaks_every_law,
    error_of,
    forgets_the_projection,
)

MIXED = """
from dataclasses import dataclass
import {sibling}

@dataclass(frozen=True)
class Mixed:
    lam: "float"

def step(g_main, g_aux, ema, *, lam, rho):
    mixed = Mixed(lam)
    direction = [g + mixed.lam * a for g, a in zip(g_main, g_aux)]
    return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema)]

class Steps:
    taken = staticmethod(step)

number = 3
"""


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test loads: a module of the next test may have the same name."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a file that imports what lies beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside_it.py").write_text("")
    (tmp_path / "mixed.py").write_text(MIXED.format(sibling="beside_it"))
    return tmp_path


@pytest.mark.parametrize(
    "spec", ["mixed.py:step", "mixed:step", "./mixed.py:step", "mixed.py:Steps.taken"]
)
def test_files_and_modules_are_loaded_with_what_lies_beside_them(spec: str, folder: Path) -> None:
    step = load(spec)
    law = "rho-zero-keeps-the-ema"
    report = check_implementation(step, laws=law, examples=3)
    assert report.passed
    assert report.subject == spec


def test_a_file_may_have_the_name_of_a_module(folder: Path) -> None:
    (folder / "numpy.py").write_text((folder / "mixed.py").read_text())
    assert check_implementation(load("numpy.py:step"), laws="rho-zero-keeps-the-ema").passed


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mixed.py", "must be given as MODULE_OR_FILE:CALLABLE; found 'mixed.py'"),
        (":step", "must be given as MODULE_OR_FILE:CALLABLE"),
        ("mixed.py:", "must be given as MODULE_OR_FILE:CALLABLE"),
        ("absent.py:step", "no such file: absent.py"),
        ("absent/mixed.py:step", "no such file: absent/mixed.py"),
        ("absent:step", "cannot import absent: no module named 'absent'"),
        ("mixed.py:stop", "mixed.py must define stop; found no such name in it"),
        ("mixed.py:Steps.given", "mixed.py must define Steps.given"),
        ("mixed.py:number", "mixed.py:number must be callable; found int"),
        ("needs.py:step", "cannot import needs.py: no module named 'what_is_not_there'"),
        ("wrong.py:step", "cannot import wrong.py: SyntaxError: "),
        ("raises.py:step", "cannot import raises.py: ValueError: one two"),
        ("script.py:step", "cannot import script.py: SystemExit: 0"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(spec: str, message: str, folder: Path) -> None:
    (folder / "needs.py").write_text("import what_is_not_there")
    (folder / "wrong.py").write_text("def step(:")
    (folder / "raises.py").write_text("raise ValueError('one\\ntwo')")
    (folder / "script.py").write_text("import sys\nsys.exit(0)")
    with pytest.raises(LoadError) as raised:
        load(spec)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def counterexample(step: Any, **options: Any) -> str:
    law = "what-is-added-is-orthogonal-to-the-ema"
    (result,) = check_implementation(step, laws=law, examples=20, **options).results
    assert result.status == "failed"
    return result.counterexample


@pytest.mark.parametrize("spec", ["mixed.py:step", "mixed:step", "mixed.py:Steps.taken"])
def test_counterexamples_of_loaded_steps_run(spec: str, folder: Path) -> None:
    program = counterexample(load(spec))
    assert error_of(program, cwd=folder).startswith("bloop_proofs.law.LawViolation: <d - g_main")


def test_counterexamples_of_imported_steps_run() -> None:
    program = counterexample(forgets_the_projection)
    assert "from tests.proofs.subjects import forgets_the_projection as step" in program
    assert error_of(program, cwd=ROOT).startswith("bloop_proofs.law.LawViolation: <d - g_main")


def test_the_counterexample_of_every_law_runs() -> None:
    report = check_implementation(breaks_every_law, examples=3)
    assert len(report.broken) == len(LAWS)
    for result in report.results:
        with pytest.raises(LawViolation):
            exec(result.counterexample, {})


def local() -> Any:
    def mine(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        return g_main, ema

    return mine


class Callable:
    def __call__(self, *gradients: Any, lam: float, rho: float) -> Any:
        return gradients[0], gradients[2]


@pytest.mark.parametrize(
    ("step", "name", "line"),
    [
        (local(), "mine", "step = mine  # mine must be in scope here"),
        (lambda *gradients, lam, rho: gradients, "<lambda>", "# <lambda> must be in scope here"),
        (Callable(), "Callable", "step = Callable  # Callable must be in scope here"),
        (functools.partial(local()), "partial", "step = partial  # partial must be in scope here"),
    ],
)
def test_a_step_without_a_name_is_said_to_be_needed(step: Any, name: str, line: str) -> None:
    source = source_of(step)
    assert source.name == name
    assert source.lines == (line,)


def test_a_counterexample_says_the_theorem_and_fits_a_screen() -> None:
    report = check_implementation(breaks_every_law, examples=1)
    for law, result in zip(LAWS, report.results, strict=True):
        lines = result.counterexample.splitlines()
        theorem = " ".join(line[2:] for line in lines if line.startswith("# "))
        assert theorem == f"{law.name} ({law.equation}): {law.statement}"
        assert len(lines) <= 25
