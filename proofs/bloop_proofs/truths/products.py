"""What a method must give that reads inner products, and how far a right step may be from it.

A right step is written once, on vectors that are added, scaled and multiplied with one another. On
the rows of a matrix it gives the direction. On ``Weights``, vectors known by their inner products
alone, it gives the weights of the direction, for these inner products or for others near to them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.signature import Answer, Signature, every_order
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import (
    norm,
    product_error,
    row_rounding,
    underflow_bound,
    unit_roundoff,
)

Plain = Callable[..., Any]
"""A step on the rows of a matrix, with the state before the options if there is one."""
Options = tuple[tuple[str, Any], ...]
"""The options of one step."""
Judge = Callable[[Sequence[Options], np.ndarray, float], tuple[np.ndarray, float]]
"""From the options and gradients of every step, and a roundoff, to what is right and a bound."""
Gram = list[list[float]]


class Weights:
    """A combination of vectors of which the inner products are known."""

    __array_ufunc__ = None  # NumPy's numbers leave arithmetic with these to the methods below

    def __init__(self, on: np.ndarray, gram: np.ndarray) -> None:
        """Keep the weights on the vectors, and the inner products of these."""
        self.on, self.gram = on, gram

    def __add__(self, other: Any) -> "Weights":
        return Weights(self.on + (other.on if isinstance(other, Weights) else other), self.gram)

    __radd__ = __add__  # for sum, which begins with 0

    def __sub__(self, other: "Weights") -> "Weights":
        return Weights(self.on - other.on, self.gram)

    def __mul__(self, factor: float) -> "Weights":
        return Weights(self.on * factor, self.gram)

    __rmul__ = __mul__

    def __matmul__(self, other: "Weights") -> float:
        return float(self.on @ self.gram @ other.on)


def grams(steps: np.ndarray) -> list[Gram]:
    """Return the inner products of every step, each rounded once."""
    return [
        [[math.fsum(x * y for x, y in zip(v, w, strict=True)) for w in step] for v in step]
        for step in steps.tolist()
    ]


@dataclass(frozen=True)
class Products:
    """The judge by a right step that reads inner products only."""

    plain: Plain
    stateful: bool = False

    def row(self, options: Sequence[Options], products: Sequence[Gram]) -> np.ndarray:
        """Return the weights of the last direction."""
        state: Any = None
        for chosen, gram in zip(options, products, strict=True):
            table = np.array(gram)
            vectors = [Weights(axis, table) for axis in np.eye(len(gram))]
            if self.stateful:
                direction, state = self.plain(vectors, state, **dict(chosen))
            else:
                direction = self.plain(vectors, **dict(chosen))
        return np.asarray(direction.on)

    def __call__(
        self, options: Sequence[Options], steps: np.ndarray, u: float
    ) -> tuple[np.ndarray, float]:
        """Return the direction, and its sensitivity to the inner products.

        A right step may compute every one with an error of ``product_error``: what that changes,
        one after the other and either way, adds up to the bound.
        """
        losses, n = steps.shape[1:]
        products, last = grams(steps), steps[-1]
        row = self.row(options, products)
        bound = row_rounding(u, losses, size_of(row, last))
        for gram in products:
            for i in range(losses):
                for j in range(i + 1):
                    exact = gram[i][j]
                    error = product_error(u, n) * math.sqrt(gram[i][i] * gram[j][j])
                    changes = []
                    for wrong in (exact + error, exact - error) if error else ():
                        gram[i][j] = gram[j][i] = wrong
                        changes.append(norm((self.row(options, products) - row) @ last))
                    gram[i][j] = gram[j][i] = exact
                    bound += max(changes, default=0.0)
        return row @ last, bound


def size_of(row: np.ndarray, gradients: np.ndarray) -> float:
    """Return the size that the rounding of a combination is relative to."""
    return float(sum((1 + abs(c)) * norm(g) for c, g in zip(row, gradients, strict=True)))


def by(judge: Judge) -> Callable[[Signature, Case, np.ndarray | None], Iterator[Answer]]:
    """Return the answers of a method that a judge knows."""

    def answers(method: Signature, case: Case, near: np.ndarray | None) -> Iterator[Answer]:
        steps = method.steps(case)
        stack = np.array([[flat(gradient) for gradient in step] for step in steps])
        gradients = [gradient for step in steps for gradient in step]
        u, little = unit_roundoff(*gradients), underflow_bound(*gradients)
        options = {name: case[name] for name in method.choices}
        choices = list(_choices(options, len(steps[-1]), len(steps)))
        if near is not None and len(choices) > 1 and isinstance(judge, Products):
            products = grams(stack)
            distances = {c: norm(judge.row(c, products) @ stack[-1] - near) for c in choices}
            choices.sort(key=distances.__getitem__)  # bounds take longer than directions
        for choice in choices:
            known, room = _judged(judge, choice, stack.tobytes(), stack.shape, u)
            yield {"direction": (known, room + little)}

    return answers


def _choices(options: dict[str, Any], losses: int, steps: int) -> Iterator[tuple[Options, ...]]:
    """Yield the options of every step, with every order that may have been taken in each."""
    taken = [options]
    if options.get("orders", ()) is None:
        taken = [{**options, "orders": orders} for orders in every_order(losses)]
    frozen = [tuple((name, _frozen(x)) for name, x in one.items()) for one in taken]
    return product(frozen, repeat=steps)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


@lru_cache(maxsize=4096)
def _judged(
    judge: Judge, options: tuple[Options, ...], data: bytes, shape: tuple[int, ...], u: float
) -> tuple[np.ndarray, float]:
    with np.errstate(all="ignore"):
        return judge(options, np.frombuffer(data).reshape(shape), u)
