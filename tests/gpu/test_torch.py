"""The classes of ``bloop_torch`` on the GPU: methods, AMP, dtypes, checkpoints, launches."""

import io
from typing import Any

import numpy as np
import pytest

from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm
from bloop_ref import Bloop
from tests.gpu.cases import CASES, LAM, RHO, SHAPES, Case, U, draw, run_of
from tests.gpu.devices import DEVICE, ON_CPU, launches, to_host

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")
MOST_LAUNCHES = 12
SCALE = 2.0**8
FEW = SHAPES[:6]


def parameters(torch: Any, shapes: Any = SHAPES, dtype: Any = None) -> list[Any]:
    return [torch.nn.Parameter(torch.zeros(s, device=DEVICE, dtype=dtype)) for s in shapes]


def tensors(torch: Any, vector: Any, dtype: Any = None) -> list[Any]:
    return [torch.from_numpy(leaf).to(DEVICE, dtype) for leaf in vector]


def inner_products(params: list[Any], gradients: list[list[Any]]) -> list[Any]:
    """Return losses that have the given gradients, whatever the parameters."""
    return [sum((p * g).sum() for p, g in zip(params, v, strict=True)) for v in gradients]


def clear(params: list[Any]) -> None:
    """Drop the direction: no optimiser steps on it."""
    for parameter in params:
        parameter.grad = None


def losses(torch: Any, params: list[Any], gradients: Any, products: Any = inner_products) -> Any:
    return products(params, [tensors(torch, vector) for vector in gradients])


def surgeon(params: list[Any], name: str) -> Any:
    """Return the object that applies a method of the cases to parameters."""
    import bloop_torch

    if name == "Bloop":
        return bloop_torch.Bloop(params, lam=LAM, rho=RHO)
    case = CASES[name]
    return bloop_torch.Surgery(params, case.method, losses=case.losses)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", CASES)
def test_directions_are_those_of_the_reference(name: str, compiled: bool, torch: Any) -> None:
    case, shapes = CASES[name], FEW if compiled else SHAPES
    params = parameters(torch, shapes)
    surgery = surgeon(params, name)
    products = torch.compile(inner_products) if compiled else inner_products
    for gradients, memory, direction, after in run_of(case, shapes):
        surgery.backward(*losses(torch, params, gradients, products))
        case.check([to_host(p.grad) for p in params], direction, gradients, memory)
        clear(params)
        if name == "Bloop":
            for found, required in zip(surgery.ema.values(), after[0], strict=True):
                np.testing.assert_array_equal(to_host(found), required)


def give(surgery: Any, params: list[Any], gradients: Any) -> None:
    """Let gradients be those that backward passes have accumulated."""
    clear(params)
    for k, vector in enumerate(gradients):
        with surgery.gradient(k):
            for parameter, leaf in zip(params, vector, strict=True):
                parameter.grad = leaf.clone()


@pytest.mark.parametrize("name", CASES)
def test_a_step_of_161_leaves_takes_few_launches(name: str, torch: Any) -> None:
    if ON_CPU:
        pytest.skip("a CPU launches nothing")
    params = parameters(torch)
    surgery = surgeon(params, name)
    gradients = [tensors(torch, draw(k)) for k in range(CASES[name].losses)]

    def before() -> None:
        give(surgery, params, gradients)

    assert 0 < launches(surgery.combine, before=before) <= MOST_LAUNCHES


def test_gradients_of_two_bytes_have_a_float32_average(torch: Any) -> None:
    params = parameters(torch, dtype=torch.bfloat16)
    bloop = surgeon(params, "Bloop")
    u = 2.0**-8
    case = Case(CASES["Bloop"].method, 2, lambda n, v, m: bound_of(u, n, v))
    for gradients, memory, direction, after in run_of(CASES["Bloop"]):
        bloop.backward(*losses(torch, params, gradients))
        assert {p.grad.dtype for p in params} == {torch.bfloat16}
        case.check([to_host(p.grad) for p in params], direction, gradients, memory)
        clear(params)
        for found, required in zip(bloop.ema.values(), after[0], strict=True):
            assert found.dtype == torch.float32
            np.testing.assert_array_equal(to_host(found), required)


def bound_of(u: float, n: int, vectors: Any) -> float:
    main, aux = (norm(flat(vector)) for vector in vectors)
    return direction_bound(u, n, main, aux, LAM)


@pytest.mark.parametrize("name", CASES)
def test_a_checkpoint_goes_on_bit_for_bit(name: str, torch: Any) -> None:
    steps = run_of(CASES[name])
    params = parameters(torch)
    first = surgeon(params, name)
    for gradients, *_ in steps[:-1]:
        first.backward(*losses(torch, params, gradients))
        clear(params)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    others = parameters(torch)
    second = surgeon(others, name)
    second.load_state_dict(torch.load(file, weights_only=True, map_location=DEVICE))
    for surgery, owned in ((first, params), (second, others)):
        surgery.backward(*losses(torch, owned, steps[-1][0]))
    for x, y in zip(params, others, strict=True):
        assert torch.equal(x.grad, y.grad)
    assert_same(torch, first.state_dict(), second.state_dict())


