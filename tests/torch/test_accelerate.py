"""Accelerate on two losses, every step judged by the reference."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from bloop_torch import Bloop
from tests.torch.loops import RHO, Judge, schedule
from tests.torch.models import batches, two_losses

accelerate: Any = pytest.importorskip("accelerate", reason="accelerate is not installed")

MOST_NORM, MICRO_BATCHES, BATCHES = 0.4, 2, 5


class Run:
    """A model, and all that accelerate makes of it; an epoch has steps of 2, 2, and 1 batches."""

    def __init__(self, **options: Any) -> None:
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
        self.accelerator = accelerate.Accelerator(
            cpu=True, gradient_accumulation_steps=MICRO_BATCHES, **options
        )
        self.net = two_losses()
        self.model, self.optimizer, self.loader = self.accelerator.prepare(
            self.net,
            torch.optim.SGD(self.net.parameters(), lr=0.1),
            DataLoader(TensorDataset(torch.cat(list(batches(BATCHES)))), batch_size=8),
        )
        self.bloop = Bloop(self.model.named_parameters(), lam=schedule, rho=RHO)
        self.accelerator.register_for_checkpointing(self.bloop)

    def epoch(self, judge: Judge | None = None) -> None:
        accelerator, scaler = self.accelerator, self.accelerator.scaler
        for (x,) in self.loader:
            with accelerator.accumulate(), accelerator.no_sync(self.model):
                if judge is not None:
                    judge.see(self.net, self.model(x))
                losses = [loss / MICRO_BATCHES for loss in self.model(x)]
                self.bloop.accumulate(*losses, scaler=scaler)
                if accelerator.sync_gradients:
                    self.bloop.combine(scaler=scaler)
                    accelerator.clip_grad_norm_(self.model.parameters(), MOST_NORM)
                    self.optimizer.step()


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_every_step_is_the_references_with_accumulation_and_clipping(precision: str) -> None:
    judge = Judge(most_norm=MOST_NORM, divisor=MICRO_BATCHES)
    run = Run(mixed_precision=precision)
    with judge.watching():
        run.epoch(judge)
        run.epoch(judge)
    assert judge.sizes == [2, 2, 1, 2, 2, 1]
    assert judge.steps == run.bloop.count == 6
    assert judge.clipped > 0


def test_a_scaler_scales_every_loss_and_the_average_is_unscaled() -> None:
    run = Run()
    # what accelerate does with mixed_precision="fp16" on a GPU; on a CPU it refuses that
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    run.accelerator.scaler = run.optimizer.scaler = scaler
    run.accelerator.native_amp, run.accelerator.state._mixed_precision = True, "fp16"
    run.optimizer.__setstate__({})
    judge = Judge(most_norm=MOST_NORM, divisor=MICRO_BATCHES, scaler=lambda: scaler)
    with judge.watching():
        run.epoch(judge)
    assert judge.steps == 3


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    whole = Run()
    whole.epoch()
    whole.accelerator.save_state(str(tmp_path))
    whole.epoch()
    resumed = Run()
    resumed.accelerator.load_state(str(tmp_path))
    resumed.epoch()
    assert resumed.bloop.count == whole.bloop.count == 6
    pairs = zip(whole.net.parameters(), resumed.net.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    assert resumed.bloop.ema.keys() == whole.bloop.ema.keys()
    assert all(torch.equal(e, resumed.bloop.ema[name]) for name, e in whole.bloop.ema.items())


def test_trackers_get_the_diagnostics() -> None:
    rows: list[Any] = []

    class Tracker(accelerate.tracking.GeneralTracker):  # type: ignore[misc]
        name, requires_logging_directory, tracker = "rows", False, None

        def store_init_configuration(self, values: Any) -> None:
            pass

        def log(self, values: Any, step: Any, **_: Any) -> None:
            rows.append((step, values))

    run = Run(log_with=Tracker())
    run.accelerator.init_trackers("digits")
    for x in batches(2):
        found = run.bloop.backward(*run.model(x), diagnostics=True)
        assert found is not None
        run.accelerator.log({"cos_main_aux": float(found.cos_main_aux)}, step=run.bloop.count)
        run.optimizer.step()
    assert [step for step, _ in rows] == [1, 2]
    assert all(-1 <= values["cos_main_aux"] <= 1 for _, values in rows)
