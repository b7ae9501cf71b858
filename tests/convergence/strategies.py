"""Hypothesis strategies for all kinds of bilevel problems."""

from hypothesis import strategies as st

from bloop_proofs.problems import BilevelProblem
from bloop_proofs.problems.strategies import SEEDS, finite_sums, quadratics
from tests.convergence.logistic import Logistic, logistic
from tests.convergence.nonconvex import Hyperbola, Sphere, hyperbola, sphere


@st.composite
def logistics(draw: st.DrawFn, max_p: int = 6) -> Logistic:
    """Draw a logistic regression with a convex auxiliary loss."""
    p = draw(st.integers(min_value=2, max_value=max_p))
    return logistic(
        p,
        draw(st.integers(min_value=1, max_value=p - 1)),
        pull=draw(st.floats(min_value=0.0, max_value=0.75)),
        seed=draw(SEEDS),
    )


@st.composite
def spheres(draw: st.DrawFn, max_p: int = 6) -> Sphere:
    """Draw a non-convex problem on the sphere."""
    p = draw(st.integers(min_value=2, max_value=max_p))
    return sphere(p, pull=draw(st.floats(min_value=0.0, max_value=2.0)), seed=draw(SEEDS))


def hyperbolas() -> st.SearchStrategy[Hyperbola]:
    """Draw a non-convex problem on a hyperbola."""
    return st.floats(min_value=0.25, max_value=4.0).map(hyperbola)


def problems() -> st.SearchStrategy[BilevelProblem]:
    """Draw a bilevel problem of any kind."""
    return st.one_of(quadratics(), finite_sums(), logistics(), spheres(), hyperbolas())
