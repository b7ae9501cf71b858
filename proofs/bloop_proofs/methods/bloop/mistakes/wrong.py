"""Making a catalogued mistake of a few lines of text or of code."""

import re
from collections.abc import Callable
from typing import Any

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.definition import SIGNATURE
from bloop_proofs.methods.bloop.mistakes.longs import KNOWN, cut, long
from bloop_proofs.methods.bloop.mistakes.pieces import Now, Pair, Whole
from bloop_proofs.mistakes.formula import Entry, Parts
from bloop_proofs.mistakes.mistake import Catalogued, Group, Mistake, as_listed, catalogued
from bloop_proofs.mistakes.names import Names, Right
from bloop_proofs.subject import Step

RIGHT = Right(
    """
    d = first + lam kept
    first = g
    kept = pi(a; v)
    v = e
    pi(x, y) = x - share(x; y) y
    c = share(a; v)
    share(x, y) = gate(quotient(along(x; y); square(x; y)))
    gate(c) = c
    quotient(top, bottom) = top / bottom
    along(x, y) = <x, y>
    square(x, y) = <y, y>
    inner(x, y) = total(product(read(x); read(y)))
    norm(x) = root(<x, x>)
    cos(x, y) = <x, y> / (||x|| ||y||)
    read(x) = x
    product(x, y) = (conj(x) y).real
    total(z) = sum(z)
    ema = stored(stored(decay stored(e)) + stored(gain entering))
    decay = 1 - rho
    gain = rho
    entering = g
    stored(z) = z
    after = ema
    """
)
"""Bloop's step in its smallest parts, any of which a mistake exchanges.

v is projected on and c the coefficient. Inner products ``read`` vectors, and ``total`` sums their
entries' products; ``entering`` is averaged, and ``stored`` as the EMA is.
"""

SENTENCES = {
    "c": "The coefficient is {}.",
    "square": "The coefficient is <a, e> / {}.",
    "quotient": "The coefficient is {}.",
    "d": "The direction is {}.",
    "first": "The direction is {} + lam pi(a; e).",
    "kept": "The direction is g + lam {}.",
    "entering": "The new EMA is (1 - rho) e + rho {}.",
    "ema": "The new EMA is {}.",
}
"""What a mistake does that says no more than its formula."""
READ_AS = {
    "x": "a",
    "y": "e",
    "v": "e",
    "kept": "pi(a; e)",
    "entering": "g",
    "top": "<a, e>",
    "bottom": "||e||^2",
}
"""What arguments of parts are called in sentences."""


def sentence(entry: Entry) -> str:
    """Return what a mistake does, from the first of its formulas."""
    name, (part, *_) = next(iter(entry.parts.items()))
    text = re.sub(r"\w+", lambda word: READ_AS.get(word[0], word[0]), part.text)
    return SENTENCES[name].format(text)


class _Given(dict[str, Any]):
    """The inputs of a step as long vectors, and what ``KNOWN`` makes of its arrays."""

    def __init__(self, s: Now) -> None:
        g, a, e = map(long, (s.g, s.a, s.e))
        super().__init__(g=g, a=a, e=e, g_main=g, g_aux=a, lam=s.lam, rho=s.rho)
        self._now = s

    def __missing__(self, name: str) -> Any:
        return KNOWN[name](self._now)


def base(parts: Parts) -> Step:
    """Return a right step, but for the parts that are exchanged, in wide arithmetic."""

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        names = Names(parts, RIGHT, _Given(Now(g_main, g_aux, ema, lam, rho, step)))
        return cut(names["d"], g_main), cut(names["ema"], ema)

    return step


def listed(text: str, *, group: Group = "equations", unit: float = 0.0) -> tuple[Mistake, ...]:
    """Return the mistakes of a text that exchange parts of ``RIGHT`` for formulas.

    The formulas know these parts, g, a, e, lam and rho, and what stands in ``KNOWN``.
    """
    return as_listed(SIGNATURE, text, base, sentence, group, unit)


def around(whole: Whole) -> Callable[[Step], Step]:
    """Return what puts a function that returns a direction and a new EMA around a step."""

    def put(under: Step) -> Step:
        def step(
            g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
        ) -> Pair:
            return whole(Now(g_main, g_aux, ema, lam, rho, under))

        return step

    return put


def wrong_step(
    *, where: str, mend: str, group: Group = "numerics", unit: float = 0.0
) -> Catalogued:
    """Make a mistake of a function that returns a direction and a new EMA."""
    about: dict[str, Any] = {"where": where, "mend": mend, "group": group, "unit": unit}
    return lambda whole: catalogued(SIGNATURE, whole, base=base, around=around(whole), **about)


def wrong_object(
    *, where: str, mend: str, group: Group = "numerics", remembers: bool = True
) -> Catalogued:
    """Make a mistake of a function that returns a step with a memory."""
    about: dict[str, Any] = {"where": where, "mend": mend, "group": group, "remembers": remembers}

    def decorate(make: Callable[[], Whole]) -> Mistake:
        put: Callable[[Step], Step] = lambda under: around(make())(under)  # noqa: E731
        return catalogued(SIGNATURE, make, base=base, around=put, **about)

    return decorate
