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
        lambda: surgery.PCGrad(orders=[[1.0], [0]]),
    ),
    "seed must be an integer >= 0; found -1": (ValueError, lambda: surgery.PCGrad(seed=-1)),
    "target must be a number in [-1, 1]; found nan": (
        ValueError,
        lambda: surgery.GradVac(0, target=np.nan),
    ),
    "nonfinite must be given to the method that is applied; found 'raise'": (
        ValueError,
        lambda: surgery.PerLeaf(surgery.AGem(), nonfinite="raise"),
    ),
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
        lambda: surgery.AGem().step([G, G, G], surgery.AGem().init(G)),
    ),
    "gradients must be as many as MGDA takes: required at least 1, found 0": (
        ValueError,
        lambda: surgery.MGDA().step([], surgery.MGDA().init(G)),
    ),
    "losses must be as many as DynamicBarrier takes: required at least 2, found 1": (
        ValueError,
        lambda: surgery.DynamicBarrier().init(G, losses=1),
    ),
    "lam must be one number or one per auxiliary loss: required 1, found 2": (
        ValueError,
        lambda: surgery.Mixed([1, 2])(G, G),
    ),
    "orders must have one row per gradient: required 2, found 3": (
        ValueError,
        lambda: surgery.PCGrad(orders=THREE)(G, G),
    ),
    "main_loss must be given with a level: required none without a level, found one": (
        ValueError,
        lambda: surgery.DynamicBarrier()(G, G, main_loss=1.0),
    ),
    "main_loss must be given with a level: required the value of L_main, found none": (
        ValueError,
        lambda: surgery.DynamicBarrier(level=1.0)(G, G),
    ),
    "target must be one number or one for every pair of gradients: required 2 rows of 2, "
    "found [2]": (
        ValueError,
        lambda: surgery.GradVac(0, target=[[0, 0]])(G, G),
    ),
    "target[0][1] must be a number in [-1, 1]; found 2": (
        ValueError,
        lambda: surgery.GradVac(0, target=[[0, 2], [0, 0]])(G, G),
    ),
    "target must be a number in [-1, 1]; found 'x'": (
        TypeError,
        lambda: surgery.GradVac(0, target="x")(G, G),
    ),
    "state must be one of SamGS for 3 gradients: required (3, 3) remembered vectors and scalars, "
    "found (2, 3)": (
        ValueError,
        lambda: surgery.SamGS().step([G, G, G], surgery.SamGS().init(G)),
    ),
    "state must be one of MetaBalance for 2 gradients: required (0, 2) remembered vectors and "
    "scalars, found (0, 3)": (
        ValueError,
        lambda: surgery.MetaBalance().step([G, G], surgery.MetaBalance().init(G, losses=3)),
    ),
    "state must have one entry per leaf: required 1, found 0": (
        ValueError,
        lambda: surgery.PerLeaf(surgery.AGem()).step([G, G], ()),
    ),
    "state must have one entry per leaf: required 1, found State": (
        ValueError,
        lambda: surgery.PerLeaf(surgery.AGem()).step([G, G], surgery.MetaBalance().init(G)),
    ),
    "losses must have one entry more than lams: required 2, found 3": (
        ValueError,
        lambda: HierarchicalBloop([1.0], 0.5).init(G, losses=3),
    ),
    "gradients[1] must have the shape of gradients[0]: required (2,), found (3,)": (
        ValueError,
        lambda: surgery.MGDA()(G, np.ones(3)),
    ),
    "gradients[2] must have the shape of gradients[0]: required (2,), found (3,)": (
        ValueError,
        lambda: surgery.PCGrad()(G, G, np.ones(3)),
    ),
}


@pytest.mark.parametrize("message", CALLS)
def test_calls(message: str) -> None:
    kind, call = CALLS[message]
    raises(kind, message, call)


FORMS = {
    "Mixed": (0, 0),
    "PCGrad": (0, 0),
    "GradVac": (0, 4),
    "MetaBalance": (0, 2),
    "SamGS": (2, 3),
}


@pytest.mark.parametrize(
    "method",
    [
        surgery.Mixed(1),
        surgery.PCGrad(),
        surgery.GradVac(0.5),
        surgery.MetaBalance(),
        surgery.SamGS(),
    ],
)
def test_state_of_another_method(method: surgery.Method) -> None:
    message = "state must be a State, as init and step return it; found "
    for state in (None, (), (G, 0)):
        raises(TypeError, message + type(state).__name__, lambda x=state: method.step([G, G], x))
    name = type(method).__name__
    other = surgery.GradVac(0) if name != "GradVac" else surgery.SamGS()
    found = FORMS[type(other).__name__]
    message = (
        f"state must be one of {name} for 2 gradients: "
        f"required {FORMS[name]} remembered vectors and scalars, found {found}"
    )
    raises(ValueError, message, lambda: method.step([G, G], other.init(G)))
