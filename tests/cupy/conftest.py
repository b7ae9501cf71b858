"""A machine that stands in for a GPU: its kernels in NumPy, and as C++ where it has a compiler."""

import shutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A launcher of the kernels as C++, if there is a compiler."""
    if shutil.which("c++") is None:
        return None
    return import_module("tests.cupy.host").compiler(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(params=["NumPy", "C++"])
def launches(request: pytest.FixtureRequest, compiled: Any) -> Iterator[list[Any]]:
    """What is launched on the machine, each launch with its signature."""
    machine = import_module("tests.cupy.machine")
    run = machine.interpret if request.param == "NumPy" else compiled
    if run is None:
        pytest.skip("no C++ compiler")
    with machine.machine(run) as found:
        yield found
