"""A program for several devices or processes: sharded steps equal the unsharded one.

``python sharded.py`` runs on the devices that there are; ``python sharded.py ADDRESS COUNT ID`` is
one of several processes.
"""

import re
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import bloop_jax
import bloop_ref
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm

LAM, RHO = 0.5, 0.25
SPECS = {"rows": P("x", None), "columns": P(None, "x"), "long": P("x"), "whole": P()}
SHAPES = {"rows": (8, 6), "columns": (3, 8), "long": (1 << 18,), "whole": (5,)}
SCALARS = 1 << 14
"""Bytes that hold scalars, a few for each leaf, and no leaf of the longest."""

Tree = dict[str, Any]


def gradients() -> list[Tree]:
    rng = np.random.default_rng(0)
    return [
        {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
        for _ in range(3)
    ]


def placed(vector: Tree, mesh: Mesh) -> Tree:
    """Return the tree with every leaf spread over the mesh in its own way."""
    return {
        name: jax.make_array_from_callback(
            leaf.shape, NamedSharding(mesh, SPECS[name]), leaf.__getitem__
        )
        for name, leaf in vector.items()
    }


def step(g: Tree, a: Tree, e: Tree, axis_name: Any = None) -> Any:
    return bloop_jax.step(g, a, e, lam=LAM, rho=RHO, axis_name=axis_name)


def mapped(mesh: Mesh) -> Callable[..., Any]:
    return jax.shard_map(
        lambda g, a, e: step(g, a, e, axis_name="x"),
        mesh=mesh,
        in_specs=(SPECS,) * 3,
        out_specs=(SPECS,) * 2,
    )


def local(vector: Tree) -> list[Any]:
    """Return what this process holds of every leaf, device by device."""
    shards = [sorted(vector[n].addressable_shards, key=lambda s: s.device.id) for n in SHAPES]
    return [np.concatenate([np.ravel(s.data) for s in of_leaf]) for of_leaf in shards]


def require_same(found: Any, mesh: Mesh) -> None:
    """Raise unless the outputs are the unsharded step's, sharded like the inputs."""
    vectors = gradients()
    required = (
        bloop_ref.bloop_direction(*vectors, lam=LAM),
        bloop_ref.update_ema(vectors[2], vectors[0], rho=RHO),
    )
    g, a, e = (norm(flat(list(v.values()))) for v in vectors)
    n, u = flat(list(vectors[0].values())).size, 2.0**-24
    for x, y, bound in zip(
        found,
        required,
        (direction_bound(u, n, g, a, LAM), average_bound(u, u, g, e, RHO)),
        strict=True,
    ):
        for name, leaf in x.items():
            assert leaf.sharding.is_equivalent_to(NamedSharding(mesh, SPECS[name]), leaf.ndim), name
        assert norm(flat(local(x)) - flat(local(placed(y, mesh)))) <= bound


def require_scalars_only(compiled: Any) -> None:
    """Raise unless nothing but scalars crosses from device to device."""
    text = compiled.as_text()
    assert not re.search(r"all-gather|all-to-all|collective-permute", text)
    reduced = re.findall(r"= (.*?) all-reduce\(", text)
    assert reduced
    assert not any(re.search(r"\[\d", shape) for shape in reduced), reduced


def main(arguments: list[str]) -> None:
    if arguments:
        address, count, number = arguments
        jax.distributed.initialize(address, int(count), int(number))
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((jax.device_count(),), ("x",), axis_types=(kind,))
        vectors = [placed(vector, mesh) for vector in gradients()]
        functions = [step] if kind is AxisType.Explicit else [step, mapped(mesh)]
        for function in functions:
            with jax.set_mesh(mesh):
                compiled = jax.jit(function, donate_argnums=(1, 2)).lower(*vectors).compile()
                memory = compiled.memory_analysis()
                assert memory is not None
                assert memory.temp_size_in_bytes < SCALARS
                require_scalars_only(compiled)
                copies = [jax.tree.map(jnp.copy, vector) for vector in vectors]
                require_same(compiled(*copies), mesh)
    if jax.process_count() == 1:
        ours = bloop_jax.bloop(LAM, RHO)
        _, state = ours.update(vectors[0], ours.init(vectors[0]), aux_grads=vectors[1])
        assert all(
            x.sharding.is_equivalent_to(vectors[0][n].sharding, x.ndim)
            for n, x in state.ema.items()
        )
    print("same on", jax.device_count(), "devices of", jax.process_count(), "processes")


if __name__ == "__main__":
    main(sys.argv[1:])
