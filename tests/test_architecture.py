"""Which package may import which, and how long a module may be: docs/architecture.md, as a test."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "bloop_ref": ROOT / "bloop_ref",
    "bloop_numpy": ROOT / "backends" / "bloop_numpy",
    "bloop_torch": ROOT / "backends" / "bloop_torch",
    "bloop_jax": ROOT / "backends" / "bloop_jax",
    "bloop_cupy": ROOT / "backends" / "bloop_cupy",
    "bloop_proofs": ROOT / "proofs" / "bloop_proofs",
    "bloop_reproduction": ROOT / "reproduction" / "bloop_reproduction",
}
OURS = {
    "bloop_ref": set[str](),
    "bloop_numpy": {"bloop_ref"},
    "bloop_torch": {"bloop_ref", "bloop_numpy"},
    "bloop_jax": {"bloop_ref"},
    "bloop_cupy": {"bloop_ref"},
    "bloop_proofs": set[str](),
    "bloop_reproduction": {"bloop_ref", "bloop_proofs"},
}
"""Which of these packages each of them imports, beside itself."""
COMMON = {"array_api_compat", "numpy", "optree"}
THEIRS = {
    "bloop_ref": {"scipy"},
    "bloop_numpy": {"llvmlite", "numba"},
    "bloop_torch": {"torch", "triton", "typing_extensions"},
    "bloop_jax": {"jax", "optax"},
    "bloop_cupy": {"cupy"},
    "bloop_proofs": {
        "hypothesis",
        "ml_dtypes",
        "pytest",
        "rich",
        "scipy",
    },
    "bloop_reproduction": {"matplotlib", "rich", "scipy", "sklearn", "threadpoolctl", "torch"},
}
"""Which packages of others each imports, beside the common ones: no framework but its own."""
MOST_LINES = 250

MODULES = [
    (package, path) for package, folder in FOLDERS.items() for path in sorted(folder.rglob("*.py"))
]


def module_name(path: Path) -> str:
    return str(path.relative_to(ROOT).with_suffix(""))


each_module = pytest.mark.parametrize(
    ("package", "path"), MODULES, ids=[module_name(path) for _, path in MODULES]
)


class Import(NamedTuple):
    module: str
    name: str
    bound: str


def imports(tree: ast.Module) -> Iterator[Import]:
    """Every import of a module, wherever it stands in it, and the name that it binds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, "", alias.asname or alias.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the package"
            for alias in node.names:
                yield Import(node.module or "", alias.name, alias.asname or alias.name)


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@each_module
def test_a_module_imports_what_its_package_may(package: str, path: Path) -> None:
    allowed = {package} | OURS[package] | COMMON | THEIRS[package] | sys.stdlib_module_names
    found = {entry.module.partition(".")[0] for entry in imports(ast.parse(path.read_text()))}
    assert found - allowed == set()


@each_module
def test_nothing_private_of_another_package_is_used(package: str, path: Path) -> None:
    tree = ast.parse(path.read_text())
    others = [
        entry
        for entry in imports(tree)
        if entry.module.partition(".")[0] in FOLDERS.keys() - {package}
    ]
    for entry in others:
        words = [*entry.module.split("."), entry.name]
        assert not any(map(private, words)), f"from {entry.module} import {entry.name}"
    bound = {entry.bound for entry in others}
    used = [
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in bound
        and private(node.attr)
    ]
    assert used == []


@each_module
def test_no_module_is_long(package: str, path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MOST_LINES


def graph(package: str) -> dict[str, set[str]]:
    """Return which modules of a package each of its modules imports, wherever in it that stands."""
    folder = FOLDERS[package]
    modules = {}
    for path in folder.rglob("*.py"):
        words = path.relative_to(folder.parent).with_suffix("").parts
        modules[".".join(words).removesuffix(".__init__")] = ast.parse(path.read_text())
    edges: dict[str, set[str]] = {module: set() for module in modules}
    for module, tree in modules.items():
        for entry in imports(tree):
            inner = f"{entry.module}.{entry.name}"  # of a package its module, or a name in it
            edges[module] |= {inner if inner in modules else entry.module} & modules.keys()
    return edges


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Return modules that import one another in a circle; none where there is no circle."""
    try:
        list(TopologicalSorter(edges).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_one_another_in_a_circle() -> None:
    assert circle(graph("bloop_proofs")) == []


JUDGING = ("exact", "laws", "methods", "mistakes", "problems", "tolerances", "truths")


def test_no_judge_computes_with_the_code_that_it_judges() -> None:
    """What a subject is held against is found in other ways than by the reference."""
    folder = FOLDERS["bloop_proofs"]
    for name in JUDGING:
        for path in [folder / f"{name}.py", *(folder / name).rglob("*.py")]:
            if path.is_file():
                found = imports(ast.parse(path.read_text()))
                assert not [entry for entry in found if entry.module.startswith("bloop_ref")], path


def test_the_rules_tell_what_breaks_them() -> None:
    tree = ast.parse("from bloop_ref import _accumulate as twice\nimport torch.nn, numpy as np\n")
    assert list(imports(tree)) == [
        Import("bloop_ref", "_accumulate", "twice"),
        Import("torch.nn", "", "torch"),
        Import("numpy", "", "np"),
    ]
    assert [name for name in ("_dot", "__all__", "dot") if private(name)] == ["_dot"]
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


def test_every_package_has_its_rules() -> None:
    folders = ("backends", "proofs", "reproduction")
    there = {path.parent.name for x in folders for path in (ROOT / x).glob("*/__init__.py")}
    assert there | {"bloop_ref"} == set(FOLDERS)
