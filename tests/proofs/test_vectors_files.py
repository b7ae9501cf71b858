"""The files of golden vectors, the judgement of outputs in files, and the checker in C."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bloop_proofs import vectors
from bloop_proofs.report import Report
from bloop_proofs.vectors import plain
from bloop_proofs.vectors.model import FORMAT, Golden
from bloop_ref.cli import main
from tests.golden import beside, bloop
from tests.golden.__main__ import contents
from tests.golden.encoding import document, encode

ROOT = Path(__file__).parents[2]
CASES = vectors.golden()
SCHEMA = json.loads(vectors.schema())
FEW_HUNDRED_KILOBYTES = 600_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the golden vectors."""
    path = tmp_path_factory.mktemp("golden") / "new" / "folder"
    vectors.write(path)
    return path


# Writing


def test_files_are_small_and_complete_and_nothing_else_is_left(folder: Path) -> None:
    names = [f"{of}-vectors.{form}" for of in ("bloop", "methods") for form in ("json", "txt")]
    assert sorted(path.name for path in folder.iterdir()) == [*names, "vectors.schema.json"]
    assert all(path.stat().st_size < FEW_HUNDRED_KILOBYTES for path in folder.iterdir())


def test_what_is_shipped_is_what_is_made(folder: Path) -> None:
    for name, content in contents():
        same = (folder / name).read_text(encoding="utf-8") == content
        assert same, f"{name}: run python -m tests.golden"


def test_json_is_what_the_schema_says(folder: Path) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    for name in ("methods-vectors.json", "bloop-vectors.json"):
        stored = json.loads((folder / name).read_text())
        validator.validate(stored)
        assert stored["count"] == len(stored["cases"])
        flags = {flag for case in stored["cases"] for flag in case["flags"]}
        assert flags == set(stored["notes"])
    case = stored["cases"][0]
    for wrong in (
        {**case, "dtype": "float8"},
        {**case, "kind": "trajectory"},
        {**case, "inputs": {**case["inputs"], "lam": "0.5"}},
        {**case, "kind": "mgda"},
        {**case, "flags": ["no flag"]},
        *({key: value for key, value in case.items() if key != name} for name in case),
    ):
        assert not validator.is_valid({**stored, "cases": [wrong]})
    assert not validator.is_valid({**stored, "format": FORMAT + 1})


def test_json_reads_back_bit_for_bit(folder: Path) -> None:
    loaded = [vectors.load(folder / f"{name}-vectors.json") for name in ("bloop", "methods")]
    made = (*bloop(), *beside())
    assert vectors.golden() == CASES
    for found, required in zip([case for some in loaded for case in some], made, strict=True):
        assert encode(found) == encode(required)
        for tables in ("inputs", "outputs", "tolerances"):
            for name, table in getattr(required, tables).items():
                assert getattr(found, tables)[name].tobytes() == table.tobytes()


def numbers(value: Any) -> list[float]:
    """Return all numbers of a JSON value, hexadecimal ones as what they stand for."""
    if isinstance(value, dict | list):
        entries = value.values() if isinstance(value, dict) else value
        return [x for entry in entries for x in numbers(entry)]
    return [float.fromhex(value) if isinstance(value, str) else float(value)]


@pytest.mark.parametrize("name", ["bloop", "methods"])
def test_decimal_numbers_are_the_hexadecimal_ones(name: str, folder: Path) -> None:
    for case in json.loads((folder / f"{name}-vectors.json").read_text())["cases"]:
        for tables in ("inputs", "outputs", "tolerances"):
            assert numbers(case["decimal"][tables]) == numbers(case[tables])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"format": 2}',
        '{"format": 1}',
        '{"format": 1, "cases": [{}]}',
        document(CASES[:1]).replace('"dtype":"float64"', '"dtype":"float8"'),
    ],
)
def test_load_refuses_what_is_no_vectors_file(content: str, tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text(content)
    with pytest.raises(vectors.VectorError, match=r"^[^\n]*some\.json: required[^\n]*$"):
        vectors.load(path)


# Judging


def as_json(cases: list[Golden]) -> dict[str, Any]:
    """Return the golden outputs themselves as an outputs file."""
    encoded = {case.id: encode(case)["outputs"] for case in cases}
    return {"format": FORMAT, "outputs": encoded}


def as_text(cases: list[Golden], number: str = "%.17g") -> str:
    lines = [f"format {FORMAT}"]
    for case in cases:
        lines.append(f"case {case.id}")
        for name, table in case.outputs.items():
            lines.append(" ".join([name, *(number % x for x in table.ravel())]))
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
