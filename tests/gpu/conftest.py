"""Every framework with a GPU, in turn."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.gpu.devices import FRAMEWORKS, cupy_machine, missing


def need(framework: str) -> str:
    """Skip where a framework has no GPU."""
    if reason := missing(framework):
        pytest.skip(reason)
    return framework


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every framework that has a GPU here."""
    name = need(request.param)
    if name != "cupy":
        yield name
        return
    with cupy_machine():
        yield name


@pytest.fixture
def torch() -> Any:
    """The library, with a GPU."""
    need("torch")
    import torch

    return torch


@pytest.fixture
def jax() -> Any:
    """The library, with a GPU."""
    need("jax")
    import jax

    return jax
