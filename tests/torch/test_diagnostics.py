"""Norms and cosines of every method in one loop: the reference's, and taken by loggers."""

import csv
import json
import logging
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from bloop_proofs.tolerances import diagnostics_bound
from bloop_ref import Bloop, Diagnostics, HierarchicalBloop
from bloop_ref.surgery import MGDA, GradVac, MetaBalance, Mixed, PCGrad, PerLeaf, SamGS
from bloop_torch import Surgery
from tests.torch.models import batches, two_losses

SHAPES: tuple[tuple[int, ...], ...] = ((3, 2), (4,), (2,))
UPDATED: Any = {"project_on": "updated", "init": "first"}
EVERY: tuple[tuple[Any, int], ...] = (
    (Bloop(0.5, rho=0.25), 2),
    (Bloop(0.5, rho=0.25, **UPDATED), 2),
    (HierarchicalBloop([0.5, 0.25], rho=[0.5, 0.25]), 3),
    (Mixed(lam=0.5), 2),
    (PCGrad(), 3),
    (MGDA(), 3),
    (GradVac(beta=0.5), 2),
    (SamGS(beta1=0.5), 2),
    (PerLeaf(MetaBalance()), 2),
    (PerLeaf(Bloop(0.5, rho=0.25)), 2),
    (PerLeaf(Bloop(0.5, rho=0.25, **UPDATED)), 2),
)
each = pytest.mark.parametrize(("method", "losses"), EVERY, ids=lambda x: type(x).__name__)


def step(surgery: Surgery, gradients: Any, scale: float = 1.0, **options: Any) -> Diagnostics:
    """Take a step on given gradients, ``None`` where a loss does not reach a parameter."""
    for k, gradient in enumerate(gradients):
        with surgery.gradient(k):
            for parameter, leaf in zip(surgery.parameters.values(), gradient, strict=True):
                parameter.grad = None if leaf is None else torch.tensor(scale * leaf)
    found = surgery.combine(diagnostics=True, **options)
    assert found is not None
    for parameter in surgery.parameters.values():
        parameter.grad = None  # no optimiser takes the direction
    return found


def integers(seed: int, losses: int) -> list[list[Any]]:
    """Return gradients whose inner products, and those of their averages, are exact.

    The second parameter is reached by the last loss alone, the third by none.
    """
    rng = np.random.default_rng(seed)

    def leaf(shape: tuple[int, ...]) -> np.ndarray:
        return rng.integers(-8, 9, shape).astype(np.float32)

    rest = [[None, None]] * (losses - 1) + [[leaf(SHAPES[1]), None]]
    return [[leaf(SHAPES[0]), *others] for others in rest]


def agree(found: Diagnostics, required: Diagnostics) -> None:
    entries = sum(int(np.prod(shape)) for shape in SHAPES)
    assert found.names == required.names
    for name, value in required.as_dict().items():
        error = abs(float(found.as_dict()[name]) - float(value))
        assert error <= diagnostics_bound(2.0**-53, entries, max(1, abs(float(value)))), name


def both(method: Any, losses: int) -> tuple[Surgery, Any]:
    """Return the class, and the reference's state, before the first step."""
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in SHAPES]
    like = [p.detach().numpy() for p in parameters]
    return Surgery(parameters, method, losses=losses), method.init(like, losses)


@each
@pytest.mark.parametrize("engine", ["at hand", "unread"])
def test_are_the_references(method: Any, losses: int, engine: str, request: Any) -> None:
    if engine == "unread":
        request.getfixturevalue("unread")
    surgery, state = both(method, losses)
    for seed in range(3):
        gradients = integers(seed, losses)
        required = method.diagnostics(gradients, state)
        _, state = method.step(gradients, state)
        found = step(surgery, gradients)
        agree(found, required)
        values: list[Any] = [*found.norms, *chain(*found.cosines)]
        # on a device nothing is waited for
        kind: Any = float | int if engine == "at hand" else torch.Tensor
        assert all(isinstance(x, kind) for x in [*values, *found.as_dict().values()])


