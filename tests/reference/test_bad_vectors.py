"""What is wrong with a gradient is said by name: the argument, what it must be, what it is."""

from typing import Any

import numpy as np
import pytest

from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    bloop_direction,
    combine,
    diagnostics,
    hierarchical_direction,
    inner_products,
    ire,
    project_orthogonal,
    surgery,
    update_ema,
)

G = [np.ones(4), {"w": np.ones((2, 2))}]


def message(kind: type[Exception], call: Any) -> str:
    """Return the message of the one error that a call must raise."""
    with pytest.raises(kind) as caught:
        call()
    assert caught.type is kind
    return str(caught.value)


# every public function that takes vectors, with the name of the one that is given here
BLOOP, LEVELS = Bloop(0.5, 0.5), HierarchicalBloop([0.5], 0.5)
ENTRANCES: dict[str, Any] = {
    "g_aux": lambda v: bloop_direction(G, v, G, lam=1),
    "ema": lambda v: bloop_direction(G, G, v, lam=1),
    "ema ": lambda v: update_ema(v, G, rho=1),
    "g_aux ": lambda v: diagnostics(G, v, G),
    "vectors[1]": lambda v: inner_products([G, v]),
    "vectors[1] ": lambda v: combine([(1, 1)], [G, v]),
    "span[1]": lambda v: project_orthogonal(G, G, v),
    "gradients[1]  ": lambda v: surgery.Mixed(lam=1)(G, v),
    "gradients[1]   ": lambda v: surgery.PCGrad(lam=1)(G, v),
    "gradients[1]    ": lambda v: surgery.DynamicBarrier(lam=1)(G, v),
    "gradients[1]": lambda v: hierarchical_direction([G, v], [G], lams=[1]),
    "references[0]": lambda v: hierarchical_direction([G, G], [v], lams=[1]),
    "gradients[1]     ": lambda v: BLOOP.step([G, v], BLOOP.init(G)),
    "state.memory[0]": lambda v: BLOOP.step([G, G], BLOOP.init(v)),
    "gradients[1]      ": lambda v: BLOOP.diagnostics([G, v], BLOOP.init(G)),
    "gradients[1] ": lambda v: LEVELS.step([G, v], LEVELS.init(G)),
}
FIRST = {"ema ": "g_main", "vectors[1]": "vectors[0]", "span[1]": "vector"}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_shape_without_broadcasting(entrance: str) -> None:
    name = entrance.strip()
    found = message(
        ValueError, lambda: ENTRANCES[entrance]([np.ones((4, 1)), {"w": np.ones((2, 2))}])
    )
    assert found.startswith(f"{name}[0] must have the shape of ")
    assert found.endswith("[0]: required (4,), found (4, 1)")


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_tree_structure(entrance: str) -> None:
    found = message(ValueError, lambda: ENTRANCES[entrance]([np.ones(4), {"v": np.ones((2, 2))}]))
    assert found.startswith(f"{entrance.strip()} must have the tree structure of ")
    assert "required PyTreeSpec([*, {'w': *}]" in found
    assert "found PyTreeSpec([*, {'v': *}]" in found


@pytest.mark.parametrize("shape", [(), (1,), (4, 1), (1, 4), (5,), (0,)])
def test_every_other_shape(shape: tuple[int, ...]) -> None:
    found = message(ValueError, lambda: bloop_direction(np.ones(4), np.ones(shape), None, lam=1))
    # None is a leaf, like an array
    assert found == f"g_aux must have the shape of g_main: required (4,), found {shape}"


@pytest.mark.parametrize(
    ("leaf", "kind"),
    [
        (1.0, "float"),
        (1, "int"),
        ("abc", "str"),
        (True, "bool"),
        (object(), "object"),
    ],
)
def test_leaf_that_is_no_array(leaf: Any, kind: str) -> None:
    found = message(TypeError, lambda: bloop_direction(G, [np.ones(4), {"w": leaf}], G, lam=1))
    assert found == (
        "g_aux[1]['w'] must be an array of a library that follows the array API standard, or "
        f"None; found {kind}"
    )


