"""The identities of the paper on SymPy symbols, in dimensions 1 to 4 and on several leaves."""

from typing import Any

import numpy as np
import pytest

from bloop_ref import (
    Bloop,
    bloop_direction,
    diagnostics,
    hierarchical_direction,
    inner_products,
    project_orthogonal,
    surgery,
    update_ema,
)

sympy = pytest.importorskip("sympy", reason="sympy is not installed")
LAM, RHO, C = sympy.symbols("lambda rho c", positive=True)


def symbols(name: str, n: int) -> Any:
    """Return a vector of n real symbols."""
    return leaves(sympy.symbols(f"{name}:{n}", real=True))


def leaves(entries: Any) -> Any:
    """Return a vector: one leaf for fewer than three entries, else two."""
    x = np.array(entries, dtype=object)
    return [x] if x.size < 3 else [x[:2].reshape(2, 1), x[2:]]


def dot(u: Any, v: Any) -> Any:
    return sum(np.sum(x * y) for x, y in zip(u, v, strict=True))


def vanishes(expression: Any) -> bool:
    return bool(sympy.cancel(sympy.together(expression)) == 0)


def same(u: Any, v: Any) -> bool:
    return all(
        vanishes(x - y)
        for left, right in zip(u, v, strict=True)
        for x, y in zip(left.ravel(), right.ravel(), strict=True)
    )


def plus(u: Any, v: Any, factor: Any = 1) -> Any:
    return [x + factor * y for x, y in zip(u, v, strict=True)]


dimensions = pytest.mark.parametrize("n", [1, 2, 3, 4])


@dimensions
def test_eq_3(n: int) -> None:
    g, a = symbols("g", n), symbols("a", n)
    d = bloop_direction(g, a, g, lam=LAM)
    assert vanishes(dot(d, g) - dot(g, g))
    part = project_orthogonal(a, g)
    assert vanishes(dot(d, d) - dot(g, g) - LAM**2 * dot(part, part))


@dimensions
def test_eq_5(n: int) -> None:
    g, a, e = symbols("g", n), symbols("a", n), symbols("e", n)
    d = bloop_direction(g, a, e, lam=LAM)
    assert vanishes(dot(plus(d, g, -1), e))
    by_hand = plus(plus(g, a, LAM), e, -LAM * dot(a, e) / dot(e, e))
    assert same(d, by_hand)


@dimensions
def test_projection(n: int) -> None:
    u, v, w = symbols("u", n), symbols("v", n), symbols("w", n)
    part = project_orthogonal(u, v)
    assert same(project_orthogonal(plus(u, v, C), v), part)
    assert same(project_orthogonal(u, [C * x for x in v]), part)
    assert same(project_orthogonal(plus(u, w, C), v), plus(part, project_orthogonal(w, v), C))


@dimensions
def test_algorithm_1(n: int) -> None:
    g, a, e = symbols("g", n), symbols("a", n), symbols("e", n)
    average = update_ema(e, g, rho=RHO)
    assert same(average, plus([(1 - RHO) * x for x in e], g, RHO))
    bloop = Bloop(LAM, RHO)
    d, state = bloop.step([g, a], bloop.init(g)._replace(memory=(e,)))
    assert same(d, bloop_direction(g, a, e, lam=LAM))
    assert same(state.ema, average)


@pytest.mark.parametrize("n", [2, 3])
def test_section_2_3(n: int) -> None:
    g = [symbols(name, n) for name in ("x", "y", "z")]
    d = hierarchical_direction(g[:2], g[:1], lams=[LAM])
    assert same(d, bloop_direction(g[0], g[1], g[0], lam=LAM))
    # whole numbers in the shallower levels keep the expressions small
    for level in range(n - 1):
        g[level] = leaves([sympy.Integer(k ** (level + 1)) for k in range(1, n + 1)])
    shallow = hierarchical_direction(g[:2], g[:1], lams=[LAM])
    deep = hierarchical_direction(g, g[:2], lams=[LAM, C])
    assert vanishes(dot(deep, g[0]) - dot(g[0], g[0]))
    assert vanishes(dot(deep, g[1]) - dot(shallow, g[1]))


@dimensions
def test_inner_products_and_norms(n: int) -> None:
    u, v = symbols("u", n), symbols("v", n)
    (uu, uv), (vu, vv) = inner_products([u, v])
    assert (uu, uv, vu, vv) == (dot(u, u), dot(u, v), dot(u, v), dot(v, v))
    found = diagnostics(u, v, v)
    assert vanishes(found.norm_main**2 - uu)
    assert vanishes(found.cos_main_aux**2 - uv**2 / (uu * vv))
    assert vanishes(found.coefficient - 1)


def test_mixed() -> None:
    m, a = symbols("m", 3), symbols("a", 3)
    assert same(surgery.Mixed(LAM)(m, a), plus(m, a, LAM))


def test_meta_balance() -> None:
    m, a = symbols("m", 2), symbols("a", 2)
    d = surgery.MetaBalance(relaxation=LAM, beta=0)(m, a)
    part = plus(plus(d, m, -1), a, LAM - 1)
    assert vanishes(dot(part, part) - LAM**2 * dot(m, m))


def test_schedules_of_symbols() -> None:
    g, a = symbols("g", 2), symbols("a", 2)
    bloop = Bloop(lambda count: LAM / (1 + int(count)), RHO, rescale=True)
    d, _ = bloop.step([g, a], bloop.init(g)._replace(count=np.array(1)))
    assert same(d, [(x + LAM / 2 * y) / (1 + LAM / 2) for x, y in zip(g, a, strict=True)])
