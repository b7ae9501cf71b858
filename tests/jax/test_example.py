"""The examples of the documentation: every one of their steps is the reference's, also resumed."""

import runpy
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest

import bloop_jax
import bloop_ref
from bloop_jax.gradients import MISSING, separated

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
MOST_LINES = 40
"""Lines that the user writes: blank ones, comments and docstrings are not counted."""
EXAMPLES = {
    "jax_nnx": ("flax", "orbax.checkpoint"),
    "jax_linen": ("flax",),
    "jax_equinox": ("equinox",),
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Bloop gets and returns, step by step, as lists of leaves."""
    steps: list[Any] = []
    made = bloop_jax.bloop

    def watched(lam: float, rho: float) -> Any:
        ours = made(0.5, 0.25)
        assert lam > 0
        assert 0 < rho < 1

        def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
            direction, after = ours.update(updates, state, params, **extra)
            g, a = separated(updates, extra.get("aux_grads", MISSING), 2)
            vectors = map(jax.tree.leaves, (g, a, state.ema, direction, after.ema))
            # computing inside a callback would wait for the computation that calls it
            jax.debug.callback(lambda *x: steps.append(x), *vectors, state.count)
            return direction, after

        return optax.GradientTransformationExtraArgs(ours.init, update)

    monkeypatch.setattr(bloop_jax, "bloop", watched)
    return steps


def require_reference(seen: list[Any], close: Any) -> list[int]:
    """Raise unless all steps are the reference's, on NumPy; return their numbers."""
    jax.effects_barrier()
    theirs = bloop_ref.Bloop(0.5, 0.25)
    for g, a, e, direction, average, _ in jax.tree.map(np.asarray, seen):
        required, after = theirs.step([g, a], theirs.init(g)._replace(memory=(e,)))
        close((direction, average), (required, after.ema), g, a, e)
    return [int(count) for *_, count in seen]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_loops_take_the_references_steps_and_resume_bit_for_bit(
    name: str, seen: list[Any], close: Any, tmp_path: Path
) -> None:
    """Of three steps of two micro-batches; the second run ends between two micro-batches."""
    for package in ("sklearn", *EXAMPLES[name]):
        pytest.importorskip(package, reason=f"{package} is not installed")
    train = runpy.run_path(str(FOLDER / f"{name}.py"))["train"]
    whole = train(6, tmp_path / "whole.eqx")
    train(3, tmp_path / "half.eqx")  # a suffix, or Equinox gives it its own
    resumed = train(6, tmp_path / "half.eqx")
    jax.tree.map(np.testing.assert_array_equal, *map(jax.tree.leaves, (resumed, whole)))
    assert require_reference(seen, close) == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_short(name: str) -> None:
    lines = [line.strip() for line in (FOLDER / f"{name}.py").read_text().splitlines()]
    assert sum(bool(x) and x[0] != "#" and x[:3] != '"""' for x in lines) < MOST_LINES
