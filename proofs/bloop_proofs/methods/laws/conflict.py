"""Laws of PCGrad and GradVac alone."""

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import Law, require
from bloop_proofs.laws.measure import require_close, require_small
from bloop_proofs.laws.scales import scaled
from bloop_proofs.methods.inputs import inputs
from bloop_proofs.methods.laws.relations import MORE
from bloop_proofs.methods.measure import bound, found, method_law, require_right
from bloop_proofs.methods.method import Method
from bloop_proofs.methods.registry import METHODS, vectors
from bloop_proofs.methods.subject import MethodSubject, on_all, steps_of
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm, product_error

PCGRAD, GRAD_VAC = METHODS["pcgrad"], METHODS["grad_vac"]


def _off(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the part of v orthogonal to w."""
    square = float(w @ w)
    return v - (float(v @ w) / square) * w if square else v


def _surgery(m: np.ndarray, a: np.ndarray, lam: float) -> np.ndarray:
    return m + lam * a if m @ a >= 0 else _off(m, a) + lam * _off(a, m)


@method_law(equation="two losses", inputs=inputs(PCGRAD))
def two_gradients_are_projected_off_each_other(subject: MethodSubject, case: Case) -> None:
    """d = m + lam a where <m, a> >= 0, else pi(m; a) + lam pi(a; m)."""
    m, a = vectors(case)
    required = _surgery(m, a, case.lam)
    require_close("direction", found(subject, case), required, bound(subject, case))


@method_law(equation="two losses", inputs=inputs(PCGRAD))
def neither_of_two_losses_rises(subject: MethodSubject, case: Case) -> None:
    """<d, m> >= 0 and <d, a> >= 0."""
    d, room = found(subject, case), bound(subject, case)
    for name, g in zip(("m", "a"), vectors(case), strict=True):
        least = -room * norm(g)
        require(d @ g >= least, f"<d, {name}> must be at least {least:.3g}; found {d @ g:.6g}")


def _turned(case: Case) -> Case:
    """Return a case of three gradients, the first of which ends at an obtuse angle to itself."""
    entries = ((1.0, 0.0), (-1.0, 1.0), (-10.0, -1.0))
    dtype = case.gradients[0][0].dtype
    return case.but(
        gradients=[
            [np.array(entry, dtype) * dtype.type(2.0**k)]
            for entry, k in zip(entries, case.exponents, strict=True)
        ]
    )


@method_law(
    equation="more losses",
    inputs=inputs(
        PCGRAD,
        losses=(3,),
        shapes=(((2,),),),
        numbers={"exponents": ((0, 0, 0), (1, 0, -2), (-3, 2, 1))},
        then=_turned,
    ),
    may_refuse=MORE,
)
def no_gradient_is_projected_off_itself(subject: MethodSubject, case: Case) -> None:
    """A gradient meets the others only, also where they have turned it against itself."""
    require_right(subject, case)


def _parts(subject: MethodSubject, case: Case) -> tuple[np.ndarray, np.ndarray, float]:
    """Return m' = m + w a and a' = a + v m, read off d = (1 + v) m + (1 + w) a, and a bound.

    In the plane of m and a the coefficients are unique, and err by the error of d over the least
    singular value of the matrix of m and a. The bound is infinite where there is no plane.
    """
    m, a = vectors(case)
    matrix = np.stack([m, a], axis=1)
    least = float(np.linalg.svd(matrix, compute_uv=False)[-1]) if m.size > 1 else 0.0
    if least <= product_error(2.0**-53, m.size) * (norm(m) + norm(a)):
        return m, a, float("inf")
    (on_main, on_aux), *_ = np.linalg.lstsq(matrix, found(subject, case))
    room = (norm(m) + norm(a)) * (bound(subject, case) / least + product_error(2.0**-53, m.size))
    return m + (on_aux - 1) * a, a + (on_main - 1) * m, room


def per_loss_scale(method: Method) -> Law:
    """Return the law of the scales of single losses."""
    numbers = {"exponents": ((1, 0), (0, 1), (-2, 3))}
    kinds = inputs(method, dtypes=("float64",), numbers=numbers, options={"lam": (1.0,)})

    @method_law(equation="scale of one loss", inputs=kinds)
    def scale_of_one_loss_scales_its_own_part(subject: MethodSubject, case: Case) -> None:
        """d(s m, t a) = s m' + t a', where d(m, a) = m' + a': only directions decide on conflicts.

        m' = m + w a and a' = a + v m are read off d(m, a) where m and a are not parallel.
        """
        main, aux, room = _parts(subject, case)
        if not np.isfinite(room):
            return
        moved = on_all(
            case,
            lambda step: [scaled(g, k) for g, k in zip(step, case.exponents, strict=True)],
        )
        s, t = (2.0**k for k in case.exponents)
        required = s * main + t * aux
        distance = (s + t) * room + bound(subject, moved)
        require_close("d(s m, t a)", found(subject, moved), required, distance)

    return scale_of_one_loss_scales_its_own_part


@method_law(equation="first step", inputs=inputs(GRAD_VAC, earlier=(0,)))
def first_step_is_pcgrad(subject: MethodSubject, case: Case) -> None:
    """The targets start at 0, and the part lifted to a cosine of 0 is the projection."""
    m, a = vectors(case)
    required = _surgery(m, a, 1.0)
    require_close("direction", found(subject, case), required, bound(subject, case))


@method_law(equation="lift", inputs=inputs(GRAD_VAC, earlier=(1, 2), dtypes=("float64",)))
def cosines_below_the_target_are_lifted_to_it(subject: MethodSubject, case: Case) -> None:
    """After a step both cos(m', a) and cos(a', m) are max(cos(m, a), t), two-sided.

    t is the moving average, from 0, of the cosines of the raw gradients before their lift, beta
    being the weight of the new one, without that of this step. m' and a' are read off d.
    """
    main, aux, room = _parts(subject, case)
    cosines = [_cosine(*map(flat, step)) for step in steps_of(case)]
    target = 0.0
    for cosine in cosines[:-1]:
        target = (1 - case.beta) * target + case.beta * cosine
    required = max(cosines[-1], target)
    m, a = vectors(case)
    for name, part, other in (("cos(m', a)", main, a), ("cos(a', m)", aux, m)):
        if norm(part) > 2 * room:  # which is never so where there is no plane
            close = 2 * room / norm(part) + product_error(2.0**-53, m.size)
            require_small(f"{name} - {required:.6g}", _cosine(part, other) - required, close)


def _cosine(v: np.ndarray, w: np.ndarray) -> float:
    sizes = norm(v) * norm(w)
    return float(v @ w) / sizes if sizes else 0.0


@method_law(equation="target", inputs=inputs(GRAD_VAC, earlier=(1,)))
def aligned_gradients_raise_the_target(subject: MethodSubject, case: Case) -> None:
    """After a step on (m, m) from the start the target is beta: (m, -m / 2) then gives 0.

    Opposed gradients cancel under any target below 1, for no combination with a positive weight has
    a cosine in between.
    """
    main = case.gradients[0]
    opposed = [np.asarray(-x / 2, x.dtype) for x in main]
    now = case.but(earlier=[[main, main]], gradients=[main, opposed])
    zero = np.zeros(flat(main).size)
    require_close("direction", found(subject, now), zero, bound(subject, now))
