"""What is said of a golden vector: a comment, and flags that say what bug it finds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bloop_proofs.tolerances import norm
from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import METHOD_KINDS, Golden

COMMENTS = {
    "worked": "Can be followed on paper.",
    "parallel": "The gradients, or g_aux and the EMA, are parallel.",
    "orthogonal": "Nothing to be projected: the inner product is 0.",
    "opposed": "The second gradient is a negative multiple of the first.",
    "cancelling": "The gradients sum to 0.",
    "agreeing": "The inner product is positive: no conflict.",
    "flat": "One flat leaf of four entries.",
    "leaves": "Several leaves: the inner product runs over all of them.",
    "empty-leaves": "Leaves without entries, and one of shape ().",
    "no-entries": "No entry at all.",
    "long": "28 entries in two leaves.",
    "zero-ema": "The first step: an EMA of 0, where pi(u; 0) = u.",
    "zero-main": "The main gradient is 0.",
    "zero-aux": "The auxiliary gradient is 0.",
    "both-zero": "All gradients are 0.",
    "full-batch": "The EMA is the main gradient: eq. 3.",
    "nearly-parallel": "g_aux is the EMA and a little more.",
    "nearly-opposed": "g_aux is the opposite of the EMA and a little more.",
    "lam-0": "lam = 0: the direction is the main gradient.",
    "rho-0": "rho = 0: the EMA stays.",
    "rho-1": "rho = 1: the new EMA is the main gradient.",
    "from-zero": "Algorithm 1 from an EMA of 0.",
    "warm": "Algorithm 1 from an EMA that is not 0.",
    "no-memory": "Algorithm 1 with rho = 1.",
    "dependent": "A reference is a multiple of those before it and takes out nothing.",
    "more-losses-than-dimensions": "The references span everything before the last loss.",
    "averages": "References that are not the gradients.",
    "four-levels": "Four losses.",
    "zero-span": "A span of {0}: nothing is taken out.",
    "no-span": "No vector to project on.",
    "inside": "The vector lies in the span: the result is 0.",
    "one": "One vector to project on.",
    "three": "Three vectors to project on.",
    "tiny": "All vectors are tiny.",
    "huge": "All vectors are huge.",
    "tiny-ema": "The EMA is tiny.",
    "huge-ema": "The EMA is huge.",
    "tiny-main": "The main gradient is tiny.",
    "huge-aux": "The auxiliary gradient is huge.",
    "tiny-beside-huge-ema": "Tiny gradients and a huge EMA.",
    "huge-beside-tiny-ema": "Huge gradients and a tiny EMA.",
    "subnormal": "A leaf of subnormal numbers.",
    "unlike-sizes": "The auxiliary gradient is about 1000 times as long.",
    "short-main": "The main gradient is short, and the other agrees with it.",
    "short-aux": "The auxiliary gradient is short, and agrees with the main one.",
    "three-worked": "Three gradients that can be followed on paper.",
    "three-losses": "One main and two auxiliary gradients.",
    "trajectory": "Four steps with the state that is handed on.",
    "trajectory-leaves": "Three steps with several leaves.",
    "trajectory-three-losses": "Three steps with three gradients.",
}


def comment(case: Golden, name: str) -> str:
    """Return what a golden vector is, in a sentence."""
    return COMMENTS[name]


def _zero(case: Golden, *names: str) -> bool:
    rows = [row for name in names for row in case.inputs.get(name, ())]
    return any(row.size and not np.any(row) for row in rows)


def _products_leave(case: Golden) -> bool:
    _, least, most = FORMATS[case.dtype]
    names = ("ema", "g_main", "g_aux", "gradients")
    sizes = [norm(row) for name in names for row in case.inputs.get(name, ())]
    return any(x > 2.0 ** (most / 2) or 0 < x < 2.0 ** (least / 2) for x in sizes)


class Flag(NamedTuple):
    """What bug a vector finds, what comes of it, how to mend it; and which vectors find it."""

    bug: str
    effect: str
    mend: str
    holds: Callable[[Golden], bool]


FLAGS = {
    "ZeroEma": Flag(
        "0 / 0 in the coefficient is not guarded.",
        "NaN in the first step, and in all later ones.",
        "Take pi(u; 0) = u: the coefficient is 0 where ||ema||^2 is 0.",
        lambda case: _zero(case, "ema"),
    ),
    "ZeroGradient": Flag(
        "A norm of 0 is divided by, or compared without thought.",
        "NaN where a loss gives no gradient, say a frozen head.",
        "Take a quotient by 0 as 0.",
        lambda case: _zero(case, "g_main", "g_aux", "gradients"),
    ),
    "SeveralLeaves": Flag(
        "Inner products or norms are taken leaf by leaf.",
        "Another method: each layer is projected on its own.",
        "Sum over all leaves before dividing once.",
        lambda case: len(case.shapes) > 1,
    ),
    "EmptyLeaf": Flag(
        "Leaves without entries or without axes are dropped or reshaped.",
        "An exception, or outputs in the wrong place.",
        "Handle leaves of shape (0,) and () as any other.",
        lambda case: any(0 in shape or not shape for shape in case.shapes),
    ),
    "Cancellation": Flag(
        "What is left of nearly parallel vectors is computed from rounded products.",
        "A direction with few right digits.",
        "Subtract the projection from the vector, entry by entry.",
        lambda case: "nearly" in case.id,
    ),
    "Parallel": Flag(
        "A projection of a vector on itself leaves rounding errors, or is divided by.",
        "A direction of noise in place of 0.",
        "Return what is left as it is; normalise nothing.",
        lambda case: (
            any(f"-{x}-" in case.id for x in ("parallel", "opposed", "cancelling"))
            and "nearly" not in case.id
        ),
    ),
    "OrderOfLines": Flag(
        "The state is updated before it is used, or not handed on.",
        "Each step projects on an average that holds its own gradient.",
        "Compute the direction first, with the state of the step before.",
        lambda case: "trajector" in case.id,
    ),
    "Weights": Flag(
        "lam or rho is exchanged with its complement, or tested for truth.",
        "lam = 0 or rho = 1 turn something else off.",
        "d = g_main + lam pi, e' = (1 - rho) e + rho g_main, for all of [0, 1].",
        lambda case: any(f"-{x}-" in case.id for x in ("lam-0", "rho-0", "rho-1", "no-memory")),
    ),
    "HalfPrecision": Flag(
        "Sums or the EMA are kept in half precision.",
        "Overflow, and an EMA that stands still.",
        "Sum in float32, and keep the EMA in float32.",
        lambda case: case.dtype in ("float16", "bfloat16"),
    ),
    "Complex": Flag(
        "The inner product lacks the conjugate, or keeps its imaginary part.",
        "A complex coefficient: the direction is turned.",
        "Use Re sum conj(x) y: a complex parameter is two real ones.",
        lambda case: case.width == 2,
    ),
    "Scale": Flag(
        "Something absolute, such as an epsilon, stands beside norms or products.",
        "Tiny gradients are not projected.",
        "Add nothing to norms; compare with nothing absolute.",
        lambda case: case.group == "scales" or "-tiny-" in case.id or "-huge-" in case.id,
    ),
    "OutOfRange": Flag(
        "Squares overflow or underflow in the dtype of the vectors.",
        "NaN, infinity, or a projection on nothing.",
        "Divide vectors by a power of two near their largest entry first.",
        _products_leave,
    ),
    "DependentSpan": Flag(
        "A reference that depends on those before it is projected on.",
        "Division by a rounding error.",
        "Leave a residual out that is rounding alone.",
        lambda case: (
            any(x in case.id for x in ("dependent", "zero-span", "zero-main", "inside"))
            and case.kind in ("hierarchy", "projection")
        ),
    ),
    "MoreLosses": Flag(
        "Further losses are left out, averaged, or meet in another order.",
        "Right for two losses only.",
        "Treat every further loss as the definition says.",
        lambda case: case.kind == "hierarchy" or case.inputs.get("losses", np.zeros(1)).item() > 2,
    ),
    "Conflict": Flag(
        "The case of conflict and the case of agreement are exchanged or left out.",
        "A projection where none is due, or none where one is.",
        "Look at the sign of the inner product, as the definition says.",
        lambda case: case.kind in METHOD_KINDS and _conflict(case),
    ),
}


def _conflict(case: Golden) -> bool:
    main, aux = case.inputs["gradients"][:2]
    return bool(main @ aux < 0)


def flags(case: Golden) -> tuple[str, ...]:
    """Return the names of the flags of a golden vector."""
    return tuple(name for name, flag in FLAGS.items() if flag.holds(case))
