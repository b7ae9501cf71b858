"""Mistakes with complex leaves, each of whose entries is two real parameters.

A and E are g_aux and the EMA as complex vectors, where their leaves are complex.
"""

from bloop_proofs.methods.bloop.mistakes.pieces import Now, Pair, like, right
from bloop_proofs.methods.bloop.mistakes.wrong import listed, wrong_step

FORMULAS = listed(
    """
at section 2.1, <x, y> of complex leaves
inner-product-is-complex: The coefficient is sum conj(e) a / ||e||^2, a complex number.
    coefficient = sum(conj(E) A) / <e, e>
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
inner-product-is-complex-and-conjugated
    The coefficient is sum conj(a) e / ||e||^2, a complex number.
    coefficient = sum(conj(A) E) / <e, e>
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
nothing-is-conjugated: The coefficient is sum a e / sum e e, a complex number.
    coefficient = sum(A E) / sum(E E)
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
nothing-is-conjugated-but-the-norm: The coefficient is sum a e / ||e||^2, a complex number.
    coefficient = sum(A E) / <e, e>
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
inner-product-is-a-modulus
    The coefficient is |sum conj(e) a| / ||e||^2 where leaves are complex.
    coefficient = (abs(sum(conj(E) A)) if iscomplexobj(E) else <a, e>) / <e, e>
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
imaginary-parts-are-not-counted: The inner products are those of the real parts.
    coefficient = sum(A.real E.real) / sum(E.real^2)
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
squares-are-not-conjugated: ||e||^2 is the real part of sum e e.
    coefficient = <a, e> / sum(E E).real
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
    """,
    group="numerics",
)


@wrong_step(where="protocol: complex leaves", mend="Keep the imaginary parts of complex leaves.")
def imaginary_parts_are_lost(s: Now) -> Pair:
    """Complex leaves are converted to real ones, and back."""
    g, a, e = ([x.real for x in vector] for vector in (s.g, s.a, s.e))
    direction, average = right(s.but(g=g, a=a, e=e))
    return like(direction, s.g), like(average, s.e)
