"""Mistakes with complex leaves, each of whose entries is two real parameters."""

from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import (
    Now,
    Pair,
    like,
    ratio,
    right,
    subtracting,
    wide,
)
from bloop_proofs.methods.bloop.mistakes.wrong import wrong_direction, wrong_step

WHERE = "section 2.1, <x, y> of complex leaves"
MEND = "Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones."


def _sum(products: Any) -> complex:
    return complex(sum(np.sum(leaf) for leaf in products))


def _pairs(u: Gradient, v: Gradient) -> Any:
    return zip(map(wide, u), map(wide, v), strict=True)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def inner_product_is_complex(s: Now) -> Gradient:
    """The coefficient is sum conj(e) a / ||e||^2, a complex number."""
    ea, ee = (_sum(np.conj(x) * y for x, y in _pairs(s.e, v)) for v in (s.a, s.e))
    return _keeping_real(ratio(ea, ee), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def inner_product_is_complex_and_conjugated(s: Now) -> Gradient:
    """The coefficient is sum conj(a) e / ||e||^2, a complex number."""
    ae, ee = (_sum(np.conj(y) * x for x, y in _pairs(s.e, v)) for v in (s.a, s.e))
    return _keeping_real(ratio(ae, ee), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def nothing_is_conjugated(s: Now) -> Gradient:
    """The coefficient is sum a e / sum e e, a complex number."""
    ae, ee = (_sum(x * y for x, y in _pairs(s.e, v)) for v in (s.a, s.e))
    return _keeping_real(ratio(ae, ee), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def nothing_is_conjugated_but_the_norm(s: Now) -> Gradient:
    """The coefficient is sum a e / ||e||^2, a complex number."""
    ae = _sum(x * y for x, y in _pairs(s.e, s.a))
    return _keeping_real(ratio(ae, _sum(abs(x) ** 2 for x in map(wide, s.e))), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def inner_product_is_a_modulus(s: Now) -> Gradient:
    """The coefficient is |sum conj(e) a| / ||e||^2 where leaves are complex."""
    ea, ee = (_sum(np.conj(x) * y for x, y in _pairs(s.e, v)) for v in (s.a, s.e))
    c = ratio(ea, ee)
    return subtracting(abs(c) if _complex(s) else c.real, s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def imaginary_parts_are_not_counted(s: Now) -> Gradient:
    """The inner products are those of the real parts."""
    ae, ee = (_sum(x.real * y.real for x, y in _pairs(s.e, v)) for v in (s.a, s.e))
    return subtracting(ratio(ae, ee).real, s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def squares_are_not_conjugated(s: Now) -> Gradient:
    """||e||^2 is the real part of sum e e."""
    ae = _sum(np.conj(x) * y for x, y in _pairs(s.e, s.a)).real
    return subtracting(ratio(ae, _sum(x * x for x in map(wide, s.e)).real), s)


@wrong_step(where="protocol: complex leaves", mend="Keep the imaginary parts of complex leaves.")
def imaginary_parts_are_lost(s: Now) -> Pair:
    """Complex leaves are converted to real ones, and back."""
    g, a, e = ([x.real for x in vector] for vector in (s.g, s.a, s.e))
    direction, average = right(s.but(g=g, a=a, e=e))
    return like(direction, s.g), like(average, s.e)


def _complex(s: Now) -> bool:
    return any(x.dtype.kind == "c" for x in s.e)


def _keeping_real(coefficient: Any, s: Now) -> Gradient:
    """Return the direction; a coefficient of real leaves is real."""
    return subtracting(coefficient if _complex(s) else complex(coefficient).real, s)
