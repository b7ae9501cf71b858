"""Every law on every framework that has a GPU here."""

import importlib
from typing import Any

import pytest

from bloop_proofs import check_implementation
from tests.gpu.devices import FRAMEWORKS, missing, steps


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    """Every framework in turn, on the GPU."""
    name: str = request.param
    if reason := missing(name):
        pytest.skip(reason)
    return name


@pytest.mark.slow
def test_every_law_holds_on_the_gpu(framework: str) -> None:
    for name, step in steps(framework).items():
        report = check_implementation(step, framework=framework, examples=10)
        assert report.passed, (name, report.broken)


def test_in_place_on_the_gpu_gives_the_same_bits(framework: str) -> None:
    if framework != "cupy":
        pytest.skip("the suite of the framework on the CPU covers the same code")
    cp: Any = importlib.import_module("cupy")
    pure, in_place = steps(framework).values()
    generator = cp.random.default_rng(0)
    vectors = [[generator.standard_normal(1000, dtype=cp.float32)] for _ in range(3)]
    weights = {"lam": 0.5, "rho": 0.25}
    first, second = pure(*vectors, **weights), in_place(*vectors, **weights)
    for x, y in zip(first[0] + first[1], second[0] + second[1], strict=True):
        cp.testing.assert_array_equal(x, y)
