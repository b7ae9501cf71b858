"""Mistakes in form: leaves that change their shape, their order or their number."""

import numpy as np

from bloop_proofs.methods.bloop.definition import SIGNATURE
from bloop_proofs.methods.bloop.mistakes.pieces import Now, Pair
from bloop_proofs.methods.bloop.mistakes.wrong import base, wrong_step
from bloop_proofs.mistakes.common import SHAPES, forms

FORMS = forms(SIGNATURE, base)


@wrong_step(
    where="protocol: leaves without entries", mend="Let leaves without entries add nothing."
)
def empty_leaves_raise(s: Now) -> Pair:
    """The largest entry of each leaf is asked for, and some leaf has none."""
    assert all(np.max(np.abs(x)) >= 0 or np.isnan(x).any() for x in s.e)
    return s.step()


@wrong_step(where=SHAPES, mend="Subtract vectors of one shape: give both the leaf's own.")
def columns_are_broadcast_against_rows(s: Now) -> Pair:
    """Leaves of shape (n, 1) are flattened in part, and come back as (n, n)."""
    direction, average = s.step()
    zero = [np.zeros_like(x.ravel()) if x.shape[1:] == (1,) else 0 for x in direction]
    return [(x + z).astype(x.dtype) for x, z in zip(direction, zero, strict=True)], average
