"""One mistake, in torch."""

from typing import Any

import pytest

from bloop_proofs.adapters import from_class
from bloop_proofs.losses import from_losses
from bloop_proofs.subject import Step
from tests.proofs.fresh.entries import EARLY, LEAVES, NORM_FLOOR, SQUARE_FLOOR, single

torch = pytest.importorskip("torch", reason="torch is not installed")
F = torch.nn.functional


def flat(leaves: Any) -> Any:
    """All entries as one float64 vector, a complex one as two."""
    real = [torch.view_as_real(x) if x.is_complex() else x for x in leaves]
    return torch.cat([x.double().flatten() for x in real])


def shaped(vector: Any, like: Any) -> list[Any]:
    out, start = [], 0
    for x in like:
        stop = start + x.numel() * (2 if x.is_complex() else 1)
        part, start = vector[start:stop], stop
        if x.is_complex():
            part = torch.view_as_complex(part.reshape(*x.shape, 2))
        out.append(part.reshape(x.shape).to(x.dtype, copy=True))
    return out


def cleared(a: Any, e: Any) -> Any:
    square = e.dot(e)
    return a - a.dot(e) / square * e if square > 0 else a


@single(EARLY, framework="torch")
def lerp_before(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """torch.lerp on copies of the average, and then the projection."""
    g, u, v = flat(m), flat(a), flat(e).clone()
    v.lerp_(g, rho)
    return shaped(g.add(cleared(u, v), alpha=lam), m), shaped(v, e)


@single(like=(SQUARE_FLOOR, NORM_FLOOR), framework="torch")
def cosine_similarity_of_torch(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """F.cosine_similarity with eps=1e-3, which is a floor of each of the norms."""
    g, u, v = flat(m), flat(a), flat(e)
    cosine = F.cosine_similarity(u, v, dim=0, eps=1e-3)
    ratio = u.norm() / v.norm() if v.any() else 0.0
    return shaped(g + lam * (u - cosine * ratio * v), m), shaped(torch.lerp(v, g, rho), e)


@single(NORM_FLOOR, framework="torch")
def normalize_with_a_floor(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """F.normalize(e, eps=2e-4): a floor of the norm."""
    g, u, v = flat(m), flat(a), flat(e)
    unit = F.normalize(v, dim=0, eps=2e-4)
    return shaped(g + lam * (u - (u @ unit) * unit), m), shaped(v + rho * (g - v), e)


@single(framework="torch")
def average_in_bfloat16(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """The average is kept in bfloat16."""
    g, u, v = flat(m), flat(a), flat(e)
    kept = torch.lerp(v, g, rho).bfloat16()
    return shaped(g + lam * cleared(u, v), m), shaped(kept.double(), e)


@single(like="inner-products-are-in-half-precision", framework="torch")
def sums_in_half_leaves(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Sums of products in the dtype of the leaves, which float16 cannot hold."""

    def dot(x: Any, y: Any) -> Any:
        return sum((p.conj() * q).sum().real.double() for p, q in zip(x, y, strict=True))

    square = dot(e, e)
    c = (dot(e, [x.to(y.dtype) for x, y in zip(a, e, strict=True)]) / square) if square else 0.0
    g, u, v = flat(m), flat(a), flat(e)
    return shaped(g + lam * (u - c * v), m), shaped(torch.lerp(v, g, rho), e)


class PerTensor:
    def __init__(self, lam: float, rho: float) -> None:
        self.lam, self.beta = lam, 1 - rho
        self.buffers: list[Any] = []

    def combine(self, main: Any, aux: Any) -> Any:
        out = []
        for g, u, buffer in zip(main, aux, self.buffers, strict=True):
            x, v = flat([u]), flat([buffer])
            d = flat([g]) + self.lam * cleared(x, v)
            out += shaped(d, [g])
            new = self.beta * v + (1 - self.beta) * flat([g])
            buffer.copy_(shaped(new, [buffer])[0])
        return out


@single(LEAVES, framework="torch", made=True)
def tensors_of_an_optimiser() -> Step:
    """A buffer per parameter, as in an optimiser, each projected on by itself."""
    return from_class(PerTensor, method="combine", ema="buffers")


class Router:
    def __init__(self, params: Any, lam: float, rho: float) -> None:
        self.params, self.lam, self.rho = params, lam, rho
        self.average = [torch.zeros_like(p) for p in params]

    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        main = torch.autograd.grad(main_loss, self.params, retain_graph=True)
        aux = torch.autograd.grad(aux_loss, self.params)
        g, u, v = flat(main), flat(aux), flat(self.average)
        part = cleared(u, v)
        for p, x in zip(self.params, shaped(g + self.lam * part, self.params), strict=True):
            p.grad = x
        new = torch.lerp(v, flat([p.grad for p in self.params]), self.rho)
        torch._foreach_copy_(self.average, shaped(new, self.average))


@single("ema-averages-the-direction", framework="torch", made=True)
def router_that_averages_grad() -> Step:
    """After the backward pass the average takes .grad, which is the direction by then."""
    return from_losses(Router, ema="average")


@single("auxiliary-gradient-is-projected-in-place", framework="torch")
def detaches_nothing_from_its_input(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Subtracts the projection from the auxiliary gradients in place."""
    g, u, v = flat(m), flat(a), flat(e)
    for x, y in zip(a, shaped(cleared(u, v), a), strict=True):
        x.copy_(y)
    return shaped(g + lam * cleared(u, v), m), shaped(torch.lerp(v, g, rho), e)
