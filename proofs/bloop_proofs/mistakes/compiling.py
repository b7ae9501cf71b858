"""Formulas as papers write them, made into functions that look up the names in them."""

import ast
import builtins
import io
import keyword
import re
import token
import tokenize
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import reduce
from typing import Any, cast

import numpy as np

from bloop_proofs import rows


def _many(*xs: Any) -> bool:
    return any(np.ndim(x) > 0 for x in xs)


def _least(*xs: Any) -> Any:
    """Return the least of some numbers, or of an array; entry by entry for several arrays.

    Of no entries it is 0, as their norm is.
    """
    if len(xs) > 1 and _many(*xs):
        return reduce(np.minimum, xs)
    numbers = np.array(xs)
    # NumPy's float: the square of a large one is infinite, where Python's would raise
    return np.float64(np.min(numbers) if numbers.size else 0.0)


NAMES: Mapping[str, Any] = {
    **{name: value for name, value in vars(builtins).items() if callable(value)},
    **{name: value for name, value in vars(rows).items() if callable(value)},
    "cos": rows.cosine,
    "inner": lambda x, y: float(x @ y),
    "many": _many,
    "max": lambda *xs: -_least(*(-np.asarray(x) for x in xs)),
    "mean": lambda xs: float(np.mean(xs)),
    "min": _least,
    "nan": float("nan"),
    "norm": rows.length,
    "ones": np.ones,
    "pi": lambda x, y: x - rows.share(x, y) * y,
    "sign": np.sign,
    "sqrt": lambda x: float(np.sqrt(x)),
    "where": np.where,
}
"""What every formula may call, beside what right steps are made of."""


def compiled(formula: str, own: str = "", *arguments: str) -> Callable[..., Any]:
    """Return a formula as a function of a mapping of names, of what ``own`` names, and arguments.

    Example:
        >>> x, y = np.array([3.0, 4.0]), np.array([1.0, 0.0])
        >>> compiled("2 <x, y> / ||x||^2 x", "", "x")({**NAMES, "y": y}, None, x)
        array([0.72, 0.96])
    """
    body = _LooksUp(own, arguments).visit(_Divides().visit(_parsed(formula))).body
    head = ast.parse(f"lambda {', '.join(('_names', '_before', *arguments))}: 0", mode="eval")
    cast(ast.Lambda, head.body).body = body
    function: Callable[..., Any] = eval(compile(ast.fix_missing_locations(head), formula, "eval"))
    return function


def names_in(formula: str) -> set[str]:
    """Return the names that a formula uses."""
    return {node.id for node in ast.walk(_parsed(formula)) if isinstance(node, ast.Name)}


def _parsed(formula: str) -> ast.Expression:
    text = re.sub(r"\|\|([^|]+)\|\|", r"norm(\1)", formula)
    text = re.sub(r"<([\w']+), ([\w']+)>", r"inner(\1, \2)", text)
    text = text.replace(";", ",").replace("^", "**").replace("e'", "after")
    return ast.parse(_multiplied(text), mode="eval")


class _LooksUp(ast.NodeTransformer):
    """Makes of every name a look-up in the mapping of names, but for arguments and builtins."""

    def __init__(self, own: str, arguments: tuple[str, ...]) -> None:
        self._own, self._bound = own, {*arguments}

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self._bound |= {x.id for x in ast.walk(node.target) if isinstance(x, ast.Name)}
        return self.generic_visit(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        node.generators = [self.visit(each) for each in node.generators]  # they bind its names
        node.elt = self.visit(node.elt)
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        node.generators = [self.visit(each) for each in node.generators]
        node.elt = self.visit(node.elt)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._bound:
            return node
        if node.id == self._own:
            return ast.Name("_before", ast.Load())
        return ast.Subscript(ast.Name("_names", ast.Load()), ast.Constant(node.id), ast.Load())


class _Divides(ast.NodeTransformer):
    """Makes a quotient 0 where it is divided by 0, and chooses entry by entry."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        many = ast.Call(ast.Name("many", ast.Load()), [deepcopy(node.test)], [])
        each = ast.Call(ast.Name("where", ast.Load()), [node.test, node.body, node.orelse], [])
        return ast.IfExp(many, deepcopy(each), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        return ast.Call(ast.Name("ratio", ast.Load()), [node.left, node.right], [])


def _multiplied(text: str) -> str:
    """Return a formula with a sign where a space stands for a product."""
    kept, end, before = "", (1, 0), ""
    for found in tokenize.generate_tokens(io.StringIO(text).readline):
        if found.type not in (token.NAME, token.NUMBER, token.OP):
            continue
        spaced = found.start != end
        if spaced and _is_factor(before, last=True) and _is_factor(found.string, last=False):
            kept += " *"
        kept += " " * spaced + found.string
        end, before = found.end, found.string
    return kept


def _is_factor(word: str, *, last: bool) -> bool:
    ends = ")]" if last else "("
    return word in tuple(ends) or (word[:1].isalnum() and not keyword.iskeyword(word))
