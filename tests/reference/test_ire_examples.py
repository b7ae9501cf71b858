"""The examples of IRE in the documentation: every step of theirs against the plain formulas."""

import copy
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bloop_ref.ire import IRE
from tests.tolerances import amplified_bound

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
MOST_LINES = 40


def load(name: str) -> ModuleType:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def smallest(score: Any, fraction: float) -> list[bool]:
    """The mask in plain NumPy, from scores that differ."""
    flat = np.concatenate([np.ravel(h) for h in score])
    marks = np.zeros(flat.size, np.bool)
    marks[np.argsort(flat)[: round(fraction * flat.size)]] = True
    assert np.all(marks == (flat <= flat[marks].max()))
    return list(marks)


def require_plain(found: Any, before: Any, after: Any, mask: Any, kappa: float) -> None:
    """Require after + kappa n (after - before), up to rounding in the dtype of the parameters."""
    for x, a, b, n in zip(found, before, after, mask, strict=True):
        u = float(np.finfo(x.dtype).eps) / 2
        further = kappa * n * (np.float64(b) - np.float64(a))
        bound = np.vectorize(amplified_bound)(u, abs(b + further), abs(further))
        assert np.all(abs(x - (np.float64(b) + further)) <= bound)
        assert np.array_equal(x[~n], b[~n])


def test_sgd(monkeypatch: pytest.MonkeyPatch) -> None:
    """theta <- theta - rate g, longer where n is true; g and h as the example computes them."""
    module, rate, kappa = load("ire_sgd"), 0.2, 4.0
    steps: list[Any] = []
    gradients: list[Any] = []
    gradient, step, refresh = module.gradient, IRE.step, IRE.refresh

    def watched_gradient(*args: Any) -> Any:
        gradients.append(gradient(*args))
        return gradients[-1]

    def watched_step(self: IRE, before: Any, after: Any, state: Any) -> Any:
        found = step(self, before, after, state)
        assert np.array_equal(after, before - rate * gradients[-1])
        require_plain([found[0]], [before], [after], [state.mask], kappa)
        steps.append(state.mask.sum())
        return found

    def watched_refresh(self: IRE, score: Any, state: Any) -> Any:
        found = refresh(self, score, state)
        assert np.array_equal(score, 64 * gradients[-1] ** 2)
        least = np.sort(score, axis=None)[round(0.8 * score.size) - 1]
        assert np.array_equal(found.mask, score <= least)
        return found

    monkeypatch.setattr(module, "gradient", watched_gradient)
    monkeypatch.setattr(IRE, "step", watched_step)
    monkeypatch.setattr(IRE, "refresh", watched_refresh)
    assert module.train(rate=rate, kappa=kappa) > 0.9
    assert steps[:20] == [0] * 20
    assert min(steps[20:]) >= round(0.8 * 640)
    assert len(gradients) == 200 + 18


def test_adamw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twin of the optimiser takes the base step; IRE's is that, longer where n is true."""
    torch: Any = pytest.importorskip("torch", reason="torch is not installed")
    module, kappa = load("ire_adamw"), 2.0
    taken: list[bool] = []

    class Watched(module.IRE):  # type: ignore[misc, name-defined]
        def _keep(self, *args: Any) -> None:
            self.start = [p.detach().clone() for p in self.parameters]
            twins = [torch.nn.Parameter(p.clone()) for p in self.start]
            for twin, p in zip(twins, self.parameters, strict=True):
                twin.grad = p.grad.clone()
            optimizer = torch.optim.AdamW(twins)
            optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))
            self.twin = optimizer, twins
            super()._keep(*args)

        def _amplify(self, *args: Any) -> None:
            acts = bool(self._before)
            super()._amplify(*args)
            optimizer, twins = self.twin
            optimizer.step()
            no = [torch.zeros_like(p, dtype=torch.bool) for p in twins]
            mask = list(self.mask.values()) if acts else no
            vectors = (self.parameters, self.start, twins, mask)
            found, before, after, marks = ([x.detach().numpy() for x in v] for v in vectors)
            require_plain(found, before, after, marks, kappa)
            taken.append(acts)

    monkeypatch.setattr(module, "IRE", Watched)
    assert module.train(kappa=kappa) > 0.9
    assert taken == [False] * 20 + [True] * 130


def test_sam(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient at the point above, the base's step by it, the mask of the Fisher gradient."""
    jax: Any = pytest.importorskip("jax", reason="jax is not installed")
    bloop_jax: Any = pytest.importorskip("bloop_jax", reason="optax is not installed")
    optax: Any = pytest.importorskip("optax", reason="optax is not installed")
    module, kappa, rate = load("ire_sam"), 4.0, 0.2
    seen: list[Any] = []
    made = bloop_jax.ire

    def watched(*args: Any, **options: Any) -> Any:
        ours = made(*args, **options)

        def update(g: Any, state: Any, params: Any, *, fisher_grads: Any) -> Any:
            updates, after = ours.update(g, state, params, fisher_grads=fisher_grads)
            record = g, fisher_grads, updates, state.ire.count, after.ire.mask
            jax.debug.callback(lambda *x: seen.append(x), *record)
            return updates, after

        return optax.GradientTransformationExtraArgs(ours.init, update)

    monkeypatch.setattr(bloop_jax, "ire", watched)
    accuracy = module.train(steps=60, kappa=kappa)
    jax.effects_barrier()
    assert accuracy > 0.5  # guessing is right on a tenth
    assert len(seen) == 60
    mask: Any = None
    for g, fisher, updates, count, marks in seen:
        if count < 20:
            assert not any(np.any(n) for n in marks)
        elif count % 10 == 0:
            mask = smallest([np.square(x) for x in fisher], 0.8)
        if count >= 20:
            assert np.concatenate([np.ravel(n) for n in marks]).tolist() == mask
        flat = [np.asarray(n) for n in marks]
        moved = [np.float32(-rate) * np.asarray(x) for x in g]
        start = [np.zeros_like(x) for x in moved]
        require_plain([np.asarray(x) for x in updates], start, moved, flat, kappa)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("ire_*.py")), ids=lambda path: path.stem)
def test_examples_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MOST_LINES
