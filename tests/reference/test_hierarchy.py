"""The hierarchy of section 2.3 in floating-point arithmetic."""

from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    bloop_direction,
    hierarchical_direction,
    project_orthogonal,
    update_ema,
)
from tests import tolerances

EXAMPLE = [np.array(v) for v in ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 2.0])]


def assert_same(found: Any, expected: Any) -> None:
    optree.tree_map(np.testing.assert_array_equal, found, expected)


def norm(x: Any) -> float:
    return float(np.linalg.norm(np.asarray(x, np.float64)))


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_one_level_is_within_the_bound_of_bloop(
    data: st.DataObject, dtype: str, gradients: Any, roundings: Any
) -> None:
    # Not bit for bit: the projected gradient is rounded before lam times it is added. That and
    # the second pass round pi twice, the sum rounds once, and what the first pass leaves along e
    # the second takes away: 4 u where Bloop's own factor is at least as large.
    g, a, e = data.draw(gradients(3, dtype))
    d = hierarchical_direction([g, a], [e], lams=[0.7])
    n = sum(leaf.size for leaf in g)
    bound = tolerances.reference_direction_factor(n, wider_sums=dtype == "float32")
    assert roundings(d, g, a, e, lam=0.7) <= bound


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("closeness", [1.0, 1e-3, 1e-5])
def test_levels_stay_orthogonal(dtype: str, closeness: float, rational: Any) -> None:
    rng = np.random.default_rng(11)
    common, *own = rng.normal(size=(6, 30))
    g = [(common + closeness * x).astype(dtype) for x in own]
    for level in range(1, 5):
        part = project_orthogonal(g[level], *g[:level])
        bound = tolerances.orthogonality_bound(float(np.finfo(dtype).eps) / 2, level)
        for reference in g[:level]:
            product = float(abs(np.sum(rational(part) * rational(reference))))
            assert product <= bound * norm(g[level]) * norm(reference)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factors", [(2.0, 0.0), (0.1, 0.0), (-0.3, 0.7), (1e-3, -1e3), (0.0, 0.0)])
def test_dependent_levels_add_nothing_to_the_span(dtype: str, factors: tuple[float, float]) -> None:
    numbers = np.random.default_rng(12).normal(size=(3, 40))
    dependent = (factors[0] * numbers[0] + factors[1] * numbers[1]).astype(dtype)
    x, y, z = numbers.astype(dtype)
    assert_same(project_orthogonal(z, x, y, dependent), project_orthogonal(z, x, y))
    d = hierarchical_direction([x, y, dependent, z], [x, y, dependent], lams=[1, 0, 1])
    assert_same(d, hierarchical_direction([x, y, z], [x, y], lams=[1, 1]))


def test_norms_beyond_the_range_of_float64() -> None:
    vectors = np.random.default_rng(17).uniform(0.5, 1, size=(3, 50))
    large = np.ldexp(vectors, 1023)  # the largest power of two; the norm is seven times that
    part = project_orthogonal(*vectors)
    assert_same(project_orthogonal(*large), np.ldexp(part, 1023))
    # vectors may lie a factor of 2^470 apart
    z, *span = np.ldexp(vectors, 560)
    assert_same(project_orthogonal(z, *large[1:]), np.ldexp(part, 560))
    assert_same(project_orthogonal(z, span[0], large[2]), np.ldexp(part, 560))
    assert_same(project_orthogonal(z, large[1], span[1]), np.ldexp(part, 560))


def test_the_rank_tolerance_is_the_users_to_choose() -> None:
    x, y, z = np.array([1.0, 0.0, 0.0]), np.array([1.0, 2.0**-20, 0.0]), np.array([0.0, 1.0, 1.0])
    np.testing.assert_array_equal(project_orthogonal(z, x, y), [0, 0, 1])
    loose = project_orthogonal(z, x, y, rank_tolerance=2.0**-19)
    np.testing.assert_array_equal(loose, project_orthogonal(z, x))
    d = hierarchical_direction([x, y, z], [x, y], lams=[0, 1], rank_tolerance=2.0**-19)
    np.testing.assert_array_equal(d, x + loose)
    levels = HierarchicalBloop([0, 1], 1.0, project_on="updated", rank_tolerance=2.0**-19)
    np.testing.assert_array_equal(levels.step([x, y, z], levels.init(x, losses=3))[0], x + loose)


