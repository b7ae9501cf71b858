"""Mistakes in how far an inner product reaches: leaf by leaf, row by row, entry by entry."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at section 2.1, the inner product over all parameters
projects-leaf-by-leaf
    Each leaf is projected on its own leaf of the EMA: layer-wise projection.
    total(z) = spread(by_leaf(z))
    -> Sum the inner product and the squared norm over all parameters before dividing once.
divides-by-the-norm-of-the-leaf: The coefficient of a leaf is <a, e> / ||its e||^2.
    square(x, y) = spread(by_leaf(product(read(y); read(y))))
    -> Divide by ||ema||^2 of all parameters together.
inner-product-is-of-the-leaf: The coefficient of a leaf is <its a, its e> / ||e||^2.
    along(x, y) = spread(by_leaf(product(read(x); read(y))))
    -> Sum <g_aux, ema> over all parameters.
inner-products-are-of-the-last-leaf: Both inner products are the last leaf's.
    total(z) = by_leaf(z)[-1]
    -> Add up the leaves' inner products: += in the loop, not =.
inner-products-are-of-the-first-leaf: Both inner products are the first leaf's.
    total(z) = by_leaf(z)[0]
    -> Add up the inner products of all leaves.
norms-of-the-leaves-are-added: ||e|| is taken as the sum of the leaves' norms.
    square(x, y) = sum(by_leaf(product(read(y); read(y)))^0.5)^2
    -> Add up the squares of the leaves' norms, not the norms.
means-over-the-leaves-are-added: Both inner products add the means over the leaves, not the sums.
    total(z) = sum(by_leaf(z) / sizes)
    -> Sum over all entries: a mean over each leaf weighs its entries by the size of the leaf.
coefficients-of-the-leaves-are-averaged: The coefficient is the mean of the leaves' coefficients.
    share(x, y) = gate(mean(quotient(by_leaf(product(x; y)); by_leaf(product(y; y)))))
    -> Sum the inner product and the squared norm over all parameters before dividing once.
coefficients-of-the-leaves-are-added: The coefficient is the sum of the leaves' coefficients.
    share(x, y) = gate(sum(quotient(by_leaf(product(x; y)); by_leaf(product(y; y)))))
    -> Sum the inner product and the squared norm over all parameters before dividing once.
projects-row-by-row: The inner products run along the last axis only.
    total(z) = by_row(z)
    -> Sum the inner product and the squared norm over all parameters before dividing once.
projects-entry-by-entry
    The coefficient of an entry is a e / e^2, which leaves nothing of a but where e is 0.
    total(z) = z
    -> Sum the products before dividing.
projects-matrices-only: Leaves with fewer than two axes are neither counted nor projected.
    v = matrices(v)
    -> Project all parameters, biases and scales too.
inner-products-are-of-the-matrices
    Leaves with fewer than two axes add nothing to the inner products, and are projected.
    read(x) = matrices(x)
    -> Sum over all parameters, biases and scales too.
leaves-are-paired-with-their-neighbours
    <a, e> pairs the leaves of a with those of e in reverse order, entry by entry.
    along(x, y) = total(product(x; backwards(y)))
    -> Pair each leaf of g_aux with the same leaf of the EMA.
    """
)

PARTIAL = listed(
    """
at section 2.1, the inner product over all parameters
zero-dimensional-leaves-are-not-counted: Leaves of shape () add nothing to the inner products.
    read(x) = shaped(x)
    -> Count parameters of shape () as well.
only-the-first-hundred-entries-count
    The inner products are estimated from the first 100 entries of a leaf.
    read(x) = heads(x)
    -> Add up the inner products over every entry.
    """,
    group="numerics",
)
