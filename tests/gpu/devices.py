"""Which frameworks have a GPU here, how their arrays get there and back, and what is launched."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

FRAMEWORKS = ("torch", "jax", "cupy")
ON_CPU = os.environ.get("BLOOP_GPU_TESTS_ON") == "cpu"
"""Whether to run the tests where they prove nothing of a GPU, to look for their own mistakes."""

DEVICE = "cpu" if ON_CPU else "cuda"


@cache
def missing(framework: str) -> str:
    """Return why a framework has no GPU here; nothing where it has one."""
    if find_spec(framework) is None:
        return f"{framework} is not installed"
    if ON_CPU:
        return ""
    module: Any = import_module(framework)
    if framework == "torch":
        found = module.cuda.is_available()
    elif framework == "jax":
        found = module.default_backend() == "gpu"
    else:
        try:
            found = module.cuda.runtime.getDeviceCount() > 0
        except module.cuda.runtime.CUDARuntimeError:
            found = False
    return "" if found else "no GPU"


@contextmanager
def cupy_machine() -> Iterator[None]:
    """Stand in for the GPU of CuPy, if the tests are to run on the CPU."""
    if not ON_CPU:
        yield
        return
    cupy_tests: Any = import_module("tests.cupy.machine")
    with cupy_tests.machine(cupy_tests.interpret):
        yield


def to_device(framework: str, leaf: np.ndarray) -> Any:
    """Return a NumPy array on the GPU."""
    module: Any = import_module(framework)
    if framework == "torch":
        return module.from_numpy(leaf.copy()).to(DEVICE)
    if framework == "jax":
        return module.numpy.array(leaf)
    return import_module("tests.cupy.machine").array(leaf) if ON_CPU else module.asarray(leaf)


def to_host(leaf: Any) -> np.ndarray:
    """Return an array of the GPU as one of NumPy; torch's bfloat16 as float32."""
    if type(leaf).__module__.startswith("torch"):
        leaf = leaf.detach().cpu()
        return np.array((leaf.float() if "bfloat16" in str(leaf.dtype) else leaf).numpy())
    if type(leaf).__module__.startswith("cupy"):
        return import_module("tests.cupy.machine").values(leaf).copy() if ON_CPU else leaf.get()
    return np.array(leaf)


def wait(framework: str) -> None:
    """Wait for the GPU."""
    if not ON_CPU and framework == "torch":
        import_module("torch").cuda.synchronize()
    elif not ON_CPU and framework == "cupy":
        import_module("cupy").cuda.Device().synchronize()


def launches(
    function: Callable[[], object], framework: str = "torch", before: Callable[[], object] = int
) -> int:
    """Return how many kernels a call launches, whatever library launches them.

    ``before`` is called, and not counted, before every call.
    """
    profiler: Any = import_module("torch.profiler")
    activities = [profiler.ProfilerActivity.CPU, profiler.ProfilerActivity.CUDA]
    for _ in range(2):  # what is compiled is compiled now
        before()
        function()
    before()
    wait(framework)
    with profiler.profile(activities=activities) as profile:
        function()
        wait(framework)
    # the calls that launch, of the runtime and of the driver: cudaLaunchKernel, cuLaunchKernelEx
    return sum("LaunchKernel" in event.name for event in profile.events())


@contextmanager
def never_waiting() -> Iterator[None]:
    """Let torch raise where the host waits for the GPU."""
    if ON_CPU:
        yield
        return
    torch: Any = import_module("torch")
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
