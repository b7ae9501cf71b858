"""Mistakes in how far an inner product reaches: leaf by leaf, row by row, entry by entry."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import (
    Now,
    inner,
    ratio,
    share,
    subtracting,
    total,
    wide,
)
from bloop_proofs.methods.bloop.mistakes.wrong import listed, wrong_direction

SUM = "section 2.1, the inner product over all parameters"
GLOBAL = "Sum the inner product and the squared norm over all parameters before dividing once."


FORMULAS = listed(
    """
at section 2.1, the inner product over all parameters
projects-leaf-by-leaf
    Each leaf is projected on its own leaf of the EMA: layer-wise projection.
    coefficient = aes / ees
    -> Sum the inner product and the squared norm over all parameters before dividing once.
divides-by-the-norm-of-the-leaf: The coefficient of a leaf is <a, e> / ||its e||^2.
    coefficient = <a, e> / ees
    -> Divide by ||ema||^2 of all parameters together.
inner-product-is-of-the-leaf: The coefficient of a leaf is <its a, its e> / ||e||^2.
    coefficient = aes / ||e||^2
    -> Sum <g_aux, ema> over all parameters.
inner-products-are-of-the-last-leaf: Both inner products are the last leaf's.
    coefficient = aes[-1] / ees[-1]
    -> Add up the leaves' inner products: += in the loop, not =.
inner-products-are-of-the-first-leaf: Both inner products are the first leaf's.
    coefficient = aes[0] / ees[0]
    -> Add up the inner products of all leaves.
norms-of-the-leaves-are-added: ||e|| is taken as the sum of the leaves' norms.
    coefficient = <a, e> / sum(ees^0.5)^2
    -> Add up the squares of the leaves' norms, not the norms.
coefficients-of-the-leaves-are-averaged: The coefficient is the mean of the leaves' coefficients.
    coefficient = mean(aes / ees)
    -> Sum the inner product and the squared norm over all parameters before dividing once.
coefficients-of-the-leaves-are-added: The coefficient is the sum of the leaves' coefficients.
    coefficient = sum(aes / ees)
    -> Sum the inner product and the squared norm over all parameters before dividing once.
    """
)


@wrong_direction(where=SUM, mend=GLOBAL)
def projects_row_by_row(s: Now) -> Gradient:
    """The inner products run along the last axis only."""
    coefficients = []
    for x, y in zip(s.a, s.e, strict=True):
        rows, onto = np.atleast_1d(wide(x)), np.atleast_1d(wide(y))
        ae = np.sum(rows * onto, axis=-1, keepdims=True)
        ee = np.sum(onto * onto, axis=-1, keepdims=True)
        c = np.divide(ae, ee, out=np.zeros_like(ae), where=ee != 0)
        coefficients.append(np.broadcast_to(c, rows.shape).reshape(x.shape))
    return subtracting(coefficients, s)


@wrong_direction(where=SUM, mend="Sum the products before dividing.")
def projects_entry_by_entry(s: Now) -> Gradient:
    """The coefficient of an entry is a e / e^2, which leaves nothing of a but where e is 0."""
    return total((1, s.g), (s.lam, [np.where(y != 0, 0, x) for x, y in zip(s.a, s.e, strict=True)]))


@wrong_direction(where=SUM, mend="Project all parameters, biases and scales too.")
def projects_matrices_only(s: Now) -> Gradient:
    """Leaves with fewer than two axes are neither counted nor projected."""
    matrices = [float(x.ndim > 1) for x in s.a]
    kept = total((matrices, s.e))
    return subtracting(share(s.a, kept), s.but(e=kept))


@wrong_direction(where=SUM, mend="Count parameters of shape () as well.", group="numerics")
def zero_dimensional_leaves_are_not_counted(s: Now) -> Gradient:
    """Leaves of shape () add nothing to the inner products."""
    counted = total(([float(x.ndim > 0) for x in s.e], s.e))
    return subtracting(ratio(inner(s.a, counted), inner(counted, counted)), s)


@wrong_direction(where=SUM, mend="Add up the inner products over every entry.", group="numerics")
def only_the_first_hundred_entries_count(s: Now) -> Gradient:
    """The inner products are estimated from the first 100 entries of a leaf."""
    heads = [[np.ravel(x)[:100] for x in vector] for vector in (s.a, s.e)]
    return subtracting(share(heads[0], heads[1]), s)


@wrong_direction(where=SUM, mend="Pair each leaf of g_aux with the same leaf of the EMA.")
def leaves_are_paired_with_their_neighbours(s: Now) -> Gradient:
    """<a, e> pairs the leaves of a with those of e in reverse order, entry by entry."""
    backwards = np.concatenate([np.ravel(wide(x)) for x in reversed(s.e)])
    forwards = np.concatenate([np.ravel(wide(x)) for x in s.a])
    return subtracting(ratio(inner([forwards], [backwards]), inner(s.e, s.e)), s)
