"""In which order a gradient meets the others: as given, or drawn from a seed."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import array_api_compat
import numpy as np

from bloop_ref._arrays import device
from bloop_ref._typing import Scalar
from bloop_ref.surgery.rows.conflict import Orders

PERIOD = 1024
"""After so many steps the drawn orders come again: a table can be looked up under a tracer."""


def check_orders(
    orders: Sequence[Sequence[int]] | None, *, itself: bool
) -> tuple[tuple[int, ...], ...] | None:
    """Return orders as tuples; raise unless row i holds every j != i once.

    Args:
        orders: for each gradient the numbers of those that it meets, or ``None``.
        itself: whether row i may hold i too.
    """
    if orders is None:
        return None
    rows = tuple(tuple(row) for row in orders)
    for i, row in enumerate(rows):
        others = [j for j in range(len(rows)) if j != i]
        met = [j for j in row if j != i or not itself or row.count(i) > 1]
        if not all(type(j) is int for j in row) or sorted(met) != others:
            raise ValueError(f"orders[{i}] must hold each of {others} once; found {list(row)}")
    return rows


def check_seed(seed: Any) -> None:
    """Raise unless a seed is an integer >= 0."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be an integer >= 0; found {seed!r}")


def orders_at(count: Scalar, losses: int, *, orders: Orders | None, seed: int) -> Orders:
    """Return the orders of a step: those given, or row ``count`` of a table drawn from the seed."""
    if orders is not None:
        if len(orders) != losses:
            raise ValueError(
                f"orders must have one row per gradient: required {losses}, found {len(orders)}"
            )
        return orders
    if losses < 3:
        return [[1], [0]][:losses] if losses == 2 else [[]]
    table = _table(seed, losses)
    row = _look_up(table, count)
    return [row[i * (losses - 1) : (i + 1) * (losses - 1)] for i in range(losses)]


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
