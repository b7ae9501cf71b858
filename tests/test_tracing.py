"""Where coverage is not measured nothing is traced, in a worker either: it takes a third longer."""

import sys


def test_coverage_does_not_trace_what_it_does_not_measure() -> None:
    assert not type(sys.gettrace()).__module__.startswith("coverage")
