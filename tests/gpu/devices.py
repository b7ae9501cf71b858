"""Which frameworks have a GPU here, and their steps on it."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

Step = Callable[..., Any]
FRAMEWORKS = ("torch", "jax", "cupy")


def missing(framework: str) -> str:
    """Return why a framework has no GPU here; nothing where it has one."""
    if find_spec(framework) is None:
        return f"{framework} is not installed"
    module: Any = import_module(framework)
    if framework == "torch":
        return "" if module.cuda.is_available() else "torch sees no GPU"
    if framework == "jax":
        return "" if module.default_backend() == "gpu" else "jax sees no GPU"
    try:
        return "" if module.cuda.runtime.getDeviceCount() else "cupy sees no GPU"
    except module.cuda.runtime.CUDARuntimeError as error:
        return f"cupy sees no GPU: {error}"


def steps(framework: str) -> dict[str, Step]:
    """Return the steps of a framework that run on the GPU and speak the protocol of the suite."""
    step = import_module(f"bloop_{framework}").step
    if framework == "torch":
        return {"torch": _on_cuda(step)}
    if framework == "jax":
        return {"jax": step, "jax, compiled": import_module("jax").jit(step)}

    def in_place(g_main: Any, g_aux: Any, ema: Any, **weights: Any) -> Any:
        copies = [x.copy() for x in g_aux], [x.copy() for x in ema]
        return step(g_main, *copies, inplace=True, **weights)

    return {"cupy": step, "cupy, in place": in_place}


def _on_cuda(step: Step) -> Step:
    """Return a step that takes and returns tensors of the host, as the suite makes them."""

    def moved(*vectors: Any, **weights: Any) -> Any:
        outputs = step(*([x.cuda() for x in vector] for vector in vectors), **weights)
        return tuple([x.cpu() for x in output] for output in outputs)

    return moved
