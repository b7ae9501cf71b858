"""All training runs of the demo, spread over processes."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from typing import TypeVar

from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.training import Result, Run, train

R = TypeVar("R")
T = TypeVar("T")


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


def in_processes(train: Callable[[R], T], runs: Sequence[R], *, jobs: int) -> Iterator[T]:
    """Yield what a function makes of all runs, as it comes in; with one job here and in order.

    When the consumer stops early, by an exception or an interrupt, no further run is started.
    """
    if jobs == 1:
        yield from map(train, runs)
        return
    with ProcessPoolExecutor(
        min(jobs, len(runs)),
        # A process that is started afresh inherits no threads, and behaves alike on all systems.
        mp_context=multiprocessing.get_context("spawn"),
        # An interrupt from the keyboard reaches the workers too: they end without a traceback.
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_DFL),
    ) as pool:
        futures = [pool.submit(train, run) for run in runs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
