from typing import Any

import numpy as np
import pytest
import torch

import bloop_ref
import bloop_torch
from bloop_proofs import check_implementation
from bloop_proofs.tolerances import blocked_bound
from bloop_torch import _blocked, _blocks, _traced
from tests.torch.agreement import fetch, normal, require_step, wide

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
def test_many_blocks_are_as_good_as_one(step: Any, dtype: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(_blocks, "CACHED", 1000)
    shapes = ((4096,), (3, 1777), (1,), (0,))
    g_main, g_aux = (normal(shapes, seed, dtype) for seed in (1, 2))
    ema = normal(shapes, 3, torch.promote_types(dtype, torch.float32))
    direction, new_ema = step(g_main, g_aux, ema, lam=LAM, rho=RHO)
    require_step(g_main, g_aux, ema, direction, new_ema, lam=LAM, rho=RHO)


def test_many_pieces_are_as_good_as_one(unread: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(_traced, "PIECE", 5000)
    vectors = [normal(((12345,), (7,)), seed) for seed in (1, 2, 3)]
    require_step(*vectors, *STEP(*vectors, lam=LAM, rho=RHO), lam=LAM, rho=RHO)


def test_in_place_takes_the_memory_of_the_auxiliary_gradient_and_the_average() -> None:
    g_main, g_aux, ema = (normal(SHAPES, seed) for seed in (1, 2, 3))
    direction, new_ema = STEP(g_main, g_aux, ema, lam=LAM, rho=RHO, inplace=True)
    assert all(x is y for x, y in zip(direction, g_aux, strict=True))
    assert all(x is y for x, y in zip(new_ema, ema, strict=True))


@pytest.mark.parametrize("exponents", [(-70, -70, -70), (60, 60, 60), (0, -60, 60), (40, 60, -60)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("step", [STEP, in_place])
def test_no_scale_overflows_or_underflows(step: Any, dtype: Any, exponents: Any) -> None:
    factor = 1 if dtype == torch.float32 else 12
    vectors = [
        [torch.ldexp(x, torch.tensor(factor * exponent)) for x in normal(SHAPES, seed, dtype)]
        for seed, exponent in enumerate(exponents)
    ]
    assert all(x.isfinite().all() and x.abs().amax() > 0 for v in vectors for x in v)
    require_step(*vectors, *step(*vectors, lam=LAM, rho=RHO), lam=LAM, rho=RHO)


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


def test_one_tensor_may_come_twice_even_in_place() -> None:
    g_main, g_aux, ema = (normal(((4,),), seed) for seed in (1, 2, 3))
    direction, new_ema = STEP(g_main, ema, ema, lam=LAM, rho=RHO)
    require_step(g_main, ema, ema, direction, new_ema, lam=LAM, rho=RHO)
    twice = [g_aux[0].clone()]
    required, required_ema = STEP(twice, twice, ema, lam=LAM, rho=RHO)
    same = [twice[0]]
    found, found_ema = STEP(same, same, ema, lam=LAM, rho=RHO, inplace=True)
    assert torch.equal(found[0], required[0])
    assert torch.equal(found_ema[0], required_ema[0])


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


def test_sums_of_blocks_are_wide() -> None:
    size = 3_000_000
    vectors = [normal(((size,),), seed) for seed in (1, 2)]
    (found,), _ = _blocked.inner_products([(vectors[0][0], vectors[1][0])], [(1, 1)])
    required = float(np.sum(np.square(wide([fetch(vectors[1][0])])[0])))
    u = float(np.finfo(np.float32).eps) / 2
    # a block has 2**17 entries for each thread, summed in 32 lanes at least
    assert abs(found - required) <= blocked_bound(u, 2**12, required)


BAD: dict[str, dict[str, Any]] = {
    "g_aux must have as many tensors": {"g_aux": []},
    r"g_aux\[0\] must have the shape of g_main\[0\]": {"g_aux": [torch.ones(2, 1)]},
    r"ema\[0\] must have the device of": {"ema": [torch.ones(2, device="meta")]},
    r"ema\[0\] must have the kind of dtype of": {"ema": [torch.ones(2, dtype=torch.complex64)]},
    "lam must be a finite number": {"lam": -1.0},
    "lam must be a scalar": {"lam": torch.ones(1)},
    "rho must be a finite number in": {"rho": 1.5},
}
WRONG: dict[str, dict[str, Any]] = {
    "g_main must be a list of tensors": {"g_main": torch.ones(2)},
    r"g_main\[0\] must be a tensor or None": {"g_main": [1.0]},
    r"g_aux\[0\] must have a floating dtype": {"g_aux": [torch.ones(2, dtype=torch.int64)]},
    r"g_aux\[0\] must be dense": {"g_aux": [torch.ones(2).to_sparse()]},
    "rho must be a real number": {"rho": True},
}


@pytest.mark.parametrize("message", [*BAD, *WRONG])
def test_bad_input_is_named(message: Any) -> None:
    error, change = (ValueError, BAD) if message in BAD else (TypeError, WRONG)
    arguments: dict[str, Any] = {
        "g_main": [torch.ones(2)],
        "g_aux": [torch.ones(2)],
        "ema": [torch.ones(2)],
    }
    arguments |= {"lam": LAM, "rho": RHO} | change[message]
    with pytest.raises(error, match=message):
        STEP(**arguments)


def test_coefficients_are_the_references_own(monkeypatch: Any) -> None:
    def forged(*args: Any, **kwargs: Any) -> Any:
        return ((0, 0, 7.0), (0, 0, 1))

    monkeypatch.setattr("bloop_torch._coefficients.step_matrix", forged)
    vectors = [normal(SHAPES, seed) for seed in (1, 2, 3)]
    direction, _ = STEP(*vectors, lam=LAM, rho=RHO)
    assert all(torch.equal(d, 7 * e) for d, e in zip(direction, vectors[2], strict=True))
    assert bloop_ref.coefficients.step_matrix is not forged
