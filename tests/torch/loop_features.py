"""Features of a loop under DDP and FSDP2: each gives what one process gives on whole batches."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import direction_bound, norm, unit_roundoff
from bloop_ref.surgery import (
    AGem,
    Bloop,
    CAGrad,
    CosineGate,
    GradVac,
    MetaBalance,
    Mixed,
    PCGrad,
)
from tests.torch.agreement import fetch
from tests.torch.altered import adapted, compiled, frozen, recomputed
from tests.torch.distributed_loop import Forward, Loop, whole
from tests.torch.loops import LAM, RHO
from tests.torch.models import batches

STEPS, MICRO_BATCHES = 2, 2


def two(model: Any, x: Tensor) -> Any:
    return model(x)


def three(model: Any, x: Tensor) -> Any:
    main, aux = model(x)
    return main, aux, main * aux


def main_alone(model: Any, x: Tensor) -> Any:
    return model(x)[0], None


def flat_of(vector: Any) -> Any:
    return flat([fetch(x) for x in vector if x is not None])


def require_like_alone(
    kind: str,
    forward: Forward = two,
    then: Forward | None = None,
    *,
    unit: Any = None,
    step: Any = None,
    **options: Any,
) -> None:
    """Raise unless every direction is that of one process, but for rounding.

    Gradients are summed in another order, and so are inner products: an error of each of the kind
    that ``direction_bound`` bounds, for either side; it is carried on by the weights, over which
    the losses are smooth, and the bounds of the steps add up.
    """
    runs = {name: Loop(name, **options) for name in (kind, "alone")}
    data = list(batches(STEPS * MICRO_BATCHES))
    bound = 0.0
    for k in range(0, len(data), MICRO_BATCHES):
        now = forward if k == 0 or then is None else then
        found = {n: run.step(data[k : k + 2], now, **(step or {})) for n, run in runs.items()}
        here, alone = (flat_of(run.directions[-1]) for run in runs.values())
        u = unit or unit_roundoff([fetch(torch.zeros(()))])
        diagnostics = found["alone"]
        sizes = diagnostics.norms[: runs["alone"].surgery.losses] if diagnostics else ()
        size = float(max(sizes, default=norm(alone)))
        bound += 4 * direction_bound(u, alone.size, size, size, 1.0)
        require_close(kind, here, alone, bound)
        if diagnostics is not None:
            assert abs(float(found[kind].norms[0]) - float(diagnostics.norms[0])) <= bound
    require_same_bits(runs[kind])


def require_same_bits(run: Loop) -> None:
    for parameter in run.net.parameters():
        mine = whole(parameter.detach())
        first = mine.clone()
        dist.broadcast(first, 0)
        assert torch.equal(first, mine)


def plain(kind: str) -> None:
    require_like_alone(kind)


def autocast(kind: str) -> None:
    require_like_alone(kind, unit=2.0**-8, step={"amp": True})


def scaler(kind: str) -> None:
    require_like_alone(kind, step={"scaled": True})


def more_losses(kind: str) -> None:
    require_like_alone(kind, three, method=PCGrad(seed=0), losses=3)


def missing(kind: str) -> None:
    require_like_alone(kind, two, main_alone)


def frozen_parameters(kind: str) -> None:
    require_like_alone(kind, prepare=frozen)


def activation_checkpointing(kind: str) -> None:
    require_like_alone(kind, prepare=recomputed)


def adapters(kind: str) -> None:
    require_like_alone(kind, prepare=adapted)


def compiled_model(kind: str) -> None:
    require_like_alone(kind, wrap=compiled)


def other_methods(kind: str) -> None:
    methods = Mixed(lam=LAM), AGem(), CosineGate(), MetaBalance(), CAGrad(c=LAM), GradVac(beta=RHO)
    for method in methods:
        require_like_alone(kind, method=method)


def steps_between(kind: str) -> None:
    require_like_alone(kind, method=Bloop(LAM, RHO, every=2))


def nonfinite(kind: str) -> None:
    run = Loop(kind)
    first, second = batches(2)
    run.step([first], two)
    (before,) = copy.deepcopy(run.surgery.state.memory)
    weights = [p.detach().clone() for p in run.net.parameters()]
    second[0] = torch.inf  # in the first process alone
    run.step([second], two)
    (after,) = run.surgery.state.memory
    assert int(run.surgery.skipped) == 1
    assert all(
        e is f or torch.equal(whole(e), whole(f)) for e, f in zip(before, after, strict=True)
    )
    pairs = zip(run.net.parameters(), weights, strict=True)
    assert all(torch.equal(whole(p.detach()), whole(w)) for p, w in pairs)


def resumed(kind: str) -> None:
    one, other = Loop(kind), Loop(kind)
    first, second = batches(2)
    one.step([first], two)
    for name in ("net", "surgery", "optimizer", "scheduler"):
        getattr(other, name).load_state_dict(copy.deepcopy(getattr(one, name).state_dict()))
    one.step([second], two)
    other.step([second], two)
    pairs = zip(one.net.parameters(), other.net.parameters(), strict=True)
    assert all(torch.equal(whole(p.detach()), whole(q.detach())) for p, q in pairs)


def forward_pass_before_no_sync(kind: str) -> None:
    run: Any = Loop(kind)
    losses = run.model(next(batches(1)))
    with run.ddp.no_sync(), pytest.raises(RuntimeError, match="average_over=group"):
        run.surgery.accumulate(*losses)


def gradients_kept_back(kind: str) -> None:
    run = Loop(kind)
    x, *_ = batches(1)
    run.net.set_requires_gradient_sync(False)
    with pytest.raises(RuntimeError, match="FSDP keeps gradients back"):
        run.step([x, x], two)
    assert not run.directions


FEATURES = (
    plain,
    autocast,
    scaler,
    more_losses,
    frozen_parameters,
    activation_checkpointing,
    adapters,
    compiled_model,
    other_methods,
    steps_between,
    nonfinite,
    resumed,
    forward_pass_before_no_sync,
    gradients_kept_back,
    missing,
)
ONLY = {forward_pass_before_no_sync: ("ddp",), gradients_kept_back: ("fsdp",)}


def _check(feature: Callable[[str], None], kind: str) -> Callable[[Path], None]:
    return lambda folder: feature(kind)


CHECKS = {
    f"{feature.__name__} {kind}": _check(feature, kind)
    for feature in FEATURES
    for kind in ONLY.get(feature, ("ddp", "fsdp"))
}
