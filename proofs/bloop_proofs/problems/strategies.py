"""Hypothesis strategies for bilevel problems; every problem is built around a drawn answer."""

from hypothesis import strategies as st

from bloop_proofs.problems.least_squares import LeastSquares, least_squares
from bloop_proofs.problems.quadratic import Quadratic, quadratic

SEEDS = st.integers(min_value=0, max_value=2**32 - 1)


@st.composite
def quadratics(
    draw: st.DrawFn,
    max_p: int = 6,
    max_conditioning: float = 10.0,
    pulls: st.SearchStrategy[float] | None = None,
) -> Quadratic:
    """Draw a quadratic problem of any rank, conditioning, coupling and pull."""
    p = draw(st.integers(min_value=2, max_value=max_p))
    some_pull = st.one_of(st.just(0.0), st.floats(min_value=0.125, max_value=8.0))
    conditioning = st.floats(min_value=1.0, max_value=max_conditioning)
    return quadratic(
        p,
        draw(st.integers(min_value=1, max_value=p - 1)),
        conditioning=draw(conditioning),
        aux_conditioning=draw(conditioning),
        coupling=draw(st.floats(min_value=0.0, max_value=1.0)),
        pull=draw(some_pull if pulls is None else pulls),
        seed=draw(SEEDS),
    )


@st.composite
def finite_sums(draw: st.DrawFn, max_p: int = 4, max_extra: int = 3) -> LeastSquares:
    """Draw a least-squares problem with a few samples more than dimensions."""
    p = draw(st.integers(min_value=2, max_value=max_p))
    return least_squares(
        p + draw(st.integers(min_value=1, max_value=max_extra)),
        p,
        draw(st.integers(min_value=1, max_value=p - 1)),
        noise=draw(st.floats(min_value=0.125, max_value=2.0)),
        pull=draw(st.floats(min_value=0.0, max_value=4.0)),
        seed=draw(SEEDS),
    )
