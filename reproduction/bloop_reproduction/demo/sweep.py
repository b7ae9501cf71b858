"""All training runs of the demo, spread over processes."""

from collections.abc import Iterator, Sequence
from itertools import product

from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.training import Result, Run, train
from bloop_reproduction.processes import in_processes


def grid(lams: Sequence[float], *, seeds: int, epochs: int) -> list[Run]:
    """List the runs of every method with every lam and the seeds 0, 1, ..., `seeds` - 1.

    >>> len(grid([0.1, 1.0], seeds=3, epochs=60))
    24
    """
    return [
        Run(method, lam, seed, epochs) for seed, lam, method in product(range(seeds), lams, METHODS)
    ]


def train_all(runs: Sequence[Run], *, jobs: int) -> Iterator[Result]:
    """Yield the results as they come in; see ``in_processes``."""
    return in_processes(train, runs, jobs=jobs)
