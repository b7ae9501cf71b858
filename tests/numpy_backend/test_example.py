"""The example of the documentation: every one of its steps is the reference's."""

import runpy
from pathlib import Path
from typing import Any

import pytest

import bloop_numpy
import bloop_ref
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "numpy_loop.py"
MOST_LINES = 40


def test_numpy_example_takes_the_references_steps(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert runpy.run_path(str(EXAMPLE))["train"](steps=100) > 0.9
    assert len(steps) == 100
    assert len(EXAMPLE.read_text().splitlines()) < MOST_LINES
