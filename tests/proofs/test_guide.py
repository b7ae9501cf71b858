"""The guide docs/verify.md does what it says, and docs/laws.md lists the laws."""

import doctest
import functools
import json
import re
import shlex
import sys
import types
from pathlib import Path

import pytest

import bloop_proofs
from bloop_proofs import METHODS
from bloop_proofs.laws.__main__ import page
from bloop_ref.cli import main
from tests.proofs.subjects import EXAMPLES, HERE, ROOT

DOCS = ROOT / "docs"
GUIDE = (DOCS / "verify.md").read_text()

MY_PROJECT = """
from my_bloop import step

def flat_step(g_main, g_aux, ema, *, lam, rho):
    (direction,), (new_ema,) = step([g_main], [g_aux], [ema], lam=lam, rho=rho)
    return direction, new_ema

def dict_step(g_main, g_aux, ema, *, lam, rho):
    assert list(g_main)[0] == "layers.0.weight"
    lists = (list(gradient.values()) for gradient in (g_main, g_aux, ema))
    return tuple(dict(zip(g_main, gradient)) for gradient in step(*lists, lam=lam, rho=rho))

class Optimiser:
    def __init__(self, lam, rho):
        self.lam, self.rho, self.ema = lam, rho, None

    def step(self, g_main, g_aux):
        direction, self.ema = step(g_main, g_aux, self.ema, lam=self.lam, rho=self.rho)
        return direction

class Momentum:
    def __init__(self, lam, beta):
        self.lam, self.beta, self.average = lam, beta, None

    def direct(self, g_main, g_aux):
        options = {"lam": self.lam, "rho": 1 - self.beta}
        direction, self.average = step(g_main, g_aux, self.average, **options)
        return direction
"""


def blocks(language: str) -> list[str]:
    """The code blocks of the guide in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


def test_the_page_of_laws_lists_the_laws() -> None:
    assert (DOCS / "laws.md").read_text() == page(), "run: python -m bloop_proofs.laws"
    rows = re.findall(r"^\| `(.*?)` \| (.*?) \| .+ \| .*\|$", page(), flags=re.MULTILINE)
    known = [law for method in METHODS.values() for law in method.laws]
    assert sorted(rows) == sorted((law.name, law.equation) for law in known)


def test_the_table_of_methods_is_theirs() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(step.*?)` \| (.*?) \|$", GUIDE, flags=re.MULTILINE)
    beside = [method.signature for name, method in METHODS.items() if name != "bloop"]
    assert rows == [(signature.name, signature.call, signature.where) for signature in beside]


def hurry(monkeypatch: pytest.MonkeyPatch, *, examples: int) -> None:
    """Let the suite try fewer inputs than the guide does."""
    quick = functools.partial(bloop_proofs.check_implementation, examples=examples)
    monkeypatch.setattr(bloop_proofs, "check_implementation", quick)


def test_the_sessions_of_the_guide_are_as_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    hurry(monkeypatch, examples=20)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    text = "\n".join(blocks("pycon"))
    test = doctest.DocTestParser().get_doctest(text, {}, "verify.md", None, 0)
    found = doctest.DocTestRunner(optionflags=flags).run(test)
    assert found.failed == 0
    assert found.attempted >= 6


def test_the_programs_of_the_guide_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    project = types.ModuleType("my_project")
    exec(MY_PROJECT, vars(project))
    monkeypatch.setitem(sys.modules, "my_project", project)
    hurry(monkeypatch, examples=2)
    programs = blocks("python")
    assert len(programs) == 4
    reports = []
    for program in programs:
        scope: dict[str, object] = {}
        exec(program, scope)
        reports += [scope["report"]] if "report" in scope else []
        if "step" in scope and "Momentum" in scope:
            check = scope["check_implementation"]
            reports.append(check(scope["step"]))  # type: ignore[operator]
    assert len(reports) == 4
    for report in reports:
        assert report.passed, str(report)  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", ["NumPy", "PyTorch", "JAX"])
def test_each_framework_takes_at_most_five_lines(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = GUIDE.partition(f"**{language}**")[2]
    lines = section.partition("```sh\n")[2].partition("\n```")[0].splitlines()
    assert len(lines) <= 5
    monkeypatch.chdir(EXAMPLES)
    (command, *_) = [line for line in lines if line.startswith("bloop-ref verify")]
    pytest.importorskip(
        {"NumPy": "numpy", "PyTorch": "torch", "JAX": "jax"}[language],
        reason=f"{language} is not installed",
    )
    # the exit status is that of all laws; the number of inputs is not what is tested here
    assert main([*HERE, *shlex.split(command)[2:], "--laws", "direction-is-equation-5"]) == 0


def test_the_file_of_expected_failures_is_as_the_guide_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLES)
    known = tmp_path / "known.json"
    known.write_text(json.dumps({"rho-zero-keeps-the-ema": "expired"}))
    options = ["--laws", "rho-zero-keeps-the-ema", "--examples", "2"]
    command = [*HERE, "my_bloop.py:step", "--expected-failures", str(known), *options]
    assert main(command) == 1
    known.write_text("{}")
    assert main(command) == 0


def test_every_law_and_file_that_the_guide_names_exists() -> None:
    laws = [law for method in METHODS.values() for law in method.laws]
    names = {law.name for law in laws}
    mistakes = [mistake for method in METHODS.values() for mistake in method.mistakes]
    known = {mistake.name for mistake in mistakes}
    known |= {mistake.fitted("1e-7").name for mistake in mistakes if mistake.fitted}
    for name in re.findall(r"(?<!#)\b[a-z0-9]+(?:-[a-z0-9]+){3,}\b", GUIDE):
        assert name in names | known
    for target in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (DOCS / target).exists(), target
