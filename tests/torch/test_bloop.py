import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bloop_ref
from bloop_proofs import check_implementation
from bloop_torch import Bloop
from tests.tolerances import diagnostics_bound
from tests.torch.agreement import arrays, normal
from tests.torch.models import batches, gradients, require_like_reference, two_losses

LAM, RHO = 0.5, 0.25


def as_step(g_main: Any, g_aux: Any, ema: Any, *, lam: Any, rho: Any) -> Any:
    """Speak the protocol of the suite with the class: its gradients are given, not computed."""
    parameters = [nn.Parameter(torch.zeros_like(g)) for g in g_main]
    bloop = Bloop(parameters, lam=lam, rho=rho, nonfinite="propagate")
    bloop.state = bloop.state._replace(memory=([e.clone() for e in ema],))
    for phase, gradient in ((bloop.main_gradient, g_main), (bloop.aux_gradient, g_aux)):
        with phase():
            for parameter, g in zip(parameters, gradient, strict=True):
                parameter.grad = g.clone()
    bloop.combine()
    return [p.grad for p in parameters], list(bloop.ema.values())


def test_all_laws_hold() -> None:
    report = check_implementation(as_step, framework="torch", laws="all", examples=25)
    assert report.passed, report.to_json()


@pytest.mark.parametrize("turned", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_gradients_and_averages_may_lie_in_memory_in_other_orders(
    turned: tuple[int, ...], dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = [[torch.randn(2, 3, generator=generator).to(dtype)] for _ in range(3)]
    vectors[2] = [x.float() for x in vectors[2]]
    laid_out = [
        [x.t().contiguous().t() for x in vector] if k in turned else vector
        for k, vector in enumerate(vectors)
    ]
    expected, found = (as_step(*given, lam=LAM, rho=RHO) for given in (vectors, laid_out))
    for known, seen in zip(expected, found, strict=True):
        torch.testing.assert_close(seen, known)


OPTIONS = [
    {},
    {"project_on": "updated"},
    {"init": "first"},
    {"init": "first", "project_on": "updated"},
    {"rescale": True},
    {"nonfinite": "raise"},
    {"nonfinite": "propagate"},
    {"ema_dtype": torch.float64},
    {"lam": lambda count: 1.0 / (count + 1), "rho": lambda count: 0.5 ** (count + 1)},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "defaults")
@pytest.mark.parametrize("reading", [True, False])
def test_every_step_is_the_references(options: Any, reading: Any, request: Any) -> None:
    if not reading:
        request.getfixturevalue("unread")
    model = two_losses()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    bloop = Bloop(model.named_parameters(), **{"lam": LAM, "rho": RHO, **options})
    for x in batches(4):
        losses = model(x)
        expected = gradients(losses, list(model.parameters()))
        require_like_reference(bloop, expected, lambda losses=losses: bloop.backward(*losses))
        optimizer.step()
    assert bloop.count == 4
    assert int(bloop.skipped) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_parameters_in_other_precisions(dtype: Any) -> None:
    model = two_losses(dtype)
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    for x in batches(3, dtype):
        model.zero_grad()
        losses = model(x)
        expected = gradients(losses, list(model.parameters()))
        require_like_reference(bloop, expected, lambda losses=losses: bloop.backward(*losses))
    least = torch.float64 if dtype == torch.float64 else torch.float32
    assert {e.dtype for e in bloop.ema.values()} == {least}
    assert {p.grad.dtype for p in model.parameters()} == {dtype}


def test_micro_batches_make_one_step() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    for _ in range(2):
        model.zero_grad()
        parts = list(batches(3))
        totals = [sum(losses) for losses in zip(*(model(x) for x in parts), strict=True)]
        expected = gradients(totals, list(model.parameters()))

        def accumulated(parts: Any = parts) -> None:
            for x in parts[:-1]:
                bloop.accumulate(*model(x))
            bloop.backward(*model(parts[-1]))

        require_like_reference(bloop, expected, accumulated)
    assert bloop.count == 2


def test_phases_can_be_entered_in_any_order_and_number() -> None:
    model = two_losses()
    together, apart = (Bloop(model.named_parameters(), lam=LAM, rho=RHO) for _ in range(2))
    first, second = batches(2)
    together.accumulate(*model(first))
    together.backward(*model(second))
    required = [p.grad.clone() for p in model.parameters()]
    for loss, phase in ((1, apart.aux_gradient), (0, apart.main_gradient)):
        for x in (first, second):
            with phase():
                model(x)[loss].backward()
    assert all(p.grad is None for p in model.parameters())
    apart.combine()
    assert all(torch.equal(p.grad, r) for p, r in zip(model.parameters(), required, strict=True))


def test_old_gradients_do_not_count() -> None:
    model = two_losses()
    (x,) = batches(1)
    expected = gradients(model(x), list(model.parameters()))
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e6)
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    require_like_reference(bloop, expected, lambda: bloop.backward(*model(x)))


def test_frozen_unused_and_head_parameters() -> None:
    model = two_losses()
    model.trunk.weight.requires_grad_(False)
    model.unused = nn.Parameter(torch.ones(2))
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    for x in batches(3):
        model.zero_grad()
        losses = model(x)
        expected = gradients(losses, list(model.parameters()))
        require_like_reference(bloop, expected, lambda losses=losses: bloop.backward(*losses))
        head = model.aux_head.weight
        position = [id(p) for p in model.parameters()].index(id(head))
        assert torch.equal(head.grad, LAM * expected[1][position])
    assert model.unused.grad is None
    assert model.trunk.weight.grad is None
    assert set(bloop.ema) == {"trunk.bias", "main_head.weight", "main_head.bias"}


def test_a_parameter_that_the_main_loss_reached_before_is_still_projected() -> None:
    shared: Any = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
    other: Any = nn.Parameter(torch.tensor([4.0]))
    bloop = Bloop([shared, other], lam=1.0, rho=1.0)
    bloop.backward(shared.sum() + other.sum(), shared.sum())
    shared.grad = other.grad = None
    # e = (1, 1, 1, 1), and <a, e> / <e, e> = 1/4; no loss trains the last, which is not moved
    bloop.backward(shared[0], shared[1])
    assert shared.grad.tolist() == [0.75, 0.75, -0.25]
    assert other.grad is None


def test_tied_parameters_count_once() -> None:
    model = two_losses()
    tied = [*model.parameters(), model.trunk.weight]
    assert len(Bloop(tied, lam=LAM, rho=RHO).parameters) == 6


def test_parameter_groups() -> None:
    model = two_losses()
    optimizer: Any = torch.optim.SGD(
        [{"params": model.trunk.parameters(), "lr": 0.1}, {"params": model.main_head.weight}]
    )
    bloop = Bloop(optimizer.param_groups, lam=LAM, rho=RHO)
    assert [id(p) for p in bloop.parameters.values()] == [
        id(p) for p in (*model.trunk.parameters(), model.main_head.weight)
    ]


def test_sparse_gradients_become_dense() -> None:
    table: Any = nn.Embedding(5, 3, sparse=True)
    bloop = Bloop(table.named_parameters(), lam=LAM, rho=RHO)
    index = torch.tensor([1, 1, 4])
    bloop.backward(table(index).sum(), table(index[:1]).square().sum())
    same: Any = nn.Embedding(5, 3, _weight=table.weight.detach().clone())
    dense = Bloop(same.named_parameters(), lam=LAM, rho=RHO)
    dense.backward(same(index).sum(), same(index[:1]).square().sum())
    assert torch.equal(table.weight.grad, same.weight.grad)
    assert torch.equal(bloop.ema["weight"], dense.ema["weight"])


def test_complex_parameters() -> None:
    weight: Any = nn.Parameter(torch.tensor([1 + 2j, 3 - 1j]))
    bloop = Bloop([weight], lam=LAM, rho=RHO)
    for _ in range(3):
        weight.grad = None
        losses = weight.abs().square().sum(), (weight.real * weight.imag).sum()
        expected = gradients(losses, [weight])
        require_like_reference(bloop, expected, lambda losses=losses: bloop.backward(*losses))


def test_lbfgs_is_refused_while_the_object_lives() -> None:
    weight: Any = nn.Parameter(torch.ones(2))
    other = nn.Parameter(torch.ones(2))
    bloop = Bloop([weight], lam=LAM, rho=RHO)
    bloop.backward(weight.sum(), weight.sum())

    def closure() -> Any:
        return torch.ones(())

    with pytest.raises(TypeError, match="L-BFGS"):
        torch.optim.LBFGS([weight]).step(closure)
    other.grad = torch.zeros(2)
    torch.optim.LBFGS([other]).step(closure)
    gone = weakref.ref(bloop)
    del bloop
    gc.collect()
    assert gone() is None
    weight.grad = torch.zeros(2)
    torch.optim.LBFGS([weight]).step(closure)


DIAGNOSTICS = (
    *("norm_main", "norm_aux", "norm_ema"),
    *("cos_main_aux", "cos_main_ema", "cos_aux_ema", "coefficient"),
)


def test_diagnostics_are_the_references() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    for x in batches(3):
        model.zero_grad()
        losses = model(x)
        main, aux = gradients(losses, list(model.parameters()))
        like = [p.detach() for p in model.parameters()]
        ema = [bloop.ema.get(name) for name in bloop.parameters]
        required = bloop_ref.diagnostics(*(arrays(v, like) for v in (main, aux, ema)))
        found: Any = bloop.backward(*losses, diagnostics=True)
        u = torch.finfo(torch.float32).eps / 2
        size = sum(p.numel() for p in model.parameters())
        for name in DIAGNOSTICS:
            value, wanted = getattr(found, name), float(getattr(required, name))
            scale = 1.0 if name.startswith("cos") else max(abs(wanted), float(required.coefficient))
            assert abs(value - wanted) <= diagnostics_bound(u, size, max(scale, abs(wanted))), name


def test_an_infinite_batch_is_skipped_and_counted() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    first, second = batches(2)
    bloop.backward(*model(first))
    model.zero_grad()
    before = {name: e.clone() for name, e in bloop.ema.items()}
    bloop.backward(*model(torch.full((1, 6), torch.nan)))
    assert bloop.withheld
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(bloop.ema[name], e) for name, e in before.items())
    assert int(bloop.skipped) == 1
    assert bloop.count == 2
    losses = model(second)
    expected = gradients(losses, list(model.parameters()))
    require_like_reference(bloop, expected, lambda: bloop.backward(*losses))


