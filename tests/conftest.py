"""The array libraries under test, and what all tests share: processes, the hypothesis profile."""

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the other core is another worker's

import numpy as np
import optree
import pytest
from hypothesis import HealthCheck, settings

from tests.forked import served

ROOT = Path(__file__).parents[1]

settings.register_profile(
    "conformance",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    # a fixture says which library is in use, and that does not change between examples
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("conformance")

TRACED = {ROOT / "bloop_ref", ROOT / "tests" / "reference"}
"""Where coverage is measured: the reference is covered by its own tests, or it is not."""


def _measuring(config: pytest.Config) -> Any:
    """Return what pytest-cov measures with; ``None`` without ``--cov``, and with ``--no-cov``."""
    return getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop the measurement that pytest-cov begins in a worker before it begins the worker's own.

    It would go on whenever the worker's own pauses, as coverage keeps a stack of them.
    """
    measuring = _measuring(session.config)
    if measuring and hasattr(session.config, "workerinput"):
        measuring.cov.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Measure coverage where it is said to be: tracing takes a third of the time."""
    if _measuring(config):
        for item in items:
            if TRACED.isdisjoint(item.path.parents):
                item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Spread tests by their groups, whatever pytest makes of ``xdist_group``: 9.2 loses it."""
    workers = importlib.import_module("tests.workers")
    return workers.ByGroup(config, log) if config.getvalue("dist") == "load" else None


@pytest.fixture(scope="session")
def processes() -> Iterator[Callable[[str, int, Path], list[Any]]]:
    """Run ``main`` of a module in so many processes; return what each of them returned."""
    _module("torch")
    with served() as run:
        yield run


@dataclass(frozen=True)
class Library:
    """An array library, with conversion both ways and the way its programs are run.

    ``place`` makes an array of a NumPy array; it also gets the number of the leaf, because the
    leaves of one vector may lie on several devices. ``fetch`` goes the other way, and ``compute``
    evaluates lazy arrays, all together. ``run`` is the library's compiler, if any.
    """

    name: str
    xp: Any
    place: Callable[[np.ndarray, int], Any]
    fetch: Callable[[Any], np.ndarray] = np.asarray
    compute: Callable[[list[Any]], Sequence[Any]] = list
    run: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function
    float64: bool = True

    def vector(self, tree: Any) -> Any:
        """Return a tree of NumPy arrays as one of this library's; ``None`` stays."""
        leaves, treespec = optree.tree_flatten(tree, none_is_leaf=True)
        placed = [None if x is None else self.place(x, i) for i, x in enumerate(leaves)]
        return optree.tree_unflatten(treespec, placed)

    def values(self, tree: Any) -> Any:
        """Return a tree of this library's arrays as one of NumPy's; ``None`` stays."""
        leaves, treespec = optree.tree_flatten(tree, none_is_leaf=True)
        there = iter(self.compute([x for x in leaves if x is not None]))
        return optree.tree_unflatten(
            treespec, [None if x is None else self.fetch(next(there)) for x in leaves]
        )

    def dtypes(self, *names: str) -> list[str]:
        """Return those of some dtypes that the library has here."""
        lacking = set() if self.float64 else {"float64", "complex128"}
        if self.xp.__name__ == "array_api_strict":
            lacking |= {"float16"}
        return [name for name in names if name not in lacking]


def _module(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def _numpy(stack: ExitStack) -> Library:
    return Library("numpy", np, lambda x, _: np.array(x))


def _numpy_readonly(stack: ExitStack) -> Library:
    def place(x: np.ndarray, _: int) -> np.ndarray:
        locked = np.array(x)
        locked.flags.writeable = False
        return locked

    return Library("numpy, read-only", np, place)


def _strict(stack: ExitStack, devices: tuple[str, ...], float64: bool = True) -> Library:
    xp = _module("array_api_strict")
    least = {"boolean_indexing": False, "data_dependent_shapes": False, "enabled_extensions": ()}
    stack.enter_context(xp.ArrayAPIStrictFlags(**least))
    places = [xp.Device(device) for device in devices]
    return Library(
        "array-api-strict",
        xp,
        lambda x, i: xp.asarray(x, device=places[i % len(places)]),
        lambda x: np.asarray(x.to_device(xp.Device("CPU_DEVICE"))),
        float64=float64,
    )


def _torch(stack: ExitStack) -> Library:
    torch = _module("torch")
    return Library("torch", torch, lambda x, _: torch.tensor(x), lambda x: x.numpy().copy())


def _jax(stack: ExitStack, *, x64: bool, jit: bool) -> Library:
    jax = _module("jax")
    before = jax.config.jax_enable_x64
    stack.callback(jax.config.update, "jax_enable_x64", before)
    jax.config.update("jax_enable_x64", x64)
    # one compiled program for each function, however often a test runs it
    run = cache(jax.jit) if jit else (lambda function: function)
    return Library(
        "jax",
        importlib.import_module("jax.numpy"),
        lambda x, _: jax.numpy.asarray(x),
        run=run,
        float64=x64,
    )


def _dask(stack: ExitStack) -> Library:
    dask, da = _module("dask"), _module("dask.array")
    stack.enter_context(dask.config.set(scheduler="synchronous"))
    return Library(
        "dask",
        da,
        lambda x, _: da.from_array(x, chunks=2 if x.ndim else -1),
        compute=lambda lazy: dask.compute(*lazy),
    )


SPREAD = ("CPU_DEVICE", "device1", "device2")
LIBRARIES: dict[str, Callable[[ExitStack], Library]] = {
    "numpy": _numpy,
    "numpy-readonly": _numpy_readonly,
    "strict": lambda stack: _strict(stack, SPREAD[:1]),
    "strict-spread": lambda stack: _strict(stack, SPREAD),
    "strict-no-float64": lambda stack: _strict(stack, ("no_float64",), float64=False),
    "torch": _torch,
    "jax": lambda stack: _jax(stack, x64=False, jit=False),
    "jax-x64": lambda stack: _jax(stack, x64=True, jit=False),
    "jax-jit": lambda stack: _jax(stack, x64=False, jit=True),
    "jax-jit-x64": lambda stack: _jax(stack, x64=True, jit=True),
    "dask": _dask,
}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Iterator[Library]:
    """Every array library in turn, each with its difficulties."""
    with ExitStack() as stack:
        yield LIBRARIES[request.param](stack)
