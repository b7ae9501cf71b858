"""One mistake: in the projection, its coefficient, its roles, or what is made of it."""

from typing import Any

import numpy as np

from tests.proofs.fresh.entries import BATCH, CONFLICT, LEAVES, single
from tests.proofs.fresh.singles_average import mixed, moved, off, removed
from tests.proofs.right.leafwise import dot
from tests.proofs.right.pieces import Leaves, cut, double, given_back, joined


def quotient(top: Any, bottom: Any) -> Any:
    return top / bottom if bottom else 0.0


def coefficient(a: Leaves, e: Leaves) -> float:
    a, e = [double(x) for x in a], [double(x) for x in e]
    return float(quotient(dot(e, a), dot(e, e)))


def less(a: Leaves, c: Any, e: Leaves) -> list[Any]:
    return [double(x) - c * double(y) for x, y in zip(a, e, strict=True)]


@single("coefficient-is-the-cosine")
def cosine_for_coefficient(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Subtracts cos(a, e) e: the quotient of the norms is forgotten."""
    g, u, v = joined(m), joined(a), joined(e)
    sizes = np.linalg.norm(u) * np.linalg.norm(v)
    cosine = np.einsum("i,i", u, v) / sizes if sizes else 0.0
    return cut(g + lam * (u - cosine * v), m), cut(v + rho * (g - v), e)


@single("divides-by-the-norm")
def norm_not_squared(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Divides by ||e||, not by its square."""
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    c = quotient(dot(x, y), np.sqrt(dot(y, y)))
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@single("does-not-divide")
def no_denominator(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Takes e for a unit vector."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u - np.einsum("i,i->", u, v) * v), m), cut(v + rho * (g - v), e)


@single("divides-by-the-auxiliary-norm-squared")
def other_denominator(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Divides <a, e> by ||a||^2."""
    g, u, v = joined(m), joined(a), joined(e)
    c = quotient(np.tensordot(u, v, 1), np.tensordot(u, u, 1))
    return cut(g + lam * (u - c * v), m), cut((1 - rho) * v + rho * g, e)


@single("part-along-the-ema-is-added")
def plus_for_minus(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Adds the part along e."""
    return mixed(m, less(a, -coefficient(a, e), e), lam), moved(e, m, rho)


@single("coefficient-is-multiplied-by-a-constant")
def householder(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Reflects: a - 2 <a, e> / ||e||^2 e."""
    g, u, v = joined(m), joined(a), joined(e)
    n = v / np.linalg.norm(v) if v.any() else v
    return cut(g + lam * (u - 2 * n * (n @ u)), m), cut(v + rho * (g - v), e)


@single("part-along-the-ema-is-kept")
def keeps_the_parallel_part(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Adds the part of a along e in place of the rest."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u - off(u, v)), m), cut(v + rho * (g - v), e)


@single("projects-the-main-gradient-off-the-ema")
def projects_the_main_one(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Takes the part along e out of g_main and leaves g_aux whole."""
    part = removed(m, e)
    d = [p + lam * x for p, x in zip(part, a, strict=True)]
    return given_back(d, m), moved(e, m, rho)


@single(BATCH)
def on_the_gradient_of_the_batch(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects on g_main: equation 3 on mini-batches, the average is carried along unused."""
    g, u, v = joined(m), joined(a), joined(e)
    c = np.dot(g, u) / np.dot(g, g) if g.any() else 0.0
    return cut(g + lam * (u - c * g), m), cut(v + rho * (g - v), e)


@single("projects-the-sum")
def projects_the_sum(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Adds the losses first and takes the part along e out of the sum."""
    total = joined(m) + lam * joined(a)
    return cut(off(total, joined(e)), m), moved(e, m, rho)


@single("main-gradient-is-projected-off-the-auxiliary-too")
def clears_the_main_of_the_other(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Also takes the part along g_aux out of g_main."""
    d = [x + lam * p for x, p in zip(removed(m, a), removed(a, e), strict=True)]
    return given_back(d, m), moved(e, m, rho)


@single(CONFLICT)
def only_in_conflict(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects only where <a, e> is negative, by a clamp of the coefficient."""
    c = np.minimum(coefficient(a, e), 0.0)
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@single("projects-only-in-agreement")
def only_in_agreement(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects only where <a, e> is positive."""
    c = coefficient(a, e)
    part = less(a, c, e) if not c < 0 else [double(x) for x in a]
    return mixed(m, part, lam), moved(e, m, rho)


@single("projects-only-if-the-batch-conflicts")
def gate_on_the_batch(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects only where the two gradients of the batch are in conflict."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u if np.inner(g, u) > 0 else off(u, v)), m), cut(v + rho * (g - v), e)


@single("coefficient-is-clipped")
def coefficient_within_one(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Clips the coefficient to [-1, 1] for stability."""
    c = np.clip(coefficient(a, e), -1.0, 1.0)
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@single("inner-product-loses-its-sign")
def absolute_product(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Takes the absolute value of <a, e>."""
    return mixed(m, less(a, abs(coefficient(a, e)), e), lam), moved(e, m, rho)


@single(LEAVES)
def tensor_by_tensor(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """A loop over parameters that projects each on its own average, by cosines."""
    d = []
    for g, u, v in zip(m, a, e, strict=True):
        x, y = double(u), double(v)
        nx, ny = np.linalg.norm(x.ravel()), np.linalg.norm(y.ravel())
        cosine = np.vdot(y / ny, x / nx).real if nx and ny else 0.0
        d.append((double(g) + lam * (x - cosine * (nx / ny if ny else 0.0) * y)).astype(g.dtype))
    return d, moved(e, m, rho)


@single("projects-row-by-row")
def row_by_row(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """One projection for each row of each parameter, as for convolution filters."""

    def rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        top = np.sum((y.conj() * x).real, axis=-1, keepdims=True)
        bottom = np.sum(np.abs(y) ** 2, axis=-1, keepdims=True)
        return np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)

    part = []
    for u, v in zip(a, e, strict=True):
        x, y = np.atleast_1d(double(u)), np.atleast_1d(double(v))
        part.append((x - rows(x, y) * y).reshape(u.shape))
    return mixed(m, part, lam), moved(e, m, rho)


@single("means-over-the-leaves-are-added")
def means_of_tensors(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Adds means in place of sums, so that small parameters weigh more."""
    top = bottom = 0.0
    for u, v in zip(a, e, strict=True):
        if v.size:
            top += float(np.mean((double(v).conj() * u).real))
            bottom += float(np.mean(np.abs(double(v)) ** 2))
    return mixed(m, less(a, quotient(top, bottom), e), lam), moved(e, m, rho)


@single("projects-matrices-only")
def biases_are_left_alone(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Parameters of fewer than two dimensions are mixed, and in no inner product."""
    shaped = [i for i, x in enumerate(e) if x.ndim >= 2]
    c = coefficient([a[i] for i in shaped], [e[i] for i in shaped])
    part = [double(x) - (c if y.ndim >= 2 else 0) * double(y) for x, y in zip(a, e, strict=True)]
    return mixed(m, part, lam), moved(e, m, rho)


@single("multiple-of-the-main-gradient-is-subtracted")
def subtracts_the_batch(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The coefficient comes of the average, but it is g_main that is subtracted."""
    return mixed(m, less(a, coefficient(a, e), m), lam), moved(e, m, rho)
