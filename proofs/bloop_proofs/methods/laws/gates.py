"""Laws of mixed training, A-GEM, dynamic barrier and cosine gating alone."""

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case
from bloop_proofs.law import require
from bloop_proofs.laws.invariances import unflatten
from bloop_proofs.laws.measure import require_close, require_small
from bloop_proofs.methods.inputs import inputs
from bloop_proofs.methods.measure import bound, found, method_law
from bloop_proofs.methods.registry import METHODS, vectors
from bloop_proofs.methods.subject import MethodSubject
from bloop_proofs.strategies import nonzero
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm, product_error, unit_roundoff

MIXED, A_GEM = METHODS["mixed"], METHODS["a_gem"]
BARRIER, GATE = METHODS["dynamic_barrier"], METHODS["cosine_gate"]


@method_law(equation="weight", inputs=inputs(MIXED, options={"lam": (0.0,)}))
def without_weight_d_is_the_main_gradient(subject: MethodSubject, case: Case) -> None:
    """With lam = 0, d = m."""
    require_close("direction", found(subject, case), vectors(case)[0], bound(subject, case))


@method_law(equation="weight", inputs=inputs(MIXED, numbers={"times": (2.0, 3.0)}))
def direction_is_linear_in_the_weight(subject: MethodSubject, case: Case) -> None:
    """d(c lam) - m = c (d(lam) - m)."""
    more = case.but(lam=case.times * case.lam)
    m = vectors(case)[0]
    required = case.times * (found(subject, case) - m)
    room = bound(subject, more) + case.times * bound(subject, case)
    require_close("d(c lam) - m", found(subject, more) - m, required, room)


@method_law(equation="constraint", inputs=inputs(A_GEM))
def protected_loss_never_rises(subject: MethodSubject, case: Case) -> None:
    """<d, a> >= 0."""
    d, a = found(subject, case), vectors(case)[1]
    least = -bound(subject, case) * norm(a)
    require(d @ a >= least, f"<d, a> must be at least {least:.3g}; found {d @ a:.6g}")


@method_law(equation="projection", inputs=inputs(A_GEM, dtypes=("float64",)))
def what_has_been_projected_stays(subject: MethodSubject, case: Case) -> None:
    """d(d(m, a), a) = d(m, a)."""
    main, aux = case.gradients
    once = found(subject, case)
    twice = found(subject, case, gradients=[unflatten(once, main), aux])
    require_close("d(d(m, a), a)", twice, once, 2 * bound(subject, case))


@method_law(equation="projection", inputs=inputs(A_GEM))
def direction_is_no_longer_than_the_main_gradient(subject: MethodSubject, case: Case) -> None:
    """||d|| <= ||m||, and <d, m> = ||d||^2: d is m or a projection of it."""
    d, m = found(subject, case), vectors(case)[0]
    room = bound(subject, case)
    require(norm(d) <= norm(m) + room, f"||d|| must be at most {norm(m):.6g}; found {norm(d):.6g}")
    require_small("<d, m> - ||d||^2", float(d @ (m - d)), 2 * room * norm(m))


def _main_not_zero(case: Case) -> Case:
    return case.but(gradients=[nonzero(case.gradients[0]), case.gradients[1]])


@method_law(equation="barrier", inputs=inputs(BARRIER, then=_main_not_zero))
def main_loss_falls_by_the_barrier_or_more(subject: MethodSubject, case: Case) -> None:
    """<d, m> = max(||m||^2, lam <m, a>)."""
    m, a = vectors(case)
    required = max(float(m @ m), case.lam * float(m @ a))
    difference = float(found(subject, case) @ m) - required
    require_small("<d, m> - max(||m||^2, lam <m, a>)", difference, bound(subject, case) * norm(m))


def _in_conflict(case: Case) -> Case:
    main, aux = _main_not_zero(case).gradients
    sign = -1.0 if flat(main) @ flat(aux) > 0 else 1.0
    return case.but(gradients=[main, [np.asarray(sign * x, x.dtype) for x in aux]])


@method_law(equation="eq. 3 of Bloop", inputs=inputs(BARRIER, then=_in_conflict))
def in_conflict_it_is_full_batch_bloop(subject: MethodSubject, case: Case) -> None:
    """Where <m, a> <= 0, d = m + lam pi(a; m)."""
    main, aux = case.gradients
    required = exact.direction(main, aux, main, lam=case.lam)
    require_close("direction", found(subject, case), required, bound(subject, case))


def _blocked(case: Case) -> Case:
    """Return a case whose auxiliary gradients are at obtuse angles to the main one."""
    main, *aux = case.gradients
    m = flat(main)
    turned = [
        [np.asarray(-np.sign(m @ flat(gradient)) * x, x.dtype) for x in gradient]
        for gradient in aux
    ]
    return case.but(gradients=[main, *turned])


@method_law(equation="gate", inputs=inputs(GATE, then=_blocked))
def opposing_gradients_are_left_out(subject: MethodSubject, case: Case) -> None:
    """d = m where <m, a> < 0."""
    m = vectors(case)[0]
    require_close("direction", found(subject, case), m, bound(subject, case))


@method_law(equation="gate", inputs=inputs(GATE))
def main_loss_falls_as_under_its_own_gradient_or_faster(subject: MethodSubject, case: Case) -> None:
    """<d, m> >= ||m||^2, and d - m is a multiple of a between 0 and 1."""
    (m, a), d = vectors(case), found(subject, case)
    room = bound(subject, case)
    least = float(m @ m) - room * norm(m)
    require(d @ m >= least, f"<d, m> must be at least {least:.6g}; found {d @ m:.6g}")
    share = min(max(float((d - m) @ a) / float(a @ a), 0.0), 1.0)
    require_close("d - m", d - m, share * a, 2 * room)


def _tied(case: Case) -> Case:
    """Return a case of exactly orthogonal gradients: of two parts, each zero on the other's."""
    main, aux = case.gradients
    m, a = flat(main), flat(aux)
    half = m.size // 2
    m[:half], a[half:] = 0.0, 0.0
    return case.but(gradients=[unflatten(m, main), unflatten(a, aux)])


@method_law(equation="gate", inputs=inputs(GATE, then=_tied))
def orthogonal_gradients_are_a_tie(subject: MethodSubject, case: Case) -> None:
    """Where <m, a> = 0, d = m if weighted, else m, m + a / 2 or m + a: all three are in use."""
    (m, a), d = vectors(case), found(subject, case)
    gates = (0.0,) if case.weighted else (0.0, 0.5, 1.0)
    u = unit_roundoff(*case.gradients)
    room = product_error(u, m.size) * (norm(m) + norm(a))
    nearest = min((m + gate * a for gate in gates), key=lambda known: norm(d - known))
    require_close("direction", d, nearest, room)
