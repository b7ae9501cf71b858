"""Scale: no epsilon, no overflow, no underflow; powers of two carry over bit for bit."""

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import same_bits, scaled
from bloop_proofs.law import LawViolation, law
from bloop_proofs.laws.measure import require_small
from bloop_proofs.methods.bloop.definition import (
    SIGNATURE,
    direction_tolerance,
    inputs,
    require_direction,
)
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm, safe_exponent

FAR = (1.0, -1.0, 0.5, -0.5, 0.75, -0.25)
"""Shares of the exponent range within which products of three entries are normal numbers."""


@law(
    group="numerics",
    equation="eq. 5",
    inputs=inputs(numbers={"exponent": (1, -1, 4, -4, 11)}, rhos=(0.5, 0.25, 0.1)),
)
def powers_of_two_carry_over_bit_for_bit(subject: Subject, case: Case) -> None:
    """Scaling g_main, g_aux and e by 2^k scales d and the new EMA by exactly 2^k.

    Multiplying by a power of two rounds nothing, so every formula without an absolute constant
    obeys this to the last bit.
    """
    plain = subject.of(case)
    moved = subject.of(SIGNATURE.on_all(case, lambda vector: scaled(vector, case.exponent)))
    for name, vector in plain.vectors.items():
        found, required = moved.vectors[name], scaled(vector, case.exponent)
        if not same_bits(found, required):
            raise LawViolation(
                f"{name} of the inputs times 2^{case.exponent} must be 2^{case.exponent} times "
                f"that of the inputs, {required}; found {found}"
            )


@law(
    group="numerics",
    equation="eq. 5",
    inputs=inputs(numbers={"exponent": (-1, 1, -9, 9)}),
)
def power_of_two_on_the_ema_changes_no_bit(subject: Subject, case: Case) -> None:
    """Scaling e by 2^k leaves d as it is, to the last bit: nothing is added to ||e||^2."""
    found = subject.of(case, ema=scaled(case.ema, case.exponent)).direction
    required = subject.of(case).direction
    if not same_bits(found, required):
        raise LawViolation(
            f"direction with the EMA times 2^{case.exponent} must be {required}; found {found}"
        )


@law(group="numerics", equation="eq. 5", inputs=inputs(numbers={"share": FAR}))
def tiny_and_huge_gradients_are_projected_alike(subject: Subject, case: Case) -> None:
    """With all vectors tiny or huge together, d is what eq. 5 says, relative to their size."""
    exponent = int(case.share * safe_exponent(case.g_main))
    far = SIGNATURE.on_all(case, lambda vector: scaled(vector, exponent))
    require_direction(subject.of(far), far)


@law(group="numerics", equation="section 2.1", inputs=inputs(numbers={"share": FAR}))
def no_epsilon_is_added_to_a_small_ema(subject: Subject, case: Case) -> None:
    """<d - g_main, e> = 0 relative to ||e||, however small or large e is beside the gradients.

    With an epsilon in the denominator a share eps / (||e||^2 + eps) of the parallel part stays.
    """
    ema = scaled(case.ema, int(case.share * safe_exponent(case.ema)))
    added = flat(subject.of(case, ema=ema).direction) - flat(case.g_main)
    unit = flat(ema) / norm(flat(ema))
    require_small("<d - g_main, ema / ||ema||>", float(added @ unit), direction_tolerance(case))


@law(
    group="numerics",
    equation="eq. 5",
    inputs=inputs(numbers={"nearness": (10, 14, 18), "sign": (1.0, -1.0)}),
)
def nearly_parallel_gradients_are_projected(subject: Subject, case: Case) -> None:
    """Where g_aux is e and a little more, the little more is what is left, up to rounding."""
    little = 2.0**-case.nearness
    aux = [
        (case.sign * e.astype(np.float64) + little * a).astype(a.dtype)
        for e, a in zip(case.ema, case.g_aux, strict=True)
    ]
    near = case.but(g_aux=aux)
    require_direction(subject.of(near), near)