@pytest.mark.parametrize("init", ["zeros", "first"])
@pytest.mark.parametrize("project_on", ["previous", "updated"])
@pytest.mark.parametrize("nonfinite", ["skip", "propagate"])
@pytest.mark.parametrize("reading", [True, False])
def test_bad_batches_are_treated_as_in_the_reference(
    init: Any, project_on: Any, nonfinite: Any, reading: Any, request: Any
) -> None:
    if not reading:
        request.getfixturevalue("unread")
    options: Any = {"init": init, "project_on": project_on, "nonfinite": nonfinite}
    weight: Any = nn.Parameter(torch.zeros(2))
    bloop, reference = (
        Bloop([weight], lam=1.0, rho=0.5, **options),
        bloop_ref.Bloop(1, 0.5, **options),
    )
    state = reference.init(np.zeros(2, np.float32))
    bad = [torch.nan, 1.0]
    # dyadic numbers, so that every step is exact: bad main gradients come first, and in between
    for main, aux in ((bad, [1.0, 0.0]), ([4.0, 4.0], bad), (bad, bad), ([4.0, 0.0], [2.0, 2.0])):
        bloop.backward(weight @ torch.tensor(main), weight @ torch.tensor(aux))
        pair = [np.array(x, np.float32) for x in (main, aux)]
        required, state = reference.step(pair, state)
        # the direction shows what came in, which is kept from the optimiser
        assert bloop.withheld == (nonfinite == "skip" and bad in (main, aux))
        assert (weight.grad is None) == bloop.withheld
        if not bloop.withheld:
            np.testing.assert_array_equal(weight.grad.numpy(), required)
        weight.grad = None
        np.testing.assert_array_equal(bloop.ema["0"].numpy(), state.ema)
        assert (bloop.count, int(bloop.skipped)) == (int(state.count), int(state.skipped))


