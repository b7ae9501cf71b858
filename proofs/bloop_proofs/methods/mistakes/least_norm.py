"""Mistakes in MGDA and CAGrad."""

import numpy as np

from bloop_proofs.methods.mistakes.mistake import wrong
from bloop_proofs.methods.mistakes.pieces import cagrad, conflict_averse, mgda, ratio, segment
from bloop_proofs.tolerances import norm

WEIGHT = "w = <a - m, a> / ||m - a||^2, held in [0, 1]"
HULL = "d = sum_k w_k g_k"


def _between(g: np.ndarray, w: float) -> np.ndarray:
    """Return w m + (1 - w) a, and the right direction for more gradients."""
    return np.asarray(w * g[0] + (1 - w) * g[1]) if len(g) == 2 else mgda(g)


@wrong("mgda", where=WEIGHT, mend="The numerator is <a - m, a>; Table 1 of the Bloop paper errs.")
def weight_has_the_opposite_sign(g: np.ndarray) -> np.ndarray:
    """The weight of m is <m - a, a> / ||m - a||^2, as printed in Table 1."""
    return _between(g, -segment(g) if np.any(g[0] != g[1]) else 0.5)


@wrong("mgda", where=WEIGHT, mend="Hold the weight in [0, 1]: d lies between m and a.")
def weight_is_not_clipped(g: np.ndarray) -> np.ndarray:
    """d is the point of least norm of the whole line."""
    return _between(g, segment(g))


@wrong("mgda", where=WEIGHT, mend="At an end of the segment the weights are 1 and 0.")
def ends_have_the_weight_0_999(g: np.ndarray) -> np.ndarray:
    """At an end of the segment the other gradient keeps the weight 0.001."""
    return _between(g, float(np.clip(segment(g), 0.001, 0.999)))


@wrong("mgda", where=WEIGHT, mend="w is the weight of m: it grows with ||a||.")
def weights_are_exchanged(g: np.ndarray) -> np.ndarray:
    """m has the weight of a, and a that of m."""
    return _between(g, 1 - float(np.clip(segment(g), 0, 1)))


@wrong("mgda", where=WEIGHT, mend="Clip on both sides, below 0 too.")
def weight_is_clipped_above_only(g: np.ndarray) -> np.ndarray:
    """The weight may be negative."""
    return _between(g, float(np.minimum(segment(g), 1)))


@wrong("mgda", where=WEIGHT, mend="Clip on both sides, above 1 too.")
def weight_is_clipped_below_only(g: np.ndarray) -> np.ndarray:
    """The weight may be above 1."""
    return _between(g, float(np.maximum(segment(g), 0)))


@wrong("mgda", where=WEIGHT, mend="Take the inner product with the difference, <a - m, a>.")
def weight_is_the_share_of_the_norm(g: np.ndarray) -> np.ndarray:
    """The weight of m is ||a||^2 / (||m||^2 + ||a||^2), right for orthogonal gradients."""
    m, a = g[:2]
    return _between(g, float(a @ a / (m @ m + a @ a)) if np.any(g[:2] != 0) else 0.5)


@wrong("mgda", where=HULL, mend="The weights sum to 1: do not multiply them by their number.")
def weights_sum_to_their_number(g: np.ndarray) -> np.ndarray:
    """The direction is K times the point of least norm."""
    return len(g) * mgda(g)


@wrong("mgda", where=HULL, mend="Return the point itself, of whatever length.")
def direction_is_normalised(g: np.ndarray) -> np.ndarray:
    """The direction is d / ||d||."""
    d = mgda(g)
    return np.asarray(ratio(d, norm(d)))


@wrong("mgda", where=HULL, mend="Combine the gradients as they are, or say that you normalise.")
def gradients_are_normalised_first(g: np.ndarray) -> np.ndarray:
    """The hull is that of the gradients over their norms."""
    return mgda(np.array([ratio(v, norm(v)) for v in g]))


@wrong("mgda", where=HULL, mend="Return the vector of the hull for more than two gradients too.")
def more_gradients_than_two_are_averaged(g: np.ndarray) -> np.ndarray:
    """Two gradients are right, more get the same weight each."""
    return mgda(g) if len(g) == 2 else np.asarray(g.mean(axis=0))


