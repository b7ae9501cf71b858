"""What the direction depends on, and how: linearity, invariances and independences of eq. 5."""

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import unflatten
from bloop_proofs.law import law
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import require_close
from bloop_proofs.methods.bloop.definition import (
    SIGNATURE,
    average_tolerance,
    direction_tolerance,
    inputs,
)
from bloop_proofs.subject import Subject, flat


def mix(*terms: tuple[float, Gradient]) -> Gradient:
    """Return a linear combination of gradients in the dtypes of the first."""
    (_, first), *_ = terms
    return [
        np.asarray(sum(c * gradient[i].astype(np.float64) for c, gradient in terms)).astype(x.dtype)
        for i, x in enumerate(first)
    ]


@law(
    group="paper",
    equation="eq. 5",
    inputs=inputs(more=("other",), numbers={"weight": (1.0, -1.0, 2.0, -0.5)}),
)
def direction_is_linear_in_the_auxiliary_gradient(subject: Subject, case: Case) -> None:
    """d(a + c b) - g_main = (d(a) - g_main) + c (d(b) - g_main)."""
    g = flat(case.g_main)
    both = mix((1.0, case.g_aux), (case.weight, case.other))
    first, second, together = (
        flat(subject.of(case, g_aux=a).direction) - g for a in (case.g_aux, case.other, both)
    )
    bound = sum(direction_tolerance(case.but(g_aux=a)) for a in (case.g_aux, both))
    bound += abs(case.weight) * direction_tolerance(case.but(g_aux=case.other))
    require_close("d(a + c b) - g_main", together, first + case.weight * second, bound)


@law(
    group="paper",
    equation="section 2.1",
    inputs=inputs(numbers={"multiple": (1.0, -1.0, 2.0, -8.0)}),
)
def what_lies_along_the_ema_adds_nothing(subject: Subject, case: Case) -> None:
    """pi(a + c e; e) = pi(a; e): d does not change when a multiple of e is added to g_aux."""
    more = mix((1.0, case.g_aux), (case.multiple, case.ema))
    found = flat(subject.of(case, g_aux=more).direction)
    bound = direction_tolerance(case) + direction_tolerance(case.but(g_aux=more))
    require_close("direction", found, flat(subject.of(case).direction), bound)


@law(
    group="paper",
    equation="section 2.2",
    inputs=inputs(numbers={"factor": (2.0, -1.0, 0.5, 3.0, -0.25, 1000.0)}),
)
def scale_of_the_ema_does_not_matter(subject: Subject, case: Case) -> None:
    """pi(a; c e) = pi(a; e) for every c that is not 0: bias correction would change nothing."""
    scaled = mix((case.factor, case.ema))
    found = flat(subject.of(case, ema=scaled).direction)
    bound = 2 * direction_tolerance(case)
    require_close("direction", found, flat(subject.of(case).direction), bound)


@law(group="paper", equation="eq. 5", inputs=inputs(more=("change",)))
def direction_follows_the_raw_main_gradient(subject: Subject, case: Case) -> None:
    """d(g_main + h) = d(g_main) + h: the first term is this batch's gradient, weight 1."""
    moved = mix((1.0, case.g_main), (1.0, case.change))
    found = flat(subject.of(case, g_main=moved).direction)
    required = flat(subject.of(case).direction) + flat(case.change)
    bound = direction_tolerance(case) + direction_tolerance(case.but(g_main=moved))
    require_close("d(g_main + h)", found, required, bound)


@law(group="paper", equation="eq. 5", inputs=inputs(numbers={"factor": (2.0, 0.0, 10.0, 0.25)}))
def direction_is_linear_in_lam(subject: Subject, case: Case) -> None:
    """d(c lam) - g_main = c (d(lam) - g_main) for c >= 0."""
    g, lam = flat(case.g_main), case.factor * case.lam
    found = flat(subject.of(case, lam=lam).direction) - g
    required = case.factor * (flat(subject.of(case).direction) - g)
    bound = direction_tolerance(case.but(lam=lam)) + case.factor * direction_tolerance(case)
    require_close("d(c lam) - g_main", found, required, bound)


@law(group="paper", equation="Algorithm 1", inputs=inputs(numbers={"other_rho": (1.0, 0.0, 0.1)}))
def direction_does_not_depend_on_rho(subject: Subject, case: Case) -> None:
    """The projection uses the EMA from before the update, so rho changes nothing in d."""
    found = flat(subject.of(case, rho=case.other_rho).direction)
    bound = 2 * direction_tolerance(case)
    require_close("direction", found, flat(subject.of(case).direction), bound)


@law(
    group="paper",
    equation="Algorithm 1",
    inputs=inputs(more=("other",), numbers={"other_lam": (0.0, 5.0)}, zero_ema=True),
)
def new_ema_depends_on_main_gradients_only(subject: Subject, case: Case) -> None:
    """Neither g_aux nor lam enters the new EMA."""
    found = flat(subject.of(case, g_aux=case.other, lam=case.other_lam).new_ema)
    bound = 2 * average_tolerance(case)
    require_close("new_ema", found, flat(subject.of(case).new_ema), bound)


splitting_into_leaves_does_not_matter = relations.splitting(
    SIGNATURE,
    "section 2.1",
    statement="One inner product runs over all parameters: one long leaf gives the same as "
    "several.",
)
permutation_of_the_parameters_carries_over = relations.signed_permutation(
    SIGNATURE,
    "eq. 5",
    signs=False,
    name="permutation-of-the-parameters-carries-over",
    statement="Permuting the entries of all vectors alike, across leaves too, permutes d and the "
    "new EMA.",
)
rotation_carries_over = relations.rotation(
    SIGNATURE,
    "eq. 5",
    statement="Rotating all vectors alike, here in the plane of the first and last entry, "
    "rotates d.",
)


@law(group="paper", equation="section 2.2, figure 2", inputs=inputs(), cost=4)
def projecting_on_noise_keeps_all_but_one_part_in_p(subject: Subject, case: Case) -> None:
    """Averaged over isotropic e in p dimensions, pi(a; e) is (1 - 1/p) a: mixed training again.

    Gaussian noise is isotropic, and the mean over an orthonormal basis equals the mean over all
    directions, so the limit of infinite noise is checked without sampling.
    """
    g, a = flat(case.g_main), flat(case.g_aux)
    p = g.size
    total = np.zeros(p)
    for axis in np.eye(p):
        total += flat(subject.of(case, ema=unflatten(axis, case.ema)).direction) - g
    required = case.lam * (1 - 1 / p) * a
    require_close("mean of d - g_main", total / p, required, 2 * direction_tolerance(case))
