"""Mistakes that exchange a part of a right step for a formula, and the text that lists them.

Formulas are written as in the papers: ``<x, y>`` and ``||x||`` over all parameters, ``pi(x; y)``,
``^``, and a space for a product. What is divided by zero is zero. A catalogue is a text::

    at eq. 5, the coefficient
    divides-by-the-norm: The coefficient is <a, e> / ||e||.
        coefficient = <a, e> / ||e||
        -> Divide by the squared norm, ||ema||^2.

The line in the paper or the protocol, and then, for each mistake, its name, what it does, the parts
that it exchanges, and the mend. ``part(x, y) = ...`` exchanges a function, ``part = ...`` a value.
A formula that names its own part alters what is there, also what another mistake has put there.
A constant in braces stands for any other: where nothing else explains a subject, it is fitted.
"""

import ast
import builtins
import io
import keyword
import re
import textwrap
import token
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any, cast

import numpy as np

from bloop_proofs import rows
from bloop_proofs.truths.products import Plain


def _many(*xs: Any) -> bool:
    return any(np.ndim(x) > 0 for x in xs)


def _least(*xs: Any) -> Any:
    """Return the least of some numbers, or of an array; entry by entry for several arrays."""
    if len(xs) > 1 and _many(*xs):
        return reduce(np.minimum, xs)
    return float(np.min(np.array(xs)))


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


@dataclass(frozen=True)
class Part:
    """A part of a step that is exchanged for a formula, of some arguments or of none."""

    name: str
    text: str
    arguments: tuple[str, ...] = ()

    @cached_property
    def alters(self) -> bool:
        """Whether it is made of what it takes the place of."""
        return self.name in names_in(self.text)

    @cached_property
    def _computed(self) -> Callable[..., Any]:
        return compiled(self.text, self.name, *self.arguments)

    def known(self, names: Mapping[str, Any], before: Any = None) -> Any:
        """Return its value, or a function, where the other names of a step are known.

        ``before`` is what it takes the place of.
        """
        if not self.arguments:
            return self._computed(names, before)
        return lambda *given: self._computed(names, before, *given[: len(self.arguments)])


Parts = Mapping[str, tuple[Part, ...]]
"""For the name of every part what takes its place, one on top of the other."""


def joined(every: Iterable[Parts]) -> Parts:
    """Return the parts of several mistakes; raise ``ValueError`` where two want the same place."""
    found: dict[str, tuple[Part, ...]] = {}
    for parts in every:
        for name, chain in parts.items():
            found[name] = (*found.get(name, ()), *chain)
    for name, chain in found.items():
        if sum(not part.alters for part in chain) > 1:
            raise ValueError(f"one formula may take the place of {name}; found several")
        found[name] = tuple(sorted(chain, key=lambda part: part.alters))
    return found


@dataclass
class Entry:
    """A mistake as it is listed; ``free`` is a constant in it that may as well be another."""

    where: str
    name: str
    statement: str = ""
    mend: str = ""
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    free: str = ""

    def at(self, value: str) -> "Entry":
        """Return the same mistake with another constant."""
        parts = {
            name: tuple(replace(part, text=part.text.replace(self.free, value)) for part in chain)
            for name, chain in self.parts.items()
        }
        name, statement = (x.replace(self.free, value) for x in (self.name, self.statement))
        return replace(self, name=name, statement=statement, parts=parts, free="")


def exchanging(parts: Parts, plain: Plain, further: Mapping[str, Any]) -> Plain:
    """Return a step on the rows g of a matrix with parts exchanged.

    A part is an argument of the step, g, the state, the direction d, or the state ``after`` it.
    Formulas know the first two rows m and a, the number K of rows, their mean g_0, the state, all
    options, and what is named further.
    """

    def value(name: str, names: Mapping[str, Any]) -> Any:
        found = names.get(name)
        for part in parts[name]:
            found = part.known(names, found)
        return found

    def wrong(g: Any, *state: Any, **options: Any) -> Any:
        names = {**NAMES, "g": g, "state": state[0] if state else None, **options, **further}
        names |= {"m": g[0], "a": g[1], "K": len(g), "g_0": g.mean(axis=0)}
        given = {name: value(name, names) for name in parts.keys() - {"d", "after"}}
        names |= given
        old = [given.pop("state", x) for x in state]
        returned = plain(given.pop("g", g), *old, **{**options, **given})
        outputs = dict(zip(("d", "after"), returned if state else (returned,), strict=False))
        outputs |= {x: value(x, {**names, **outputs}) for x in outputs if x in parts}
        return tuple(outputs.values()) if state else outputs["d"]

    return wrong


def entries(text: str) -> Iterator[Entry]:
    """Yield the mistakes of a catalogue."""
    where = ""
    for block in re.split(r"^(?=\S)", textwrap.dedent(text), flags=re.MULTILINE):
        head, *lines = block.strip().splitlines() or [""]
        if head.startswith("at "):
            where = head.removeprefix("at ")
        elif head:
            yield _entry(where, head, [line.strip() for line in lines])


def _entry(where: str, head: str, lines: list[str]) -> Entry:
    name, _, statement = head.partition(": ")
    body, _, mend = "\n".join(lines).partition("-> ")
    entry = Entry(where, name, mend=" ".join(mend.split()))
    said = [statement]
    for line in body.splitlines():
        if found := re.fullmatch(r"(\w+)(?:\((.*?)\))? = (.*)", line):
            part, arguments, formula = found.groups()
            if free := re.search(r"{(.*?)}", formula):
                entry.free, formula = free[1], formula.replace(free[0], free[1])
            names = tuple(arguments.split(", ")) if arguments else ()
            entry.parts[part] = (Part(part, formula, names),)
        else:
            said.append(line)
    entry.statement = " ".join(said).strip()
    return entry


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
