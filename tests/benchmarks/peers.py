"""TorchJD's aggregators as contestants: general methods for the same gradients.

They get the gradients as the rows of one matrix, laid out beforehand, and keep no average; so each
is timed at what it does alone.
"""

from functools import partial

import torch
from torchjd.aggregation import MGDA, Aggregator, PCGrad, UPGrad

from tests.benchmarks.harness import Contestant, Run
from tests.benchmarks.workloads import Leaves


def _aggregated(aggregator: Aggregator, losses: int, *vectors: Leaves) -> Run:
    rows = [torch.cat([torch.from_numpy(x).ravel() for x in v]) for v in vectors[:losses]]
    matrix = torch.stack(rows)
    return lambda: aggregator(matrix)


def peers(losses: int) -> tuple[Contestant, ...]:
    """Return TorchJD's contestants for the first so many of the vectors."""
    return tuple(
        Contestant(f"TorchJD {type(x).__name__}", partial(_aggregated, x, losses))
        for x in (UPGrad(), PCGrad(), MGDA())
    )
