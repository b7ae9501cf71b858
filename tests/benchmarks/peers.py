"""TorchJD's aggregators as contestants: general methods for the same two gradients.

They get the gradients as the rows of one matrix, laid out beforehand, and keep no average; so each
is timed at what it does alone.
"""

from functools import partial

import torch
from torchjd.aggregation import MGDA, Aggregator, PCGrad, UPGrad

from tests.benchmarks.harness import Contestant, Leaves, Run


def _aggregated(aggregator: Aggregator, g_main: Leaves, g_aux: Leaves, _: Leaves) -> Run:
    rows = [torch.cat([torch.from_numpy(leaf).ravel() for leaf in v]) for v in (g_main, g_aux)]
    matrix = torch.stack(rows)
    return lambda: aggregator(matrix)


PEERS = tuple(
    Contestant(f"TorchJD {type(aggregator).__name__}", partial(_aggregated, aggregator))
    for aggregator in (UPGrad(), PCGrad(), MGDA())
)
