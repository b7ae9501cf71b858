"""The files of golden vectors."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bloop_proofs import vectors
from bloop_proofs.vectors.model import FORMAT
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
