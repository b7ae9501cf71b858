from typing import Any

import pytest
import torch

import bloop_ref
import bloop_torch
from bloop_proofs import check_implementation
from bloop_proofs.tolerances import direction_bound
from bloop_torch import _foreach
from tests.torch.agreement import normal, require_step

LAM, RHO = 0.5, 0.25
STEP: Any = bloop_torch.step
SHAPES = ((5,), (3, 2), ())


def in_place(g_main: Any, g_aux: Any, ema: Any, *, lam: Any, rho: Any) -> Any:
    g_main, g_aux, ema = ([x.clone() for x in vector] for vector in (g_main, g_aux, ema))
    return STEP(g_main, g_aux, ema, lam=lam, rho=rho, inplace=True)


def require_pass(step: Any) -> None:
    report = check_implementation(step, framework="torch", laws="all", examples=25)
    assert report.passed, report.to_json()
    assert not [result for result in report.results if result.status != "passed"]


@pytest.mark.parametrize("step", [STEP, in_place])
def test_all_laws_hold(step: Any) -> None:
    require_pass(step)


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("step", [STEP, in_place])
def test_all_laws_hold_where_no_value_is_read(step: Any) -> None:
    require_pass(step)


@pytest.mark.parametrize("step", [STEP, in_place])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_many_blocks_are_as_good_as_one(step: Any, dtype: Any) -> None:
    shapes = ((3 * 2**14 + 5,), (3, 1777), (1,), (0,))
    g_main, g_aux = (normal(shapes, seed, dtype) for seed in (1, 2))
    ema = normal(shapes, 3, torch.promote_types(dtype, torch.float32))
    direction, new_ema = step(g_main, g_aux, ema, lam=LAM, rho=RHO)
    require_step(g_main, g_aux, ema, direction, new_ema, lam=LAM, rho=RHO)


