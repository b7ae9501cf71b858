"""``bloop-ref verify``: exit status, one line for a wrong call, one screen for a wrong step."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bloop_ref.cli import main
from tests.proofs.subjects import HERE

HEAD = """
import numpy as np

def average(g_main, ema, rho):
    return [np.asarray((1 - rho) * e + rho * g).astype(e.dtype) for g, e in zip(g_main, ema)]

def combined(g_main, g_aux, ema, lam):
    dot = lambda x, y: sum(float(np.sum(a.astype(float) * b)) for a, b in zip(x, y))
    along = dot(g_aux, ema) / dot(ema, ema) if dot(ema, ema) else 0.0
    return [
        np.asarray(g + lam * (a - along * e)).astype(g.dtype)
        for g, a, e in zip(g_main, g_aux, ema)
    ]

def step(g_main, g_aux, ema, *, lam, rho):
    new_ema = average(g_main, ema, rho)
"""
RIGHT = HEAD + "    return combined(g_main, g_aux, ema, lam), new_ema\n"
EARLY = HEAD + "    return combined(g_main, g_aux, new_ema, lam), new_ema\n"


def written(folder: Path, source: str) -> str:
    (folder / "mine.py").write_text(source)
    return f"{folder / 'mine.py'}:step"


def test_a_right_step_passes_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*HERE, written(tmp_path, RIGHT), "--laws", "paper", "--examples", "10"]) == 0
    shown = capsys.readouterr().out
    assert "PASSED" in shown
    assert "eq. 5" in shown
    assert "Algorithm 1" in shown


def test_an_early_update_fails_with_1_on_one_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*HERE, written(tmp_path, EARLY), "--examples", "25"]) == 1
    shown = capsys.readouterr().out
    assert "direction-is-equation-5" in shown
    assert "more broken laws" in shown
    assert "is: ema-is-updated-before-the-projection" in shown
    assert len(shown.splitlines()) <= 45


def test_the_printed_counterexample_is_a_program_that_fails_as_the_law_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*HERE, written(tmp_path, EARLY), "--laws", "direction-is-equation-5"])
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("# direction-is-equation-5"))
    program = "\n".join(lines[start:-1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert found.returncode == 1
    assert "LawViolation: direction must be" in found.stderr


def test_verbose_prints_every_law(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*HERE, written(tmp_path, RIGHT), "--laws", "numerics", "--examples", "2"]
    main([*arguments, "--verbose"])
    shown = capsys.readouterr().out
    assert "inputs-are-not-written (protocol)" in shown
    assert "complex-leaves-use-the-real-inner-product" in shown


def test_the_report_is_written_as_json(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    options = ["--laws", "paper", "--examples", "5", "--json", str(out)]
    main([*HERE, written(tmp_path, EARLY), *options])
    report = json.loads(out.read_text())
    assert report["passed"] is False
    assert {r["status"] for r in report["results"]} == {"passed", "failed"}
    assert list(tmp_path.glob(".report*")) == []


def test_expected_failures_come_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = tmp_path / "expected.json"
    law = "direction-is-equation-5"
    reasons.write_text(json.dumps({law: "known, see issue 7"}))
    arguments = ["--laws", law, "--examples", "5", "--expected-failures", str(reasons)]
    assert main([*HERE, written(tmp_path, EARLY), *arguments]) == 0
    assert "known, see issue 7" in " ".join(capsys.readouterr().out.split())
    assert main([*HERE, written(tmp_path, RIGHT), *arguments]) == 1
    assert "1 xpassed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "spec", "line"),
    [
        (None, "{folder}/none.py:step", "no such file: {folder}/none.py"),
        (None, "no_such_module:step", "cannot import no_such_module: no module named"),
        (RIGHT, "{folder}/mine.py", "a subject must be given as MODULE_OR_FILE:CALLABLE"),
        (RIGHT, "{folder}/mine.py:setp", "must define setp; found no such name"),
        ("step = 3", "{folder}/mine.py:step", "must be callable; found int"),
        ("import", "{folder}/mine.py:step", "cannot import {folder}/mine.py: SyntaxError"),
        (
            "def step(g_main, g_aux, ema, *, lam, rho): return g_main[0]",
            "{folder}/mine.py:step",
            "step must return a pair (direction, new_ema)",
        ),
        (
            "def step(g_main, g_aux, ema, *, lam, rho): return g_main, [1.0, 2.0]",
            "{folder}/mine.py:step",
            "found float for new_ema[0]",
        ),
    ],
)
def test_a_subject_that_cannot_be_judged_is_one_line_and_2(
    source: str | None,
    spec: str,
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if source is not None:
        written(tmp_path, source)
    assert main([*HERE, spec.format(folder=tmp_path)]) == 2
    captured = capsys.readouterr()
    assert line.format(folder=tmp_path) in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--laws", "eq5"], "laws must be all, paper, numerics or names of laws; found ['eq5']"),
        (["--examples", "0"], "at least 1; found 0"),
        (["--json", "{folder}/no/r.json"], "must lie in a folder that exists"),
        (["--json", "{folder}"], "must be a file; found a folder"),
        (["--vectors", "{folder}/outputs.json"], "give either MODULE_OR_FILE:CALLABLE or"),
        (["--expected-failures", "{folder}/none.json"], "No such file"),
        (["--expected-failures", "{folder}/list.json"], "must be a JSON object"),
        (["--expected-failures", "{folder}/mine.py"], "must be JSON"),
        (["--expected-failures", "{folder}/other.json"], "must name laws; found 'nothing'"),
    ],
)
def test_a_wrong_option_is_one_line_and_2(
    options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = written(tmp_path, RIGHT)
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "other.json").write_text('{"nothing": "because"}')
    assert main([*HERE, subject, *(option.format(folder=tmp_path) for option in options)]) == 2
    captured = capsys.readouterr()
    assert line in captured.err
    assert captured.err.count("\n") == 1


def test_no_subject_at_all_is_one_line_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify"]) == 2
    assert "give either MODULE_OR_FILE:CALLABLE or --vectors FILE" in capsys.readouterr().err
