"""``python -m tests.benchmarks.bench_price``: what a whole training step costs, and in memory.

A step is the forward passes, the backward passes, what combines the gradients, and AdamW. All
contestants take turns in one process, each with a model of its own; time is the processor's, of all
threads, and a ratio the median over rounds of the ratio within a round. Memory is by how much a
step makes the process grow at its peak, and what is kept from step to step beside the model and
the optimiser's state. ``--markdown`` prints what docs/performance.md holds.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmarks.harness import Run, growth, heap, interleaved, machine
from tests.benchmarks.price import CASES, CONTESTANTS, MODELS, Problem

SUM, BARE, OURS = "weighted sum", "two bare passes", "Bloop"
GOALS = {"shared trunk": BARE, "two batches": SUM, "regulariser": SUM}
"""What Bloop is held against: at most so many times it."""
MOST = 1.05
MIB = 2.0**20


@dataclass(frozen=True)
class Measured:
    """The processor's seconds by round and the bytes of each contestant, for a model and a case."""

    model: str
    case: str
    seconds: dict[str, list[float]]
    memory: dict[str, float]

    def ratio(self, name: str, to: str) -> float:
        """Return the median of one's time over another's in the same round."""
        rounds = zip(self.seconds[name], self.seconds[to], strict=True)
        return statistics.median(x / y for x, y in rounds)


def training(prepare: Callable[[Problem], Run], problem: Problem) -> tuple[Run, float]:
    """Return a whole step, ``.grad`` cleared after it, and the bytes that it keeps."""
    options: Any = {"lr": 1e-4, "fused": True}
    optimizer = torch.optim.AdamW(problem.model.parameters(), **options)
    backward = prepare(problem)
    surgery = getattr(backward, "surgery", None)

    def step() -> object:
        kept = backward()
        optimizer.step()
        optimizer.zero_grad()
        return kept

    step()  # averages and the optimiser's state are made now
    averages = surgery.state.memory if surgery is not None else ()
    return step, sum(x.nbytes for vector in averages for x in vector if x is not None)


def contestants(model: str, case: str) -> dict[str, tuple[Run, float]]:
    """Return the steps of all contestants, each of a model of its own, and what they keep."""
    torch.manual_seed(0)
    return {
        name: training(prepare, CASES[case](MODELS[model]()))
        for name, prepare in CONTESTANTS.items()
    }


def memory(model: str, case: str) -> dict[str, float]:
    """Return every contestant's bytes."""
    found = {}
    with heap("fresh"):
        for name, (run, kept) in contestants(model, case).items():
            run()
            found[name] = growth(run) + kept
    return found


def measure(model: str, case: str, rounds: int, memory: dict[str, float]) -> Measured:
    """Measure every contestant's time on one model and case."""
    runs = {name: run for name, (run, _) in contestants(model, case).items()}
    seconds = interleaved(list(runs.values()), rounds, "warm", time.process_time)
    return Measured(model, case, dict(zip(runs, seconds, strict=True)), memory)


def times(found: Sequence[Measured]) -> Table:
    """Return the times, over that of the weighted sum, and Bloop's over what it is held to."""
    table = Table("model", "case", box=box.MARKDOWN)
    for name in (f"{SUM}, ms", *list(CONTESTANTS)[1:], f"Bloop, goal {MOST:.2f}"):
        table.add_column(name, justify="right")
    for one in found:
        ratios = [f"{one.ratio(name, SUM):.2f}" for name in list(CONTESTANTS)[1:]]
        held = one.ratio(OURS, GOALS[one.case])
        verdict = f"**{held:.2f}**" if held <= MOST else f"{held:.2f}, missed"
        first = f"{1e3 * statistics.median(one.seconds[SUM]):.1f}"
        table.add_row(one.model, one.case, first, *ratios, f"{verdict} x {GOALS[one.case]}")
    return table


def memories(found: Sequence[Measured]) -> Table:
    """Return the memory in MiB."""
    table = Table("model", "case", box=box.MARKDOWN)
    for name in CONTESTANTS:
        table.add_column(f"{name}, MiB", justify="right")
    for one in found:
        cells = [f"{one.memory[name] / MIB:.0f}" for name in CONTESTANTS]
        table.add_row(one.model, one.case, *cells)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The price of a training step.")
    parser.add_argument("--rounds", type=int, default=15, help="rounds, 9 or more")
    parser.add_argument("--model", choices=MODELS, action="append")
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--markdown", action="store_true", help="never break a line of a table")
    args = parser.parse_args()
    if args.rounds < 9:
        parser.error("--rounds must be at least 9")
    console = Console(width=250 if args.markdown else None)
    pairs = [(model, case) for model in args.model or MODELS for case in args.case or CASES]
    # first, for what a warm heap keeps would hide the growth
    sizes = [memory(*pair) for pair in pairs]
    found = [measure(*pair, args.rounds, size) for pair, size in zip(pairs, sizes, strict=True)]
    console.print(f"{machine()}; torch {torch.__version__}; medians of {args.rounds} rounds.\n")
    for title, table in (
        ("Processor time, multiples of the weighted sum's", times(found)),
        ("Memory of a step at its peak, and what it keeps", memories(found)),
    ):
        with console.capture() as text:
            console.print(table)
        console.out(f"{title}:\n\n{text.get().strip()}\n", highlight=False)


if __name__ == "__main__":
    main()
