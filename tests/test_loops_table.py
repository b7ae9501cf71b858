"""Every cell of the table in docs/loops.md is a test that exists, or a refusal that does."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ["torch", "Lightning", "Accelerate", "Trainer", "DDP", "FSDP2", "JAX"]
TEST = re.compile(r"`(?P<path>[\w/]+)::(?P<name>\w+)(\[(?P<case>[^\]]+)\])?`")
REFUSED = "refused: "


def rows() -> dict[str, list[str]]:
    lines = [x for x in (ROOT / "docs" / "loops.md").read_text().split("\n") if x.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _, *body = cells
    assert head == ["", *COLUMNS]
    return {name: found for name, *found in body}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: str) -> set[str]:
    """Return the functions at the top of a module of the tests."""
    body = parsed(ROOT / "tests" / f"{path}.py").body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def strings(path: Path) -> list[str]:
    """Return the string literals of a module, adjacent ones joined."""
    nodes = ast.walk(parsed(path))
    return [x.value for x in nodes if isinstance(x, ast.Constant) and isinstance(x.value, str)]


def is_case(path: str, case: str) -> bool:
    """Whether a parametrised test has a case: one of its literals, or a feature in two kinds."""
    feature, _, kind = case.rpartition(" ")
    if kind in ("ddp", "fsdp"):
        return feature in functions("torch/loop_features")
    return case.removesuffix("-plain") in strings(ROOT / "tests" / f"{path}.py")


@pytest.mark.parametrize("row", rows())
def test_no_cell_is_empty_and_what_it_names_is_there(row: str) -> None:
    cells, messages = rows()[row], [x for p in ROOT.glob("backends/**/*.py") for x in strings(p)]
    assert len(cells) == len(COLUMNS)
    for column, cell in zip(COLUMNS, cells, strict=True):
        if cell.startswith(REFUSED):
            assert any(cell.removeprefix(REFUSED) in said for said in messages), (column, cell)
            continue
        match = TEST.fullmatch(cell)
        assert match, (column, cell)
        assert match["name"] in functions(match["path"]), (column, cell)
        assert not match["case"] or is_case(match["path"], match["case"]), (column, cell)


def test_the_pattern_tells_a_test_from_what_is_none() -> None:
    assert TEST.fullmatch("`torch/test_step::test_none_is_zero`")
    assert TEST.fullmatch("`torch/test_x::test_y[a b]`")
    for bad in ("", "yes", "torch/test_step::test_none_is_zero", "`tests`"):
        assert not TEST.fullmatch(bad)