@each
def test_are_of_unscaled_gradients(method: Any, losses: int) -> None:
    (plain, _), (scaled, _) = both(method, losses), both(method, losses)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaler.scale(torch.zeros(()))
    for seed in range(2):
        gradients = integers(seed, losses)
        agree(step(scaled, gradients, 2.0**10, scaler=scaler), step(plain, gradients))


@pytest.mark.parametrize("losses", [2, 3])
def test_gradients_of_zero_have_norm_zero(losses: int) -> None:
    for method in (PerLeaf(PCGrad()), PCGrad()):
        surgery, _ = both(method, losses)
        found = step(surgery, [[np.zeros(SHAPES[0], np.float32), None, None]] * losses)
        assert set(found.as_dict().values()) == {0.0}


def test_leaves_of_unlike_scales_are_seen_together() -> None:
    parameters = [nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(2)]
    surgery = Surgery(parameters, PerLeaf(PCGrad()))
    found = step(
        surgery,
        [
            [np.array([3.0, 4.0]) * scale, np.array([4.0, -3.0]) * scale / 2**520]
            for scale in (2.0**600, 2.0**601)
        ],
    )
    assert found.gradient_norms == (5 * 2.0**600, 5 * 2.0**601)
    assert found.cosines[0][1] == 1


def taken(count: int = 2) -> list[Diagnostics]:
    """Return the diagnostics of some steps."""
    surgery, _ = both(Bloop(0.5, rho=0.25), 2)
    return [step(surgery, integers(seed, 2)) for seed in range(count)]


@pytest.mark.parametrize("engine", ["at hand", "unread"])
def test_tensorboard_keeps_names_and_values(engine: str, tmp_path: Path, request: Any) -> None:
    if engine == "unread":
        request.getfixturevalue("unread")
    from tensorboard.backend.event_processing import (  # type: ignore[import-untyped]
        event_accumulator,
    )
    from torch.utils.tensorboard import SummaryWriter

    found = taken()
    with SummaryWriter(str(tmp_path)) as writer:
        for number, entry in enumerate(found):
            for name, value in entry.as_dict("bloop/").items():
                writer.add_scalar(name, value, number)
            writer.add_scalars("all", entry.as_dict(), number)
    events = event_accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    names = list(found[0].as_dict())
    assert set(events.Tags()["scalars"]) == {f"bloop/{name}" for name in names}
    for name in names:
        own = [event_accumulator.EventAccumulator(str(tmp_path / f"all_{name}")).Reload()]
        for events_of, tag in ((events, f"bloop/{name}"), (own[0], "all")):
            values = [(event.step, event.value) for event in events_of.Scalars(tag)]
            required = [np.float32(float(entry.as_dict()[name])) for entry in found]
            assert values == list(enumerate(required))


def test_a_dict_of_floats_is_json() -> None:
    (found,) = taken(1)
    line = {"loss": 1.0} | found.as_dict("bloop/")
    assert json.loads(json.dumps(line)) == line


# each is raised by Lightning's own code, or about the machine
@pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")
def test_lightning_logs_them(tmp_path: Path) -> None:
    import lightning
    from lightning.pytorch.loggers import CSVLogger

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    seen: list[Diagnostics] = []

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.net = two_losses()
            self.surgery = Surgery(self.net.named_parameters(), Bloop(0.5, rho=0.25))

        def training_step(self, x: torch.Tensor) -> None:
            found = self.surgery.backward(*self.net(x), diagnostics=True)
            assert found is not None
            self.optimizers().step()  # type: ignore[union-attr]
            self.log_dict(found.as_dict("bloop/"))
            seen.append(found)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    off = ("enable_progress_bar", "enable_checkpointing", "enable_model_summary")
    quiet: Any = dict.fromkeys(off, False)
    data: Any = list(batches(2))
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        log_every_n_steps=1,
        logger=CSVLogger(tmp_path),
        **quiet,
    )
    trainer.fit(Module(), DataLoader(data, batch_size=None))
    (path,) = tmp_path.rglob("metrics.csv")
    with path.open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(seen) == 2
    for line, entry in zip(lines, seen, strict=True):
        for name, value in entry.as_dict("bloop/").items():
            assert np.float32(line[name]) == np.float32(value)
