"""One mistake, in JAX."""

from typing import Any

import pytest

from tests.proofs.fresh.entries import EARLY, LEAVES, SQUARE_FLOOR, single

jax = pytest.importorskip("jax", reason="jax is not installed")
jnp = jax.numpy


def wide(tree: Any) -> Any:
    return jax.tree.map(lambda x: x.astype(jnp.promote_types(x.dtype, jnp.float32)), tree)


def like(tree: Any, model: Any) -> Any:
    return jax.tree.map(lambda x, y: x.astype(y.dtype), tree, model)


def dot(x: Any, y: Any) -> Any:
    return sum(jnp.vdot(p, q).real for p, q in zip(wide(x), wide(y), strict=True))


def add(x: Any, c: Any, y: Any) -> Any:
    return jax.tree.map(lambda p, q: p + c * q, wide(x), wide(y))


@single(EARLY, framework="jax")
def optax_trace_first(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """A transformation updates its state before it uses it."""
    new = add(add(e, -rho, e), rho, m)
    square = dot(new, new)
    c = jnp.where(square > 0, dot(new, a) / jnp.where(square > 0, square, 1), 0)
    return like(add(m, lam, add(a, -c, new)), m), like(new, e)


@single(SQUARE_FLOOR, framework="jax")
def maximum_with_an_epsilon(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """jnp.maximum(||e||^2, 1e-5)."""
    c = dot(e, a) / jnp.maximum(dot(e, e), 1e-5)
    return like(add(m, lam, add(a, -c, e)), m), like(add(add(e, -rho, e), rho, m), e)


@single(LEAVES, framework="jax")
def tree_map_of_a_projection(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """jax.tree.map applies the projection to each array."""

    def one(u: Any, v: Any) -> Any:
        square = jnp.sum(jnp.abs(v) ** 2)
        c = jnp.where(square > 0, jnp.vdot(v, u).real / jnp.where(square > 0, square, 1), 0)
        return u - c * v

    part = jax.tree.map(one, wide(a), wide(e))
    return like(add(m, lam, part), m), like(add(add(e, -rho, e), rho, m), e)


@single("lam-is-missing", framework="jax")
def sum_without_a_weight(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """The projected gradient is added without lam."""
    square = dot(e, e)
    c = jnp.where(square > 0, dot(e, a) / jnp.where(square > 0, square, 1), 0)
    return like(add(m, 1.0, add(a, -c, e)), m), like(add(add(e, -rho, e), rho, m), e)
