"""``python -m tests.benchmarks.bench_distributed``: a step of two processes that average.

Each of the processes has one thread and its own half of every batch; they average by gloo. In every
round all contestants take two steps in turn, of which the second is timed, from the forward pass to
the direction in ``.grad``, until the last process has it. A ratio is the median of the rounds'.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bloop_torch import Bloop
from tests.benchmarks.harness import LAM, RHO, machine

WIDTH, LAYERS, LENGTH = 192, 20, 64
Step = Callable[[Tensor], object]


class TwoHeads(nn.Module):
    """A transformer of 242 parameters, 9M entries, with a main and an auxiliary loss."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.trunk = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.heads = nn.ParameterList([torch.randn(WIDTH, WIDTH) / WIDTH**0.5 for _ in range(2)])

    def forward(self, x: Tensor, losses: Sequence[int] = (0, 1)) -> list[Tensor]:
        hidden, targets = self.trunk(x), (torch.ones_like(x), x)
        return [(hidden @ self.heads[k] - targets[k]).square().mean() for k in losses]


def replica(**options: Any) -> DistributedDataParallel:
    """Return the model in DDP, with the same weights every time."""
    torch.manual_seed(0)
    return DistributedDataParallel(TwoHeads(), **options)


def weighted_sum() -> Step:
    """Return DDP's own step on the sum of the losses."""
    ddp = replica()

    def step(x: Tensor) -> None:
        ddp.zero_grad()
        main, aux = ddp(x)
        (main + LAM * aux).backward()

    return step


def one_forward() -> Step:
    """Return a step that averages both gradients itself."""
    ddp = replica()
    bloop = Bloop(ddp.named_parameters(), lam=LAM, rho=RHO, average_over=dist.group.WORLD)

    def step(x: Tensor) -> None:
        ddp.zero_grad()
        with ddp.no_sync():
            bloop.backward(*ddp(x))

    return step


def two_forwards() -> Step:
    """Return a step in phases, whose gradients DDP averages."""
    ddp = replica(find_unused_parameters=True)
    bloop = Bloop(ddp.named_parameters(), lam=LAM, rho=RHO)

    def step(x: Tensor) -> None:
        ddp.zero_grad()
        for k in range(2):
            with bloop.gradient(k):
                ddp(x, [k])[0].backward()
        bloop.combine()

    return step


def unaveraged() -> Step:
    """Return two bare backward passes of one forward pass, of which nothing is averaged."""
    torch.manual_seed(0)
    model = TwoHeads()
    parameters = list(model.parameters())

    def step(x: Tensor) -> object:
        main, aux = model(x)
        first = torch.autograd.grad(main, parameters, retain_graph=True, allow_unused=True)
        return first, torch.autograd.grad(aux, parameters, allow_unused=True)

    return step


CONTESTANTS = {
    "weighted sum, DDP": weighted_sum,
    "Bloop, one forward, average_over": one_forward,
    "Bloop, two forwards, DDP": two_forwards,
    "two bare backward passes, not averaged": unaveraged,
}


def run_process(rank: int, args: argparse.Namespace) -> None:
    """Measure as one process of several; the first prints the table."""
    torch.set_num_threads(1)
    method = (args.folder / "store").as_uri()
    dist.init_process_group("gloo", init_method=method, rank=rank, world_size=args.processes)
    steps = [make() for make in CONTESTANTS.values()]
    seconds: list[list[float]] = [[] for _ in steps]
    torch.manual_seed(1 + rank)
    x = torch.randn(args.batch, LENGTH, WIDTH)
    for _ in range(args.rounds):
        for step, times in zip(steps, seconds, strict=True):
            step(x)
            dist.barrier()
            started = time.perf_counter()
            step(x)
            dist.barrier()
            times.append(time.perf_counter() - started)
    if not rank:
        console = Console(width=98)
        title = f"{args.processes} processes with {args.batch} sequences each, {machine()}"
        console.print(f"{title}, medians of {args.rounds} rounds\n")
        console.print(table(seconds))
    dist.destroy_process_group()


def table(seconds: Sequence[Sequence[float]]) -> Table:
    """Return the medians as a table."""
    result = Table("a step", box=box.MARKDOWN)
    for column in ("ms", "x weighted sum"):
        result.add_column(column, justify="right")
    for name, times in zip(CONTESTANTS, seconds, strict=True):
        ratio = statistics.median(t / s for t, s in zip(times, seconds[0], strict=True))
        result.add_row(name, f"{statistics.median(times) * 1e3:.1f}", f"{ratio:.2f}")
    return result


def main() -> None:
    """Start the processes and wait for them."""
    parser = argparse.ArgumentParser(description="Speed of a step in several processes.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8, help="sequences in each process")
    parser.add_argument("--rank", type=int, help="to be this process of a run")
    parser.add_argument("--folder", type=Path, help="where the processes of a run meet")
    args = parser.parse_args()
    if args.rank is not None:
        run_process(args.rank, args)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.bench_distributed", *sys.argv[1:]]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        started = [
            subprocess.Popen([*command, "--folder", folder, "--rank", str(rank)], env=environment)
            for rank in range(args.processes)
        ]
        sys.exit(max(process.wait() for process in started))


if __name__ == "__main__":
    main()
