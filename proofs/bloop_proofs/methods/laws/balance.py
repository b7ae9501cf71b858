"""Laws of MetaBalance and SAM-GS alone."""

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import require
from bloop_proofs.laws.measure import require_close
from bloop_proofs.laws.scales import scaled
from bloop_proofs.methods.inputs import inputs
from bloop_proofs.methods.laws.relations import EXPONENTS
from bloop_proofs.methods.measure import bound, found, method_law
from bloop_proofs.methods.reference import mean_similarity, norms
from bloop_proofs.methods.registry import METHODS, vectors
from bloop_proofs.methods.subject import MethodSubject, on_all
from bloop_proofs.strategies import nonzero
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm, product_error, row_rounding, unit_roundoff

META_BALANCE, SAM_GS = METHODS["meta_balance"], METHODS["sam_gs"]


def _none_zero(case: Case) -> Case:
    return on_all(case, lambda step: list(map(nonzero, step)))


@method_law(equation="first step", inputs=inputs(META_BALANCE, earlier=(0,), then=_none_zero))
def first_ratio_is_that_of_the_norms(subject: MethodSubject, case: Case) -> None:
    """At first d = m + (r ||m|| / ||a|| + 1 - r) a, whatever beta: averages from 0 cancel."""
    m, a = vectors(case)
    required = m + (case.r * norm(m) / norm(a) + 1 - case.r) * a
    require_close("direction", found(subject, case), required, bound(subject, case))


@method_law(
    equation="relaxation", inputs=inputs(META_BALANCE, options={"r": (0.0,)}, then=_none_zero)
)
def without_relaxation_gradients_are_added(subject: MethodSubject, case: Case) -> None:
    """With r = 0, d = m + a."""
    required = vectors(case).sum(axis=0)
    require_close("direction", found(subject, case), required, bound(subject, case))


@method_law(
    equation="relaxation",
    inputs=inputs(META_BALANCE, earlier=(0,), options={"r": (1.0,)}, then=_none_zero),
)
def full_relaxation_gives_both_the_main_norm(subject: MethodSubject, case: Case) -> None:
    """With r = 1, at first ||d - m|| = ||m||."""
    m = vectors(case)[0]
    added = norm(found(subject, case) - m)
    room = bound(subject, case)
    require(
        abs(added - norm(m)) <= room,
        f"||d - m|| must be {norm(m):.6g} within {room:.3g}; found {added:.6g}",
    )


@method_law(equation="averages", inputs=inputs(META_BALANCE, earlier=(1, 2), then=_none_zero))
def constant_gradients_give_a_constant_direction(subject: MethodSubject, case: Case) -> None:
    """As long as the gradients stay the same so does d: the start from 0 leaves no trace."""
    still = case.but(earlier=[case.gradients] * len(case.earlier))
    first = case.but(earlier=[])
    room = bound(subject, still) + bound(subject, first)
    require_close("direction", found(subject, still), found(subject, first), room)


def _unlike(case: Case) -> Case:
    """Return a case whose auxiliary gradient is 64 times as large as the main one or more."""
    main, aux = map(nonzero, case.gradients)
    times = 2.0 ** (6 + np.ceil(np.log2(norm(flat(main)) / norm(flat(aux)))))
    return case.but(gradients=[main, [np.asarray(times * x, x.dtype) for x in aux]])


@method_law(
    equation="equalised branch", inputs=inputs(SAM_GS, options={"gamma": (0.1, 0.5)}, then=_unlike)
)
def unlike_gradients_are_equalised(subject: MethodSubject, case: Case) -> None:
    """Where Psi < gamma, d = mean(n) sum_k g_k / n_k: each with the mean norm, of degree 1."""
    gradients = vectors(case)
    sizes = norms(gradients)
    required = sizes.mean() * (gradients / sizes[:, None]).sum(axis=0)
    require_close("direction", found(subject, case), required, bound(subject, case))


def _modulated(case: Case, steps: list[np.ndarray]) -> np.ndarray:
    """Return sum_k |g_k| * g_k / sqrt(h^) for the last step, the momentum being the gradient."""
    average, weight = 0.0, 1.0
    for step in steps:
        fresh = (1 - case.beta2) * (1 - mean_similarity(step)) ** 2
        average, weight = case.beta2 * average + fresh + case.eps, weight * case.beta2
    last = steps[-1]
    return np.asarray((np.abs(last) * last).sum(axis=0) / np.sqrt(average / (1 - weight)))


@method_law(equation="first step", inputs=inputs(SAM_GS, earlier=(0,), options={"gamma": (0.0,)}))
def first_momentum_is_the_gradient(subject: MethodSubject, case: Case) -> None:
    """At first M^_k = g_k: d = sum_k |g_k| * g_k / sqrt((1 - Psi)^2 + eps / (1 - beta2))."""
    required = _modulated(case, [vectors(case)])
    room = bound(subject, case)
    require_close("direction", found(subject, case), required, room)


@method_law(equation="averages", inputs=inputs(SAM_GS, earlier=(1, 2), options={"gamma": (0.0,)}))
def constant_gradients_are_their_own_momentum(subject: MethodSubject, case: Case) -> None:
    """As long as the gradients stay the same M^_k = g_k; h^ sums eps in every step."""
    count = len(case.earlier)
    still = case.but(earlier=[case.gradients] * count)
    required = _modulated(case, [vectors(case)] * (count + 1))
    require_close("direction", found(subject, still), required, bound(subject, still))


@method_law(
    equation="modulated branch",
    inputs=inputs(SAM_GS, options={"gamma": (0.0,)}, numbers={"exponent": EXPONENTS}),
)
def modulated_direction_is_of_degree_two(subject: MethodSubject, case: Case) -> None:
    """Where Psi >= gamma, d(s g_0, s g_1) = s^2 d(g_0, g_1), the scale on all steps."""
    moved = on_all(case, lambda step: [scaled(gradient, case.exponent) for gradient in step])
    direction = np.ldexp(found(subject, moved), -2 * case.exponent)
    require_close("d(s g) / s^2", direction, found(subject, case), 2 * bound(subject, case))


@method_law(equation="modulated branch", inputs=inputs(SAM_GS, options={"gamma": (0.0,)}))
def momentum_turns_no_sign(subject: MethodSubject, case: Case) -> None:
    """Where the main and the auxiliary gradient have the same sign at an entry, so has d."""
    gradients, d = vectors(case), found(subject, case)
    room = bound(subject, case)
    for sign in (1, -1):
        agreed = np.all(sign * gradients >= 0, axis=0)
        against = float(np.max(-sign * d[agreed], initial=0.0))
        require(against <= room, f"entries on which all agree must keep their sign; found {d}")


@method_law(equation="threshold", inputs=inputs(SAM_GS, numbers={"less": (True, False)}))
def threshold_decides_between_the_branches(subject: MethodSubject, case: Case) -> None:
    """d is the equalised direction for gamma just above Psi and not for gamma just below it."""
    gradients = vectors(case)
    similarity = mean_similarity(gradients)
    delta = 4 * product_error(unit_roundoff(*case.gradients), gradients.shape[1])
    if not delta < similarity < 1 - delta:
        return
    gamma = similarity - delta if case.less else similarity + delta
    now = case.but(gamma=gamma)
    required = found(subject, case, gamma=0.0 if case.less else 2.0)
    size = float(norms(gradients).sum()) + norm(required)
    room = 2 * bound(subject, now) + row_rounding(2.0**-53, 2, size)
    require_close(f"direction for gamma {gamma:.6g}", found(subject, now), required, room)