@pytest.mark.parametrize("mask", [False, True, [True, False, False, False]])
def test_masked_arrays(mask: Any) -> None:
    masked = np.ma.array(np.ones(4), mask=mask)
    for call in (
        lambda: bloop_direction(G, [masked, {"w": np.ones((2, 2))}], G, lam=1),
        lambda: surgery.Mixed(1)([masked], [masked]),
        lambda: update_ema(masked, np.ones(4), rho=1),
        lambda: ire.mask(masked, 0.5),
    ):
        found = message(TypeError, call)
        assert found.endswith(
            " must be an array of a library that follows the array API standard, or None; "
            "found MaskedArray"
        )


@pytest.mark.parametrize(
    "dtype", ["int32", "int64", "uint8", "bool", "longdouble", "clongdouble", "datetime64[s]", "U1"]
)
def test_dtype_that_no_gradient_has(dtype: str) -> None:
    leaf = np.zeros(4, dtype)
    found = message(TypeError, lambda: bloop_direction([leaf], [leaf], [leaf], lam=1))
    assert found == (
        "g_main[0] must have a real or complex floating dtype of at most 64 bits a part; "
        f"found {leaf.dtype}"
    )
    assert message(TypeError, lambda: Bloop(1, 1).init([leaf])).startswith("like[0] must have")


def test_real_and_complex() -> None:
    found = message(ValueError, lambda: bloop_direction(np.ones(2), np.ones(2) + 0j, None, lam=1))
    assert found == ("g_aux must have the kind of dtype of g_main: required real, found complex")


def test_mixed_libraries() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    for other, name in ((torch, "array_api_compat.torch"), (strict, "array_api_strict")):
        found = message(
            TypeError,
            lambda other=other: bloop_direction(np.ones(2), other.ones(2), np.ones(2), lam=1),
        )
        assert found == (
            "g_aux must be an array of the library of g_main: "
            f"required array_api_compat.numpy, found {name}"
        )
        # within one vector, too
        found = message(
            TypeError, lambda other=other: inner_products([[np.ones(2), other.ones(2)]])
        )
        assert found.startswith("vectors[0][1] must be an array of the library of vectors[0][0]")


def test_mixed_devices() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    here, there = torch.ones(2), torch.ones(2, device="meta")
    found = message(ValueError, lambda: bloop_direction(here, here, there, lam=1))
    assert found == "ema must have the device of g_main: required cpu, found meta"
    here, there = strict.ones(2), strict.ones(2, device=strict.Device("device1"))
    found = message(ValueError, lambda: update_ema(there, here, rho=1))
    assert found.startswith("ema must have the device of g_main: required array_api_strict.Device")


def test_no_vector_at_all() -> None:
    for call in (lambda: inner_products([]), lambda: combine([], [])):
        assert message(ValueError, call) == "at least one vector is required; found none"


@pytest.mark.parametrize("row", [(), (1,), (1, 2, 3)])
def test_row_of_the_wrong_length(row: tuple[float, ...]) -> None:
    found = message(ValueError, lambda: combine([(1, 2), row], [G, G]))
    assert found == (f"weights[1] must have one entry per vector: required 2, found {len(row)}")


@pytest.mark.parametrize(
    "dtypes", [[], [[np.float64]], [[np.float64] * 2] * 2, [[np.float64] * 3], [[]]]
)
def test_wrong_number_of_dtypes(dtypes: Any) -> None:
    found = message(ValueError, lambda: combine([(1,)], [G], dtypes=dtypes))
    assert found == (
        "dtypes must have one dtype per leaf for each row of weights: "
        f"required 1 times 2, found {dtypes!r}"
    )


def test_numbers_of_levels() -> None:
    for gradients, references, lams, expected in (
        ([G], [G], [1], "gradients must have one entry more than lams: required 2, found 1"),
        ([G] * 3, [G], [1], "gradients must have one entry more than lams: required 2, found 3"),
        ([G, G], [], [1], "references must have one entry per lam: required 1, found 0"),
        ([G], [], [], "lams must have at least one entry; found none"),
    ):
        assert expected == message(
            ValueError,
            lambda g=gradients, r=references, lams=lams: hierarchical_direction(g, r, lams=lams),
        )
    assert message(ValueError, lambda: LEVELS.step([G], LEVELS.init(G))).startswith(
        "gradients must have one entry more than lams: required 2, found 1"
    )
