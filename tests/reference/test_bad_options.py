"""What is wrong with a hyper-parameter, an option or a state is said by name."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    State,
    bloop_direction,
    hierarchical_direction,
    project_orthogonal,
    surgery,
    update_ema,
)

G = np.ones(2)

OF_LAM: dict[str, Any] = {
    "direction": lambda x: bloop_direction(G, G, G, lam=x),
    "constructor": lambda x: Bloop(x, 0.5),
    "schedule": lambda x: Bloop(lambda _: x, 0.5).step([G, G], Bloop(1, 1).init(G)),
    "mixed": lambda x: surgery.Mixed(lam=x)(G, G),
    "pcgrad": lambda x: surgery.PCGrad(lam=x)(G, G),
    "barrier": lambda x: surgery.DynamicBarrier(lam=x)(G, G),
}
OF_SEVERAL = {"mixed", "pcgrad", "barrier"}
OF_RHO: dict[str, Any] = {
    "average": lambda x: update_ema(G, G, rho=x),
    "constructor": lambda x: Bloop(0.5, x),
    "schedule": lambda x: Bloop(0.5, lambda _: x).step([G, G], Bloop(1, 1).init(G)),
}
NO_NUMBERS: list[tuple[Any, str]] = [
    ("1", "'1'"),
    (b"1", "b'1'"),
    (None, "None"),
    (1j, "1j"),
    (True, "True"),
    ([1.0], r"\[1.0\]"),
    ((1.0,), r"\(1.0,\)"),
    ({}, "{}"),
    (np.array(1j), "an array of dtype complex128"),
    (np.array(True), "an array of dtype bool"),
]


@pytest.mark.parametrize("entrance", OF_LAM)
@pytest.mark.parametrize("value", [-1, -1e-300, np.inf, -np.inf, np.nan, Fraction(-1, 2)])
@pytest.mark.parametrize("convert", [lambda x: x, np.asarray], ids=["number", "array"])
def test_lam_out_of_range(entrance: str, value: Any, convert: Any) -> None:
    value = convert(value) if not isinstance(value, Fraction) else value
    with pytest.raises(ValueError, match=r"^lam must be a finite number >= 0; found -?[\d.ein/]"):
        OF_LAM[entrance](value)


@pytest.mark.parametrize("entrance", OF_RHO)
@pytest.mark.parametrize("value", [-0.1, 1.1, 2, np.nan, np.inf, Fraction(3, 2)])
@pytest.mark.parametrize("convert", [lambda x: x, np.asarray], ids=["number", "array"])
def test_rho_out_of_range(entrance: str, value: Any, convert: Any) -> None:
    value = convert(value) if not isinstance(value, Fraction) else value
    with pytest.raises(ValueError, match=r"^rho must be a number in \[0, 1\]; found -?[\d.ein/]"):
        OF_RHO[entrance](value)


@pytest.mark.parametrize(("value", "shown"), NO_NUMBERS)
def test_no_number(value: Any, shown: str) -> None:
    # where several auxiliary losses are taken, a list is one number for each of them
    lists = OF_SEVERAL if isinstance(value, list | tuple) else set()
    for call in (OF_LAM[name] for name in OF_LAM.keys() - lists):
        with pytest.raises(TypeError, match=f"^lam must be a finite number >= 0; found {shown}$"):
            call(value)
    for call in OF_RHO.values():
        with pytest.raises(TypeError, match=rf"^rho must be a number in \[0, 1\]; found {shown}$"):
            call(value)


@pytest.mark.parametrize("shape", [(1,), (2,), (0,), (1, 1)])
def test_no_scalar(shape: tuple[int, ...]) -> None:
    for call in (*OF_LAM.values(), *OF_RHO.values()):
        with pytest.raises(ValueError, match=r"; found an array of shape \("):
            call(np.ones(shape))


@pytest.mark.parametrize("method", [surgery.Mixed, surgery.PCGrad, surgery.DynamicBarrier])
def test_lists_of_lam(method: Any) -> None:
    several = method([0.5, lambda count: 2 + count])
    assert np.all(several(G, G, G) == method((0.5, 2.0))(G, G, G))
    with pytest.raises(
        ValueError,
        match=r"^lam must be one number or one per auxiliary loss: required 1, found 2$",
    ):
        several(G, G)
    for value, error in ((None, TypeError), ([1.0], TypeError), (-1, ValueError)):
        with pytest.raises(error, match=r"^lam\[1\] must be a finite number >= 0; found "):
            method([0.5, value])


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, np.float32(0.5), np.array(1), Fraction(1, 2)])
def test_what_is_in_range(value: Any) -> None:
    assert np.all(bloop_direction(G, G, 0 * G, lam=value) == 1 + float(value))
    assert np.all(update_ema(0 * G, G, rho=value) == float(value))


def test_scalar_of_another_library(library: Any) -> None:
    if library.xp is np:
        torch = pytest.importorskip("torch", reason="torch is not installed")
        vector, other, names = G, torch.tensor(0.5), ("array_api_compat.numpy", "compat.torch")
    else:
        vector = library.vector(G.astype(np.float32))
        strict = pytest.importorskip("array_api_strict", reason="array-api-strict is missing")
        torch = pytest.importorskip("torch", reason="torch is not installed")
        foreign = torch if library.xp is strict else strict
        other, names = foreign.asarray(0.5), ("", foreign.__name__)
    expected = f"must be a number or an array of the gradients' library: required .*{names[0]}"
    with pytest.raises(TypeError, match=rf"^lam {expected}.*found .*{names[1]}$"):
        bloop_direction(vector, vector, vector, lam=other)
    with pytest.raises(TypeError, match=rf"^rho {expected}.*found .*{names[1]}$"):
        update_ema(vector, vector, rho=other)
    # NumPy's scalars are numbers everywhere
    found = update_ema(vector, vector, rho=np.float64(0.5))
    np.testing.assert_array_equal(library.values(found), G)


def test_scalars_in_every_library(library: Any) -> None:
    vector = library.vector(G.astype(np.float32))
    checked = library.name != "dask"  # a lazy value is not read
    for value, message in ((-1.0, "lam must be a finite number"), (np.nan, "found .*nan")):
        lam = library.place(np.array(value, np.float32), 0)
        if checked and "no_float64" not in str(lam.device):
            with pytest.raises(ValueError, match=message):
                bloop_direction(vector, vector, vector, lam=lam)
        else:
            bloop_direction(vector, vector, vector, lam=lam)


@pytest.mark.parametrize("kind", [Bloop, lambda lam, rho, **o: HierarchicalBloop([lam], rho, **o)])
@pytest.mark.parametrize(
    ("name", "value", "choices"),
    [
        ("project_on", "next", "('previous', 'updated')"),
        ("init", None, "('zeros', 'first')"),
        ("init", "ones", "('zeros', 'first')"),
        ("nonfinite", "ignore", "('skip', 'raise', 'propagate')"),
        ("rescale", 0.5, "(False, True)"),
    ],
)
def test_bad_choices(kind: Any, name: str, value: Any, choices: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        kind(0.5, 0.5, **{name: value})
    assert str(caught.value) == f"{name} must be one of {choices}; found {value!r}"


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "int32", "complex64", "nonsense", np.float16, int, 3]
)
def test_ema_dtype_that_holds_no_average(dtype: Any, library: Any) -> None:
    vector = library.vector(G.astype(np.float32))
    with pytest.raises(ValueError, match=r"^ema_dtype must be None, float32 or float64 of .*found"):
        Bloop(0.5, 0.5, ema_dtype=dtype).init(vector)


@pytest.mark.parametrize("state", [None, {}, {"ema": G}, (G, 0, 0), G])
def test_wrong_state(state: Any) -> None:
    kind = type(state).__name__
    expected = f"^state must be a State, as init and step return it; found {kind}$"
    for method in (Bloop(0.5, 0.5), HierarchicalBloop([0.5], 0.5), surgery.Mixed(0.5)):
        with pytest.raises(TypeError, match=expected):
            method.step([G, G], state)
        with pytest.raises(TypeError, match=expected):
            method.diagnostics([G, G], state)


def test_state_of_another_tree() -> None:
    bloop, levels = Bloop(0.5, 0.5), HierarchicalBloop([0.5, 0.5], 0.5)
    first = r"^state\.memory\[0\] must have the "
    with pytest.raises(ValueError, match=rf"{first}tree structure of gradients\[0\]: "):
        bloop.step([[G], [G]], bloop.init({"w": G}))
    with pytest.raises(ValueError, match=rf"{first}shape of gradients\[0\]: .*found \(3,"):
        bloop.step([G, G], bloop.init(np.ones(3)))
    with pytest.raises(ValueError, match=rf"{first}shape of gradients\[0\]"):
        levels.step([G, G, G], levels.init(np.ones(3), losses=3))
    with pytest.raises(TypeError, match="found list"):
        bloop.step([G, G], [*State((G,), (), 0, 0)])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["count", "skipped"])
def test_counters_of_a_state(name: str) -> None:
    bloop = Bloop(0.5, 0.5)
    for value, error, found in (
        (-1, ValueError, "found -1"),
        (np.asarray(-1), ValueError, "found -1"),
        (1.0, TypeError, "found 1.0"),
        (np.ones(2, int), TypeError, r"found an array of shape \(2,\) and dtype int64"),
    ):
        state: Any = bloop.init(G)
        with pytest.raises(error, match=rf"^state\.{name} must be an integer >= 0; {found}$"):
            bloop.step([G, G], state._replace(**{name: value}))


def test_state_of_another_method() -> None:
    bloop, levels = Bloop(0.5, 0.5), HierarchicalBloop([0.5, 0.5], 0.5)
    expected = "gradients: required {} remembered vectors and scalars, found {}"
    for method, losses, state, required, found in (
        (bloop, 2, levels.init(G, losses=3), (1, 0), (2, 0)),
        (levels, 3, bloop.init(G), (2, 0), (1, 0)),
        (surgery.MetaBalance(), 3, surgery.MetaBalance().init(G), (0, 3), (0, 2)),
        (surgery.GradVac(0), 2, bloop.init(G), (0, 4), (1, 0)),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            method.step([G] * losses, state)
        assert str(caught.value) == (
            f"state must be one of {type(method).__name__} for {losses} "
            + expected.format(required, found)
        )


def test_levels_of_the_constructor() -> None:
    for lams, rho in (([], 0.5), ([1, 1], [0.5]), ([1], [0.5, 0.5])):
        with pytest.raises(ValueError, match=r"^(lams|rho) must have "):
            HierarchicalBloop(lams, rho)
    with pytest.raises(ValueError, match=r"^lams\[1\] must be a finite number >= 0; found -1$"):
        HierarchicalBloop([1, -1], 0.5)
    with pytest.raises(ValueError, match=r"^rho\[1\] must be a number in \[0, 1\]; found 2$"):
        HierarchicalBloop([1, 1], [0.5, 2])
    with pytest.raises(ValueError, match=r"^lams\[0\] must be a finite number >= 0; found -1$"):
        hierarchical_direction([G, G], [G], lams=[-1])
    levels = HierarchicalBloop([1, lambda _: -1], [0.5, lambda _: 0.5])
    with pytest.raises(ValueError, match=r"^lams\[1\] must be"):
        levels.step([G, G, G], levels.init(G, losses=3))
    levels = HierarchicalBloop([1, 1], [0.5, lambda _: 2])
    with pytest.raises(ValueError, match=r"^rho\[1\] must be"):
        levels.step([G, G, G], levels.init(G, losses=3))


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_rank_tolerance(value: float) -> None:
    expected = r"^rank_tolerance must be a number in \[0, 1\]; found"
    for call in (
        lambda: project_orthogonal(G, G, G, rank_tolerance=value),
        lambda: hierarchical_direction([G, G], [G], lams=[1], rank_tolerance=value),
        lambda: HierarchicalBloop([1], 0.5, rank_tolerance=value),
    ):
        with pytest.raises(ValueError, match=expected):
            call()
