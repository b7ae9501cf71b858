"""torch: nothing on an accelerator is read, and bfloat16 and autograd's tensors are welcome."""

from typing import Any

import numpy as np
import pytest

from bloop_ref import Bloop, HierarchicalBloop, bloop_direction, diagnostics, surgery, update_ema

torch = pytest.importorskip("torch", reason="torch is not installed")
dispatch = pytest.importorskip("torch.utils._python_dispatch", reason="torch is not installed")


class Deaf(dispatch.TorchDispatchMode):  # type: ignore[misc, name-defined]
    """Forbid the one operation that brings a value of a tensor to the host."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        assert func is not torch.ops.aten._local_scalar_dense.default, "a tensor was read"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "options", [{}, {"init": "first", "rescale": True, "project_on": "updated"}]
)
def test_nothing_is_read_from_the_device(dtype: Any, options: dict[str, Any]) -> None:
    # meta tensors have a device of their own, and no values
    g = [torch.ones(3, 2, dtype=dtype, device="meta"), torch.ones((), dtype=dtype, device="meta")]
    lam = torch.ones((), device="meta")
    bloop = Bloop(lambda count: lam / (1 + count), lam, **options)
    levels = HierarchicalBloop([lam, 0.5], lambda count: 1 / (1 + count), **options)
    with Deaf():
        direction, state = bloop.step([g, g], bloop.init(g))
        direction, state = bloop.step([direction, g], state)
        levels.step([g, direction, g], levels.init(g, losses=3))
        update_ema(state.ema, g, rho=lam)
        diagnostics(g, direction, state.ema)
        for method in (surgery.Mixed, surgery.PCGrad, surgery.DynamicBarrier):
            method(lam)(g, direction)
    assert [x.shape for x in direction] == [x.shape for x in g]
    assert {str(x.device) for x in (*direction, *state.ema, *state[2:])} == {"meta"}


def test_python_numbers_are_not_read_from_tensors() -> None:
    g = [torch.ones(3), torch.ones(2, 2)]
    bloop = Bloop(0.5, lambda count: 0.1, nonfinite="skip")
    with Deaf():
        _, state = bloop.step([g, g], bloop.init(g))
        every = Bloop(0.5, 0.1, every=2)
        _, between = every.step([g, g], every.init(g))
        _, between = every.step([g], between)
    assert int(state.count) == 1
    assert int(between.count) == 2


def test_bfloat16() -> None:
    values = [[3.0, 4.0], [-5.0, 0.0], [1.0, 0.0]]
    g, a, e = (torch.tensor(x, dtype=torch.bfloat16) for x in values)
    direction, state = Bloop(0.5, 0.25).step([g, a], Bloop(0.5, 0.25).init(g))
    assert (direction.dtype, state.ema.dtype) == (torch.bfloat16, torch.float32)
    assert bloop_direction(g, a, e, lam=0.5).tolist() == [3.0, 4.0]
    assert state.ema.tolist() == [0.75, 1.0]


def test_gradients_of_autograd() -> None:
    theta = torch.tensor([1.0, -2.0], requires_grad=True)
    (g,) = torch.autograd.grad((theta**2).sum() / 2, theta)
    (a,) = torch.autograd.grad(((theta - 1) ** 2).sum() / 2, theta)
    d = bloop_direction([g], [a], [g], lam=0.5)
    np.testing.assert_array_equal(
        d[0], bloop_direction([g.numpy()], [a.numpy()], [g.numpy()], lam=0.5)[0]
    )
    assert not d[0].requires_grad
