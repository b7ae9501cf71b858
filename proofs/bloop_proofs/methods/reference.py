"""What a method must give, by the reference on float64, and how far a right step may be from it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from typing import Any

import numpy as np
from optree import tree_map

from bloop_proofs.cases import Case
from bloop_proofs.methods.method import Method, every_order
from bloop_proofs.methods.registry import METHODS
from bloop_proofs.methods.subject import steps_of
from bloop_proofs.methods.truths import (
    conflict_averse_weights,
    least_norm_weights,
    length_pulled_along,
    of_inner_products,
)
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import (
    conflict_averse_bound,
    frank_wolfe_bound,
    modulation_error,
    norm,
    product_error,
    row_rounding,
    underflow_bound,
    unit_roundoff,
)
from bloop_ref import Gramian

Expected = tuple[np.ndarray, float]
"""A direction as one long vector, and how far a right step may be from it."""
Judge = Callable[[list[Any], np.ndarray, float], Expected]
"""From the method of every step, the gradients and their roundoff to what is right."""
Row = Callable[[Sequence[Any]], np.ndarray]
"""From the inner products of all steps to the weights of the last direction."""


def expected(method: Method, case: Case, near: np.ndarray | None = None) -> Iterator[Expected]:
    """Yield the directions that are right for a case: several where an option has any value.

    Those nearest to a given direction come first: bounds take longer than directions.
    """
    losses = len(case.gradients)
    stack = np.array([[flat(gradient) for gradient in step] for step in steps_of(case)])
    gradients = [gradient for step in steps_of(case) for gradient in step]
    u, little = unit_roundoff(*gradients), underflow_bound(*gradients)
    options = {name: case[name] for name in (*method.options, *method.optional)}
    choices = list(_choices(options, losses, len(stack)))
    if near is not None and len(choices) > 1:
        grams = _grams(stack)
        choices.sort(
            key=lambda choice: norm(_row(_made(method.name, choice), grams) @ stack[-1] - near)
        )
    for choice in choices:
        known, bound = _expected(method.name, stack.tobytes(), stack.shape, u, choice)
        yield known, bound + little


Options = tuple[tuple[str, Any], ...]


def _choices(options: dict[str, Any], losses: int, steps: int) -> Iterator[tuple[Options, ...]]:
    """Yield the options of every step, with every order that may have been taken in each."""
    taken = [options]
    if options.get("orders", ()) is None:
        taken = [{**options, "orders": orders} for orders in every_order(losses)]
    frozen = [tuple((name, _frozen(x)) for name, x in one.items()) for one in taken]
    return product(frozen, repeat=steps)


def _made(name: str, choice: tuple[Options, ...]) -> list[Any]:
    """Return the method of every step."""
    return [METHODS[name].make(**dict(of_step)) for of_step in choice]


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


@lru_cache(maxsize=4096)
def _expected(
    name: str, data: bytes, shape: tuple[int, ...], u: float, options: tuple[Options, ...]
) -> Expected:
    steps = np.frombuffer(data).reshape(shape)
    known: dict[str, Judge] = {
        "mgda": _mgda,
        "cagrad": _cagrad,
        "sam_gs": _sam_gs,
    }
    judge: Judge = known.get(name, _by_products)
    with np.errstate(all="ignore"):
        direction, bound = judge(_made(name, options), steps, u)
    return direction, bound


def _grams(steps: np.ndarray) -> list[list[list[float]]]:
    """Return the inner products of every step, each rounded once."""
    return [
        [[math.fsum(x * y for x, y in zip(v, w, strict=True)) for w in step] for v in step]
        for step in steps.tolist()
    ]


def _row(methods: Sequence[Any], grams: Sequence[Any]) -> np.ndarray:
    """Return the weights of the last direction, from the inner products of all steps."""
    losses = len(grams[0])
    scalars: Any = tree_map(float, methods[0].start(losses))
    row: Any = ()
    for method, gram in zip(methods, grams, strict=True):
        known = {(i, j): gram[i][j] for i, j in method.pairs(losses)}
        (row, *_), scalars = method.matrix(Gramian(known, losses), scalars)
    return np.array([float(x) for x in row])


def _by_products(
    methods: Sequence[Any], steps: np.ndarray, u: float, row_of: Row | None = None
) -> Expected:
    """Return the direction of a method that reads inner products, and its sensitivity to them.

    A right step may compute every inner product with an error of ``product_error``: what that
    changes, one product after the other and either way, adds up to the bound.
    """
    losses, n = steps.shape[1:]
    grams, last = _grams(steps), steps[-1]
    row_of = row_of or partial(_row, methods)
    row = row_of(grams)
    bound = row_rounding(u, losses, _size(row, last))
    for gram in grams:
        for i, j in methods[-1].pairs(losses):
            exact = gram[i][j]
            error = product_error(u, n) * math.sqrt(gram[i][i] * gram[j][j])
            changes = []
            for wrong in (exact + error, exact - error):
                gram[i][j] = gram[j][i] = wrong
                changes.append(norm((row_of(grams) - row) @ last))
            gram[i][j] = gram[j][i] = exact
            bound += max(changes) if error else 0.0
    return row @ last, bound


def _size(row: np.ndarray, gradients: np.ndarray) -> float:
    return float(sum((1 + abs(c)) * norm(g) for c, g in zip(row, gradients, strict=True)))


def _mgda(methods: Sequence[Any], steps: np.ndarray, u: float) -> Expected:
    """Return the point of least norm; for more than two gradients a search may stop early."""
    last = steps[-1]
    if len(last) == 2:
        return _by_products(methods, steps, u, lambda grams: of_inner_products(grams[-1]))
    row = least_norm_weights(last)
    diameter = max(norm(x - y) for x in last for y in last)
    rounding = row_rounding(u, len(row), _size(row, last))
    return row @ last, frank_wolfe_bound(diameter) + rounding


def _cagrad(methods: Sequence[Any], steps: np.ndarray, u: float) -> Expected:
    """Return the conflict-averse direction; a search may stop early."""
    last, c = steps[-1], methods[-1].c
    mean, pulls = last.mean(axis=0), conflict_averse_weights(last, c)
    radius = c * norm(mean)
    pull = length_pulled_along(last, pulls)
    bound = conflict_averse_bound(radius, max(map(norm, last)), pull)
    row = 1 / len(pulls) + pulls
    return row @ last, bound + row_rounding(u, len(row), _size(row, last))


def _sam_gs(methods: Sequence[Any], steps: np.ndarray, u: float) -> Expected:
    """Return SAM-GS's direction; near the threshold either branch is right."""
    method = methods[-1]
    losses, n = steps.shape[1:]
    beta1, beta2 = method.beta1, method.beta2
    state: Any = method.init(np.zeros(n), losses=losses)
    averaged, weight, unlike, momenta = 0.0, 1.0, 0.0, np.zeros((losses, n))
    for step in steps:
        direction, state = method.step(list(step), state)
        averaged, *_ = map(float, state.scalars)
        similarity = mean_similarity(step)
        unlike = beta2 * unlike + (1 - beta2) * (1 - similarity)
        momenta = beta1 * momenta + (1 - beta1) * np.abs(step)
        weight = weight * beta2
    square = averaged / (1 - weight)
    error = modulation_error(u, n, unlike / (1 - weight), square)
    modulated = float(np.sum(norms(momenta) / (1 - beta1 ** len(steps)) * norms(step)))
    sizes = norms(step)
    delta = product_error(u, n)
    even = delta * losses * float(sizes.mean())
    uneven = (error + row_rounding(u, losses, 1.0)) * modulated / math.sqrt(square)
    if abs(similarity - method.gamma) > delta:
        return direction, even if similarity < method.gamma else uneven
    across = method.gamma + (2 * delta if similarity >= method.gamma else -2 * delta)
    other = replace(method, gamma=across)
    return direction, even + uneven + norm(_last(other, steps) - direction)


def _last(method: Any, steps: np.ndarray) -> np.ndarray:
    state = method.init(steps[0][0], losses=steps.shape[1])
    for step in steps:
        direction, state = method.step(list(step), state)
    return np.asarray(direction)


def norms(vectors: np.ndarray) -> np.ndarray:
    """Return the norms of some vectors."""
    return np.array([norm(vector) for vector in vectors])


def mean_similarity(vectors: np.ndarray) -> float:
    """Return SAM-GS's Psi, the mean over pairs of 2 x y / (x^2 + y^2), x and y the norms."""
    sizes = norms(vectors)
    pairs = [
        2 * x * y / (x * x + y * y) if x or y else 1.0
        for i, x in enumerate(sizes)
        for y in sizes[i + 1 :]
    ]
    return sum(pairs) / len(pairs)
