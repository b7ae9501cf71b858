"""Cosine gating: auxiliary gradients are weighed by their cosine with the main one, or its sign."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import nonzero, unflatten
from bloop_proofs.law import law, require
from bloop_proofs.laws.measure import bound, found, require_close
from bloop_proofs.laws.relations import antiparallel, of_products, zeros
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import cosine, positive, vectors
from bloop_proofs.signature import Signature, any_of
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm, product_error, unit_roundoff
from bloop_proofs.truths.products import Products, by

Gate = Callable[[Any, Any], float]
gates: dict[bool, Gate] = {
    True: lambda m, a: positive(cosine(m, a)),
    False: lambda m, a: float(np.heaviside(m @ a, 1.0)),
}
"""The gate, weighted and not."""
OBLIQUE = 1 / 8
"""The least cosine, in size, at which a gate by its sign is judged in rounded arithmetic."""


def cosine_gate(g: Any, *, weighted: bool, gate: Gate | None = None) -> Any:
    """Return cosine gating's direction, with another gate than the right ones if one is given."""
    return g[0] + sum((gate or gates[weighted])(g[0], a) * a for a in g[1:])


def off_the_tie(case: Case) -> Case:
    """Return a case whose auxiliary gradients are neither zero nor near orthogonal to the main."""
    main = nonzero(case.gradients[0])
    return case.but(gradients=[main, *(_oblique(main, aux) for aux in case.gradients[1:])])


def _oblique(main: Gradient, aux: Gradient) -> Gradient:
    m, a = flat(main), flat(nonzero(aux))
    while abs(m @ a) < OBLIQUE * norm(m) * norm(a):
        aux = [(x + y).astype(x.dtype) for x, y in zip(aux, main, strict=True)]
        a = flat(aux)
    return aux


SIGNATURE = Signature(
    "cosine_gate",
    "d = m + sum_k gate_k a_k, the gate max(0, cos(m, a_k)) if weighted, else 1 where "
    "<m, a_k> > 0 and 0 where it is negative.",
    "Du et al. 2018",
    by(Products(cosine_gate)),
    options={"weighted": any_of(True, False)},
    prepared=off_the_tie,
)


def _blocked(case: Case) -> Case:
    """Return a case whose auxiliary gradients are at obtuse angles to the main one."""
    main, *aux = case.gradients
    m = flat(main)
    turned = [
        [np.asarray(-np.sign(m @ flat(gradient)) * x, x.dtype) for x in gradient]
        for gradient in aux
    ]
    return case.but(gradients=[main, *turned])


@law(equation="gate", inputs=inputs(SIGNATURE, then=_blocked))
def opposing_gradients_are_left_out(subject: Subject, case: Case) -> None:
    """d = m where <m, a> < 0."""
    m = vectors(case)[0]
    require_close("direction", found(subject, case), m, bound(subject, case))


@law(equation="gate", inputs=inputs(SIGNATURE))
def main_loss_falls_as_under_its_own_gradient_or_faster(subject: Subject, case: Case) -> None:
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


@law(equation="gate", inputs=inputs(SIGNATURE, then=_tied))
def orthogonal_gradients_are_a_tie(subject: Subject, case: Case) -> None:
    """Where <m, a> = 0, d = m if weighted, else m, m + a / 2 or m + a: all three are in use."""
    (m, a), d = vectors(case), found(subject, case)
    gates = (0.0,) if case.weighted else (0.0, 0.5, 1.0)
    u = unit_roundoff(*case.gradients)
    room = product_error(u, m.size) * (norm(m) + norm(a))
    nearest = min((m + gate * a for gate in gates), key=lambda known: norm(d - known))
    require_close("direction", d, nearest, room)


RELATIONS = (
    *of_products(SIGNATURE),
    zeros(SIGNATURE, "d = m for a = 0: the cosine with a zero vector is 0.", which=((1,),)),
    antiparallel(SIGNATURE, "d = m for a = -s m."),
)


FORMULAS = listed(
    SIGNATURE,
    cosine_gate,
    """
at the gate, max(0, cos(m, a)) or the sign
gate-may-be-negative: Weighted, the gate is cos(m, a); unweighted, it is its sign.
    gate(m, a) = cos(m, a) if weighted else sign(<m, a>)
    -> Hold the gate at 0 or above.
gate-loses-the-sign: The gate is |cos(m, a)|, or 1.
    gate(m, a) = abs(cos(m, a)) if weighted else 1 + 0 <m, a>
    -> Keep the sign of the cosine: an obtuse angle closes.
gate-is-never-weighted: The gate is 1 or 0 in either case.
    weighted = False
    -> Weigh by the cosine if weighted.
gate-is-always-weighted: The gate is the cosine in either case.
    weighted = True
    -> Take the sign, 1 or 0, unless weighted.
gate-is-an-inner-product: Weighted, the gate is max(0, <m, a>).
    gate(m, a) = max(<m, a>, 0) if weighted else gates[False](m, a)
    -> Divide the inner product by both norms.
gate-is-a-projection: Weighted, the gate is max(0, <m, a> / ||a||^2).
    gate(m, a) = max(<m, a> / ||a||^2, 0) if weighted else gates[False](m, a)
    -> Divide by both norms, not by ||a||^2: that projects.
epsilon-in-the-cosine: Weighted, the gate is max(0, <m, a> / (||m|| ||a|| + 1e-8)).
    gate(m, a) = max(<m, a> / (||m|| ||a|| + {1e-8}), 0) if weighted else gates[False](m, a)
    -> Divide by the norms alone; the cosine with 0 is 0.
main-gradient-is-gated: The direction is gate m + a.
    d = sum(gates[weighted](m, a) m + a for a in g[1:])
    -> Gate the auxiliary gradient; m always counts whole.
    """,
    gates=gates,
)
