"""Layouts in memory, and what steps of other methods get wrong on inputs that are seldom tried."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bloop_proofs import check_implementation
from bloop_proofs.frameworks import FRAMEWORKS, Framework
from bloop_proofs.methods import METHODS
from bloop_proofs.subject import Step


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("layout", ["contiguous", "strided", "reversed", "fortran"])
def test_layouts_hold_the_same_values(name: str, layout: str) -> None:
    library = FRAMEWORKS[name]
    pytest.importorskip(library.module, reason=f"{name} is not installed")
    for shape in ((2, 3), (4,), (), (2, 0), (2, 3, 2)):
        values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        found = library.laid_out(values, layout)
        assert library.is_array(found)
        np.testing.assert_array_equal(library.numpy(found), values)
    if name != "jax":
        assert strides(library, layout) == STRIDES[layout, name]


def strides(library: Framework, layout: str) -> tuple[int, ...]:
    found = library.laid_out(np.ones((2, 3), np.float32), layout)
    return tuple(n // 4 for n in found.strides) if library.name == "numpy" else found.stride()


STRIDES = {
    **{("contiguous", name): (3, 1) for name in ("numpy", "torch")},
    **{("strided", name): (6, 2) for name in ("numpy", "torch")},
    **{("fortran", name): (1, 2) for name in ("numpy", "torch")},
    ("reversed", "numpy"): (-3, -1),
    ("reversed", "torch"): (6, 2),
}


def changed(method: str, change: Callable[[Any], Any]) -> Step:
    """A right step of a method, of gradients that are changed before."""
    plain = METHODS[method].right.step
    return lambda gradients: plain([change(gradient) for gradient in gradients])


LISTS: dict[str, Callable[[Any], Any]] = {
    "large-models-count-to-the-last-entry": lambda v: [x * (i < 150) for i, x in enumerate(v)],
    "layout-in-memory-does-not-matter": lambda v: [x.ravel(order="K").reshape(x.shape) for x in v],
    "complex-leaves-use-the-real-inner-product": lambda v: [x.real.astype(x.dtype) for x in v],
    "half-precision-gradients-do-not-overflow": lambda v: [
        x * (x.dtype != np.float16 or np.all(x * x < np.inf)) for x in v
    ],
    "tiny-and-huge-gradients-are-combined-alike": lambda v: [
        np.where(np.abs(x) < 1e-40, 0 * x, x) for x in v
    ],
    "every-leaf-keeps-its-own-dtype": lambda v: [x.astype(v[0].dtype) for x in v],
}


@pytest.mark.parametrize("law", LISTS)
def test_gaps_of_other_methods_are_found(law: str) -> None:
    step = changed("a_gem", LISTS[law])
    laws = [law, "direction-is-as-defined"]
    report = check_implementation(step, method="a_gem", laws=laws)
    found = {result.law: result.status for result in report.results}
    assert found == {laws[1]: "passed", law: "failed"}
