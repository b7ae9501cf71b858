"""The names that the formulas of one step know: its parts, worked out when they are asked for.

So the parts of a right step may be written in any order, and a mistake exchanges one of them
wherever the others use it.
"""

import textwrap
from collections.abc import Mapping
from typing import Any

from bloop_proofs.mistakes.compiling import NAMES
from bloop_proofs.mistakes.formula import Parts, entries


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
        >>> from bloop_proofs.mistakes.formula import Part
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
            value = part.known(self, value)
        self[name] = value
        return value
