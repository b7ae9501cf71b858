"""Theorem 2, link by link, with expectations over every path of single samples of a finite sum.

docs/theory.md states the chain. All numbers may be ``Fraction``: then nothing is rounded but square
roots, and those upwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.base import Inequality
from bloop_proofs.problems.least_squares import LeastSquares
from bloop_proofs.problems.trajectories import one_step
from bloop_proofs.subject import Step


@dataclass(frozen=True)
class Parameters:
    """The step and the constants of the chain, exact numbers.

    Attributes:
        lam: the weight of the auxiliary loss.
        rho: the weight of the new gradient in the EMA.
        eta: the step size.
        smoothness: L, or anything larger.
        curvature: mu of the Polyak-Lojasiewicz inequality, or anything smaller.
    """

    lam: Fraction
    rho: Fraction
    eta: Fraction
    smoothness: Fraction
    curvature: Fraction


@dataclass(frozen=True, eq=False)
class Node:
    """A point of a path, the EMA that its step projects on, and the step that led here."""

    theta: Array
    ema: Array
    before: "Node | None" = None
    direction: Array | None = None


def square(vector: Array) -> Any:
    """Return ||vector||^2."""
    return vector @ vector


def mean(values: Sequence[Any]) -> Any:
    """Return the mean, exact on fractions."""
    return sum(values[1:], values[0]) / len(values)


def root(value: Any) -> Any:
    """Return a number that is at least sqrt(value), and at most 2^-60 in proportion above it.

    The fraction is scaled to an integer of at least 2^126, whose root the integer root misses by
    less than 1 in at least 2^63; one more makes up for the fraction that the scaling cut off.
    """
    if not value:
        return value
    size = value.numerator.bit_length() - value.denominator.bit_length()
    shift = (128 - size + 1) // 2
    scaled = value * Fraction(4) ** shift
    return (isqrt(int(scaled)) + 1) / Fraction(2) ** shift


def children(step: Step, problem: LeastSquares, node: Node, at: Parameters) -> list[Node]:
    """Return the node that each sample leads to."""
    grads = zip(
        problem.sample_grads_main(node.theta), problem.sample_grads_aux(node.theta), strict=True
    )
    following = []
    for g_main, g_aux in grads:
        d, ema = one_step(step, g_main, g_aux, node.ema, lam=at.lam, rho=at.rho)
        following.append(Node(node.theta - at.eta * d, ema, node, d))
    return following


def conditional_links(
    problem: LeastSquares, node: Node, after: Sequence[Node], at: Parameters
) -> Iterator[Inequality]:
    """Yield the links that hold at every point of every path, given the nodes after it."""
    gradient = problem.grad_main(node.theta)
    directions = [np.asarray(child.direction) for child in after]
    aux = root(max(square(a) for a in problem.sample_grads_aux(node.theta)))
    noise = mean([square(g - gradient) for g in problem.sample_grads_main(node.theta)])
    stale = square(node.ema - gradient)
    tracked = mean([square(child.ema - gradient) for child in after])
    kept = (1 - at.rho) ** 2 * stale + at.rho**2 * noise
    yield Inequality("tracking error, at most", tracked, kept)
    yield Inequality("tracking error, at least", kept, tracked)
    slope = gradient @ mean(directions)
    yield Inequality("cross term", square(gradient) - at.lam * aux * root(stale), slope)
    bent = at.smoothness * at.eta**2 / 2 * mean([square(d) for d in directions])
    value = mean([problem.main(child.theta) for child in after])
    yield Inequality("descent", value, problem.main(node.theta) - at.eta * slope + bent)
    if node.before is not None:
        drift = square(gradient - problem.grad_main(node.before.theta))
        moved = (at.smoothness * at.eta) ** 2 * square(np.asarray(node.direction))
        yield Inequality("drift", drift, moved)
