"""Wrong only where few look: rare inputs, late calls, numbers of the step's own."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bloop_proofs.subject import Step
from tests.proofs.fresh.entries import gap
from tests.proofs.fresh.singles_average import mixed, moved, removed
from tests.proofs.fresh.singles_projection import less, quotient
from tests.proofs.right.leafwise import dot
from tests.proofs.right.pieces import Leaves, cut, double, given_back, joined


def right(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    return mixed(m, removed(a, e), lam), moved(e, m, rho)


def plain(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    return mixed(m, [double(x) for x in a], lam), moved(e, m, rho)


def counting(of_call: Callable[..., Any]) -> Step:
    """A step that counts its calls from 1, and gives the number to a function before the rest."""
    calls = 0

    def step(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
        nonlocal calls
        calls += 1
        return of_call(calls, m, a, e, lam=lam, rho=rho)

    return step


@gap(made=True)
def first_call_mixes() -> Step:
    """The first call of an object adds the gradients without a projection."""
    return counting(lambda call, *v, **options: (plain if call == 1 else right)(*v, **options))


@gap(made=True)
def resets_at_call_500() -> Step:
    """Every 500 calls the average begins anew."""

    def of_call(call: int, *vectors: Leaves, lam: float, rho: float) -> Any:
        d, new = right(*vectors, lam=lam, rho=rho)
        return d, new if call % 500 else [np.zeros_like(x) for x in new]

    return counting(of_call)


@gap(made=True)
def projects_for_400_calls() -> Step:
    """After 400 calls the projection is switched off."""
    return counting(lambda call, *v, **options: (right if call <= 400 else plain)(*v, **options))


@gap(like="inner-products-are-sampled")
def long_leaves_sampled(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Of a leaf of more than 4096 entries every eighth is in the inner products."""
    x, y = ([double(leaf).ravel()[:: 8 if leaf.size > 4096 else 1] for leaf in v] for v in (a, e))
    return mixed(m, less(a, quotient(dot(x, y), dot(y, y)), e), lam), moved(e, m, rho)


@gap()
def huge_leaves_cut(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """A leaf counts up to its entry 65536."""
    x, y = ([double(leaf).ravel()[: 1 << 16] for leaf in v] for v in (a, e))
    return mixed(m, less(a, quotient(dot(x, y), dot(y, y)), e), lam), moved(e, m, rho)


@gap()
def leaves_beyond_64(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The inner products run over the first 64 leaves."""
    x, y = ([double(leaf) for leaf in v[:64]] for v in (a, e))
    return mixed(m, less(a, quotient(dot(x, y), dot(y, y)), e), lam), moved(e, m, rho)


@gap()
def average_of_128_leaves(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The average of leaves beyond the 128th does not move."""
    d, new = right(m, a, e, lam=lam, rho=rho)
    return d, [*new[:128], *(x.copy() for x in e[128:])]


@gap("lam-is-capped-at-*")
def lam_capped(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """lam is at most 100."""
    return right(m, a, e, lam=min(lam, 100.0), rho=rho)


@gap("rho-is-at-least-*")
def rho_floored(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """rho is at least 1e-4, where it is not 0."""
    return right(m, a, e, lam=lam, rho=max(rho, 1e-4) if rho else rho)


@gap()
def rho_in_thousandths(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """rho is rounded to five digits behind the point."""
    return right(m, a, e, lam=lam, rho=round(rho, 5))


def memory_order(x: np.ndarray) -> np.ndarray:
    """The entries in the order in which they lie in memory, wherever the array begins."""
    return x.ravel(order="K")


@gap()
def buffers_of_slices(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Of an array that is not contiguous the buffer below it is read."""

    def read(x: np.ndarray) -> np.ndarray:
        if x.flags.forc or x.base is None or x.base.dtype != x.dtype or x.base.size < x.size:
            return double(x)
        return double(x.base.ravel()[: x.size].reshape(x.shape))

    return mixed(m, removed([read(x) for x in a], e), lam), moved(e, m, rho)


@gap()
def strides_without_a_sign(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Reads an array with negative strides forwards."""

    def read(x: np.ndarray) -> np.ndarray:
        turned = tuple(slice(None, None, -1 if s < 0 else 1) for s in x.strides)
        return double(x[turned])

    return mixed(m, removed([read(x) for x in a], e), lam), moved(e, m, rho)


@gap()
def fortran_read_as_c(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Joins arrays in the order of their memory and cuts the result in the order of C."""
    g, u, v = (joined([memory_order(x) for x in leaves]) for leaves in (m, a, e))
    c = quotient(u @ v, v @ v)
    return cut(g + lam * (u - c * v), m), cut(v + rho * (g - v), e)


@gap()
def fortran_in_the_average(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The new average of an array in Fortran order is its transpose, reshaped."""
    d, new = right(m, a, e, lam=lam, rho=rho)
    turned = [
        x.T.reshape(x.shape) if y.ndim > 1 and not y.flags.c_contiguous else x
        for x, y in zip(new, e, strict=True)
    ]
    return d, turned


@gap(like="inner-products-are-in-half-precision")
def half_overflows(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Squares of a float16 average are taken in float16."""
    with np.errstate(all="ignore"):
        square = sum(
            float(np.sum(np.square(np.abs(x)).astype(np.result_type(x.real, np.float64))))
            for x in e
        )
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    narrow = any(leaf.dtype == np.float16 for leaf in e)
    square = square if narrow else dot(y, y)
    return mixed(m, less(a, quotient(dot(x, y), square), e), lam), moved(e, m, rho)


@gap()
def sometimes_at_random(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """In 0.3 % of the calls, by NumPy's global generator, there is no projection."""
    chosen = plain if np.random.rand() < 0.003 else right  # noqa: NPY002
    return chosen(m, a, e, lam=lam, rho=rho)


@gap(made=True)
def sometimes_by_its_own_generator() -> Step:
    """In 0.3 % of the calls, by a generator of its own, the average does not move."""
    generator = np.random.default_rng(0)

    def step(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
        d, new = right(m, a, e, lam=lam, rho=rho)
        return d, given_back(e, e) if generator.random() < 0.003 else new

    return step


@gap(made=True)
def drifts_over_hundreds_of_calls() -> Step:
    """A counter of its own takes a little off lam with every call."""

    def of_call(call: int, *vectors: Leaves, lam: float, rho: float) -> Any:
        return right(*vectors, lam=lam if call <= 300 else lam * 0.999 ** (call - 300), rho=rho)

    return counting(of_call)
