"""TorchJD has some of the methods too: the same directions, for the same orders."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torchjd import aggregation

from bloop_ref import surgery
from tests.tolerances import (
    ITERATIONS,
    conflict_averse_bound,
    conflict_averse_excess,
    frank_wolfe_bound,
    product_error,
    row_rounding,
    search_bound,
)

U = 2.0**-53
FEW = settings(max_examples=60)

entries = st.integers(-24, 24).map(lambda k: k / 8)


@st.composite
def gradients(draw: Any, least: int = 2) -> np.ndarray:
    """Return nonzero gradients, one per row."""
    losses, size = draw(st.integers(least, 4)), draw(st.integers(2, 5))
    rows = st.lists(entries, min_size=size, max_size=size).filter(any)
    return np.array(draw(st.lists(rows, min_size=losses, max_size=losses)))


def norms(g: np.ndarray) -> list[float]:
    return [float(x) for x in np.linalg.norm(g, axis=1)]


def require(found: Any, required: Any, bound: float) -> None:
    error = float(np.linalg.norm(np.asarray(found) - np.asarray(required)))
    assert error <= bound, f"differs by {error}, allowed {bound}"


@FEW
@given(g=gradients(), seed=st.integers(0, 2**32 - 1))
def test_pcgrad_with_the_same_orders(g: np.ndarray, seed: int) -> None:
    losses = len(g)
    torch.manual_seed(seed)
    drawn = [torch.randperm(losses).tolist() for _ in range(losses)]
    orders = [[j for j in order if j != i] for i, order in enumerate(drawn)]
    torch.manual_seed(seed)
    theirs = aggregation.PCGrad()(torch.from_numpy(g))
    # a product that is 0 in exact arithmetic may or may not be taken for a conflict: it moves
    # nothing but rounding errors, which every projection on a g_j carries on at most as they are
    size = sum(norms(g))
    bound = losses**2 * (product_error(U, g.shape[1]) * size + row_rounding(U, losses, 2 * size))
    require(surgery.PCGrad(orders=orders)(*g), theirs, bound)


@FEW
@given(g=gradients())
def test_mgda_as_near_as_frank_and_wolfe_come(g: np.ndarray) -> None:
    theirs = aggregation.MGDA(epsilon=float(np.finfo(float).tiny), max_iters=ITERATIONS)(
        torch.from_numpy(g)
    )
    diameter = max(float(np.linalg.norm(x - y)) for x in g for y in g)
    slack = math.sqrt(search_bound(len(g), max(norms(g))) * max(norms(g)))
    require(surgery.MGDA()(*g), theirs, frank_wolfe_bound(diameter) + slack)


@FEW
@given(g=gradients(), c=st.sampled_from([0.25, 0.5, 0.75]))
def test_cagrad(g: np.ndarray, c: float) -> None:
    mean = g.mean(axis=0)
    ours = surgery.CAGrad(c)(*g)
    radius, largest = c * float(np.linalg.norm(mean)), max(norms(g))
    pull = float(np.linalg.norm(ours - mean)) and float(np.linalg.norm(surgery.MGDA()(*g)))
    # TorchJD returns 0 near points where no loss can be improved, which is no CAGrad
    assume(pull > aggregation.CAGrad(c).norm_eps * largest)
    theirs = aggregation.CAGrad(c)(torch.from_numpy(g)).numpy()
    bound = 2 * conflict_averse_bound(radius, largest, pull)
    require(ours, theirs, bound)
    worst = [min(g @ d) for d in (ours, theirs)]
    assert worst[0] >= worst[1] - conflict_averse_excess(radius, largest)


@FEW
@given(g=gradients(), seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 3))
def test_grad_vac_with_the_same_orders(g: np.ndarray, seed: int, steps: int) -> None:
    losses = len(g)
    method = aggregation.GradVac(beta=0.5, eps=0.0)
    torch.manual_seed(seed)
    drawn = [[torch.randperm(losses - 1).tolist() for _ in range(losses)] for _ in range(steps)]
    torch.manual_seed(seed)
    state: Any = surgery.GradVac(0.5).init(g[0], losses)
    for places in drawn:
        theirs = method(torch.from_numpy(g)).numpy()
        others = [[j for j in range(losses) if j != i] for i in range(losses)]
        orders = [[own[k] for k in p] for own, p in zip(others, places, strict=True)]
        ours, state = surgery.GradVac(0.5, orders=orders).step(list(g), state)
        # a cosine comes out of a root, which halves its digits where gradients are parallel
        size = losses**2 * max(norms(g)) * largest_lift(state)
        require(ours, theirs, math.sqrt(product_error(U, g.shape[1])) * size)


def largest_lift(state: Any) -> float:
    """Return how many times its norm a gradient may be lifted by, for the largest target."""
    target = max((abs(float(t)) for row in state.scalars for t in row), default=0.0)
    return 4 / math.sqrt(max(1 - target * target, U))


@FEW
@given(g=gradients())
def test_no_direction_conflicts_where_upgrad_would_allow_none(g: np.ndarray) -> None:
    """UPGrad's direction has no negative inner product with any gradient; so have these."""
    main, *others = g
    assert min(g @ surgery.MGDA()(*g)) >= -search_bound(len(g), max(norms(g)))
    for aux in others:
        pair = np.array([main, aux])
        bound = product_error(U, g.shape[1]) * sum(norms(pair)) ** 2
        assert aux @ surgery.AGem()(main, aux) >= -bound
        assert min(pair @ surgery.PCGrad()(main, aux)) >= -bound
        assert main @ surgery.CosineGate()(main, aux) >= -bound


@pytest.mark.parametrize("start", [0, 1])
def test_a_conflict_on_the_edge_is_no_conflict(start: int) -> None:
    g = np.array([[1.0, 0.0], [0.0, 1.0]])[[start, 1 - start]]
    require(surgery.PCGrad()(*g), aggregation.PCGrad()(torch.from_numpy(g)), 0.0)