def test_an_infinite_batch_raises_if_wanted() -> None:
    weight: Any = nn.Parameter(torch.ones(2))
    bloop = Bloop([weight], lam=LAM, rho=RHO, nonfinite="raise")
    with pytest.raises(FloatingPointError, match=r"main_gradient\(\) must be finite"):
        bloop.backward(weight.sum() * torch.inf, weight.sum())
    # which would never reach the average, but by the direction the weights
    with pytest.raises(FloatingPointError, match=r"^aux_gradient\(\) must be finite"):
        bloop.backward(weight.sum(), weight.sum() * torch.nan)
    assert bloop.count == 0
    assert not bloop.ema["0"].any()
    bloop.backward(weight.sum(), weight.sum())
    assert bloop.ema["0"].tolist() == [RHO, RHO]


def test_an_average_follows_the_bare_equation_if_wanted() -> None:
    weight: Any = nn.Parameter(torch.ones(2))
    bloop = Bloop([weight], lam=LAM, rho=RHO, nonfinite="propagate")
    bloop.backward(weight.sum() * torch.nan, weight.sum())
    assert bloop.ema["0"].isnan().all()


def test_the_direction_takes_the_memory_of_the_auxiliary_gradient() -> None:
    weight: Any = nn.Parameter(torch.ones(1000))
    bloop = Bloop([weight], lam=LAM, rho=RHO)
    with bloop.main_gradient():
        weight.sum().backward()
    with bloop.aux_gradient():
        weight.square().sum().backward()
        place = weight.grad.data_ptr()
    bloop.combine()
    assert weight.grad.data_ptr() == place


