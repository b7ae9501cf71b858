"""Right implementations on torch, JAX and the reference."""

from functools import partial
from typing import Any

import bloop_ref
from bloop_proofs.subject import Step

Leaves = list[Any]


def reference(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
    """The functions that this project ships."""
    direction = bloop_ref.bloop_direction(g_main, g_aux, ema, lam=lam)
    return direction, bloop_ref.update_ema(ema, g_main, rho=rho)


def stateful_reference(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    """The class that this project ships, its state made of the EMA."""
    bloop = bloop_ref.Bloop(lam, rho, nonfinite="propagate")
    state = bloop.init(g_main)._replace(memory=(ema,))
    direction, state = bloop.step([g_main, g_aux], state)
    return direction, state.ema


def torch_loops() -> Step:
    """Loops over tensors, sums in double precision, torch.lerp."""
    import torch

    def real(x: torch.Tensor) -> torch.Tensor:
        return torch.view_as_real(x) if x.is_complex() else x

    def dot(x: Leaves, y: Leaves) -> torch.Tensor:
        products = [
            torch.sum(real(p).double() * real(q).double()) for p, q in zip(x, y, strict=True)
        ]
        return torch.stack(products).sum()

    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        ae, ee = dot(g_aux, ema), dot(ema, ema)
        c = torch.where(ee > 0, ae / ee, 0.0).item()
        direction = [
            (g + lam * (a - c * e)).to(g.dtype) for g, a, e in zip(g_main, g_aux, ema, strict=True)
        ]
        return direction, [
            torch.lerp(e, g.to(e.dtype), rho) for e, g in zip(ema, g_main, strict=True)
        ]

    return step


def torch_foreach() -> Step:
    """Horizontally fused operations over lists of tensors, with a unit vector."""
    import torch

    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        g, a, e = (
            [x.to(torch.promote_types(x.dtype, torch.float32)) for x in v]
            for v in (g_main, g_aux, ema)
        )
        norms = torch._foreach_norm(e)
        norm = torch.linalg.vector_norm(torch.stack([x.double() for x in norms])).item()
        unit = torch._foreach_div(e, norm) if norm else e
        products = torch._foreach_mul([x.conj() for x in unit], a)
        along = torch.stack([x.sum().real.double() for x in products]).sum().item()
        part = torch._foreach_sub(a, torch._foreach_mul(unit, along))
        direction = torch._foreach_add(g, part, alpha=lam)
        average = torch._foreach_add(torch._foreach_mul(e, 1 - rho), torch._foreach_mul(g, rho))
        return (
            [x.to(y.dtype) for x, y in zip(direction, g_main, strict=True)],
            [x.to(y.dtype) for x, y in zip(average, ema, strict=True)],
        )

    return step


def torch_flat() -> Step:
    """One vector of all parameters, and torch.dot."""
    import torch

    def flat(leaves: Leaves) -> torch.Tensor:
        real = [torch.view_as_real(x) if x.is_complex() else x for x in leaves]
        return torch.cat([x.double().reshape(-1) for x in real])

    def cut(vector: torch.Tensor, like: Leaves) -> Leaves:
        parts = vector.split([x.numel() * (2 if x.is_complex() else 1) for x in like])
        shaped = [
            torch.view_as_complex(p.reshape(*x.shape, 2)) if x.is_complex() else p.reshape(x.shape)
            for p, x in zip(parts, like, strict=True)
        ]
        return [p.to(x.dtype, copy=True) for p, x in zip(shaped, like, strict=True)]

    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        g, a, e = (flat(v) for v in (g_main, g_aux, ema))
        ee = torch.dot(e, e)
        part = a - torch.dot(a, e) / ee * e if ee else a
        return cut(g.add(part, alpha=lam), g_main), cut(e.mul(1 - rho).add(g, alpha=rho), ema)

    return step


def jax_jit() -> Step:
    """tree_map under jit, sums in at least float32, a where for the zero EMA."""
    import jax
    from jax import numpy as jnp

    def wide(x: Any) -> Any:
        return x.astype(jnp.promote_types(x.dtype, jnp.float32))

    def dot(x: Leaves, y: Leaves) -> Any:
        products = jax.tree.map(lambda p, q: jnp.sum((wide(p).conj() * wide(q)).real), x, y)
        return sum(jax.tree.leaves(products))

    @jax.jit
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: Any, rho: Any) -> Any:
        ee = dot(ema, ema)
        c = jnp.where(ee > 0, dot(ema, g_aux) / jnp.where(ee > 0, ee, 1), 0)
        direction = jax.tree.map(
            lambda g, a, e: (wide(g) + lam * (wide(a) - c * wide(e))).astype(g.dtype),
            g_main,
            g_aux,
            ema,
        )
        average = jax.tree.map(
            lambda e, g: ((1 - rho) * wide(e) + rho * wide(g)).astype(e.dtype), ema, g_main
        )
        return direction, average

    return step


def jax_optax() -> Step:
    """Optax's tree utilities, eagerly, with norms."""
    import jax
    import optax
    from jax import numpy as jnp

    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        wide = partial(jax.tree.map, lambda x: x.astype(jnp.promote_types(x.dtype, jnp.float32)))
        g, a, e = wide(g_main), wide(g_aux), wide(ema)
        norm = optax.tree.norm(e)
        unit = optax.tree.scale(jnp.where(norm > 0, 1 / norm, 0), e)
        along = optax.tree.real(optax.tree.vdot(unit, a))
        part = optax.tree.add_scale(a, -along, unit)
        direction = optax.tree.add_scale(g, lam, part)
        average = optax.incremental_update(g, e, rho)
        cast = partial(jax.tree.map, lambda x, y: x.astype(y.dtype))
        return cast(direction, g_main), cast(average, ema)

    return step


REFERENCE: dict[str, Step] = {
    "the reference": reference,
    "the reference's class": stateful_reference,
}
TORCH = {"torch loops": torch_loops, "torch foreach": torch_foreach, "torch flat": torch_flat}
JAX = {"JAX tree_map and jit": jax_jit, "optax": jax_optax}
