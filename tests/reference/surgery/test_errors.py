"""What is wrong is said by name: the argument, what was required, what was found."""

from typing import Any

import numpy as np
import pytest

from bloop_ref import HierarchicalBloop, surgery

G = np.array([3.0, 4.0])
THREE = [[1, 2], [0, 2], [0, 1]]


def raises(kind: type[Exception], message: str, call: Any) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


OPTIONS: dict[str, tuple[type[Exception], Any]] = {
    "lam must be a finite number >= 0; found -1": (ValueError, lambda: surgery.Mixed(-1)),
    "lam[1] must be a finite number >= 0; found -1": (ValueError, lambda: surgery.PCGrad([1, -1])),
    "rescale must be one of (False, True); found 2": (
        ValueError,
        lambda: surgery.Mixed(1, rescale=2),  # type: ignore[arg-type]
    ),
    "beta must be a finite number >= 0; found -1": (
        ValueError,
        lambda: surgery.DynamicBarrier(beta=-1),
    ),
    "alpha must be a finite number >= 0; found nan": (
        ValueError,
        lambda: surgery.DynamicBarrier(alpha=np.nan),
    ),
    "tie must be one of (0, 0.5, 1); found 2": (ValueError, lambda: surgery.CosineGate(tie=2)),
    "beta must be a number in [0, 1]; found 2": (ValueError, lambda: surgery.GradVac(2)),
    "orders[0] must hold each of [1, 2] once; found [1, 1]": (
        ValueError,
        lambda: surgery.PCGrad(orders=[[1, 1], [0, 2], [0, 1]]),
    ),
    "orders[1] must hold each of [0, 2] once; found [0, 2, 1, 1]": (
        ValueError,
        lambda: surgery.PCGrad(orders=[[1, 2], [0, 2, 1, 1], [0, 1]]),
    ),
    "orders[2] must hold each of [0, 1] once; found [0, 1, 2]": (
        ValueError,
        lambda: surgery.GradVac(0.5, orders=[[1, 2], [0, 2], [0, 1, 2]]),
    ),
    "orders[0] must hold each of [1] once; found [1.0]": (
        ValueError,
        lambda: surgery.PCGrad(orders=[[1.0], [0]]),  # type: ignore[list-item]
    ),
    "seed must be an integer >= 0; found -1": (ValueError, lambda: surgery.PCGrad(seed=-1)),
    "seed must be an integer >= 0; found True": (ValueError, lambda: surgery.PCGrad(seed=True)),
    "relaxation must be a number in [0, 1]; found 2": (
        ValueError,
        lambda: surgery.MetaBalance(relaxation=2),
    ),
    "c must be a number in [0, 1); found 1": (ValueError, lambda: surgery.CAGrad(1)),
    "gamma must be a finite number >= 0; found '1'": (TypeError, lambda: surgery.SamGS(gamma="1")),
    "method must be a GramMethod; found SamGS": (
        TypeError,
        lambda: surgery.PerLeaf(surgery.SamGS()),  # type: ignore[arg-type]
    ),
    "bloop must be a HierarchicalBloop; found int": (
        TypeError,
        lambda: surgery.Hierarchy(1),  # type: ignore[arg-type]
    ),
    "max_norm must be a finite number >= 0; found -1": (
        ValueError,
        lambda: surgery.sam_gs_post_step(G, losses=2, max_norm=-1),
    ),
}


@pytest.mark.parametrize("message", OPTIONS)
def test_options(message: str) -> None:
    kind, call = OPTIONS[message]
    raises(kind, message, call)


