"""The example of the documentation: every one of its steps is the reference's, also resumed."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bloop_numpy
import bloop_ref
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "numpy_loop.py"
MOST_LINES = 40
"""Lines that the user writes: blank ones, comments and docstrings are not counted."""


def test_numpy_example_takes_the_references_steps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    step, steps, u = bloop_numpy.step, [], 2.0**-24

    def watched(g: Any, a: Any, e: Any, *, lam: float, rho: float, inplace: bool) -> Any:
        reference = bloop_ref.Bloop(lam, rho)
        required, state = reference.step([g, a], reference.init(g)._replace(memory=(e,)))
        sizes = [norm(flat(v)) for v in (g, a, e)]
        found = step(g, a, e, lam=lam, rho=rho, inplace=inplace)
        bounds = (
            direction_bound(u, flat(g).size, sizes[0], sizes[1], lam),
            average_bound(u, u, sizes[0], sizes[2], rho),
        )
        for x, y, bound in zip(found, (required, state.ema), bounds, strict=True):
            assert norm(flat(x) - flat(y)) <= 2 * bound  # each may err by one
        steps.append(1)
        return found

    monkeypatch.setattr(bloop_numpy, "step", watched)
    train = runpy.run_path(str(EXAMPLE))["train"]
    assert train(100, tmp_path / "whole.npz") > 0.9
    train(50, tmp_path / "half.npz")
    train(100, tmp_path / "half.npz")
    assert len(steps) == 200
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "half.npz") as resumed:
        assert len(whole.files) == 5
        for name in whole.files:
            np.testing.assert_array_equal(resumed[name], whole[name])


def test_the_example_is_short() -> None:
    lines = [line.strip() for line in EXAMPLE.read_text().splitlines()]
    assert sum(bool(x) and x[0] != "#" and x[:3] != '"""' for x in lines) < MOST_LINES