def test_dependent_references_in_every_library(library: Any) -> None:
    x, z = np.array([3.0, 4.0], np.float32), np.array([1.0, 1.0], np.float32)
    project = library.run(lambda u, v, w: project_orthogonal(u, v, w))
    found = library.values(project(*(library.vector([v]) for v in (z, x, 2 * x))))
    # 7/25 of x is taken out of z
    bound = tolerances.hierarchy_bound(2.0**-24, [0, 0, norm(z)], 1)
    assert norm(found[0] - np.array([4 / 25, -3 / 25])) <= bound


def test_levels_keep_their_own_averages(library: Any) -> None:
    batches = np.random.default_rng(13).normal(size=(2, 3, 1, 2)).astype(np.float32)
    levels = HierarchicalBloop([0.5, 2.0], [0.5, 0.25])
    step, state = library.run(levels.step), levels.init(library.vector([batches[0][0][0]]), 3)
    for batch in batches:
        direction, state = step([library.vector([*g]) for g in batch], state)
    assert [int(library.fetch(n)) for n in (state.count, state.skipped)] == [2, 0]
    first, second = ([[*g] for g in batch] for batch in batches)
    averages = []
    for k, rho in enumerate((0.5, 0.25)):
        averages.append(update_ema([np.zeros(2, np.float32)], first[k], rho=rho))
        last = update_ema(averages[k], second[k], rho=rho)
        assert_same(library.values(state.memory[k]), last)
    by_hand = hierarchical_direction(second, averages, lams=[0.5, 2.0])
    outside = project_orthogonal(averages[1], averages[0])
    bound = tolerances.hierarchy_bound(
        2.0**-24,
        [weight * norm(g) for weight, g in zip((1, 0.5, 2), second, strict=True)],
        norm(averages[1]) / norm(outside),
    )
    assert norm(library.values(direction)[0] - by_hand[0]) <= 2 * bound


@pytest.mark.parametrize(
    "options",
    [
        {"init": "first"},
        {"project_on": "updated"},
        {"rescale": True},
        {"ema_dtype": "float64"},
        {"nonfinite": "propagate"},
    ],
)
def test_options_are_those_of_bloop(options: dict[str, Any]) -> None:
    g, a = np.random.default_rng(14).normal(size=(2, 5)).astype(np.float32)
    bloop, levels = Bloop(1.0, 0.5, **options), HierarchicalBloop([1.0], 0.5, **options)
    state, of_levels = bloop.init(g), levels.init(g)
    bound = 2 * tolerances.reference_direction_factor(5, wider_sums=True) * 2.0**-24
    for main, aux in ((g, a), (a, g)):
        d, state = bloop.step([main, aux], state)
        deep, of_levels = levels.step([main, aux], of_levels)
        assert norm(deep.astype(np.float64) - d) <= bound * (norm(main) + norm(aux))
        assert_same(of_levels.ema, state.ema)
    assert of_levels.ema.dtype == state.ema.dtype


def test_functions_of_the_step_count() -> None:
    levels = HierarchicalBloop([lambda t: 2 * t, 1.0], [lambda t: 1 - t, 1.0], init="first")
    d, state = levels.step(EXAMPLE, levels.init(EXAMPLE[0], losses=3))
    assert_same(d, hierarchical_direction(EXAMPLE, EXAMPLE[:2], lams=[0, 1]))
    d, _ = levels.step(EXAMPLE, state)
    assert_same(d, hierarchical_direction(EXAMPLE, EXAMPLE[:2], lams=[2, 1]))


def test_full_batch_is_rho_one_on_the_updated_averages() -> None:
    levels = HierarchicalBloop([2, 1], 1, project_on="updated")
    d, _ = levels.step(EXAMPLE, levels.init(EXAMPLE[0], losses=3))
    assert_same(d, hierarchical_direction(EXAMPLE, EXAMPLE[:2], lams=[2, 1]))
    # pi((1, 0, 1); (1, 1, 0)) = (1, -1, 2) / 2 has norm sqrt(3 / 2)
    sizes = [weight * norm(g) for weight, g in zip((1, 2, 1), EXAMPLE, strict=True)]
    bound = tolerances.hierarchy_bound(2.0**-53, sizes, np.sqrt(2 / 1.5))
    assert norm(d - np.array([1, 1, 3])) <= bound


def test_a_level_without_gradient_blocks_nothing() -> None:
    g, a = [np.array([3.0, 4.0])], [np.array([1.0, 2.0])]
    d = hierarchical_direction([g, [None], a], [g, [None]], lams=[1, 0.5])
    assert_same(d, hierarchical_direction([g, a], [g], lams=[0.5]))
    bound = tolerances.hierarchy_bound(2.0**-53, [norm(g), 0.5 * norm(a)], 1)
    assert norm(d[0] - bloop_direction(g, a, g, lam=0.5)[0]) <= 2 * bound
