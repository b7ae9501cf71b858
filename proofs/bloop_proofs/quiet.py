"""Leaving no trace: warnings, dice, and what hypothesis shares with the tests of the caller."""

import contextlib
import random
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis._settings import local_settings
from hypothesis.configuration import set_hypothesis_home_dir, storage_directory

scratch: str | None = None
"""Where folders are made: that of another process, where this one may not live to clear it."""


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Ignore all warnings: extreme inputs overflow and divide by zero on purpose."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def seed_of(seed: int, name: str) -> int:
    """Return where the global generators start under a name, far from where other names do."""
    return zlib.crc32(f"{seed} {name}".encode())


def throw(number: int) -> None:
    """Set Python's and NumPy's global generators, from which a subject may draw, by a number."""
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002  the global one is what a subject draws from


@contextlib.contextmanager
def dice(seed: int) -> Iterator[None]:
    """Let the global generators follow a seed, and give the caller's back."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  likewise
    throw(seed_of(seed, "the first calls"))
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002  likewise


SETTINGS = settings(
    settings.get_profile("default"),
    database=None,
    deadline=None,
    derandomize=False,  # a seed is given
    phases=(Phase.generate, Phase.shrink),
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)
"""Hypothesis' settings for the suite, whatever profile the caller's own tests use."""


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Keep hypothesis apart from the caller's: within a test of it, and without its folder."""
    before: Any = storage_directory(intent_to_write=False)
    with tempfile.TemporaryDirectory(dir=scratch) as folder, local_settings(SETTINGS):
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(getattr(before, "path", before))
