"""CAGrad: near the mean gradient, what helps the worst-off loss most."""

from collections.abc import Sequence

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import law, require
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import found, require_small
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import norms, ratio, vectors
from bloop_proofs.signature import Signature, any_of
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import (
    conflict_averse_bound,
    conflict_averse_excess,
    conflict_averse_length,
    norm,
    row_rounding,
    unit_roundoff,
)
from bloop_proofs.truths.hulls import (
    conflict_averse_weights,
    least_norm_weights,
    length_pulled_along,
)
from bloop_proofs.truths.products import Options, by, size_of


def hull_weights(g: np.ndarray, c: float) -> np.ndarray:
    """Return the weights of g_w: the least of <g_w, g_0> + c ||g_0|| ||g_w||, by SciPy."""
    from scipy.optimize import brentq, minimize

    if not np.all(np.isfinite(g)):
        return np.full(len(g), np.nan)
    mean = g.mean(axis=0)
    radius = c * norm(mean)

    def dual(w: np.ndarray) -> float:
        return float(w @ g @ mean + radius * norm(w @ g))

    def slopes(w: np.ndarray) -> np.ndarray:
        return np.asarray(g @ (mean + radius * ratio(w @ g, norm(w @ g))))

    if len(g) > 2:
        one = {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like}
        options = {"bounds": [(0, 1)] * len(g), "constraints": one, "options": {"ftol": 2.0**-52}}
        start = np.full(len(g), 1 / len(g))
        return np.asarray(minimize(dual, start, jac=slopes, method="SLSQP", **options).x)

    def slope(x: float) -> float:
        main, aux = slopes(np.array([x, 1 - x]))
        return float(main - aux)

    ends = [x for x, sign in ((0.0, 1), (1.0, -1)) if sign * slope(x) >= 0]
    x = ends[0] if ends else brentq(slope, 0, 1, xtol=2.0**-52)
    return np.array([x, 1 - x])


def conflict_averse(g: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray]:
    """Return CAGrad's g_0 and g_w / ||g_w||."""
    pull = hull_weights(g, c) @ g
    return g.mean(axis=0), np.asarray(ratio(pull, norm(pull)))


def cagrad(g: np.ndarray, *, c: float) -> np.ndarray:
    """Return CAGrad's direction."""
    mean, pull = conflict_averse(g, c)
    return np.asarray(mean + c * norm(mean) * pull)


def judge(options: Sequence[Options], steps: np.ndarray, u: float) -> tuple[np.ndarray, float]:
    """Return the conflict-averse direction, by the conditions on faces; a search may stop early."""
    last, c = steps[-1], dict(options[-1])["c"]
    pulls = conflict_averse_weights(last, c)
    pull = length_pulled_along(last, pulls)
    bound = conflict_averse_bound(c * norm(last.mean(axis=0)), max(map(norm, last)), pull)
    row = 1 / len(pulls) + pulls
    return row @ last, bound + row_rounding(u, len(row), size_of(row, last))


SIGNATURE = Signature(
    "cagrad",
    "d = g_0 + c ||g_0|| g_w / ||g_w||, g_0 the mean, g_w the point of the hull that "
    "minimises <g_w, g_0> + c ||g_0|| ||g_w||.",
    "Liu et al. 2021",
    by(judge),
    options={"c": any_of(0.5, 0.25, 0.75, 0.4)},
)


@law(equation="distance", inputs=inputs(SIGNATURE, losses=(2, 3)), may_refuse=relations.MORE)
def distance_from_the_mean_is_c_times_its_norm(subject: Subject, case: Case) -> None:
    """||d - g_0|| = c ||g_0|| within the solver's accuracy, which also tells where g_w = 0.

    There d is g_0. The accuracy is that of the optimality: what it costs the worst-off loss.
    """
    gradients = vectors(case)
    mean, sizes = gradients.mean(axis=0), norms(gradients)
    pulls = conflict_averse_weights(gradients, case.c)
    radius, distance = case.c * norm(mean), norm(found(subject, case) - mean)
    u = unit_roundoff(*case.gradients)
    room = row_rounding(u, len(gradients), float(sizes.sum()) + radius)
    pull = length_pulled_along(gradients, pulls)
    room += conflict_averse_length(radius, float(sizes.max()), pull)
    require_small("||d - g_0|| - c ||g_0||", distance - radius, room)


