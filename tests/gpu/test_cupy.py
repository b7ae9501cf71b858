"""``bloop_cupy`` on the GPU, beyond what every framework is asked for."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.gpu.cases import CASES, draw, run_of
from tests.gpu.conftest import need
from tests.gpu.devices import ON_CPU, cupy_machine, to_device, to_host


@pytest.fixture(autouse=True)
def gpu() -> Iterator[None]:
    need("cupy")
    with cupy_machine():
        yield


def there(vector: Any) -> list[Any]:
    return [to_device("cupy", leaf) for leaf in vector]


def test_weights_on_the_device_are_as_good_as_numbers() -> None:
    import bloop_cupy

    if ON_CPU:
        pytest.skip("arithmetic on arrays of no dimension needs a GPU")
    (gradients, (ema,), direction, _), *_ = run_of(CASES["Bloop"])
    weights = {"lam": to_device("cupy", np.array(0.5)), "rho": to_device("cupy", np.array(0.25))}
    found, _ = bloop_cupy.step(*map(there, (*gradients, ema)), **weights)
    CASES["Bloop"].check([to_host(x) for x in found], direction, gradients, (ema,))


@pytest.mark.parametrize("exponent", [-1000, -900, 900, 1000])
def test_leaving_the_range_of_float64_changes_no_bit(exponent: int) -> None:
    import bloop_cupy

    vectors = [[leaf.astype("float64") for leaf in draw(seed)] for seed in range(3)]
    far = [[np.ldexp(leaf, exponent) for leaf in vector] for vector in vectors]
    plain, moved = (bloop_cupy.step(*map(there, v), lam=0.5, rho=0.25) for v in (vectors, far))
    for x, y in zip(plain[0] + plain[1], moved[0] + moved[1], strict=True):
        np.testing.assert_array_equal(np.ldexp(to_host(x), exponent), to_host(y))


def test_vectors_too_far_apart_show() -> None:
    import bloop_cupy

    g, a, e = ([leaf.astype("float64") for leaf in draw(seed)] for seed in range(3))
    tiny = [leaf * 1e-200 for leaf in e]
    direction, average = bloop_cupy.step(*map(there, (g, a, tiny)), lam=0.5, rho=0.25)
    assert all(np.isnan(to_host(leaf)).all() for leaf in direction)
    assert all(np.isfinite(to_host(leaf)).all() for leaf in average)


def test_none_and_complex_leaves() -> None:
    import bloop_cupy

    leaves = draw(0, [(5, 3), (70,)])
    turned = (1j * leaves[0]).astype("complex64")
    g: list[Any] = [leaves[0] + turned, None]
    a: list[Any] = [turned, leaves[1]]
    e: list[Any] = [None, leaves[1]]
    placed = (
        [None if x is None else to_device("cupy", np.asarray(x)) for x in v] for v in (g, a, e)
    )
    direction, average = bloop_cupy.step(*placed, lam=0.5, rho=0.25)
    # <a, e> / ||e||^2 is 1, and all of it takes place where nothing rounds
    np.testing.assert_array_equal(to_host(direction[0]), g[0] + 0.5 * a[0])
    np.testing.assert_array_equal(to_host(direction[1]), np.zeros(70))
    np.testing.assert_array_equal(to_host(average[0]), 0.25 * g[0])
    np.testing.assert_array_equal(to_host(average[1]), 0.75 * leaves[1])
