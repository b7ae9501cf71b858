"""Runs spread over processes, and how far they are."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

R = TypeVar("R")
T = TypeVar("T")


def in_processes(train: Callable[[R], T], runs: Sequence[R], *, jobs: int) -> Iterator[T]:
    """Yield what a function makes of all runs, as it comes in; with one job here and in order.

    When the consumer stops early, by an exception or an interrupt, no further run is started.
    """
    if jobs == 1 or len(runs) < 2:
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


def watched(results: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield what comes in, with a progress bar on standard error if that is a screen."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        yield from progress.track(results, total=total, description=what)
