"""Subjects that take two losses and leave ``.grad``: right ones pass, wrong ones are found."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bloop_proofs import (
    LawViolation,
    ProtocolError,
    check_implementation,
    check_loop,
    from_losses,
    linear_loss,
    loop_from_losses,
)
from tests.proofs.routers import (
    Accumulates,
    Deaf,
    EmaFirst,
    Flat,
    Lazy,
    Router,
    Shares,
    Starts,
    Swapped,
    bloop,
    function,
)

torch = pytest.importorskip("torch", reason="torch is not installed")

SOME = [
    "direction-is-equation-5",
    "new-ema-weighs-the-new-gradient-by-rho",
    "each-step-projects-on-the-ema-before-its-update",
    "outputs-are-new-arrays",
    "complex-leaves-use-the-real-inner-product",
    "float32-ema-of-half-gradients-keeps-moving",
    "every-leaf-keeps-its-own-dtype",
    "empty-and-zero-dimensional-leaves-are-leaves",
    "bad-main-gradient-shows-in-the-direction",
]
MIXED_DTYPES = "every-leaf-keeps-its-own-dtype"


RIGHT: dict[str, Callable[..., Any]] = {
    "bloop_torch": partial(from_losses, bloop, ema="ema"),
    "a class": partial(from_losses, Router, ema="average"),
    "made late": partial(from_losses, Lazy, ema=lambda lazy: lazy.state),
    "flat": partial(from_losses, Flat, ema="buffer"),
    "a function": partial(from_losses, function, ema="ema", method="__call__"),
}


@pytest.mark.parametrize("form", RIGHT)
def test_right_subjects_pass(form: str) -> None:
    report = check_implementation(RIGHT[form](), framework="torch", laws=SOME, examples=5)
    assert report.passed, str(report)
    declined = {r.law: r.message for r in report.results if r.status == "skipped"}
    half = {"float32-ema-of-half-gradients-keeps-moving"} if form != "bloop_torch" else set()
    assert declined.keys() == {MIXED_DTYPES} | half
    if form != "flat":
        assert "torch.float32 cannot be set to one in torch.float64" in declined[MIXED_DTYPES]


WRONG = {
    EmaFirst: "ema-is-updated-before-the-projection",
    Accumulates: "",
    Shares: "",
}


@pytest.mark.parametrize("subject", WRONG)
def test_wrong_subjects_are_found(subject: Any) -> None:
    step = from_losses(subject, ema="average")
    report = check_implementation(step, framework="torch", laws=SOME, examples=10)
    failed = {r.law for r in report.results if r.status == "failed"}
    only = {"outputs-are-new-arrays"} if subject is Shares else {"direction-is-equation-5"}
    assert only <= failed
    assert subject is not Shares or only == failed
    if WRONG[subject]:
        assert report.diagnosis[0].name == WRONG[subject]


HIDDEN = {
    EmaFirst: "the average is updated before the projection",
    Swapped: "rho weighs the old average, 1 - rho the new gradient",
    Starts: "the average starts from the first main gradient instead of 0",
    Accumulates: "the auxiliary gradient holds the main one: .grad is not cleared in between",
}


def test_a_hidden_average_is_judged_by_directions() -> None:
    for right in (bloop, Router, Lazy, Flat):
        report = check_loop(loop_from_losses(right), steps=6)
        assert report.passed, str(report)
    assert check_loop(loop_from_losses(function, method="__call__")).passed


@pytest.mark.parametrize("subject", HIDDEN)
def test_wrong_subjects_with_a_hidden_average_are_found(subject: Any) -> None:
    report = check_loop(loop_from_losses(subject), steps=6)
    assert not report.passed
    assert report.diagnosis == HIDDEN[subject]


FORMS: dict[str, tuple[Callable[..., Any], str]] = {
    "no method": (partial(from_losses, Router, ema="average", method="go"), "must have go; found"),
    "no average": (partial(from_losses, Router, ema="ema"), "must have ema; found none"),
    "no .grad": (
        partial(from_losses, Deaf, ema="average"),
        ".grad of params[0] must hold the direction; found None",
    ),
    "copies": (
        partial(from_losses, Router, ema=lambda router: [e.clone() for e in router.average]),
        "must return the tensors that hold the average, to be written to; found copies of them",
    ),
    "too few": (
        partial(from_losses, Router, ema=lambda router: router.average[:1]),
        "each of the 2 parameters, or a flat one of shape (3,); found list of 1",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_another_form_is_said_in_one_line(form: str) -> None:
    make, message = FORMS[form]
    with pytest.raises(ProtocolError) as raised:
        check_implementation(make(), framework="torch", laws=SOME[:1])
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_counterexamples_run() -> None:
    step = from_losses(EmaFirst, ema="average")
    report = check_implementation(step, framework="torch", laws=SOME[0], examples=10)
    assert report.subject == "from_losses(tests.proofs.routers:EmaFirst)"
    with pytest.raises(LawViolation, match="direction must be"):
        exec(report.results[0].counterexample, {})


def test_gradients_of_linear_losses_are_the_vectors_bit_for_bit() -> None:
    infinite = complex(float("inf"), 1.0)
    drawn = [torch.tensor([infinite, -0.5j]), torch.tensor(3e4, dtype=torch.float16)]
    params = [torch.ones_like(g).requires_grad_() for g in drawn]
    linear_loss(drawn, params).backward()
    for p, g in zip(params, drawn, strict=True):
        assert torch.equal(p.grad, g)
