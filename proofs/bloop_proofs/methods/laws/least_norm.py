"""Laws of MGDA and CAGrad alone."""

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import require
from bloop_proofs.laws.measure import require_close, require_small
from bloop_proofs.methods.inputs import inputs
from bloop_proofs.methods.laws.relations import MORE
from bloop_proofs.methods.measure import bound, found, method_law
from bloop_proofs.methods.reference import norms
from bloop_proofs.methods.registry import METHODS, vectors
from bloop_proofs.methods.subject import MethodSubject
from bloop_proofs.methods.truths import conflict_averse_weights, length_pulled_along
from bloop_proofs.tolerances import (
    conflict_averse_excess,
    conflict_averse_length,
    norm,
    row_rounding,
    unit_roundoff,
)

MGDA, CAGRAD = METHODS["mgda"], METHODS["cagrad"]


@method_law(equation="common descent", inputs=inputs(MGDA))
def every_loss_falls_by_the_square_of_d(subject: MethodSubject, case: Case) -> None:
    """<d, m> >= ||d||^2 and <d, a> >= ||d||^2: d lowers both losses, or is 0."""
    d, room = found(subject, case), bound(subject, case)
    for name, g in zip(("m", "a"), vectors(case), strict=True):
        least = -room * (norm(g) + 2 * norm(d) + room)
        gap = float(d @ (g - d))
        require(
            gap >= least, f"<d, {name}> - ||d||^2 must be at least {least:.3g}; found {gap:.6g}"
        )


def least_norm_point(gradients: np.ndarray) -> np.ndarray:
    """Return the point of least norm of a hull, by SciPy.

    Over w >= 0 the least of ||sum w_k g_k||^2 + s^2 (sum w_k - 1)^2 lies, for every s, on the ray
    of the weights sought: for a given sum of weights their ratios do not depend on s.
    """
    from scipy.optimize import nnls

    scale = float(norms(gradients).max()) or 1.0
    matrix = np.vstack([gradients.T, np.full(len(gradients), scale)])
    weights, _ = nnls(matrix, np.append(np.zeros(gradients.shape[1]), scale))
    return np.asarray(weights @ gradients / weights.sum())


@method_law(equation="least norm", inputs=inputs(MGDA, losses=(2, 3)), may_refuse=MORE)
def no_point_of_the_hull_is_shorter(subject: MethodSubject, case: Case) -> None:
    """d is the point of least norm that SciPy finds by non-negative least squares.

    For more than two gradients up to the error of a hundred steps of Frank and Wolfe.
    """
    required = least_norm_point(vectors(case))
    require_close("direction", found(subject, case), required, 2 * bound(subject, case))


@method_law(equation="distance", inputs=inputs(CAGRAD, losses=(2, 3)), may_refuse=MORE)
def distance_from_the_mean_is_c_times_its_norm(subject: MethodSubject, case: Case) -> None:
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


@method_law(equation="optimality", inputs=inputs(CAGRAD))
def worst_off_loss_falls_as_fast_as_can_be(subject: MethodSubject, case: Case) -> None:
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
