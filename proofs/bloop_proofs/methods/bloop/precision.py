"""Dtypes and sizes: half precision, mixed and complex leaves, long vectors."""

import math
from functools import partial

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import scaled
from bloop_proofs.law import law
from bloop_proofs.laws import protocol, wide
from bloop_proofs.laws.measure import require_close
from bloop_proofs.methods.bloop.definition import (
    SIGNATURE,
    VECTORS,
    average_tolerance,
    direction_tolerance,
    inputs,
    require_average,
    require_direction,
)
from bloop_proofs.strategies import LEAVES
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm

half = partial(inputs, dtypes=("float16", "bfloat16"), ema_dtypes=("float32", "float32"))


def _large(case: Case) -> Case:
    """Scale a case so that squares of its entries overflow float16 and the direction does not."""
    return SIGNATURE.on_all(case, lambda vector: scaled(vector, 7))


@law(
    group="numerics",
    equation="eq. 5",
    inputs=half(lams=(1.0, 0.5), then=_large),
    may_refuse="half precision",
)
def half_precision_gradients_do_not_overflow(subject: Subject, case: Case) -> None:
    """With float16 gradients of entries in the hundreds, whose squares overflow, d is eq. 5's."""
    require_direction(subject.of(case), case)


@law(
    group="numerics",
    equation="Algorithm 1",
    inputs=half(rhos=(2.0**-10, 0.001, 0.01)),
    may_refuse="half precision",
)
def float32_ema_of_half_gradients_keeps_moving(subject: Subject, case: Case) -> None:
    """A float32 EMA of half-precision gradients is updated in float32: a small rho still counts."""
    require_average(subject.of(case), case)


every_leaf_keeps_its_own_dtype = protocol.form(
    inputs(
        shapes=LEAVES,
        dtypes=("float32", "float16", ("float32", "float64"), ("float16", "float32")),
        ema_dtypes=("float64", "float32", ("float32", "float64"), "float32"),
        lams=(1.0, 2.0, 0.5, 10.0),  # float16 holds the direction
    ),
    name="every-leaf-keeps-its-own-dtype",
    statement="d has the dtypes of g_main and the new EMA those of ema, leaf by leaf, where they "
    "differ.",
    may_refuse="mixed dtypes",
)
complex_leaves_use_the_real_inner_product = protocol.form(
    inputs(dtypes=("complex128", "complex64")),
    equation="section 2.1",
    name="complex-leaves-use-the-real-inner-product",
    statement="<x, y> = Re sum conj(x) y: a complex parameter is two real ones.",
    may_refuse="complex leaves",
)


def _largest(case: Case) -> Case:
    """Scale a case so that differences or squares overflow float16, and no entry does."""
    most = 127 / 8

    def large(vector: Gradient) -> Gradient:
        return scaled([np.clip(x, -most, most) for x in vector], case.exponent)

    return SIGNATURE.on_all(case, large)


@law(
    group="numerics",
    equation="Algorithm 1",
    inputs=inputs(
        dtypes=("float16",), lams=(1.0, 0.5), numbers={"exponent": (12, 7)}, then=_largest
    ),
    may_refuse="half precision",
)
def float16_average_of_large_entries_does_not_overflow(subject: Subject, case: Case) -> None:
    """With a float16 EMA of entries up to the largest, whose differences and squares overflow.

    The new EMA is Algorithm 1's, and d is eq. 5's where float16 holds its terms in any order.
    """
    output = subject.of(case)
    require_average(output, case)
    # lam <= 1, and the part of g_aux along the EMA is no longer than g_aux
    if norm(flat(case.g_main)) + 2 * norm(flat(case.g_aux)) < float(np.finfo(np.float16).max):
        require_direction(output, case)


def _require_reference(subject: Subject, case: Case) -> None:
    output = subject.of(case)
    g, a, e = (flat(case[name]) for name in VECTORS)
    # each product rounds once, and their sum not at all
    along, square = (math.fsum((x * e).tolist()) for x in (a, e))
    required = g + case.lam * (a - along / square * e)
    require_close("direction", flat(output.direction), required, direction_tolerance(case))
    required = (1 - case.rho) * e + case.rho * g
    require_close("new_ema", flat(output.new_ema), required, average_tolerance(case))


@law(
    group="numerics",
    equation="eq. 5",
    inputs=inputs(numbers={"seed": range(1000)}),
    cost=10,
)
def long_gradients_count_to_the_last_entry(subject: Subject, case: Case) -> None:
    """With thousands of entries over many leaves, d and the new EMA are the reference's."""
    _require_reference(subject, wide.grown(SIGNATURE, case, wide.LONG))


large_models_count_to_the_last_entry = wide.large(
    inputs,
    SIGNATURE,
    _require_reference,
    equation="eq. 5",
    statement="With a leaf of more than 2^16 entries, and with 200 leaves, d and the new EMA are "
    "the reference's.",
)
