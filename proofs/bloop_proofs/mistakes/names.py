"""The names that the formulas of one step know: its parts, worked out when they are asked for.

So the parts of a right step may be written in any order, and a mistake exchanges one of them
wherever the others use it.
"""

import textwrap
from collections.abc import Mapping
from functools import cache
from types import CodeType
from typing import Any

from bloop_proofs.mistakes.formula import NAMES, Part, Parts, compiled, entries


class Right:
    """The parts of a right step, from their text."""

    def __init__(self, text: str) -> None:
        """Read the text: a line ``part(x, y) = ...`` or ``part = ...`` for every part."""
        (entry,) = entries("right\n" + textwrap.indent(textwrap.dedent(text), " "))
        self.parts: Parts = entry.parts
        self.others = {name: x for name, x in NAMES.items() if name not in entry.parts}


class Names(dict[str, Any]):
    r"""The parts of a step by their names, some of them exchanged.

    Raises ``ValueError`` where a part would have to be known before itself.

    Example:
        >>> right = Right("d = twice(c)\ntwice(x) = 2 x\nc = 3")
        >>> Names({}, right, {})["d"]
        6
        >>> Names({"c": (Part("c", "c + start"),)}, right, {"start": 1})["d"]
        8
    """

    def __init__(self, parts: Parts, right: Right, known: Mapping[str, Any]) -> None:
        """Keep what is exchanged, the other parts, and what is known without a formula."""
        super().__init__(right.others)
        self._parts, self._right, self._known = parts, right.parts, known
        self._asked: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if name in self._asked:
            raise ValueError(f"{name} is made of itself")
        chain = self._parts.get(name, ())
        if not chain or chain[0].alters:
            chain = (*self._right.get(name, ()), *chain)
        try:
            value = self._known[name]
        except KeyError:
            value = None
            if not chain:
                raise
        self._asked.add(name)
        for part in chain:
            value = _value(part, self, value)
        self[name] = value
        return value


class _Within(dict[str, Any]):
    """Names within a formula: its arguments, or what it alters, and then those of the step."""

    def __init__(self, names: Names, own: Any) -> None:
        super().__init__(own)
        self._names = names

    def __missing__(self, name: str) -> Any:
        return self._names[name]


_GLOBALS: dict[str, Any] = {}


@cache
def _read(part: Part) -> tuple[CodeType, bool]:
    return compiled(part.text), part.alters


def _value(part: Part, names: Names, before: Any) -> Any:
    code, alters = _read(part)
    own = {part.name: before} if alters else {}
    if not part.arguments:
        return eval(code, _GLOBALS, _Within(names, own) if alters else names)
    return lambda *given: eval(
        code, _GLOBALS, _Within(names, {**own, **dict(zip(part.arguments, given, strict=False))})
    )