def test_many_pieces_are_as_good_as_one(unread: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(_foreach, "PIECE", 5000)
    vectors = [normal(((12345,), (7,)), seed) for seed in (1, 2, 3)]
    require_step(*vectors, *STEP(*vectors, lam=LAM, rho=RHO), lam=LAM, rho=RHO)


def test_in_place_takes_the_memory_of_the_auxiliary_gradient_and_the_average() -> None:
    g_main, g_aux, ema = (normal(SHAPES, seed) for seed in (1, 2, 3))
    direction, new_ema = STEP(g_main, g_aux, ema, lam=LAM, rho=RHO, inplace=True)
    assert all(x is y for x, y in zip(direction, g_aux, strict=True))
    assert all(x is y for x, y in zip(new_ema, ema, strict=True))


@pytest.mark.parametrize(
    ("dtype", "exponents"),
    [
        # no float32 vectors lie too far apart: sums are float64
        *[(torch.float32, e) for e in ((-70,) * 3, (60,) * 3, (0, -60, 60), (40, 60, -60))],
        *[(torch.float64, e) for e in ((-900,) * 3, (900,) * 3, (0, -200, 200), (0, 230, -230))],
    ],
)
@pytest.mark.parametrize("step", [STEP, in_place])
def test_no_scale_overflows_or_underflows(step: Any, dtype: Any, exponents: Any) -> None:
    vectors = [
        [torch.ldexp(x, torch.tensor(exponent)) for x in normal(SHAPES, seed, dtype)]
        for seed, exponent in enumerate(exponents)
    ]
    assert all(x.isfinite().all() and x.abs().amax() > 0 for v in vectors for x in v)
    require_step(*vectors, *step(*vectors, lam=LAM, rho=RHO), lam=LAM, rho=RHO)


@pytest.mark.parametrize("reading", [True, False])
def test_what_is_out_of_reach_shows(reading: bool, request: Any) -> None:
    if not reading:
        request.getfixturevalue("unread")
    g = torch.ones(2, dtype=torch.float64)
    for aux, ema in (([1e-245, 1e-245], [1e100, 0.0]), ([1.0, 1.0], [1e-200, 0.0])):
        a, e = (torch.tensor(x, dtype=torch.float64) for x in (aux, ema))
        (direction,), (average,) = STEP([g], [a], [e], lam=1.0, rho=0.5)
        assert direction.isnan().all()
        assert torch.equal(average, 0.5 * g + 0.5 * e)


@pytest.mark.parametrize("reading", [True, False])
def test_weights_out_of_the_range_of_float32(reading: bool, request: Any) -> None:
    if not reading:
        request.getfixturevalue("unread")
    for lam, numbers in ((0.5, (1.0, 1e34, 1e-9)), (1e-50, (0.0, 1e38, 0.0))):
        vectors = [[torch.tensor([x])] for x in numbers]
        direction, new_ema = STEP(*vectors, lam=lam, rho=RHO)
        require_step(*vectors, direction, new_ema, lam=lam, rho=RHO)
        assert direction[0].isfinite()


def test_exactly_orthogonal_gradients_are_left_alone() -> None:
    g_main, g_aux, ema = [torch.ones(2)], [torch.tensor([0.0, 2.0])], [torch.tensor([3.0, 0.0])]
    (direction,), _ = STEP(g_main, g_aux, ema, lam=LAM, rho=RHO)
    assert direction.tolist() == [1.0, 2.0]


LAYOUTS = {
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(0, 3).contiguous().transpose(0, 3),
    "a slice": lambda x: torch.cat([x, x])[: len(x)],
    "every other": lambda x: torch.repeat_interleave(x, 2, dim=3)[..., ::2],
    "expanded": lambda x: x[:1].expand(x.shape),
}


@pytest.mark.parametrize("step", [STEP, in_place])
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_in_memory_does_not_matter(step: Any, which: Any, layout: Any) -> None:
    vectors = [normal(((2, 3, 4, 5),), seed) for seed in (1, 2, 3)]
    vectors[which] = [LAYOUTS[layout](x) for x in vectors[which]]
    before = [[x.clone() for x in vector] for vector in vectors]
    if step is in_place:
        direction, new_ema = STEP(*vectors, lam=LAM, rho=RHO, inplace=True)
    else:
        direction, new_ema = STEP(*vectors, lam=LAM, rho=RHO)
    require_step(*before, direction, new_ema, lam=LAM, rho=RHO)


def test_lazy_conjugates_are_carried_out() -> None:
    g_main, g_aux, ema = (normal(((4,),), seed, torch.complex64) for seed in (1, 2, 3))
    lazy = [x.conj() for x in g_aux]
    direction, new_ema = STEP(g_main, lazy, ema, lam=LAM, rho=RHO, inplace=False)
    require_step(g_main, lazy, ema, direction, new_ema, lam=LAM, rho=RHO)
    found, _ = STEP(g_main, lazy, ema, lam=LAM, rho=RHO, inplace=True)
    assert torch.equal(found[0], direction[0])


def test_none_is_zero() -> None:
    g_main, g_aux, ema = (normal(((2,),) * 4, seed) for seed in (1, 2, 3))
    given = ([g_main[0], None, g_main[2], None], [None, g_aux[1], g_aux[2], None], [*ema[:3], None])
    zeros = [[torch.zeros(2) if x is None else x for x in vector] for vector in given]
    direction, new_ema = STEP(*given, lam=LAM, rho=RHO)
    required, required_ema = STEP(*zeros, lam=LAM, rho=RHO)
    assert direction[3] is None
    assert new_ema[3] is None
    for found, like in zip(
        direction[:3] + new_ema[:3], required[:3] + required_ema[:3], strict=True
    ):
        assert torch.equal(found, like)


def test_average_of_nothing_begins_in_float32_at_least() -> None:
    half = [torch.ones(2, dtype=torch.bfloat16)]
    _, (average,) = STEP(half, half, [None], lam=LAM, rho=RHO)
    assert average.dtype == torch.float32
    assert average.tolist() == [RHO, RHO]


def test_one_tensor_may_come_twice() -> None:
    g_main, ema = (normal(((4,),), seed) for seed in (1, 3))
    direction, new_ema = STEP(g_main, ema, ema, lam=LAM, rho=RHO)
    require_step(g_main, ema, ema, direction, new_ema, lam=LAM, rho=RHO)


def overlapping() -> dict[Any, Any]:
    g, a, e = ([torch.ones(4), torch.ones(4)] for _ in range(3))
    whole = torch.ones(7)
    return {
        ("g_aux[0]", "ema[0]"): (g, [e[0], a[1]], e),
        ("g_main[0]", "g_aux[0]"): ([a[0], g[1]], a, e),
        ("g_main[0]", "ema[1]"): ([e[1], g[1]], a, e),
        ("ema[0]", "ema[1]"): (g, a, [e[0], e[0]]),
        ("g_aux[0]", "ema[1]"): (g, [whole[:4], a[1]], [e[0], whole[3:]]),
    }


@pytest.mark.parametrize("names", overlapping())
def test_what_is_written_in_place_shares_no_memory(names: Any) -> None:
    vectors = overlapping()[names]
    with pytest.raises(ValueError, match="must not share memory") as raised:
        STEP(*vectors, lam=LAM, rho=RHO, inplace=True)
    assert all(name in str(raised.value) for name in names)
    STEP(*vectors, lam=LAM, rho=RHO)


def test_no_leaf_at_all() -> None:
    assert STEP([], [], [], lam=LAM, rho=RHO) == ([], [])


def test_scalar_tensors_are_hyper_parameters() -> None:
    vectors = [normal(SHAPES, seed) for seed in (1, 2, 3)]
    found = STEP(*vectors, lam=torch.tensor(LAM), rho=torch.tensor(RHO))
    required = STEP(*vectors, lam=LAM, rho=RHO)
    for x, y in zip(found[0] + found[1], required[0] + required[1], strict=True):
        assert torch.equal(x, y)


def test_history_of_the_gradients_is_not_recorded() -> None:
    leaf = torch.ones(3, requires_grad=True)
    direction, average = STEP([leaf * 2], [leaf * 3], [torch.ones(3)], lam=LAM, rho=RHO)
    assert not direction[0].requires_grad
    assert not average[0].requires_grad


def test_sums_of_float32_entries_are_wide() -> None:
    # each term adds less than half a spacing to a float32 sum of those before it
    ema = torch.full((2**20,), 2.0**-14)
    ema[0] = 1.0
    aux = torch.zeros_like(ema)
    aux[0] = 1.0
    (direction,), _ = STEP([torch.zeros_like(ema)], [aux], [ema], lam=1.0, rho=0.5)
    # 1 - <a, e> / ||e||^2: a float32 sum would be 1, and the direction 0
    exact = 1 - 1 / (1 + (2**20 - 1) * 2.0**-28)
    assert abs(float(direction[0]) - exact) <= direction_bound(2.0**-24, 1, 0.0, 1.0, 1.0)


def test_the_matrix_is_the_references_own(monkeypatch: Any) -> None:
    forged = ((0, 0, 7.0), (0, 0, 1.0)), ()
    monkeypatch.setattr(bloop_ref.Bloop, "matrix", lambda *_: forged)
    g_main, g_aux, ema = (normal(((3,),), seed) for seed in (1, 2, 3))
    direction, new_ema = STEP(g_main, g_aux, ema, lam=LAM, rho=RHO)
    assert torch.equal(direction[0], 7 * ema[0])
    assert torch.equal(new_ema[0], ema[0])
