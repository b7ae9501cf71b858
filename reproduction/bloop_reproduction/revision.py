"""Which code a measurement was made by: a digest, so that a changed measurement is made again.

It covers what a function reaches within this package, name by name, and not what draws or reads the
results. What it calls of other packages has their versions, which are recorded beside it.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = __name__.partition(".")[0]
WHOLE = "*"
"""In place of a name: all of a module."""


def revision(function: Callable[..., Any]) -> str:
    """Return a digest of the source of a function of a module, and of all that it reaches.

    Example:
        >>> from bloop_reproduction.demo.training import train
        >>> len(revision(train)), revision(train) == revision(revision)
        (12, False)
    """
    reached = set[tuple[str, str]]()
    waiting = [(function.__module__, function.__qualname__)]
    while waiting:
        if (item := waiting.pop()) not in reached:
            reached.add(item)
            waiting += _module(item[0]).leads_to(item[1])
    source = [f"{name} {_module(module).source(name)}" for module, name in sorted(reached)]
    return hashlib.sha256("\n".join(source).encode()).hexdigest()[:12]


@cache
def _module(name: str) -> "_Module":
    return _Module(name)


class _Module:
    """The names that a module of this package defines, and those that it imports from there."""

    def __init__(self, name: str) -> None:
        self.name = name
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        text = Path(spec.origin).read_text(encoding="utf-8")
        self.lines, self.tree = text.splitlines(), ast.parse(text)
        self.defined: dict[str, list[ast.stmt]] = {}
        for node in self.tree.body:
            for defined in _defined(node):
                self.defined.setdefault(defined, []).append(node)
        self.imported = {bound: item for node in self.tree.body for bound, *item in _imported(node)}

    def source(self, name: str) -> str:
        """Return the lines that define a name, or all of them."""
        if name == WHOLE:
            return "\n".join(self.lines)
        return "\n".join(line for node in self.defined.get(name, []) for line in self._lines(node))

    def leads_to(self, name: str) -> list[tuple[str, str]]:
        """Return the module and the name of all that the definition of a name mentions."""
        nodes = self.tree.body if name == WHOLE else self.defined.get(name, [])
        found: list[tuple[str, str]] = []
        used = {name} if not nodes else set()  # what a package passes on from its modules
        for node in nodes:
            found += [(module, item) for _, module, item in _imported(node)]
            used |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        for each in sorted(used):
            if each in self.defined:
                found.append((self.name, each))
            elif each in self.imported:
                module, item = self.imported[each]
                found.append((module, item))
        return found

    def _lines(self, node: ast.stmt) -> list[str]:
        decorators = getattr(node, "decorator_list", [])
        first = min(part.lineno for part in (node, *decorators))
        return self.lines[first - 1 : node.end_lineno]


def _defined(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for part in (part for target in targets for part in ast.walk(target)):
            if isinstance(part, ast.Name):
                yield part.id


def _imported(node: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Yield the name that each import from this package binds, the module, and the name there."""
    for part in ast.walk(node):
        if isinstance(part, ast.ImportFrom) and (part.module or "").split(".")[0] == PACKAGE:
            for alias in part.names:
                inner = f"{part.module}.{alias.name}"
                module = (inner, WHOLE) if _exists(inner) else (str(part.module), alias.name)
                yield alias.asname or alias.name, *module


@cache
def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is a module, and no package
        return False
