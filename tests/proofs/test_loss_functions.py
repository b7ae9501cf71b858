"""JAX steps that take parameters and two loss functions: right ones pass, wrong ones are found."""

from typing import Any

import pytest

from bloop_proofs import (
    LawViolation,
    ProtocolError,
    check_implementation,
    from_loss_functions,
    linear_loss,
    replay,
)
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.source import source_of
from tests.proofs.subjects import example

jax = pytest.importorskip("jax", reason="jax is not installed")

SOME = [
    "direction-is-equation-5",
    "new-ema-weighs-the-new-gradient-by-rho",
    "complex-leaves-use-the-real-inner-product",
    "half-precision-gradients-do-not-overflow",
    "every-leaf-keeps-its-own-dtype",
    "empty-and-zero-dimensional-leaves-are-leaves",
]


def right(params: Any, main_loss: Any, aux_loss: Any, ema: Any, *, lam: float, rho: float) -> Any:
    main, aux = jax.grad(main_loss)(params), jax.grad(aux_loss)(params)
    return example("jax")(main, aux, ema, lam=lam, rho=rho)


def sum_of_losses(
    params: Any, main_loss: Any, aux_loss: Any, ema: Any, *, lam: float, rho: float
) -> Any:
    return right(params, lambda p: main_loss(p) + aux_loss(p), aux_loss, ema, lam=lam, rho=rho)


def test_a_right_step_passes() -> None:
    step = from_loss_functions(right)
    report = check_implementation(step, framework="jax", laws=SOME, examples=1)
    assert report.count() == {"passed": len(SOME)}, str(report)


def test_losses_go_through_jit_and_are_traced_once() -> None:
    traced = []

    def step(params: Any, main_loss: Any, aux_loss: Any, ema: Any, *, lam: Any, rho: Any) -> Any:
        traced.append(1)
        return right(params, main_loss, aux_loss, ema, lam=lam, rho=rho)

    adapted = from_loss_functions(jax.jit(step))
    for size in (1.0, 2.0):
        given = [[jax.numpy.array([size, -3.0])] for _ in range(3)]
        (direction,), (new_ema,) = adapted(*given, lam=0.5, rho=0.5)
        assert direction.tolist() == new_ema.tolist() == [size, -3.0]
    assert len(traced) == 1


def test_a_wrong_step_is_found() -> None:
    step = from_loss_functions(sum_of_losses)
    assert source_of(step).lines == (
        "from tests.proofs.test_loss_functions import sum_of_losses as step",
        "step = from_loss_functions(step)",
    )
    one, two = [jax.numpy.array([1.0])], [jax.numpy.array([2.0])]
    case = {"g_main": one, "g_aux": two, "ema": one, "lam": 1.0, "rho": 0.5}
    # no whole report, whose diagnosis would be compiled for every shape
    with pytest.raises(LawViolation, match=r"new_ema must be \[1\] within .*; found \[2\]"):
        replay("new-ema-weighs-the-new-gradient-by-rho", step, case, framework="jax")


def test_another_form_is_said_in_one_line() -> None:
    step = from_loss_functions(lambda params, main, aux, ema, *, lam, rho: params)
    with pytest.raises(ProtocolError, match=r"pair \(direction, new_ema\)"):
        check_implementation(step, framework="jax", laws=SOME[0])


@pytest.mark.parametrize("dtype", ["complex64", "float16", "bfloat16", "float32"])
def test_gradients_of_linear_losses_are_the_vectors_bit_for_bit(dtype: str) -> None:
    xp = FRAMEWORKS["jax"].xp
    entries = [complex(float("inf"), 1.0), -0.5j] if dtype == "complex64" else [3e4, float("inf")]
    drawn = [xp.array(entries, dtype=dtype), xp.array(0.25)]
    found = jax.grad(lambda params: linear_loss(drawn, params))([xp.ones_like(g) for g in drawn])
    for x, g in zip(found, drawn, strict=True):
        assert x.dtype == g.dtype
        assert (x == g).all()
