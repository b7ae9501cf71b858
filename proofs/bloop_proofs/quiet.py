"""Leaving no trace: warnings, and what hypothesis shares with the tests of the caller."""

import contextlib
import tempfile
import warnings
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
