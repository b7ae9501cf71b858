"""Mistakes in mixed training, A-GEM, dynamic barrier and cosine gating."""

import numpy as np

from bloop_proofs.methods.mistakes.mistake import wrong
from bloop_proofs.methods.mistakes.pieces import (
    cosine,
    cosine_gate,
    gates,
    negative,
    positive,
    ratio,
    share,
)
from bloop_proofs.tolerances import norm

SUM = "d = m + lam sum a"


@wrong("mixed", where=SUM, mend="Multiply the auxiliary gradients by lam.")
def weight_is_left_out(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The direction is m + a."""
    return np.asarray(g.sum(axis=0))


@wrong("mixed", where=SUM, mend="Leave the weight of the main gradient at 1.")
def weights_add_up_to_one(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The direction is (1 - lam) m + lam a."""
    return np.asarray((1 - lam) * g[0] + lam * g[1:].sum(axis=0))


@wrong("mixed", where=SUM, mend="Give lam to the auxiliary gradients, and 1 to the main one.")
def main_gradient_gets_the_weight(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The direction is lam m + a."""
    return np.asarray(lam * g[0] + g[1:].sum(axis=0))


@wrong("mixed", where=SUM, mend="Do not divide by the sum of the weights, or judge it times that.")
def direction_is_divided_by_the_weights(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The direction is (m + lam a) / (1 + lam)."""
    return np.asarray((g[0] + lam * g[1:].sum(axis=0)) / (1 + lam * (len(g) - 1)))


@wrong("mixed", where=SUM, mend="Add every auxiliary gradient, not their mean.")
def auxiliary_gradients_are_averaged(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The direction is m + lam times the mean of the auxiliary gradients."""
    return np.asarray(g[0] + lam * g[1:].mean(axis=0))


@wrong("mixed", where=SUM, mend="Add the gradients as they are.")
def auxiliary_gradient_is_normalised(g: np.ndarray, *, lam: float) -> np.ndarray:
    """Each auxiliary gradient is brought to the length of the main one."""
    return np.asarray(g[0] + lam * sum(ratio(norm(g[0]), norm(a)) * a for a in g[1:]))


PROJECTION = "d = m - min(0, <m, a>) / ||a||^2 a"


@wrong("a_gem", where=PROJECTION, mend="Project only where the gradients conflict.")
def projects_always(g: np.ndarray) -> np.ndarray:
    """The direction is pi(m; a)."""
    return np.asarray(g[0] - share(g[0], g[1]) * g[1])


@wrong("a_gem", where=PROJECTION, mend="Project where <m, a> < 0, not where it is positive.")
def projects_in_agreement(g: np.ndarray) -> np.ndarray:
    """The part along a is removed where <m, a> > 0."""
    return np.asarray(g[0] - positive(share(g[0], g[1])) * g[1])


@wrong("a_gem", where=PROJECTION, mend="Divide by ||a||^2.")
def divides_by_the_norm(g: np.ndarray) -> np.ndarray:
    """The coefficient is <m, a> / ||a||."""
    return np.asarray(g[0] - negative(ratio(g[0] @ g[1], norm(g[1]))) * g[1])


@wrong("a_gem", where=PROJECTION, mend="Divide by the norm of a, on which m is projected.")
def divides_by_the_main_norm_squared(g: np.ndarray) -> np.ndarray:
    """The coefficient is <m, a> / ||m||^2."""
    return np.asarray(g[0] - negative(share(g[1], g[0])) * g[1])


@wrong("a_gem", where=PROJECTION, mend="Do not add the auxiliary gradient: it only protects.")
def adds_the_auxiliary_gradient(g: np.ndarray) -> np.ndarray:
    """The direction is that of A-GEM plus a."""
    return np.asarray(g[0] + (1 - negative(share(g[0], g[1]))) * g[1])


@wrong("a_gem", where=PROJECTION, mend="Keep the rest of m in conflict: what is orthogonal to a.")
def drops_the_main_gradient_in_conflict(g: np.ndarray) -> np.ndarray:
    """In conflict the direction is a."""
    return np.asarray(g[1] if g[0] @ g[1] < 0 else g[0] + 0 * g[1])


@wrong("a_gem", where=PROJECTION, mend="Divide by ||a||^2 alone; d = m for a = 0.")
def epsilon_in_the_denominator(g: np.ndarray) -> np.ndarray:
    """The coefficient is <m, a> / (||a||^2 + 1e-8)."""
    return np.asarray(g[0] - negative(g[0] @ g[1]) / (g[1] @ g[1] + 1e-8) * g[1])


BARRIER = "d = lam a + max(1 - lam <m, a> / ||m||^2, 0) m"


@wrong("dynamic_barrier", where=BARRIER, mend="The barrier is ||m||^2, that of the main gradient.")
def barrier_is_the_auxiliary_norm_squared(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The barrier is ||a||^2, as the paper's section 4 prints it."""
    m, a = g
    main = ratio(a @ a - lam * (m @ a), m @ m)
    return np.asarray(lam * a + positive(main) * m)


@wrong("dynamic_barrier", where=BARRIER, mend="Hold the weight of m at 0 or above.")
def weight_is_not_held_above_zero(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The direction is lam a + (1 - lam <m, a> / ||m||^2) m."""
    return np.asarray(lam * g[1] + (1 - lam * share(g[1], g[0])) * g[0])


@wrong("dynamic_barrier", where=BARRIER, mend="Weigh a by lam inside the maximum too.")
def weight_is_missing_in_the_maximum(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The weight of m is max(1 - <m, a> / ||m||^2, 0)."""
    return np.asarray(lam * g[1] + positive(1 - share(g[1], g[0])) * g[0])


@wrong("dynamic_barrier", where=BARRIER, mend="Multiply a by lam.")
def auxiliary_gradient_is_not_weighted(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The direction is a + max(1 - lam <m, a> / ||m||^2, 0) m."""
    return np.asarray(g[1] + positive(1 - lam * share(g[1], g[0])) * g[0])


@wrong("dynamic_barrier", where=BARRIER, mend="Divide by ||m||^2, not by ||a||^2.")
def divides_by_the_auxiliary_norm_squared(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The weight of m is max(1 - lam <m, a> / ||a||^2, 0)."""
    return np.asarray(lam * g[1] + positive(1 - lam * share(g[0], g[1])) * g[0])


@wrong("dynamic_barrier", where=BARRIER, mend="Keep the 1: the main loss falls at its own rate.")
def main_gradient_only_where_it_is_needed(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The weight of m is max(-lam <m, a> / ||m||^2, 0): the barrier is 0."""
    return np.asarray(lam * g[1] + positive(-lam * share(g[1], g[0])) * g[0])


@wrong("dynamic_barrier", where=BARRIER, mend="Divide by ||m||^2 alone; d = lam a for m = 0.")
def epsilon_added_to_the_main_norm(g: np.ndarray, *, lam: float) -> np.ndarray:
    """The weight of m is max(1 - lam <m, a> / (||m||^2 + 1e-8), 0)."""
    main = 1 - lam * (g[0] @ g[1]) / (g[0] @ g[0] + 1e-8)
    return np.asarray(lam * g[1] + positive(main) * g[0])


GATE = "the gate, max(0, cos(m, a)) or the sign"


@wrong("cosine_gate", where=GATE, mend="Hold the gate at 0 or above.")
def gate_may_be_negative(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """Weighted, the gate is cos(m, a); unweighted, it is its sign."""
    gate = cosine if weighted else lambda m, a: float(np.sign(m @ a))
    return cosine_gate(g, weighted=weighted, gate=gate)


@wrong("cosine_gate", where=GATE, mend="Keep the sign of the cosine: an obtuse angle closes.")
def gate_loses_the_sign(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """The gate is |cos(m, a)|, or 1."""
    gate = (lambda m, a: abs(cosine(m, a))) if weighted else (lambda m, a: 1.0 + 0 * (m @ a))
    return cosine_gate(g, weighted=weighted, gate=gate)


@wrong("cosine_gate", where=GATE, mend="Weigh by the cosine if weighted.")
def gate_is_never_weighted(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """The gate is 1 or 0 in either case."""
    return cosine_gate(g, weighted=False)


@wrong("cosine_gate", where=GATE, mend="Take the sign, 1 or 0, unless weighted.")
def gate_is_always_weighted(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """The gate is the cosine in either case."""
    return cosine_gate(g, weighted=True)


@wrong("cosine_gate", where=GATE, mend="Divide the inner product by both norms.")
def gate_is_an_inner_product(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """Weighted, the gate is max(0, <m, a>)."""
    gate = (lambda m, a: positive(m @ a)) if weighted else None
    return cosine_gate(g, weighted=weighted, gate=gate)


@wrong("cosine_gate", where=GATE, mend="Divide by both norms, not by ||a||^2: that projects.")
def gate_is_a_projection(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """Weighted, the gate is max(0, <m, a> / ||a||^2)."""
    gate = (lambda m, a: positive(share(m, a))) if weighted else None
    return cosine_gate(g, weighted=weighted, gate=gate)


@wrong("cosine_gate", where=GATE, mend="Gate the auxiliary gradient; m always counts whole.")
def main_gradient_is_gated(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """The direction is gate m + a."""
    return np.asarray(sum(gates[weighted](g[0], a) * g[0] + a for a in g[1:]))


@wrong("cosine_gate", where=GATE, mend="Divide by the norms alone; the cosine with 0 is 0.")
def epsilon_in_the_cosine(g: np.ndarray, *, weighted: bool) -> np.ndarray:
    """Weighted, the gate is max(0, <m, a> / (||m|| ||a|| + 1e-8))."""
    gate = (lambda m, a: positive(m @ a / (norm(m) * norm(a) + 1e-8))) if weighted else None
    return cosine_gate(g, weighted=weighted, gate=gate)
