"""``python -m tests.benchmarks.bench_jax``: the JAX step against the limit and the textbook."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import bloop_jax
from tests.benchmarks.harness import LAM, RHO, Contestant, Run, main
from tests.benchmarks.workloads import Leaves

Step = Callable[[Any, Any, Any], tuple[Any, Any]]


def _ours(g_main: Any, g_aux: Any, ema: Any) -> tuple[Any, Any]:
    return bloop_jax.step(g_main, g_aux, ema, lam=LAM, rho=RHO)


def _textbook(g_main: Any, g_aux: Any, ema: Any) -> tuple[Any, Any]:
    def dot(x: Any, y: Any) -> Any:
        return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, x, y)))

    k = dot(g_aux, ema) / dot(ema, ema)
    direction = jax.tree.map(lambda g, a, e: g + LAM * (a - k * e), g_main, g_aux, ema)
    return direction, jax.tree.map(lambda g, e: (1 - RHO) * e + RHO * g, g_main, ema)


def _compile(step: Step, donated: tuple[int, ...], *vectors: Leaves) -> Any:
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), vectors)
    return jax.jit(step, donate_argnums=donated).lower(*shapes).compile()


def _allocated(step: Step, donated: tuple[int, ...], *vectors: Leaves) -> float:
    memory = _compile(step, donated, *vectors).memory_analysis()
    new = memory.output_size_in_bytes - memory.alias_size_in_bytes + memory.temp_size_in_bytes
    return float(new) / sum(leaf.nbytes for leaf in vectors[0])


def _prepare(step: Step, donated: tuple[int, ...], *vectors: Leaves) -> Run:
    compiled = _compile(step, donated, *vectors)
    arguments = [jax.tree.map(jnp.array, vector) for vector in vectors]

    def run() -> object:
        outputs = jax.block_until_ready(compiled(*arguments))
        if donated:
            arguments[1:] = outputs
        return outputs

    return run


def _contestant(name: str, step: Step, donated: tuple[int, ...] = ()) -> Contestant:
    return Contestant(name, partial(_prepare, step, donated), partial(_allocated, step, donated))


CONTESTANTS = (
    _contestant("bloop_jax, g_aux and ema donated", _ours, (1, 2)),
    _contestant("bloop_jax", _ours),
    _contestant("textbook expressions, donated", _textbook, (1, 2)),
    _contestant("textbook expressions", _textbook),
)

if __name__ == "__main__":
    main("bloop_jax", CONTESTANTS)
