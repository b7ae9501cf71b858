"""MetaBalance: auxiliary gradients are brought towards the main one's mean norm."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import nonzero
from bloop_proofs.law import law, require
from bloop_proofs.laws.measure import bound, found, require_close
from bloop_proofs.laws.relations import of_products, zeros
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import BETAS, length, ratio, vectors
from bloop_proofs.signature import Signature, any_of
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import norm
from bloop_proofs.truths.products import Products, by


def meta_balance(
    g: Any,
    state: Any,
    *,
    r: float,
    beta: float,
    weigh: Callable[[float, float, float], float] = lambda main, own, r: r * ratio(main, own),
    size: Callable[[Any], float] = length,
) -> Any:
    """Return MetaBalance's direction and averages, some parts exchanged if others are given."""
    old = np.zeros(len(g)) if state is None else state
    sizes = beta * old + (1 - beta) * np.array([size(v) for v in g])
    aux = sum((weigh(sizes[0], n, r) + (1 - r)) * a for n, a in zip(sizes[1:], g[1:], strict=True))
    return g[0] + aux, sizes


SIGNATURE = Signature(
    "meta_balance",
    "d = m + sum_k (r n_0 / n_k + 1 - r) a_k, n_k <- beta n_k + (1 - beta) ||g_k|| from 0.",
    "He et al. 2022",
    by(Products(meta_balance, stateful=True)),
    options={"r": any_of(0.5, 0.75, 0.25, 0.7, 1.0), "beta": any_of(*BETAS, 0.9, 0.0)},
    stateful=True,
)


def _none_zero(case: Case) -> Case:
    return SIGNATURE.on_all(case, nonzero)


@law(equation="first step", inputs=inputs(SIGNATURE, earlier=(0,), then=_none_zero))
def first_ratio_is_that_of_the_norms(subject: Subject, case: Case) -> None:
    """At first d = m + (r ||m|| / ||a|| + 1 - r) a, whatever beta: averages from 0 cancel."""
    m, a = vectors(case)
    required = m + (case.r * norm(m) / norm(a) + 1 - case.r) * a
    require_close("direction", found(subject, case), required, bound(subject, case))


@law(equation="relaxation", inputs=inputs(SIGNATURE, options={"r": (0.0,)}, then=_none_zero))
def without_relaxation_gradients_are_added(subject: Subject, case: Case) -> None:
    """With r = 0, d = m + a."""
    required = vectors(case).sum(axis=0)
    require_close("direction", found(subject, case), required, bound(subject, case))


@law(
    equation="relaxation",
    inputs=inputs(SIGNATURE, earlier=(0,), options={"r": (1.0,)}, then=_none_zero),
)
def full_relaxation_gives_both_the_main_norm(subject: Subject, case: Case) -> None:
    """With r = 1, at first ||d - m|| = ||m||."""
    m = vectors(case)[0]
    added = norm(found(subject, case) - m)
    room = bound(subject, case)
    require(
        abs(added - norm(m)) <= room,
        f"||d - m|| must be {norm(m):.6g} within {room:.3g}; found {added:.6g}",
    )


@law(equation="averages", inputs=inputs(SIGNATURE, earlier=(1, 2), then=_none_zero))
def constant_gradients_give_a_constant_direction(subject: Subject, case: Case) -> None:
    """As long as the gradients stay the same so does d: the start from 0 leaves no trace."""
    still = case.but(earlier=[case.gradients] * len(case.earlier))
    first = case.but(earlier=[])
    room = bound(subject, still) + bound(subject, first)
    require_close("direction", found(subject, still), found(subject, first), room)


RELATIONS = (
    *of_products(SIGNATURE),
    zeros(
        SIGNATURE,
        "Where n_k = 0 a_k adds nothing; where n_0 = 0 the others have the weight 1 - r.",
    ),
)


FORMULAS = listed(
    SIGNATURE,
    meta_balance,
    """
at d = m + sum_k (r n_0 / n_k + 1 - r) a_k
ratio-is-inverted: The ratio is n_k / n_0.
    weigh(main, own, r) = r (own / main)
    -> Divide by the auxiliary average: n_0 / n_k.
at n_k <- beta n_k + (1 - beta) ||g_k||
averages-are-updated-afterwards
    The ratio is that of the averages of the steps before; of the norms at first.
    d = meta_balance(g, norms(g) if state is None else state, r=r, beta=1)[0]
    -> Use the averages with the norms of this step in them.
main-average-lags-by-a-step: n_0 is updated after the auxiliary gradients have used it.
    d = meta_balance(g, [(after if state is None else state)[0], *after[1:]], r=r, beta=1)[0]
    -> Average n_0 first: all norms are those of this step.
beta-is-the-weight-of-the-new-norm: n_k becomes (1 - beta) n_k + beta ||g_k||.
    beta = 1 - beta
    -> beta is the weight of the old average.
averages-are-forgotten: Every step is a first one.
    state = None
    -> Return the averages as the state, and use those given.
averages-start-from-one: Before the first step every average is 1.
    state = ones(K) if state is None else state
    -> Start the averages from 0, with the weight 1 - beta.
squares-are-averaged: n_k are averages of squared norms, and the ratio is that of their roots.
    weigh(main, own, r) = r sqrt(main) / sqrt(own)
    size(v) = <v, v>
    -> Average the norms, not their squares.
at d = m + sum_k (r n_0 / n_k + 1 - r) a_k
relaxation-is-swapped: The ratio has the weight 1 - r.
    r = 1 - r
    -> The ratio has the weight r, the raw gradient 1 - r.
relaxation-is-left-out: The auxiliary gradient is given the main norm whole, whatever r.
    r = 1
    -> Relax: add (1 - r) a.
large-gradients-are-reduced-only: The ratio is 1 at most.
    weigh(main, own, r) = r min(main / own, 1)
    -> Enlarge small auxiliary gradients too.
epsilon-beside-the-average: The ratio is n_0 / (n_k + 1e-5).
    weigh(main, own, r) = r main / (own + {1e-5})
    -> Divide by n_k alone; 0 where it is 0.
    """,
    meta_balance=meta_balance,
)
