"""Classes that take two losses and leave ``.grad``: right ones of several forms, and wrong ones."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")


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


class Swapped(Router):
    def __init__(self, params: Any, lam: float, rho: float) -> None:
        super().__init__(params, lam, 1 - rho)


class Starts(Router):
    """Its average starts from the first main gradient."""

    def leave(self, main: Any, aux: Any) -> None:
        if not inner(self.average, self.average):
            self.average = [m.clone() for m in main]
        super().leave(main, aux)


class Deaf(Router):
    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        pass