def test_the_graph_of_the_last_loss_is_freed() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    (x,) = batches(1)
    main, aux = model(x)
    bloop.backward(main, aux)
    for loss in (main, aux):
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
    model.zero_grad()
    (main, _), (_, aux) = model(x), model(x)
    bloop.accumulate(main, aux, shared_graph=False)
    with pytest.raises(RuntimeError, match="second time"):
        main.backward()


def test_both_gradients_are_required() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    with pytest.raises(RuntimeError, match=r"main_gradient\(\) has not"):
        bloop.combine()
    with bloop.main_gradient():
        pass
    with pytest.raises(RuntimeError, match=r"aux_gradient\(\) has not"):
        bloop.combine()


def test_a_failed_backward_pass_leaves_nothing_behind() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    (x,) = batches(1)

    def fails() -> None:
        with bloop.main_gradient():
            model(x)[0].backward()
            raise MemoryError

    with pytest.raises(MemoryError):
        fails()
    losses = model(x)
    expected = gradients(losses, list(model.parameters()))
    require_like_reference(bloop, expected, lambda: bloop.backward(*losses))


BAD: dict[str, dict[str, Any]] = {
    "project_on must be one of": {"project_on": "both"},
    "init must be one of": {"init": "ones"},
    "nonfinite must be one of": {"nonfinite": "hide"},
    "ema_dtype must be": {"ema_dtype": torch.bfloat16},
    "lam must be": {"lam": -1.0},
    "rho must be": {"rho": 2.0},
    "at least one parameter": {"params": []},
    "leaf tensors": {"params": [torch.ones(1, requires_grad=True) * 2]},
    "different names": {"params": [("a", torch.ones(1)), ("a", torch.zeros(1))]},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_options_are_named(message: Any) -> None:
    options: Any = {"params": normal(((2,),), 1), "lam": LAM, "rho": RHO} | BAD[message]
    with pytest.raises(ValueError, match=message):
        Bloop(options.pop("params"), **options)


def test_no_parameters_are_named() -> None:
    numbers: Any = [1.0]
    with pytest.raises(TypeError, match="params must be"):
        Bloop(torch.ones(2), lam=LAM, rho=RHO)
    with pytest.raises(TypeError, match="params must hold tensors"):
        Bloop(numbers, lam=LAM, rho=RHO)
