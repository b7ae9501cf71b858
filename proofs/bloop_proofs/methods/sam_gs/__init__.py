"""SAM-GS: unlike gradients are equalised, like ones modulated by their momentum."""

from functools import partial

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import nonzero, scaled
from bloop_proofs.law import law, require
from bloop_proofs.laws import relations, wide
from bloop_proofs.laws.measure import bound, found, require_close
from bloop_proofs.methods.sam_gs.definition import (
    SIGNATURE,
    over_pairs,
    pair_mean,
    sam_gs,
    similarities,
)
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import (
    norms,
    vectors,
)
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import (
    norm,
    product_error,
    row_rounding,
    unit_roundoff,
)


def _unlike(case: Case) -> Case:
    """Return a case whose auxiliary gradient is 64 times as large as the main one or more."""
    main, aux = map(nonzero, case.gradients)
    times = 2.0 ** (6 + np.ceil(np.log2(norm(flat(main)) / norm(flat(aux)))))
    return case.but(gradients=[main, [np.asarray(times * x, x.dtype) for x in aux]])


@law(
    equation="equalised branch",
    inputs=inputs(SIGNATURE, options={"gamma": (0.1, 0.5)}, then=_unlike),
)
def unlike_gradients_are_equalised(subject: Subject, case: Case) -> None:
    """Where Psi < gamma, d = mean(n) sum_k g_k / n_k: each with the mean norm, of degree 1."""
    gradients = vectors(case)
    sizes = norms(gradients)
    required = sizes.mean() * (gradients / sizes[:, None]).sum(axis=0)
    require_close("direction", found(subject, case), required, bound(subject, case))


def _modulated(case: Case, steps: list[np.ndarray]) -> np.ndarray:
    """Return sum_k |g_k| * g_k / sqrt(h^) for the last step, the momentum being the gradient."""
    average, weight = 0.0, 1.0
    for step in steps:
        fresh = (1 - case.beta2) * (1 - pair_mean(step)) ** 2
        average, weight = case.beta2 * average + fresh + case.eps, weight * case.beta2
    last = steps[-1]
    return np.asarray((np.abs(last) * last).sum(axis=0) / np.sqrt(average / (1 - weight)))


@law(equation="first step", inputs=inputs(SIGNATURE, earlier=(0,), options={"gamma": (0.0,)}))
def first_momentum_is_the_gradient(subject: Subject, case: Case) -> None:
    """At first M^_k = g_k: d = sum_k |g_k| * g_k / sqrt((1 - Psi)^2 + eps / (1 - beta2))."""
    required = _modulated(case, [vectors(case)])
    room = bound(subject, case)
    require_close("direction", found(subject, case), required, room)


@law(equation="averages", inputs=inputs(SIGNATURE, earlier=(1, 2), options={"gamma": (0.0,)}))
def constant_gradients_are_their_own_momentum(subject: Subject, case: Case) -> None:
    """As long as the gradients stay the same M^_k = g_k; h^ sums eps in every step."""
    count = len(case.earlier)
    still = case.but(earlier=[case.gradients] * count)
    required = _modulated(case, [vectors(case)] * (count + 1))
    require_close("direction", found(subject, still), required, bound(subject, still))


@law(
    equation="modulated branch",
    inputs=inputs(SIGNATURE, options={"gamma": (0.0,)}, numbers={"exponent": relations.EXPONENTS}),
)
def modulated_direction_is_of_degree_two(subject: Subject, case: Case) -> None:
    """Where Psi >= gamma, d(s g_0, s g_1) = s^2 d(g_0, g_1), the scale on all steps."""
    moved = subject.method.on_steps(
        case, lambda step: [scaled(gradient, case.exponent) for gradient in step]
    )
    direction = np.ldexp(found(subject, moved), -2 * case.exponent)
    require_close("d(s g) / s^2", direction, found(subject, case), 2 * bound(subject, case))


@law(equation="modulated branch", inputs=inputs(SIGNATURE, options={"gamma": (0.0,)}))
def momentum_turns_no_sign(subject: Subject, case: Case) -> None:
    """Where the main and the auxiliary gradient have the same sign at an entry, so has d."""
    gradients, d = vectors(case), found(subject, case)
    room = bound(subject, case)
    for sign in (1, -1):
        agreed = np.all(sign * gradients >= 0, axis=0)
        against = float(np.max(-sign * d[agreed], initial=0.0))
        require(against <= room, f"entries on which all agree must keep their sign; found {d}")


@law(equation="threshold", inputs=inputs(SIGNATURE, numbers={"less": (True, False)}))
def threshold_decides_between_the_branches(subject: Subject, case: Case) -> None:
    """d is the equalised direction for gamma just above Psi and not for gamma just below it."""
    gradients = vectors(case)
    similarity = pair_mean(gradients)
    delta = 4 * product_error(unit_roundoff(*case.gradients), gradients.shape[1])
    if not delta < similarity < 1 - delta:
        return
    gamma = similarity - delta if case.less else similarity + delta
    now = case.but(gamma=gamma)
    required = found(subject, case, gamma=0.0 if case.less else 2.0)
    size = float(norms(gradients).sum()) + norm(required)
    room = 2 * bound(subject, now) + row_rounding(2.0**-53, 2, size)
    require_close(f"direction for gamma {gamma:.6g}", found(subject, now), required, room)


