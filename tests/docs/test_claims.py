"""What pages say of tests, versions and examples is so."""

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import bloop_ref
from tests.docs.pages import DOCS, ROOT


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tests_that_errata_name_exist() -> None:
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (DOCS / "errata.md").read_text())
    assert len(named) >= 10
    for file, test in named:
        tree = ast.parse((ROOT / file).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_erratum_of_the_paper_has_its_row() -> None:
    tree = ast.parse((ROOT / "tests/reference/surgery/test_errata.py").read_text())
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    page = (DOCS / "errata.md").read_text()
    assert [t for t in tests if t.startswith("test_") and t not in page] == []


@pytest.mark.parametrize("file", ["CITATION.cff", "docs/citing.md"])
def test_what_is_cited_has_the_version_of_the_package(file: str) -> None:
    versions = re.findall(r"^ *version *[:=] \{?([\d.]+)", (ROOT / file).read_text(), re.MULTILINE)
    assert versions == [bloop_ref.__version__]


def test_the_first_picture_shows_where_the_methods_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mpl.use("agg")
    problem = example("the_problem")
    ends = {name: problem.path(method)[-1] for name, (*_, method) in problem.PATHS.items()}
    spacing = float(np.finfo(float).eps)
    # what the slowest factor, 1 - rate, leaves of the start after 200 steps, and rounding
    left = 0.95**200 * 3 + 200 * spacing * 3
    assert np.linalg.norm(ends["Bloop"]) <= left
    assert np.linalg.norm(ends["mixed training"] - [0.5, 0]) <= left
    assert np.linalg.norm(ends["main loss alone"] - [0, 1.5]) <= left
    monkeypatch.chdir(tmp_path)
    problem.draw("problem.svg")
    assert (tmp_path / "problem.svg").stat().st_size > 10_000


def test_the_table_of_radii_is_made_by_its_command() -> None:
    radius: Any = example("radius")
    found = [radius.radius(radius.problem(seed), 0.02, None) for seed in radius.SEEDS]
    cell = f"{np.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"
    assert f"| 0.02   | {cell} |" in (DOCS / "theory.md").read_text()


@pytest.mark.slow
def test_the_tables_of_the_diagnostics_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnose: Any = example("diagnose")
    monkeypatch.setattr(diagnose, "SEEDS", (0,))
    # five steps of the first setting: how long the others are is not what is tested
    monkeypatch.setattr(diagnose, "SIZES", ((128, 0.1),))
    monkeypatch.setattr(diagnose, "LOSSES", dict(list(diagnose.LOSSES.items())[:1]))
    for page, name in (("when", "losses"), ("choosing", "rho")):
        table = diagnose.TABLES[name](epochs=1)
        head = " | ".join(str(column.header) for column in table.columns)
        shown = re.sub(r" +", " ", (DOCS / f"{page}.md").read_text())
        assert f"| {head} |" in shown
        assert table.row_count == 1
