"""One mistake: weights, epsilons, dtypes, memory."""

from typing import Any

import numpy as np

from bloop_proofs.subject import Step
from tests.proofs.fresh.entries import (
    CONVEX,
    HALF,
    NORM,
    RESCALED,
    SINGLE,
    SMALL,
    SQUARE,
    SQUARE_FLOOR,
    ZERO,
    single,
)
from tests.proofs.fresh.singles_average import mixed, moved, off, removed
from tests.proofs.fresh.singles_projection import coefficient, less, quotient
from tests.proofs.right.leafwise import dot
from tests.proofs.right.pieces import Leaves, cut, double, given_back, joined


@single(CONVEX)
def convex_weights(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Weighs the main gradient by 1 - lam."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut((1 - lam) * g + lam * off(u, v), m), cut(v + rho * (g - v), e)


@single(RESCALED)
def over_one_plus_lam(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Divides the direction by 1 + lam."""
    part = removed(a, e)
    d = [(double(g) + lam * p) / (1.0 + lam) for g, p in zip(m, part, strict=True)]
    return given_back(d, m), moved(e, m, rho)


@single("lam-misses-the-auxiliary-gradient")
def lam_on_the_correction_only(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """g + a - lam c e: the weight is on what is subtracted only."""
    c = lam * coefficient(a, e)
    d = [double(g) + x for g, x in zip(m, less(a, c, e), strict=True)]
    return given_back(d, m), moved(e, m, rho)


@single("lam-enters-twice")
def weighted_twice(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The loss has been weighted already and its gradient is again."""
    g, u, v = joined(m), lam * joined(a), joined(e)
    return cut(g + lam * off(u, v), m), cut(v + rho * (g - v), e)


@single(like="auxiliary-gradient-gets-the-length-of-the-main")
def as_long_as_the_main_one(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """What is added is brought to the norm of g_main."""
    g, u, v = joined(m), joined(a), joined(e)
    part = off(u, v)
    size = np.linalg.norm(part)
    part = part * (np.linalg.norm(g) / size) if size else part
    return cut(g + lam * part, m), cut(v + rho * (g - v), e)


@single("projection-is-stretched-back")
def keeps_the_norm_of_the_auxiliary(
    m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float
) -> Any:
    """What is left of g_aux is stretched to the norm that g_aux had."""
    part = removed(a, e)
    wide_a = [double(x) for x in a]
    scale = np.sqrt(quotient(dot(wide_a, wide_a), dot(part, part)) or 1.0)
    return mixed(m, [scale * x for x in part], lam), moved(e, m, rho)


@single("direction-is-clipped")
def clipped_direction(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The direction is clipped to norm one."""
    g, u, v = joined(m), joined(a), joined(e)
    d = g + lam * off(u, v)
    return cut(d / max(1.0, float(np.linalg.norm(d))), m), cut(v + rho * (g - v), e)


@single("zero-ema-drops-the-auxiliary-gradient")
def auxiliary_waits_for_an_average(
    m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float
) -> Any:
    """While the average is zero nothing is added."""
    g, u, v = joined(m), joined(a), joined(e)
    part = off(u, v) if np.any(v) else 0 * u
    return cut(g + lam * part, m), cut(v + rho * (g - v), e)


@single(SQUARE)
def beside_the_square(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """||e||^2 + 1e-7."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u - v * (u @ v) / (v @ v + 1e-7)), m), cut(v + rho * (g - v), e)


@single(SQUARE_FLOOR)
def under_a_clamp(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """max(||e||^2, 2.5e-5)."""
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    c = dot(x, y) / np.maximum(dot(y, y), 2.5e-5)
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@single(SQUARE)
def under_the_root(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """A unit vector e / sqrt(||e||^2 + 3e-9)."""
    g, u, v = joined(m), joined(a), joined(e)
    n = v / np.sqrt(v @ v + 3e-9)
    return cut(g + lam * (u - (n @ u) * n), m), cut(v + rho * (g - v), e)


@single(NORM)
def beside_the_norm(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """A unit vector e / (||e|| + 1e-6)."""
    y = [double(leaf) for leaf in e]
    size = np.sqrt(dot(y, y)) + 1e-6
    unit = [leaf / size for leaf in y]
    along = dot([double(leaf) for leaf in a], unit)
    return mixed(m, less(a, along, unit), lam), moved(e, m, rho)


@single("epsilon-*-is-in-the-cosine", like=(SQUARE, NORM))
def one_norm_guarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The cosine has 1e-5 beside the product of the norms."""
    g, u, v = joined(m), joined(a), joined(e)
    size_u, size_v = np.linalg.norm(u), np.linalg.norm(v)
    cosine = (u @ v) / (size_u * size_v + 1e-5)
    part = u - cosine * size_u / size_v * v if size_v else u
    return cut(g + lam * part, m), cut(v + rho * (g - v), e)


@single(SMALL)
def small_averages_do_not_count(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """No projection where ||e|| is below 1e-4."""
    g, u, v = joined(m), joined(a), joined(e)
    part = off(u, v) if np.linalg.norm(v) >= 1e-4 else u
    return cut(g + lam * part, m), cut(v + rho * (g - v), e)


@single(SQUARE, also=SINGLE, like="machine-epsilon-is-added-to-the-square")
def machine_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """finfo(float32).eps beside the square, also for float64; in NumPy that makes it float32."""
    eps = np.finfo(np.float32).eps
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    return mixed(m, less(a, dot(x, y) / (dot(y, y) + eps), e), lam), moved(e, m, rho)


@single(ZERO)
def nothing_guarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """0 / 0 at the first step."""
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    with np.errstate(all="ignore"):
        c = np.float64(dot(x, y)) / np.float64(dot(y, y))
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@single(SINGLE)
def sums_in_single(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Inner products of float64 vectors in float32."""
    u, v = (joined(x).astype(np.float32) for x in (a, e))
    c = float(quotient(u @ v, v @ v))
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@single("ema-is-kept-in-single-precision")
def average_in_single(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The average is kept in float32, whatever is asked for."""
    d = mixed(m, removed(a, e), lam)
    kept = [x.astype(np.complex64 if x.dtype.kind == "c" else np.float32) for x in moved(e, m, rho)]
    return d, given_back(kept, e)


@single(HALF)
def half_arithmetic(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The average moves in the dtype of the gradient."""
    narrow = [x.astype(g.dtype) for x, g in zip(e, m, strict=True)]
    average = [x + (g - x) * np.asarray(rho, g.real.dtype) for x, g in zip(narrow, m, strict=True)]
    return mixed(m, removed(a, e), lam), given_back(average, e)


@single("real-products-are-not-conjugated-but-in-the-norm")
def not_conjugated(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """sum a e for complex leaves, the real part taken at the end."""
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    top = sum(complex(np.sum(p * q)) for p, q in zip(x, y, strict=True)).real
    bottom = dot(y, y)
    return mixed(m, less(a, quotient(top, bottom), e), lam), moved(e, m, rho)


@single("inner-product-is-complex")
def complex_coefficient(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects on a complex line: the coefficient keeps its imaginary part."""
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    c = quotient(sum(np.vdot(q, p) for p, q in zip(x, y, strict=True)), dot(y, y))
    part = [p - (c if p.dtype.kind == "c" else np.real(c)) * q for p, q in zip(x, y, strict=True)]
    return mixed(m, part, lam), moved(e, m, rho)


@single("bad-entries-of-the-direction-become-zero")
def bad_numbers_are_zeros(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """NaN and infinity in the direction become numbers."""
    d = mixed(m, removed(a, e), lam)
    return [np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0) for x in d], moved(e, m, rho)


@single("ema-is-updated-in-place")
def moves_what_it_was_given(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The average is written to and returned."""
    d = mixed(m, removed(a, e), lam)
    for x, y in zip(e, moved(e, m, rho), strict=True):
        np.copyto(x, y)
    return d, e


@single("ema-is-kept-inside", made=True)
def remembers_its_first_average() -> Step:
    """Keeps the average in a closure from the first call on; the argument is not looked at."""
    kept: dict[int, Leaves] = {}

    def step(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
        old = kept.get(len(e), e)
        if [x.shape for x in old] != [x.shape for x in e]:
            old = e
        kept[len(e)] = moved(old, m, rho)
        return mixed(m, removed(a, old), lam), given_back(kept[len(e)], e)

    return step
