"""Mistakes with complex leaves, each of whose entries is two real parameters.

Vectors are complex where a leaf is.
"""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at section 2.1, <x, y> of complex leaves
inner-product-is-complex: The coefficient is sum conj(e) a / ||e||^2, a complex number.
    along(x, y) = total(conj(read(y)) read(x))
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
inner-product-is-complex-and-conjugated
    The coefficient is sum conj(a) e / ||e||^2, a complex number.
    along(x, y) = total(conj(read(x)) read(y))
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
nothing-is-conjugated: The coefficient is sum a e / sum e e, a complex number.
    product(x, y) = x y
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
nothing-is-conjugated-but-the-norm: The coefficient is sum a e / ||e||^2, a complex number.
    along(x, y) = total(read(x) read(y))
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
inner-product-is-a-modulus
    The coefficient is |sum conj(e) a| / ||e||^2 where leaves are complex.
    along(x, y) = abs(total(conj(read(y)) read(x))) if iscomplexobj(y) else <x, y>
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
imaginary-parts-are-not-counted: The inner products are those of the real parts.
    read(x) = read(x).real
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
squares-are-not-conjugated: ||e||^2 is the real part of sum e e.
    square(x, y) = total(read(y) read(y)).real
    -> Use the real part of sum conj(x) y: the inner product of a complex entry as two real ones.
real-products-are-not-conjugated
    The coefficient is that of the real parts of sum a e and sum e e.
    product(x, y) = (x y).real
    -> Conjugate the first of the two: the real part of sum conj(x) y.
real-products-are-not-conjugated-but-in-the-norm
    The coefficient is the real part of sum a e, over ||e||^2.
    along(x, y) = total(read(x) read(y)).real
    -> Conjugate the first of the two: the real part of sum conj(x) y.
at protocol: complex leaves
imaginary-parts-are-lost: Complex leaves are converted to real ones, and back.
    g = g.real
    a = a.real
    e = e.real
    -> Keep the imaginary parts of complex leaves.
    """,
    group="numerics",
)