RELATIONS = (
    relations.symmetric(SIGNATURE),
    relations.signed_permutation(SIGNATURE),
    relations.splitting(SIGNATURE),
    relations.zeros(
        SIGNATURE,
        "A zero gradient adds nothing but counts in mean(n); Psi = 1 for two of them.",
    ),
    # only where gradients are equalised: the modulated direction, of degree two, leaves the range
    wide.any_scale(partial(inputs, SIGNATURE, options={"gamma": (2.0,)}), SIGNATURE),
)


FORMULAS = listed(
    SIGNATURE,
    sam_gs,
    """
at Psi, the mean over pairs i < j
similarity-includes-the-diagonal
    Psi is the mean over all i and j, a gradient with itself included, as the paper prints it.
    psi(g) = mean(similarities(g))
    -> Average over pairs of two different gradients.
similarity-is-the-least-of-the-pairs: Psi is the least similarity of a pair.
    psi(g) = min(similarities(g))
    -> Take the mean over the pairs, not the least of them.
similarity-is-a-cosine: Psi is the mean cosine of the pairs.
    psi(g) = over_pairs(units(g) @ units(g).T)
    -> Compare magnitudes, 2 x y / (x^2 + y^2), not directions.
at d = sum_k |M^_k| * g_k / sqrt(h^)
momentum-keeps-its-sign: The modulated direction is sum_k M^_k * g_k / sqrt(h^).
    modulate(m, g) = m g
    -> Take the absolute value of the momentum.
gradient-loses-its-sign: The modulated direction is sum_k M^_k * |g_k| / sqrt(h^).
    modulate(m, g) = m abs(g)
    -> Multiply the gradient, and not its absolute value.
gradient-takes-the-place-of-the-momentum: The modulated direction is sum_k |g_k| * g_k / sqrt(h^).
    modulate(m, g) = abs(g) g
    -> Multiply by the momentum, not by the gradient once more.
main-momentum-modulates-all-gradients: The modulated direction is sum_k |M^_0| * g_k / sqrt(h^).
    modulate(m, g) = abs(m[0]) g
    -> Modulate each gradient by its own momentum.
at d = mean(n) sum_k g_k / n_k
equalised-gradients-are-squared
    The equalised direction is sum_k (n / n_k) g_k * g_k, as the paper prints it.
    even(g) = mean(norms(g)) sum(units(g) g)
    -> Add the equalised gradients; do not square them.
gradients-are-brought-to-the-first-norm: The equalised direction is n_0 sum_k g_k / n_k.
    even(g) = ||m|| sum(units(g))
    -> Give each gradient the mean norm, not the first one's.
at the gate
branches-are-exchanged: Gradients are equalised where Psi >= gamma, and modulated where it is below.
    gamma = 2 if pair_mean(g) >= gamma else 0
    -> Equalise where the similarity is below gamma.
never-equalises: The direction is always the modulated one.
    gamma = 0
    -> Equalise where the similarity is below gamma.
at M and h, and their bias corrections
averages-are-not-corrected: M and h are used as they are.
    corrected = (False, False)
    -> Divide M by 1 - beta1^t and h by 1 - beta2^t.
momentum-is-not-corrected: M is used as it is.
    corrected = (False, True)
    -> Divide M by 1 - beta1^t.
dissimilarity-is-not-corrected: h is used as it is.
    corrected = (True, False)
    -> Divide h by 1 - beta2^t.
betas-are-exchanged: beta2 is the momentum's.
    beta1 = beta2
    beta2 = beta1
    -> Use beta1 for the momentum and beta2 for h.
dissimilarity-is-not-squared: h averages 1 - Psi.
    unlike(similarity) = 1 - similarity
    -> Average the squares of 1 - Psi.
similarity-is-averaged: h averages Psi^2.
    unlike(similarity) = similarity^2
    -> Average (1 - Psi)^2, not Psi^2.
at d = sum_k |M^_k| * g_k / sqrt(h^)
root-is-left-out: The modulated direction is divided by h^.
    over(h) = h
    -> Divide by the root of h^.
at M and h, and their bias corrections
eps-is-added-to-the-root: h averages without eps, and eps is added to sqrt(h^).
    eps = 0
    over(h) = sqrt(h) + eps
    -> Add eps to h in every step.
averages-rest-while-equalising: Where gradients are equalised, M, h and t stay what they were.
    after = state if pair_mean(g) < gamma else after
    -> Update the averages in both branches, before the gate.
at d itself
direction-is-multiplied-by-the-losses
    The direction is K d, as the authors' training code scales it.
    d = K d
    -> Leave the factor K and the clip to the training loop.
    """,
    over_pairs=over_pairs,
    pair_mean=pair_mean,
    similarities=similarities,
)
