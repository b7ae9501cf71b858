"""Pieces of plain code that works in every framework."""

from collections.abc import Callable
from typing import Any

from bloop_proofs.subject import Step

Leaves = list[Any]


def dot(x: Leaves, y: Leaves) -> Any:
    return sum((p * q).sum() for p, q in zip(x, y, strict=True))


def lerp(ema: Leaves, g_main: Leaves, rho: float) -> Leaves:
    return [e + rho * (g - e) for e, g in zip(ema, g_main, strict=True)]


def added(g_main: Leaves, lam: float, part: Leaves) -> Leaves:
    return [g + lam * p for g, p in zip(g_main, part, strict=True)]


def projected(a: Leaves, e: Leaves) -> Leaves:
    ee = dot(e, e)
    return [x - dot(a, e) * y / ee if ee != 0 else x for x, y in zip(a, e, strict=True)]


def named(*functions: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Functions by the names of the mistakes that they are named for."""
    return {function.__name__.replace("_", "-"): function for function in functions}


def made(*functions: Callable[[], Step]) -> dict[str, Step]:
    """The steps that functions return, by the names of the mistakes."""
    return {name: make() for name, make in named(*functions).items()}
