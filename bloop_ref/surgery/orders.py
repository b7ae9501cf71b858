"""In which order a gradient meets the others: as given, or drawn from a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, TypeAlias

import array_api_compat
import numpy as np

from bloop_ref.aliases import Scalar
from bloop_ref.arrays import device
from bloop_ref.gram_method import GramMethod
from bloop_ref.scalars import add_at

Orders: TypeAlias = Sequence[Sequence[Any]]
"""For each gradient the numbers of those that it meets, in that order; they may be traced."""

PERIOD = 1024
"""After so many steps the drawn orders come again: a table can be looked up under a tracer."""


Meeting: TypeAlias = Callable[[int, Any, list[Scalar]], Scalar]
"""From i, j and gradient i under way to the multiple of gradient j that it takes up."""


@dataclass(frozen=True, kw_only=True)
class Ordered(GramMethod):
    """A method by which every gradient is altered by those that it meets; see ``PCGrad``."""

    may_meet_itself: ClassVar[bool] = False

    orders: Orders | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"seed must be an integer >= 0; found {self.seed!r}")
        if self.orders is not None:
            object.__setattr__(self, "orders", tuple(map(tuple, self.orders)))
            self._check_orders(self.orders)

    def _check_orders(self, rows: Orders) -> None:
        """Raise unless row i holds every j != i once, and perhaps i too."""
        for i, row in enumerate(rows):
            others = [j for j in range(len(rows)) if j != i]
            met = [j for j in row if j != i or not self.may_meet_itself or row.count(i) > 1]
            if not all(type(j) is int for j in row) or sorted(met) != others:
                raise ValueError(f"orders[{i}] must hold each of {others} once; found {list(row)}")

    def altered(self, size: int, sides: int, meeting: Meeting) -> list[list[Scalar]]:
        """Return each of the first gradients after all its meetings, over all gradients."""
        parts: list[list[Scalar]] = [[int(k == i) for k in range(size)] for i in range(sides)]
        for i, order in enumerate(self._now(size)[:sides]):
            for j in order:
                parts[i] = add_at(parts[i], j, meeting(i, j, parts[i]))
        return parts

    def _now(self, losses: int) -> Orders:
        """Return the orders of a step: those given, or a row of a table drawn from the seed."""
        if self.orders is None:
            row = _look_up(_table(self.seed, losses), self.count) if losses > 2 else [1, 0]
            return [row[i * (losses - 1) : (i + 1) * (losses - 1)] for i in range(losses)]
        if len(self.orders) != losses:
            raise ValueError(
                "orders must have one row per gradient: "
                f"required {losses}, found {len(self.orders)}"
            )
        return self.orders


def total(parts: Sequence[Sequence[Scalar]], weights: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Return a weighted sum of gradients over the gradients."""
    columns = zip(*parts, strict=True)
    return tuple(sum(w * x for w, x in zip(weights, column, strict=True)) for column in columns)


def _look_up(table: np.ndarray, count: Scalar) -> list[Any]:
    """Return one row of the table, as integers or, for a count that is not NumPy's, as scalars."""
    if not array_api_compat.is_array_api_obj(count) or array_api_compat.is_numpy_array(count):
        return [int(j) for j in table[int(count) % PERIOD]]
    xp = array_api_compat.array_namespace(count)
    there = xp.asarray(table, device=device(count, xp))
    row = xp.take(there, xp.expand_dims(count % PERIOD, axis=0), axis=0)
    return [row[0, place] for place in range(table.shape[1])]


@lru_cache
def _table(seed: int, losses: int) -> np.ndarray:
    """Return for every step the orders of all gradients, one after the other."""
    keys = np.random.default_rng([seed, losses]).random((PERIOD, losses, losses - 1))
    others = np.argsort(keys, axis=-1)
    own = np.arange(losses)[:, None]
    return (others + (others >= own)).reshape(PERIOD, -1).astype(np.int32)
