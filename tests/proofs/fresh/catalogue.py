"""All entries: importing this module fills the lists."""

from tests.proofs.fresh import (
    gaps,
    pairs_early,
    pairs_frameworks,
    pairs_methods,
    pairs_more,
    pairs_other,
    singles_average,
    singles_jax,
    singles_methods,
    singles_projection,
    singles_torch,
    singles_weights,
)
from tests.proofs.fresh.entries import GAPS, PAIRS, SINGLES

MODULES = (
    singles_average,
    singles_projection,
    singles_weights,
    singles_torch,
    singles_jax,
    singles_methods,
    pairs_early,
    pairs_other,
    pairs_more,
    pairs_frameworks,
    pairs_methods,
    gaps,
)
ENTRIES = {"singles": SINGLES, "pairs": PAIRS, "gaps": GAPS}
