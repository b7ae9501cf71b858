"""What the direction depends on, and how: linearity, invariances and independences of eq. 5."""

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.law import law
from bloop_proofs.laws.measure import average_tolerance, direction_tolerance, require_close
from bloop_proofs.strategies import LEAVES, inputs
from bloop_proofs.subject import Subject, flat


def mix(*terms: tuple[float, Gradient]) -> Gradient:
    """Return a linear combination of gradients in the dtypes of the first."""
    (_, first), *_ = terms
    return [
        np.asarray(sum(c * gradient[i].astype(np.float64) for c, gradient in terms)).astype(x.dtype)
        for i, x in enumerate(first)
    ]


def unflatten(vector: np.ndarray, like: Gradient) -> Gradient:
    """Return a long vector cut into leaves like those of a gradient."""
    ends = np.cumsum([leaf.size for leaf in like])[:-1]
    return [
        part.reshape(leaf.shape).astype(leaf.dtype)
        for part, leaf in zip(np.split(vector, ends), like, strict=True)
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


@law(group="paper", equation="section 2.1", inputs=inputs(shapes=LEAVES))
def splitting_into_leaves_does_not_matter(subject: Subject, case: Case) -> None:
    """One inner product runs over all parameters: one long leaf gives the same as several."""
    joined = {
        name: [flat(case[name]).astype(case[name][0].dtype)] for name in ("g_main", "g_aux", "ema")
    }
    found = flat(subject.of(case).direction)
    required = flat(subject.of(case, **joined).direction)
    require_close("direction", found, required, 2 * direction_tolerance(case))


@law(group="paper", equation="eq. 5", inputs=inputs(shapes=LEAVES, numbers={"shift": (1, 2, 3)}))
def permutation_of_the_parameters_carries_over(subject: Subject, case: Case) -> None:
    """Permuting the entries of all vectors alike, across leaves too, permutes d and the new EMA."""
    permuted = {
        name: unflatten(np.roll(flat(case[name]), case.shift), case[name])
        for name in ("g_main", "g_aux", "ema")
    }
    found, plain = subject.of(case, **permuted), subject.of(case)
    required = np.roll(flat(plain.direction), case.shift)
    require_close("direction", flat(found.direction), required, 2 * direction_tolerance(case))
    required = np.roll(flat(plain.new_ema), case.shift)
    require_close("new_ema", flat(found.new_ema), required, 2 * average_tolerance(case))


@law(
    group="paper",
    equation="eq. 5",
    inputs=inputs(dtypes=("float64",), shapes=LEAVES, numbers={"angle": (0.5, 1.0, 2.0, 3.0)}),
)
def rotation_carries_over(subject: Subject, case: Case) -> None:
    """Rotating all vectors alike, here in the plane of the first and last entry, rotates d."""

    def rotate(vector: np.ndarray) -> np.ndarray:
        c, s = np.cos(case.angle), np.sin(case.angle)
        turned = vector.copy()
        turned[0], turned[-1] = c * vector[0] - s * vector[-1], s * vector[0] + c * vector[-1]
        return turned

    rotated = {
        name: unflatten(rotate(flat(case[name])), case[name]) for name in ("g_main", "g_aux", "ema")
    }
    found = flat(subject.of(case, **rotated).direction)
    required = rotate(flat(subject.of(case).direction))
    # rotating rounds each vector by no more than a direction is allowed to err
    require_close("direction", found, required, 4 * direction_tolerance(case))


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
