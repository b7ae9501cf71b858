"""Two mistakes, in torch and in JAX."""

from typing import Any

from bloop_proofs.adapters import from_class, from_flat
from bloop_proofs.losses import from_losses
from bloop_proofs.subject import Step
from tests.proofs.fresh.entries import (
    CONFLICT,
    EARLY,
    EPSILON,
    HALF,
    LEAVES,
    NORM_FLOOR,
    RESCALED,
    SINGLE,
    SQUARE,
    SQUARE_FLOOR,
    SWAPPED,
    pair,
)
from tests.proofs.fresh.singles_jax import add, dot, jax, jnp, like, wide
from tests.proofs.fresh.singles_torch import F, Router, cleared, flat, shaped, torch


@pair(EARLY, also=NORM_FLOOR, framework="torch")
def early_and_normalize(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Moves the average first; F.normalize with its eps of 1e-12."""
    g, u, v = flat(m), flat(a), flat(e)
    v = torch.lerp(v, g, rho)
    n = F.normalize(v, dim=0)
    return shaped(g + lam * (u - (u @ n) * n), m), shaped(v, e)


class Surgeon:
    def __init__(self, lam: float, rho: float) -> None:
        self.lam, self.rho = lam, rho
        self.ema: list[Any] = []

    def step(self, main: Any, aux: Any) -> Any:
        out = []
        for i, (g, u) in enumerate(zip(main, aux, strict=True)):
            x, v = flat([u]), flat([self.ema[i]])
            cosine = F.cosine_similarity(x, v, dim=0)
            part = x - cosine * x.norm() / (v.norm() + 1e-8) * v
            out += shaped(flat([g]) + self.lam * part, [g])
            self.ema[i] = shaped(torch.lerp(v, flat([g]), self.rho), [self.ema[i]])[0]
        return out


@pair(LEAVES, also=(EPSILON, NORM_FLOOR), framework="torch", made=True)
def tensors_and_cosines() -> Step:
    """Tensor by tensor; F.cosine_similarity and 1e-8 beside the norm."""
    return from_class(Surgeon)


@pair(CONFLICT, also=SQUARE_FLOOR, framework="torch")
def gate_and_clamp(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Projects only in conflict; ||e||^2.clamp(min=1e-6)."""
    g, u, v = flat(m), flat(a), flat(e)
    c = (u.dot(v) / v.dot(v).clamp(min=1e-6)).clamp(max=0)
    return shaped(g + lam * (u - c * v), m), shaped(torch.lerp(v, g, rho), e)


class Guarded(Router):
    def backward(self, main_loss: Any, aux_loss: Any) -> None:
        main = torch.autograd.grad(main_loss, self.params)
        aux = torch.autograd.grad(aux_loss, self.params)
        g, u, v = flat(main), flat(aux), flat(self.average)
        v = v.mul(1 - self.rho).add(g, alpha=self.rho)
        torch._foreach_copy_(self.average, shaped(v, self.average))
        d = g + self.lam * (u - u.dot(v) / (v.dot(v) + 1e-7) * v)
        for p, x in zip(self.params, shaped(d, self.params), strict=True):
            p.grad = x


@pair(EARLY, also=SQUARE, framework="torch", made=True)
def router_early_and_guarded() -> Step:
    """A router that moves its average first; ||e||^2 + 1e-7."""
    return from_losses(Guarded, ema="average")


@pair(RESCALED, framework="torch")
def rescaled_in_bfloat16(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Over 1 + lam; the average is kept in bfloat16."""
    g, u, v = flat(m), flat(a), flat(e)
    d = (g + lam * cleared(u, v)).div(1 + lam)
    return shaped(d, m), shaped(torch.lerp(v, g, rho).bfloat16().double(), e)


@pair(
    EARLY, also=(SQUARE, HALF, "inner-products-are-in-half-precision"), framework="torch", made=True
)
def flat_and_natural() -> Step:
    """Moves the average first; everything in the dtype of the flat vectors, 1e-8 beside."""

    def step(g: Any, u: Any, v: Any, *, lam: float, rho: float) -> Any:
        v = (1 - rho) * v + rho * g
        c = torch.sum(u * v) / (torch.sum(v * v) + 1e-8)
        return g + lam * (u - c * v), v

    return from_flat(step)


@pair(SWAPPED, also=NORM_FLOOR, framework="torch")
def decay_and_clamp(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """e.mul_(rho).add_(g, alpha=1 - rho); the norm clamped at 1e-4."""
    g, u, v = flat(m), flat(a), flat(e)
    n = v / v.norm().clamp_min(1e-4)
    new = v.clone().mul_(rho).add_(g, alpha=1 - rho)
    return shaped(g + lam * (u - u.dot(n) * n), m), shaped(new, e)


@pair("lam-misses-the-part-along-the-ema", also=SINGLE, framework="torch")
def sum_corrected_in_single(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """The correction without lam, on the summed gradient; sums in float32."""
    g, u, v = flat(m), flat(a), flat(e)
    square = v.float().dot(v.float())
    c = (u.float().dot(v.float()) / square).double() if square else 0.0
    return shaped(g + lam * u - c * v, m), shaped(torch.lerp(v, g, rho), e)


@pair(EARLY, also=SQUARE, framework="jax")
def jax_early_and_epsilon(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Moves the average first; ||e||^2 + 1e-6."""
    new = add(add(e, -rho, e), rho, m)
    c = dot(new, a) / (dot(new, new) + 1e-6)
    return like(add(m, lam, add(a, -c, new)), m), like(new, e)


@pair(LEAVES, also=SQUARE, framework="jax")
def jax_leaves_and_epsilon(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Array by array; 1e-5 beside the square."""

    def one(u: Any, v: Any) -> Any:
        return u - jnp.vdot(v, u).real / (jnp.sum(jnp.abs(v) ** 2) + 1e-5) * v

    part = jax.tree.map(one, wide(a), wide(e))
    return like(add(m, lam, part), m), like(add(add(e, -rho, e), rho, m), e)


@pair("ema-averages-the-sum-of-the-gradients", also=SQUARE, framework="jax")
def jax_sum_averaged_and_epsilon(m: Any, a: Any, e: Any, *, lam: float, rho: float) -> Any:
    """Averages the gradient of the whole loss; ||e||^2 + 1e-6."""
    c = dot(e, a) / (dot(e, e) + 1e-6)
    new = add(add(e, -rho, e), rho, add(m, lam, a))
    return like(add(m, lam, add(a, -c, e)), m), like(new, e)
