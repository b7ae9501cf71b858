"""Mistakes in how far an inner product reaches: leaf by leaf, row by row, entry by entry."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import (
    Now,
    inner,
    norm,
    ratio,
    share,
    subtracting,
    total,
    wide,
)
from bloop_proofs.methods.bloop.mistakes.wrong import wrong_direction

SUM = "section 2.1, the inner product over all parameters"
GLOBAL = "Sum the inner product and the squared norm over all parameters before dividing once."


def by_leaf(u: Gradient, v: Gradient) -> list[float]:
    """Return the inner product of each leaf with its own."""
    return [inner([x], [y]) for x, y in zip(u, v, strict=True)]


@wrong_direction(where=SUM, mend=GLOBAL)
def projects_leaf_by_leaf(s: Now) -> Gradient:
    """Each leaf is projected on its own leaf of the EMA: layer-wise projection."""
    return subtracting([share([x], [y]) for x, y in zip(s.a, s.e, strict=True)], s)


@wrong_direction(where=SUM, mend="Divide by ||ema||^2 of all parameters together.")
def divides_by_the_norm_of_the_leaf(s: Now) -> Gradient:
    """The coefficient of a leaf is <a, e> / ||its e||^2."""
    return subtracting([ratio(inner(s.a, s.e), ee) for ee in by_leaf(s.e, s.e)], s)


@wrong_direction(where=SUM, mend="Sum <g_aux, ema> over all parameters.")
def inner_product_is_of_the_leaf(s: Now) -> Gradient:
    """The coefficient of a leaf is <its a, its e> / ||e||^2."""
    return subtracting([ratio(ae, inner(s.e, s.e)) for ae in by_leaf(s.a, s.e)], s)


@wrong_direction(where=SUM, mend="Add up the leaves' inner products: += in the loop, not =.")
def inner_products_are_of_the_last_leaf(s: Now) -> Gradient:
    """Both inner products are the last leaf's."""
    return subtracting(share(s.a[-1:], s.e[-1:]), s)


@wrong_direction(where=SUM, mend="Add up the inner products of all leaves.")
def inner_products_are_of_the_first_leaf(s: Now) -> Gradient:
    """Both inner products are the first leaf's."""
    return subtracting(share(s.a[:1], s.e[:1]), s)


@wrong_direction(where=SUM, mend="Add up the squares of the leaves' norms, not the norms.")
def norms_of_the_leaves_are_added(s: Now) -> Gradient:
    """||e|| is taken as the sum of the leaves' norms."""
    size = sum(norm([x]) for x in s.e)
    return subtracting(ratio(inner(s.a, s.e), size * size), s)


@wrong_direction(where=SUM, mend=GLOBAL)
def coefficients_of_the_leaves_are_averaged(s: Now) -> Gradient:
    """The coefficient is the mean of the leaves' coefficients."""
    return subtracting(float(np.mean([share([x], [y]) for x, y in zip(s.a, s.e, strict=True)])), s)


@wrong_direction(where=SUM, mend=GLOBAL)
def coefficients_of_the_leaves_are_added(s: Now) -> Gradient:
    """The coefficient is the sum of the leaves' coefficients."""
    return subtracting(sum(share([x], [y]) for x, y in zip(s.a, s.e, strict=True)), s)


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
