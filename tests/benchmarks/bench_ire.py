"""``python -m tests.benchmarks.bench_ire``: what IRE around AdamW does on digits, and its cost.

The first table is of training runs: the loss on the training digits and the accuracy on the others
after some steps, means over seeds. The others are of time: in each round every contestant takes ten
steps, in turn, so that a mask made every ten steps is made once a round. A ratio is the median of
the rounds' own ratios to plain AdamW.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bloop_torch.ire import IRE
from tests.benchmarks.harness import machine

BATCH, BLOCK, TRAINING = 128, 10, 1297
SIZES = {"64-64-10": (64,), "64-512-512-10": (512, 512)}
KAPPAS = (0.0, 1.0, 2.0, 4.0)


@dataclass
class Run:
    """A model in training, with IRE around its AdamW unless ``kappa`` is ``None``."""

    hidden: Sequence[int]
    kappa: float | None
    interval: int = BLOCK
    warmup: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Make data, model and optimiser."""
        torch.manual_seed(self.seed)
        pixels, digits = load_digits(return_X_y=True)
        self.images = torch.tensor(pixels / 16, dtype=torch.float32)
        self.labels = torch.tensor(digits)
        sizes = [64, *self.hidden, 10]
        layers = [
            layer
            for narrow, wide in pairwise(sizes)
            for layer in (nn.Linear(narrow, wide), nn.ReLU())
        ]
        self.model = nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.01)
        self.ire = None
        if self.kappa is not None:
            self.ire = IRE(
                self.optimizer,
                kappa=self.kappa,
                fraction=0.8,
                interval=self.interval,
                warmup=self.warmup,
            )
        self.generator = torch.Generator().manual_seed(self.seed)

    def step(self) -> None:
        """Take one step."""
        rows = torch.randint(TRAINING, (BATCH,), generator=self.generator)
        outputs: Tensor = self.model(self.images[rows])
        if self.ire is not None and self.ire.due:
            drawn = torch.multinomial(outputs.detach().softmax(1), 1).flatten()
            with self.ire.fisher_gradient(batch_size=BATCH):
                torch.autograd.backward(cross_entropy(outputs, drawn), retain_graph=True)
        self.optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(outputs, self.labels[rows]))
        self.optimizer.step()

    @torch.no_grad()
    def result(self) -> tuple[float, float]:
        """Return the loss on the training digits, and the accuracy on the others."""
        outputs = self.model(self.images)
        loss = cross_entropy(outputs[:TRAINING], self.labels[:TRAINING])
        right = outputs[TRAINING:].argmax(1) == self.labels[TRAINING:]
        return float(loss), float(right.float().mean())


def trained(kappa: float, steps: int, seeds: int) -> tuple[float, float]:
    """Return mean loss and accuracy after training."""
    results = []
    for seed in range(seeds):
        run = Run(SIZES["64-64-10"], kappa, warmup=20, seed=seed)
        for _ in range(steps):
            run.step()
        results.append(run.result())
    losses, accuracies = zip(*results, strict=True)
    return statistics.mean(losses), statistics.mean(accuracies)


def contestants(hidden: Sequence[int]) -> dict[str, Callable[[], None]]:
    """Return the step of plain AdamW, and of it within IRE with several intervals."""
    runs = {"AdamW": Run(hidden, None)}
    for name, interval in (("for each step", 1), ("every 10", BLOCK), ("only once", 10**6)):
        runs[f"IRE, a mask {name}"] = Run(hidden, 2.0, interval=interval)
    return {name: run.step for name, run in runs.items()}


def cost(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return for every contestant milliseconds per step, and their ratio to the first's."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            for _ in range(BLOCK):
                step()
            if number:  # the first round warms up
                seconds[name].append((time.perf_counter() - started) / BLOCK)
    base = next(iter(seconds.values()))
    return {
        name: (
            1e3 * statistics.median(times),
            statistics.median(t / s for t, s in zip(times, base, strict=True)),
        )
        for name, times in seconds.items()
    }


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="IRE around AdamW on scikit-learn's digits.")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of the second table")
    parser.add_argument("--steps", type=int, default=150, help="steps of the training runs")
    parser.add_argument("--seeds", type=int, default=5, help="training runs per kappa")
    args = parser.parse_args()
    console = Console()
    console.print(f"IRE around AdamW: {machine()}, torch {torch.__version__}")
    runs = Table("kappa", "training loss", "test accuracy", title="training")
    for kappa in KAPPAS:
        loss, accuracy = trained(kappa, args.steps, args.seeds)
        runs.add_row(f"{kappa:g}", f"{loss:.4f}", f"{accuracy:.4f}")
    console.print(runs)
    for name, hidden in SIZES.items():
        table = Table("contestant", "ms per step", "x AdamW", title=f"cost, network {name}")
        for row, (milliseconds, ratio) in cost(contestants(hidden), args.rounds).items():
            table.add_row(row, f"{milliseconds:.3f}", f"{ratio:.2f}")
        console.print(table)


if __name__ == "__main__":
    main()