@law(equation="optimality", inputs=inputs(SIGNATURE))
def worst_off_loss_falls_as_fast_as_can_be(subject: Subject, case: Case) -> None:
    """min_k <g_k, d> is the least of <g_w, g_0> + c ||g_0|| ||g_w|| over the hull, by SciPy.

    Less a part of the largest possible difference, which iterative solvers may leave.
    """
    from scipy.optimize import minimize_scalar

    m, a = gradients = vectors(case)
    mean = gradients.mean(axis=0)
    radius, largest = case.c * norm(mean), float(norms(gradients).max())

    def dual(w: float) -> float:
        point = w * m + (1 - w) * a
        return float(point @ mean + radius * norm(point))

    inside = minimize_scalar(dual, bounds=(0.0, 1.0), method="bounded").fun
    best = min(float(inside), dual(0.0), dual(1.0))
    d = found(subject, case)
    worst = min(float(m @ d), float(a @ d))
    u = unit_roundoff(*case.gradients)
    excess = conflict_averse_excess(radius, largest)
    excess += largest * row_rounding(u, 2, 2 * largest + radius)
    require(
        worst >= best - excess,
        f"min <g_k, d> must be at least {best:.6g} - {excess:.3g}; found {worst:.6g}",
    )


RELATIONS = (
    *relations.of_products(SIGNATURE),
    relations.symmetric(SIGNATURE),
    relations.zeros(
        SIGNATURE, "||d - g_0|| <= c ||g_0|| where a gradient is 0, and d = 0 where both are."
    ),
    relations.antiparallel(SIGNATURE, "d = (1 - c) g_0 for a = -s m, 0 for s = 1."),
)


FORMULAS = listed(
    SIGNATURE,
    cagrad,
    """
at d = g_0 + c ||g_0|| g_w / ||g_w||
direction-is-divided-by-one-plus-c-squared
    The direction is that of CAGrad over 1 + c^2, as the authors' code rescales it.
    d = d / (1 + c^2)
    -> Do not divide by 1 + c^2.
mean-is-a-sum: The direction is multiplied by the number of losses.
    d = d K
    -> g_0 is the mean of the gradients, not their sum.
radius-does-not-scale: The distance from the mean is c.
    d = g_0 + c unit(g, c)
    -> The radius is c ||g_0||.
radius-is-squared: The distance from the mean is c^2 ||g_0||.
    d = g_0 + c^2 ||g_0|| unit(g, c)
    -> The radius is c ||g_0||, not its square.
pull-is-subtracted: The direction is g_0 - c ||g_0|| g_w / ||g_w||.
    d = g_0 - c ||g_0|| unit(g, c)
    -> Add the part along g_w.
weights-are-uniform: g_w is the mean: d = (1 + c) g_0.
    d = (1 + c) g_0
    -> Minimise the dual over the weights.
mean-is-left-out: The direction is c ||g_0|| g_w / ||g_w||.
    d = c ||g_0|| unit(g, c)
    -> Keep the mean gradient; the pull is added to it.
main-gradient-takes-the-place-of-the-mean: The direction is m + c ||m|| g_w / ||g_w||.
    d = m + c ||m|| unit(g, c)
    -> Start from the mean of all gradients: no loss comes first.
small-gradients-give-no-direction: Where ||g_0|| is below 1e-4 the direction is 0.
    d = d (0 if ||g_0|| < {1e-4} else 1)
    -> Use relative tolerances: nothing absolute beside the norms.
weights-are-those-of-least-norm: g_w is the point of least norm of the hull, as in MGDA.
    d = g_0 + c ||g_0|| nearest(g) / ||nearest(g)||
    -> Minimise <g_w, g_0> + c ||g_0|| ||g_w||, not ||g_w|| alone.
    """,
    nearest=lambda g: least_norm_weights(g) @ g,
    unit=lambda g, c: conflict_averse(g, c)[1],
)
