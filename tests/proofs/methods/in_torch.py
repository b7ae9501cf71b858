"""Every method in another form, most on one flat tensor, in the dtype of the gradients or float32.

Angles in the place of square roots, solvers in the place of closed forms, random orders in the
place of given ones, states that are changed in place.
"""

import functools
import random

import numpy as np
import torch
from scipy.optimize import minimize, nnls


def as_real(x):
    return torch.view_as_real(x) if x.is_complex() else x


def on_flat_tensors(step):
    """Return a step on lists of tensors, made of one on the rows of a matrix."""

    @functools.wraps(step)
    def wrapped(gradients, *state, **options):
        real = [[as_real(x) for x in leaves] for leaves in gradients]
        dtype = functools.reduce(torch.promote_types, [x.dtype for x in real[0]], torch.float32)
        rows = [torch.cat([x.reshape(-1).to(dtype) for x in leaves]) for leaves in real]
        returned = step(torch.stack(rows), *state, **options)
        flat, *rest = returned if state else (returned,)
        parts = flat.split([x.numel() for x in real[0]])
        shaped = [
            p.reshape(x.shape).to(x.dtype, copy=True) for p, x in zip(parts, real[0], strict=True)
        ]
        shaped = [
            torch.view_as_complex(p) if x.is_complex() else p
            for p, x in zip(shaped, gradients[0], strict=True)
        ]
        return (shaped, *rest) if state else shaped

    return wrapped


def safe(x, y):
    return torch.where(y == 0, torch.zeros_like(x), x / torch.where(y == 0, torch.ones_like(y), y))


@on_flat_tensors
def mixed(g, *, lam):
    weights = torch.full((len(g),), lam, dtype=g.dtype)
    weights[0] = 1
    return weights @ g


@on_flat_tensors
def a_gem(g):
    return g[0] + safe((-(g[0] @ g[1])).clamp(min=0), g[1] @ g[1]) * g[1]


@on_flat_tensors
def dynamic_barrier(g, *, lam):
    pushed = lam * g[1]
    missing = (g[0] @ g[0] - pushed @ g[0]).clamp(min=0)
    return pushed + safe(missing, g[0] @ g[0]) * g[0]


def by_least_squares(function):
    """Return a step on tensors of a function of a float64 NumPy matrix."""

    @on_flat_tensors
    def step(g, **options):
        wide = g.double().numpy()
        if not np.isfinite(wide).all():
            raise ValueError("gradients must be finite")
        return torch.from_numpy(function(wide, **options)).to(g.dtype)

    return step


@by_least_squares
def mgda(g):
    scale = np.abs(g).max() or 1.0
    weights, _ = nnls(np.vstack([g.T, np.full(len(g), scale)]), np.r_[np.zeros(g.shape[1]), scale])
    return weights @ g / weights.sum()


@by_least_squares
def cagrad(g, *, c):
    scale = np.abs(g).max() or 1.0
    gram = g @ g.T / scale**2
    mean = np.full(len(g), 1 / len(g))
    radius = c * np.sqrt(mean @ gram @ mean)
    found = minimize(
        lambda w: w @ gram @ mean + radius * np.sqrt(max(w @ gram @ w, 0.0)),
        mean,
        bounds=[(0, 1)] * len(g),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-10},
    ).x
    length = np.sqrt(max(found @ gram @ found, 0.0))
    return (mean + (radius / length if length else 0.0) * found) @ g


@on_flat_tensors
def cosine_gate(g, *, weighted):
    units = torch.stack([safe(v, v.norm()) for v in g])
    cosines = units[1:] @ units[0]
    gates = cosines.clamp(min=0) if weighted else (cosines.sign() + 1) / 2
    return g[0] + gates @ g[1:]


@on_flat_tensors
def grad_vac(g, state, *, beta, orders):
    state = state if state is not None else {}
    parts = []
    for i, order in enumerate(orders):
        x = g[i]
        for j in order:
            y = g[j]
            length = x.norm()
            c = safe(x @ y, length * y.norm()).clamp(-1, 1)
            angle, target = (
                torch.acos(c),
                torch.acos(torch.tensor(state.get((i, j), 0.0), dtype=g.dtype)),
            )
            if y.norm() > 0 and length > 0 and angle > target:
                x = x + length * torch.sin(angle - target) / (torch.sin(target) * y.norm()) * y
            elif not torch.isfinite(angle):
                x = x + angle * y
            state[i, j] = (1 - beta) * state.get((i, j), 0.0) + beta * float(c)
        parts.append(x)
    return torch.stack(parts).sum(0), state


CHANCE = random.Random(0)


@on_flat_tensors
def pcgrad(g):
    gram = (g @ g.T).tolist()
    weights = torch.zeros(len(g), dtype=g.dtype)
    for i in range(len(g)):
        row = [0.0] * len(g)
        row[i] = 1.0
        others = [j for j in range(len(g)) if j != i]
        CHANCE.shuffle(others)
        for j in others:
            along = sum(c * gram[k][j] for k, c in enumerate(row))
            if along < 0:
                row[j] -= along / gram[j][j]
        weights += torch.tensor(row, dtype=g.dtype)
    return weights @ g


@on_flat_tensors
def meta_balance(g, state, *, r, beta):
    state = state if state is not None else {"norms": torch.zeros(len(g), dtype=g.dtype)}
    state["norms"].mul_(beta).add_((1 - beta) * g.norm(dim=1))
    ratios = safe(state["norms"][0].expand(len(g)), state["norms"])
    weights = r * ratios + (1 - r)
    weights[0] = 1
    return weights @ g, state


@on_flat_tensors
def sam_gs(g, state, *, beta1, beta2, gamma, eps):
    if state is None:
        state = {"momentum": torch.zeros_like(g), "h": 0.0, "t": 0}
    sizes = g.norm(dim=1)
    i, j = torch.triu_indices(len(g), len(g), 1)
    squares = sizes[i] ** 2 + sizes[j] ** 2
    similar = torch.where(squares == 0, 1.0, safe(2 * sizes[i] * sizes[j], squares)).mean()
    state["t"] += 1
    state["momentum"].lerp_(g, 1 - beta1)
    state["h"] = beta2 * state["h"] + (1 - beta2) * (1 - float(similar)) ** 2 + eps
    if similar < gamma:
        return (sizes.mean() * safe(g, sizes[:, None])).sum(0), state
    momentum = state["momentum"] / (1 - beta1 ** state["t"])
    root = (state["h"] / (1 - beta2 ** state["t"])) ** 0.5
    return (momentum.abs() * g).sum(0) / root, state


STEPS = {
    "mixed": mixed,
    "a_gem": a_gem,
    "dynamic_barrier": dynamic_barrier,
    "mgda": mgda,
    "cosine_gate": cosine_gate,
    "grad_vac": grad_vac,
    "pcgrad": pcgrad,
    "meta_balance": meta_balance,
    "cagrad": cagrad,
    "sam_gs": sam_gs,
}
