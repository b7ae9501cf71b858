"""The judgement of outputs in files, for the golden vectors."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from bloop_proofs import vectors
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.methods import METHODS
from bloop_proofs.quiet import silence
from bloop_proofs.report import Report
from bloop_proofs.subject import Subject
from bloop_proofs.vectors import plain
from bloop_proofs.vectors.model import FORMAT, Golden
from bloop_proofs.vectors.running import run
from bloop_ref.cli import main
from tests.golden import beside
from tests.golden.encoding import encode

CASES = vectors.golden()
SCHEMA = json.loads(vectors.schema())


def as_json(cases: list[Golden]) -> dict[str, Any]:
    """Return the golden outputs themselves as an outputs file."""
    encoded = {case.id: encode(case)["outputs"] for case in cases}
    return {"format": FORMAT, "outputs": encoded}


def as_text(cases: list[Golden], number: str = "%.17g") -> str:
    lines = [f"format {FORMAT}"]
    for case in cases:
        lines.append(f"case {case.id}")
        for name, table in case.outputs.items():
            lines.append(" ".join([name, *(number % x for x in np.ravel(table))]))
    return "\n".join(lines)


def judged(content: str | dict[str, Any], folder: Path) -> Report:
    path = folder / "outputs"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return vectors.judge(path)


def test_right_outputs_pass_in_every_form(tmp_path: Path) -> None:
    stored = as_json(list(CASES))
    jsonschema.Draft202012Validator(SCHEMA).validate(stored)
    for content in (stored, as_text(list(CASES))):
        report = judged(content, tmp_path)
        assert report.passed
        assert report.count() == {"passed": 71}
        assert report.examples == len(CASES)
    few_digits = judged(as_text(list(CASES), "%.9g"), tmp_path)
    assert {result.law.rpartition("-")[2] for result in few_digits.broken} >= {
        "float64",
        "complex128",
    }
    assert "steps-float32" not in {result.law for result in few_digits.broken}


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_tolerance_is_the_bound(factor: float, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.id == "steps-flat-float64")
    group = [other for other in CASES if (other.group, other.dtype) == (case.group, case.dtype)]
    stored = as_json(group)
    row = case.outputs["direction"][0].copy()
    row[0] += factor * case.tolerances["direction"].item()
    stored["outputs"][case.id]["direction"] = [row.tolist()]
    report = judged(stored, tmp_path)
    assert report.passed == (factor < 1)
    if factor > 1:
        (broken,) = report.broken
        assert broken.message.startswith("steps-flat-float64: direction must be [")
        assert "(1 of 17 cases are wrong)" in broken.message
        assert broken.counterexample == plain.block(case)
        assert report.diagnosis == ()


def test_groups_and_dtypes_without_outputs_are_skipped(tmp_path: Path) -> None:
    chosen = [case for case in CASES if case.dtype in ("float64", "float32")]
    chosen = [c for c in chosen if c.kind in ("step", "trajectory")]
    chosen = [c for c in chosen if (c.group, c.dtype) != ("scales", "float32")]
    report = judged(as_text(chosen), tmp_path)
    assert report.passed
    assert report.count() == {"passed": 7, "skipped": 8}
    skipped = {
        result.law: result.message for result in report.results if result.status == "skipped"
    }
    assert skipped["hierarchies"] == "no outputs for its 34 cases"
    assert skipped["methods-beside"] == f"no outputs for its {len(beside())} cases"
    assert set(skipped) == {
        "methods-beside",
        "scales-float32",
        "hierarchies",
        "projections",
        "float16",
        "bfloat16",
        "complex128",
        "complex64",
    }


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-nan"])
def test_non_finite_outputs_are_wrong_and_well_formed(number: str, tmp_path: Path) -> None:
    group = [case for case in CASES if (case.group, case.dtype) == ("projections", "float32")]
    first, *others = as_text(group).split("projected ", 1)
    text = "projected ".join([first, re.sub(r"^\S+", number, others[0])])
    report = judged(text, tmp_path)
    assert [result.law for result in report.broken] == ["projections-float32"]
    assert "must be finite" in report.broken[0].message


ID = "steps-worked-float64"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "must be JSON, or text that begins with 'format 1'"),
        ("format 2", "begins with 'format 1'"),
        ("format 1", "at least; found none"),
        ("format 1 case nobody", "found 'nobody'"),
        (f"format 1 case {ID} case {ID}", "each id once"),
        (f"format 1 case {ID} 1.0", "required direction or new_ema; found '1.0'"),
        ("format 1 direction 1.0", "required case; found 'direction'"),
        (f"format 1 case {ID} direction 1 2 3", "direction must have 2 numbers; found 3"),
        (f"format 1 case {ID} direction 1 two", "found 'two'"),
        (f"format 1 case {ID} direction 1 2", "must have direction and new_ema"),
        (as_text([CASES[0]]), "steps-float64 must have outputs for steps-parallel-float64"),
        ("{", "required JSON"),
        ("[1]", 'required a JSON object with "format": 1'),
        ("[" * 100_000, "required JSON"),
        ('{"format": 1}', 'required "outputs"'),
        ('{"format": 1, "outputs": {}}', "at least; found none"),
        ('{"format": 1, "outputs": {"nobody": {}}}', "found the id 'nobody'"),
        (f'{{"format": 1, "outputs": {{"{ID}": 1, "{ID}": 1}}}}', "twice"),
        ({"format": 1, "outputs": {ID: {"ema": [[1, 2]]}}}, "with direction and new_ema"),
        ({"format": 1, "outputs": {ID: {"direction": [[1], [2]]}}}, r"leaves of \[2\] numbers"),
        ({"format": 1, "outputs": {ID: {"direction": [[1, None]]}}}, "found 'None'"),
        (
            {"format": 1, "outputs": {"trajectories-no-memory-float64": {"direction": 1}}},
            "direction must be a list of vectors",
        ),
        ({"format": 1, "outputs": {ID: {"direction": [[1, True]]}}}, "found 'True'"),
        ({"format": 1, "outputs": {ID: {"direction": [[1, 10**400]]}}}, "numbers must be"),
        (
            {
                "format": 1,
                "outputs": {"trajectories-no-memory-float64": {"direction": [[[1] * 4]]}},
            },
            "direction must have 3 vectors; found 1",
        ),
    ],
)
def test_bad_outputs_are_refused_in_one_line(
    content: str | dict[str, Any],
    complaint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(vectors.VectorError, match=complaint):
        judged(content, tmp_path)
    assert main(["verify", "--vectors", str(tmp_path / "outputs")]) == 2
    assert re.fullmatch(r"bloop-ref verify: [^\n]+\n", capsys.readouterr().err)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "bytes", "."):
        with pytest.raises(vectors.VectorError, match=r"^[^\n]+$"):
            vectors.judge(tmp_path / name)
        with pytest.raises(vectors.VectorError, match=r"^[^\n]+$"):
            vectors.load(tmp_path / name)


def test_what_the_mistake_does_not_break_remains(tmp_path: Path) -> None:
    bloop = METHODS["bloop"]
    early = {m.name: m for m in bloop.mistakes}["ema-is-updated-before-the-projection"]
    subject = Subject(early.step, FRAMEWORKS["numpy"], bloop.signature)
    steps = [case for case in CASES if case.kind in ("step", "trajectory")]
    with silence():  # wrong steps overflow where right ones do not
        wrong = [
            replace(
                case, outputs={name: np.stack(rows) for name, rows in run(subject, case).items()}
            )
            for case in steps
        ]
    twice = [
        replace(case, outputs={"projected": 2 * case.outputs["projected"]})
        for case in CASES
        if case.kind == "projection"
    ]
    alone, both = (judged(as_text(cases), tmp_path) for cases in (wrong, [*wrong, *twice]))
    for report in (alone, both):
        assert report.diagnosis[0].names == (early.name,)
        assert report.explained[early.name] == tuple(result.law for result in alone.broken)
    assert alone.remaining == ()
    assert both.remaining == tuple(r.law for r in both.broken if r.law.startswith("projections-"))
    assert f"{len(both.remaining)} of {len(both.broken)} broken laws remain" in both.left
