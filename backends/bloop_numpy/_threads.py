"""The work on blocks, shared out among threads: NumPy frees the interpreter while it computes."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Result = TypeVar("Result")
Task = tuple[int, slice]
"""The number of a leaf, and a block of it."""


def tasks(sizes: Sequence[int], block: int) -> list[Task]:
    """Return the blocks of leaves of given sizes."""
    return [
        (position, slice(start, start + block))
        for position, size in enumerate(sizes)
        for start in range(0, size, block)
    ]


def share_out(
    function: Callable[[Sequence[Task]], Result], every: Sequence[Task], least: int
) -> list[Result]:
    """Call a function on all tasks, in several threads if each gets so many of them at least."""
    parts = min(threads(), len(every) // least)
    if parts < 2:
        return [function(every)]
    return list(_pool().map(function, [every[i::parts] for i in range(parts)]))


@cache
def threads() -> int:
    """Return how many threads there may be: OMP_NUM_THREADS, or one for each core in reach."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal():
        return max(1, int(wanted))
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="bloop_numpy")


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
