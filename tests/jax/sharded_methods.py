"""A program for several devices: every method in ``shard_map`` takes the reference's steps.

So do micro-batches.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import bloop_jax
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm
from bloop_ref.surgery import PerLeaf
from tests.jax.cases import CASES, Case, batches, rounding_of

SHAPES = ((8, 3), (3, 8), (4,), (5,))
SPECS = [P("x", None), P(None, "x"), P("x"), P()]
"""The last leaf is the same on every device, and counts once."""


def updating(case: Case) -> tuple[Any, Any]:
    """Return the transformation, and its update in ``shard_map``."""
    ours = bloop_jax.surgery(case.method, losses=case.losses, axis_name="x")
    mesh = jax.make_mesh((jax.device_count(),), ("x",), axis_types=(AxisType.Auto,))

    def update(main: Any, others: Any, state: Any) -> Any:
        aux = others[0] if case.losses == 2 else others
        direction, after = ours.update(main, state, aux_grads=aux, **case.given)
        found = bloop_jax.diagnostics(case.method, [main, *others], state, axis_name="x")
        return direction, after, found.norms[0]

    memory = (SPECS,) * case.method.remembers(case.losses)
    state = ours.init([jnp.zeros(shape) for shape in SHAPES])
    specs = state._replace(
        memory=memory, scalars=jax.tree.map(lambda _: P(), state.scalars), count=P(), skipped=P()
    )
    mapped = jax.shard_map(
        update,
        mesh=mesh,
        in_specs=(SPECS, [SPECS] * (case.losses - 1), specs),
        out_specs=(SPECS, specs, P()),
    )
    return state, jax.jit(mapped)


def require_reference(case: Case) -> None:
    """Raise unless some steps, one with NaN on one device only, are the reference's."""
    state, update = updating(case)
    own = case.method.init(batches(case, 1, SHAPES)[0][0], case.losses)
    for number, gradients in enumerate(batches(case, 3, SHAPES)):
        if number == 1:
            gradients[0][2][3] = np.nan
        main, *others = jax.tree.map(jnp.asarray, gradients)
        found, state, size = update(main, others, state)
        required, own_after = case.method.step(gradients, own, **case.given)
        if number == 1:
            assert not all(np.isfinite(x).all() for x in found)
        else:
            bound = rounding_of(case.method, gradients, own, required)
            assert norm(flat(list(map(np.asarray, found))) - flat(list(required))) <= bound
            # a sum of squares of small integers
            assert float(size) == np.float32(norm(flat(gradients[0])))
        own = own_after
        jax.tree.map(np.testing.assert_array_equal, state.memory, own.memory)
        assert (int(state.count), int(state.skipped)) == (int(own.count), int(own.skipped))


def require_accumulation() -> None:
    """Raise unless micro-batches in ``shard_map`` take the step that they take outside."""

    def optimiser(axis_name: Any) -> Any:
        return bloop_jax.accumulate(
            optax.chain(bloop_jax.bloop(0.5, 0.25, axis_name=axis_name), optax.sgd(1.0)), 2
        )

    mesh = jax.make_mesh((jax.device_count(),), ("x",), axis_types=(AxisType.Auto,))
    g, a = (jnp.arange(8.0) * k for k in (2, -4))
    start = optimiser(None).init(g)
    specs = jax.tree.map(lambda leaf: P("x") if leaf.ndim else P(), start)

    def two(axis_name: Any) -> Any:
        update = optimiser(axis_name).update

        def run(g: Any, a: Any, state: Any) -> Any:
            nothing, state = update(bloop_jax.Gradients(g, a), state, g)
            return nothing, *update(bloop_jax.Gradients(2 * g, a), state, g)

        return run

    mapped = jax.shard_map(
        two("x"), mesh=mesh, in_specs=(P("x"), P("x"), specs), out_specs=(P("x"), P("x"), specs)
    )
    found, required = jax.jit(mapped)(g, a, start), jax.jit(two(None))(g, a, start)
    jax.tree.map(np.testing.assert_array_equal, found, required)
    assert required[1].any()


if __name__ == "__main__":
    for name, case in CASES.items():
        if not isinstance(case.method, PerLeaf):
            print(name, flush=True)
            require_reference(case)
    require_accumulation()
    print("methods on", jax.device_count(), "devices")