def assert_same(torch: Any, x: Any, y: Any) -> None:
    """Require two states to be the same, bit for bit."""
    assert type(x) is type(y)
    if isinstance(x, torch.Tensor):
        assert torch.equal(x, y)
    elif isinstance(x, dict):
        assert x.keys() == y.keys()
        for key, value in x.items():
            assert_same(torch, value, y[key])
    elif isinstance(x, list | tuple):
        assert len(x) == len(y)
        for pair in zip(x, y, strict=True):
            assert_same(torch, *pair)
    else:
        assert x == y


def scaled_gradients(torch: Any, params: list[Any], losses: Any) -> list[Any]:
    """Return the scaled gradients of two losses, as autograd alone gives them."""
    return [
        [to_host(g) for g in torch.autograd.grad(SCALE * loss, params, retain_graph=True)]
        for loss in losses
    ]


def both_losses(torch: Any, model: Any, batch: Any) -> tuple[Any, Any]:
    narrow = torch.bfloat16 if ON_CPU else torch.float16
    with torch.autocast(DEVICE, dtype=narrow):
        output = model(batch).float()
    return (output**2).mean(), output.abs().mean()


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_amp_scales_the_direction_and_not_the_average(compiled: bool, torch: Any) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.Linear(64, 8)).to(DEVICE)
    batch = torch.randn(16, 32, device=DEVICE)
    scaler = torch.amp.GradScaler(DEVICE, init_scale=SCALE, growth_interval=1000)
    params = list(model.parameters())
    bloop = surgeon(params, "Bloop")
    run = torch.compile(model) if compiled else model
    optimiser = torch.optim.SGD(params, lr=0.01)
    for _ in range(3):
        gradients = scaled_gradients(torch, params, both_losses(torch, run, batch))
        before = [np.zeros(p.shape, np.float32) for p in params]
        if bloop.ema:
            before = [to_host(e) for e in bloop.ema.values()]
        bloop.backward(*both_losses(torch, run, batch), scaler=scaler)
        assert scaler.get_scale() == SCALE
        check_scaled(params, bloop, gradients, before)
        scaler.step(optimiser)
        scaler.update()


def check_scaled(params: list[Any], bloop: Any, gradients: Any, before: Any) -> None:
    """Require the direction of scaled gradients, and the average of unscaled ones."""
    reference = Bloop(LAM, RHO)
    state = reference.init(before)._replace(memory=(before,))
    required, _ = reference.step(gradients, state)
    CASES["Bloop"].check([to_host(p.grad) for p in params], required, gradients, (before,))
    unscaled = [g * np.float32(1 / SCALE) for g in gradients[0]]
    _, after = reference.step([unscaled, unscaled], state)
    error = flat([to_host(e) for e in bloop.ema.values()]) - flat(after.memory[0])
    main, ema = norm(flat(unscaled)), norm(flat(before))
    assert norm(error) <= 2 * average_bound(U, U, main, ema, RHO)


def test_amp_skips_a_step_that_overflowed(torch: Any) -> None:
    params = parameters(torch, FEW)
    bloop = surgeon(params, "Bloop")
    scaler = torch.amp.GradScaler(DEVICE, init_scale=SCALE)
    optimiser = torch.optim.SGD(params, lr=1.0)
    good, bad = draw(0, FEW), draw(1, FEW)
    for vectors in ([good, bad], [good, [np.full_like(x, np.inf) for x in bad]]):
        kept = [to_host(e) for e in bloop.ema.values()]
        weights = [to_host(p) for p in params]
        bloop.backward(*losses(torch, params, vectors), scaler=scaler)
        scaler.step(optimiser)
        scaler.update()
    assert scaler.get_scale() == SCALE / 2
    assert int(bloop.skipped) == 1
    for found, required in zip([*bloop.ema.values(), *params], kept + weights, strict=True):
        np.testing.assert_array_equal(to_host(found), required)


def test_micro_batches_add_up(torch: Any) -> None:
    params, once = parameters(torch, FEW), parameters(torch, FEW)
    gradients = [draw(k, FEW) for k in range(2)]
    bloop, whole = surgeon(params, "Bloop"), surgeon(once, "Bloop")
    for _ in range(2):
        bloop.accumulate(*losses(torch, params, gradients))
    bloop.combine()
    whole.backward(*losses(torch, once, [[2 * x for x in vector] for vector in gradients]))
    for x, y in zip(params, once, strict=True):
        assert torch.equal(x.grad, y.grad)
