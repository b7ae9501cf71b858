"""The example of the documentation: every one of its steps is the reference's."""

import runpy
from pathlib import Path
from typing import Any

import jax
import optax
import pytest

import bloop_jax
import bloop_ref

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "jax_flax.py"
MOST_LINES = 40
STEPS = 20


def arrays(tree: Any) -> Any:
    return jax.tree.map(jax.numpy.asarray, tree)


@pytest.mark.slow
def test_flax_example_takes_the_references_steps(monkeypatch: Any, close: Any) -> None:
    pytest.importorskip("flax", reason="flax is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    seen: list[Any] = []
    made = bloop_jax.bloop

    def watched(lam: float, rho: float) -> Any:
        ours = made(0.5, 0.25)
        assert lam > 0
        assert 0 < rho < 1

        def update(g: Any, state: Any, params: Any = None, *, aux_grads: Any) -> Any:
            direction, after = ours.update(g, state, params, aux_grads=aux_grads)
            # computing inside a callback would wait for the computation that calls it
            jax.debug.callback(lambda *x: seen.append(x), g, aux_grads, state, direction, after)
            return direction, after

        return optax.GradientTransformationExtraArgs(ours.init, update)

    monkeypatch.setattr(bloop_jax, "bloop", watched)
    accuracy = runpy.run_path(str(EXAMPLE))["train"](steps=STEPS)
    jax.effects_barrier()
    theirs = bloop_ref.Bloop(0.5, 0.25)
    for number, (g, a, state, direction, after) in enumerate(map(arrays, seen)):
        required, next_state = theirs.step([g, a], state)
        close((direction, after.ema), (required, next_state.ema), g, a, state.ema)
        assert state.count == number
    assert len(seen) == STEPS
    assert accuracy > 0.2  # guessing is right on a tenth
    assert len(EXAMPLE.read_text().splitlines()) < MOST_LINES