CALLS: dict[str, tuple[type[Exception], Any]] = {
    "gradients must be as many as AGem takes: required 2, found 3": (
        ValueError,
        lambda: surgery.AGem().step([G, G, G], ()),
    ),
    "gradients must be as many as MGDA takes: required at least 1, found 0": (
        ValueError,
        lambda: surgery.MGDA().step([], ()),
    ),
    "losses must be as many as DynamicBarrier takes: required at least 2, found 1": (
        ValueError,
        lambda: surgery.DynamicBarrier().init(G, losses=1),
    ),
    "lam must be one number or one per auxiliary loss: required 1, found 2": (
        ValueError,
        lambda: surgery.Mixed([1, 2]).step([G, G], ()),
    ),
    "lam must be a finite number >= 0; found [1]": (
        TypeError,
        lambda: surgery.mixed(G, G, lam=[1]),
    ),
    "orders must have one row per gradient: required 2, found 3": (
        ValueError,
        lambda: surgery.pcgrad(G, G, orders=THREE),
    ),
    "main_loss must be given with a level: required none without a level, found one": (
        ValueError,
        lambda: surgery.dynamic_barrier(G, G, main_loss=1.0),
    ),
    "main_loss must be given with a level: required the value of L_main, found none": (
        ValueError,
        lambda: surgery.dynamic_barrier(G, G, level=1.0),
    ),
    "targets must be one number or one for every pair of gradients: required 2 rows of 2": (
        ValueError,
        lambda: surgery.grad_vac(G, G, targets=[[0, 0]]),
    ),
    "targets[0][1] must be a number in [-1, 1]; found 2": (
        ValueError,
        lambda: surgery.grad_vac(G, G, targets=[[0, 2], [0, 0]]),
    ),
    "targets[0][0] must be a number in [-1, 1]; found 'x'": (
        TypeError,
        lambda: surgery.grad_vac(G, G, targets="x"),
    ),
    "gradients must be as many as the state was made for: required 2, found 3": (
        ValueError,
        lambda: surgery.SamGS().step([G, G, G], surgery.SamGS().init(G)),
    ),
    "gradients must be as many as the state was made for: required 3, found 2": (
        ValueError,
        lambda: surgery.MetaBalance().step([G, G], surgery.MetaBalance().init(G, losses=3)),
    ),
    "state must have one entry per leaf: required 1, found 0": (
        ValueError,
        lambda: surgery.PerLeaf(surgery.AGem()).step([G, G], ()),
    ),
    "state must have one entry per leaf: required 1, found MetaBalanceState": (
        ValueError,
        lambda: surgery.PerLeaf(surgery.AGem()).step([G, G], surgery.MetaBalance().init(G)),
    ),
    "losses must be one more than the weights of bloop: required 2, found 3": (
        ValueError,
        lambda: surgery.Hierarchy(HierarchicalBloop([1.0], 0.5)).init(G, losses=3),
    ),
    "gradients[1] must have the shape of gradients[0]: required (2,), found (3,)": (
        ValueError,
        lambda: surgery.mgda(G, np.ones(3)),
    ),
    "g_aux[1] must have the shape of g_main: required (2,), found (3,)": (
        ValueError,
        lambda: surgery.pcgrad(G, G, np.ones(3)),
    ),
    "at least one vector is required; found none": (ValueError, lambda: surgery.mgda()),
}


@pytest.mark.parametrize("message", CALLS)
def test_calls(message: str) -> None:
    kind, call = CALLS[message]
    raises(kind, message, call)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (surgery.Mixed(1), "()"),
        (surgery.PCGrad(), "a PCGradState"),
        (surgery.GradVac(0.5), "a GradVacState"),
        (surgery.MetaBalance(), "a MetaBalanceState"),
        (surgery.SamGS(), "a SamGSState"),
    ],
)
def test_state_of_another_method(method: surgery.Method, expected: str) -> None:
    name = type(method).__name__
    message = f"state must be {expected}, as init and step of {name} return it; found "
    raises(TypeError, message + "NoneType", lambda: method.step([G, G], None))
    other = surgery.PCGrad() if name != "PCGrad" else surgery.SamGS()
    state = other.init(G)
    raises(TypeError, message + type(state).__name__, lambda: method.step([G, G], state))
