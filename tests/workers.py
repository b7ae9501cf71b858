"""Which tests one worker of pytest-xdist runs together, so that what they share is made once."""

from xdist.scheduler import LoadScopeScheduling

MANY = "tests/reference/", "bloop_ref/"
"""Tests that need no set-up and are many: when the rest is done, they fill the time evenly."""
PROCESSES = {
    "tests/proofs/test_loop_ranks.py",
    "tests/torch/test_average.py",
    "tests/torch/test_checkpoint_forms.py",
    "tests/torch/test_distributed.py",
    "tests/torch/test_every_distributed.py",
    "tests/torch/test_ire_distributed.py",
    "tests/torch/test_loops_distributed.py",
    "tests/torch/test_replicas.py",
}
"""Modules whose programs of several processes are imported by one server, ``tests.forked``."""


def group(test: str) -> str:
    """Return the name of the group of a test: its module's, but for those above.

    >>> group("tests/torch/test_bloop.py::test_all_laws_hold")
    'tests/torch/test_bloop.py'
    >>> group("tests/torch/test_average.py::test_a_partial_sum_is_added_up_first")
    'processes'
    >>> group("tests/reference/test_exact.py::test_direction[numpy]")
    'tests/reference/test_exact.py::test_direction[numpy]'
    >>> group("tests/reference/test_exact.py::test_direction[jax-x64]")
    'jax'
    """
    module = test.partition("::")[0]
    if module in PROCESSES:
        return "processes"
    if module.startswith(MANY):
        return "jax" if "jax" in test else test  # which compile much the same programs
    return module


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
    """Give groups to workers, the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
