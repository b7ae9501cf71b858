"""Subjects that take two losses and leave ``.grad``: right ones pass, wrong ones are found."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bloop_proofs import ProtocolError, check_implementation, from_losses, linear_loss
from tests.proofs.subjects import ROOT, error_of

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


def inner(x: Any, y: Any) -> Any:
    return sum((a * b.conj()).real.sum(dtype=torch.float64) for a, b in zip(x, y, strict=True))


class Router:
    """A right one, which wrong ones and ones in other forms are made of."""

    def __init__(self, params: Any, lam: float, rho: float) -> None:
        self.params, self.lam, self.rho = list(params), lam, rho
        self.average = [torch.zeros_like(p) for p in params]

    def gradients(self, *losses: Any) -> Any:
        return [torch.autograd.grad(loss, self.params) for loss in losses]

    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        main, aux = self.gradients(main_loss, aux_loss)
        self.leave(main, aux)
        self.move(main)

    def leave(self, main: Any, aux: Any) -> None:
        square = inner(self.average, self.average)
        c = inner(aux, self.average) / square if square else 0.0
        for p, m, a, e in zip(self.params, main, aux, self.average, strict=True):
            p.grad = (m + self.lam * (a - c * e)).to(p.dtype)

    def move(self, main: Any) -> None:
        for e, m in zip(self.average, main, strict=True):  # no graph: autograd.grad made none
            e.mul_(1 - self.rho).add_(self.rho * m)


class Lazy(Router):
    """It makes its average at the first step, in another object."""

    def __init__(self, params: Any, lam: float, rho: float) -> None:
        super().__init__(params, lam, rho)
        self.state: Any = {}

    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        self.state = self.state or {p: torch.zeros_like(p) for p in self.params}
        self.average = list(self.state.values())
        super().backward(main_loss, aux_loss)


class Flat(Router):
    """Its average is one long tensor."""

    def __init__(self, params: Any, lam: float, rho: float) -> None:
        super().__init__(params, lam, rho)
        if len({p.dtype for p in params}) > 1:
            raise NotImplementedError("parameters must have one dtype")
        self.buffer = torch.cat([e.reshape(-1) for e in self.average])
        cut = self.buffer.split([p.numel() for p in params])
        self.average = [e.view(p.shape) for e, p in zip(cut, params, strict=True)]


class EmaFirst(Router):
    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        main, aux = self.gradients(main_loss, aux_loss)
        self.move(main)
        self.leave(main, aux)


class Accumulates(Router):
    """The auxiliary gradient is that of both losses: the main one is not cleared before."""

    def gradients(self, *losses: Any) -> Any:
        main, aux = super().gradients(*losses)
        return main, [m + a for m, a in zip(main, aux, strict=True)]


class Shares(Router):
    """Where rho is 1 what lies in .grad is the average."""

    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        super().backward(main_loss, aux_loss)
        for p, e in zip(self.params, self.average, strict=True):
            if torch.equal(p.grad, e):
                p.grad = e


def bloop(params: Any, lam: float, rho: float) -> Any:
    bloop_torch = pytest.importorskip("bloop_torch")
    return bloop_torch.Bloop(params, lam=lam, rho=rho, nonfinite="propagate")


def function(params: Any, lam: float, rho: float) -> Any:
    """A function, whose average is its attribute."""
    router = Router(params, lam, rho)

    def backward(main_loss: Any, aux_loss: Any) -> None:
        router.backward(main_loss, aux_loss)

    vars(backward)["ema"] = dict(enumerate(router.average))
    return backward


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
    report = check_implementation(step, framework="torch", laws=SOME, examples=20)
    failed = {r.law for r in report.results if r.status == "failed"}
    only = {"outputs-are-new-arrays"} if subject is Shares else {"direction-is-equation-5"}
    assert only <= failed
    assert subject is not Shares or only == failed
    if WRONG[subject]:
        assert report.diagnosis[0].name == WRONG[subject]


class Deaf(Router):
    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        pass


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
    report = check_implementation(step, framework="torch", laws=SOME[0], examples=20)
    assert report.subject == "from_losses(tests.proofs.test_losses:EmaFirst)"
    raised = error_of(report.results[0].counterexample, cwd=ROOT)
    assert raised.startswith("bloop_proofs.law.LawViolation: direction must be")


def test_gradients_of_linear_losses_are_the_vectors_bit_for_bit() -> None:
    infinite = complex(float("inf"), 1.0)
    drawn = [torch.tensor([infinite, -0.5j]), torch.tensor(3e4, dtype=torch.float16)]
    params = [torch.ones_like(g).requires_grad_() for g in drawn]
    linear_loss(drawn, params).backward()
    for p, g in zip(params, drawn, strict=True):
        assert torch.equal(p.grad, g)
