"""Wrong steps written for the measurement, as strangers write them, and what each does wrong.

None is an entry of the catalogue: they were written from the guide and the specification, before
the catalogue was read. In each module the first, third, ... entry is for development, the second,
fourth, ... is held out: the diagnosis was not built by looking at those.
"""

import inspect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bloop_proofs.subject import Step

Any_ = TypeVar("Any_", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """A wrong step: what is wrong, and the names in the catalogue that say so.

    ``names`` say its main mistake, as patterns, since fitted constants are part of a name; where
    two mistakes are of one rank either of them may be said first. None do where the catalogue has
    nothing that fits. ``also`` say the second mistake. ``like`` say the main one nearly: as "is"
    they would be wrong.
    """

    name: str
    wrong: str
    names: tuple[str, ...]
    also: tuple[str, ...]
    like: tuple[str, ...]
    make: Callable[[], Step]
    framework: str
    method: str
    held_out: bool


SINGLES: list[Entry] = []
"""One mistake each."""

PAIRS: list[Entry] = []
"""Two mistakes each; the names are those of the one that changes results most."""

GAPS: list[Entry] = []
"""Wrong only on inputs, or in calls, that are seldom tried."""


def _into(entries: list[Entry]) -> Callable[..., Callable[[Any_], Any_]]:
    seen: Counter[str] = Counter()

    def decorator(
        *names: str,
        also: str | tuple[str, ...] = (),
        like: str | tuple[str, ...] = (),
        framework: str = "numpy",
        method: str = "bloop",
        made: bool = False,
    ) -> Callable[[Any_], Any_]:
        """Note a step; with ``made``, a function that makes one."""

        def note(step: Any_) -> Any_:
            wrong = " ".join((inspect.getdoc(step) or "").split())
            make = step if made else lambda: step
            held_out = seen[step.__module__] % 2 == 1
            seen[step.__module__] += 1
            more, near = ((x,) if isinstance(x, str) else x for x in (also, like))
            entries.append(
                Entry(step.__name__, wrong, names, more, near, make, framework, method, held_out)
            )
            return step

        return note

    return decorator


single = _into(SINGLES)
pair = _into(PAIRS)
gap = _into(GAPS)

EARLY = "ema-is-updated-before-the-projection"
BATCH = "projects-on-the-raw-main-gradient"
LEAVES = "projects-leaf-by-leaf"
CONFLICT = "projects-only-in-conflict"
RESCALED = "direction-is-divided-by-one-plus-lam"
CONVEX = "weights-add-up-to-one"
SWAPPED = "rho-and-its-complement-are-swapped"
EXCHANGED = "*-are-exchanged*"
ZERO = "zero-ema-gives-nan"
EPSILON = "epsilon-*"
SQUARE = "epsilon-*-is-added-to-the-square"
NORM = "epsilon-*-is-added-to-the-norm"
SQUARE_FLOOR = "square-is-at-least-*"
NORM_FLOOR = "*-is-at-least-*"
"""A floor of the norm is one of its square, where both lead to a unit vector."""
SMALL = "small-*-is-taken-as-zero"
SINGLE = "inner-products-are-in-single-precision"
HALF = "ema-is-updated-in-the-dtype-of-the-gradient"
REAL = "imaginary-parts-are-not-counted"
