"""One state through every way of writing it, and under every name that a model's wrappers give."""

from typing import Any

import optree
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

import bloop_ref
from bloop_ref.surgery import MetaBalance, PerLeaf, SamGS
from bloop_torch import Bloop, Surgery
from bloop_torch.flat import flatten, unflatten
from tests.torch.models import batches, make, two_losses

alone = pytest.mark.filterwarnings(
    "ignore:torch.distributed is disabled, unavailable or uninitialized, assuming the intent is to"
)

FIRST = bloop_ref.Bloop(0.5, 0.25, init="first")
METHODS = [FIRST, SamGS(), PerLeaf(FIRST), MetaBalance()]
NAMES = ["trunk.weight", "heads.module.0", "module.bias"]


def by_distributed_checkpoint(saved: Any, fresh: Any, folder: Any) -> None:
    save({"bloop": saved}, checkpoint_id=folder, no_dist=True)
    load({"bloop": fresh}, checkpoint_id=folder, no_dist=True)


def by_safetensors(saved: Any, fresh: Any, folder: Any) -> None:
    tensors, strings = flatten(saved.state_dict())
    save_file(tensors, folder / "bloop", strings)
    with safe_open(folder / "bloop", "pt") as file:
        again = {name: file.get_tensor(name) for name in tensors}
        fresh.load_state_dict(unflatten(again, file.metadata()))


def go_on(surgery: Surgery, model: nn.Module, inputs: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in inputs:
        surgery.backward(*model(x))
        optimizer.step()


@alone
@pytest.mark.parametrize("way", [by_distributed_checkpoint, by_safetensors])
@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_a_resumed_run_goes_on_bit_for_bit(
    method: Any, steps: int, way: Any, tmp_path: Any
) -> None:
    inputs = list(batches(steps + 2))
    models = [two_losses().to(memory_format=torch.channels_last) for _ in range(2)]
    whole, resumed = (Surgery(model.named_parameters(), method) for model in models)
    go_on(whole, models[0], inputs[:steps])
    models[1].load_state_dict(models[0].state_dict())
    way(whole, resumed, tmp_path)
    for surgery, model in zip((whole, resumed), models, strict=True):
        go_on(surgery, model, inputs[steps:])
    for p, q in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(p, q)
        assert (p.grad is None) == (q.grad is None)
    states = (optree.tree_leaves(x.state, none_is_leaf=True) for x in (whole, resumed))
    for x, y in zip(*states, strict=True):
        assert (x is None and y is None) or torch.equal(*map(torch.as_tensor, (x, y)))
    assert resumed.count == whole.count


@alone
def test_a_sharded_state_loads_into_one_process(ranks: Any) -> None:
    folder, (first, _) = ranks
    bloop = make(two_losses())
    load({"bloop": bloop}, checkpoint_id=folder / "reshard", no_dist=True)
    assert bloop.count == 3
    assert bloop.ema.keys() == first["ema"].keys()
    for name, e in bloop.ema.items():
        assert torch.equal(e, first["ema"][name])


@alone
def test_an_average_without_a_place_to_load_into_is_missed(tmp_path: Any) -> None:
    model = two_losses()
    saved, fresh = make(model), make(two_losses())
    (x,) = batches(1)
    saved.backward(*model(x))
    fresh.parameters["trunk.bias"].requires_grad = False
    with pytest.raises(ValueError, match=r"lacks \['trunk.bias'\].*do not require a gradient"):
        by_distributed_checkpoint(saved, fresh, tmp_path)
    assert fresh.ema == {}


def test_runs_in_several_processes_are_resumed_bit_for_bit(ranks: Any) -> None:
    for here in ranks[1]:
        assert here["resumed"] == dict.fromkeys(
            ("replicated-0", "replicated-3", "sharded-0", "sharded-3"), True
        )


def test_a_part_that_is_not_finite_is_refused_in_every_process(ranks: Any) -> None:
    for here in ranks[1]:
        assert "['trunk.bias'] must be finite; found 1 entries" in here["part with NaN"]


def with_names(names: Any) -> Bloop:
    parameters = [nn.Parameter(torch.ones(2)) for _ in names]
    return Bloop(zip(names, parameters, strict=True), lam=0.5, rho=0.5)


@pytest.mark.parametrize(
    "wrapped",
    [
        [f"{prefix}{name}" for name in NAMES]
        for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.")
    ]
    + [
        ["trunk._fsdp_wrapped_module.weight", *NAMES[1:]],
        ["trunk._checkpoint_wrapped_module.module.weight", *NAMES[1:]],
    ],
    ids=str,
)
def test_a_wrapped_model_has_the_names_of_the_bare_one(wrapped: Any) -> None:
    for first, second in ((NAMES, wrapped), (wrapped, NAMES)):
        bloop, other = with_names(first), with_names(second)
        total = torch.stack([p.sum() for p in bloop.parameters.values()]).sum()
        bloop.backward(total, total)
        other.load_state_dict(bloop.state_dict())
        assert [*other.ema] == second
        assert all(torch.equal(e, torch.full((2,), 0.5)) for e in other.ema.values())


def test_names_that_only_a_wrapper_tells_apart_stay_apart() -> None:
    bloop = with_names(["module.weight", "weight"])
    assert bloop.state_dict()["names"] == ["module.weight", "weight"]
    with_names(["_orig_mod.module.weight", "_orig_mod.weight"]).load_state_dict(bloop.state_dict())
    with pytest.raises(ValueError, match="in the order"):
        with_names(["weight", "module.weight"]).load_state_dict(bloop.state_dict())