@wrong("mgda", where=WEIGHT, mend="Add nothing to ||m - a||^2; equal gradients give themselves.")
def epsilon_beside_the_difference(g: np.ndarray) -> np.ndarray:
    """The weight is <a - m, a> / (||m - a||^2 + 1e-8), clipped."""
    m, a = g[:2]
    w = float((a - m) @ a / ((m - a) @ (m - a) + 1e-8))
    return _between(g, float(np.clip(w, 0, 1)))


PULL = "d = g_0 + c ||g_0|| g_w / ||g_w||"


@wrong("cagrad", where=PULL, mend="Do not divide by 1 + c^2.")
def direction_is_divided_by_one_plus_c_squared(g: np.ndarray, *, c: float) -> np.ndarray:
    """The direction is that of CAGrad over 1 + c^2, as the authors' code rescales it."""
    return cagrad(g, c=c) / (1 + c * c)


@wrong("cagrad", where=PULL, mend="g_0 is the mean of the gradients, not their sum.")
def mean_is_a_sum(g: np.ndarray, *, c: float) -> np.ndarray:
    """The direction is multiplied by the number of losses."""
    return cagrad(g, c=c) * len(g)


@wrong("cagrad", where=PULL, mend="The radius is c ||g_0||.")
def radius_does_not_scale(g: np.ndarray, *, c: float) -> np.ndarray:
    """The distance from the mean is c."""
    mean, pull = conflict_averse(g, c)
    return mean + c * pull


@wrong("cagrad", where=PULL, mend="The radius is c ||g_0||, not its square.")
def radius_is_squared(g: np.ndarray, *, c: float) -> np.ndarray:
    """The distance from the mean is c^2 ||g_0||."""
    mean, pull = conflict_averse(g, c)
    return np.asarray(mean + c * c * norm(mean) * pull)


@wrong("cagrad", where=PULL, mend="Add the part along g_w.")
def pull_is_subtracted(g: np.ndarray, *, c: float) -> np.ndarray:
    """The direction is g_0 - c ||g_0|| g_w / ||g_w||."""
    mean, pull = conflict_averse(g, c)
    return np.asarray(mean - c * norm(mean) * pull)


@wrong("cagrad", where=PULL, mend="Minimise the dual over the weights.")
def weights_are_uniform(g: np.ndarray, *, c: float) -> np.ndarray:
    """g_w is the mean: d = (1 + c) g_0."""
    return np.asarray((1 + c) * g.mean(axis=0))


@wrong("cagrad", where=PULL, mend="Minimise <g_w, g_0> + c ||g_0|| ||g_w||, not ||g_w|| alone.")
def weights_are_those_of_least_norm(g: np.ndarray, *, c: float) -> np.ndarray:
    """g_w is the point of least norm of the hull, as in MGDA."""
    mean, point = g.mean(axis=0), mgda(g)
    return np.asarray(mean + c * norm(mean) * ratio(point, norm(point)))


@wrong("cagrad", where=PULL, mend="Keep the mean gradient; the pull is added to it.")
def mean_is_left_out(g: np.ndarray, *, c: float) -> np.ndarray:
    """The direction is c ||g_0|| g_w / ||g_w||."""
    mean, pull = conflict_averse(g, c)
    return np.asarray(c * norm(mean) * pull)


@wrong("cagrad", where=PULL, mend="Start from the mean of all gradients: no loss comes first.")
def main_gradient_takes_the_place_of_the_mean(g: np.ndarray, *, c: float) -> np.ndarray:
    """The direction is m + c ||m|| g_w / ||g_w||."""
    _, pull = conflict_averse(g, c)
    return np.asarray(g[0] + c * norm(g[0]) * pull)


@wrong("cagrad", where=PULL, mend="Use relative tolerances: nothing absolute beside the norms.")
def small_gradients_give_no_direction(g: np.ndarray, *, c: float) -> np.ndarray:
    """Where ||g_0|| is below 1e-4 the direction is 0."""
    return cagrad(g, c=c) * (0.0 if norm(g.mean(axis=0)) < 1e-4 else 1.0)
