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

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from bloop_proofs.mistakes.compiling import NAMES, compiled, names_in
from bloop_proofs.truths.products import Plain


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
