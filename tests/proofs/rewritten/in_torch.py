"""Catalogued mistakes, each under its name, as torch code has them."""

from typing import Any

import torch
from torch.nn import functional

from bloop_proofs.subject import Step
from tests.proofs.rewritten.pieces import Leaves, added, lerp, made, projected


def ema_is_updated_in_place() -> Step:
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        direction = added(g_main, lam, projected(g_aux, ema))
        with torch.no_grad():
            for e, g in zip(ema, g_main, strict=True):
                e.mul_(1 - rho).add_(g, alpha=rho)
        return direction, ema

    return step


def epsilon_1e_8_is_added_to_the_square() -> Step:
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        a, e = (torch.cat([x.flatten() for x in v]) for v in (g_aux, ema))
        c = torch.dot(a, e) / (e.norm() ** 2 + 1e-8)
        parts = [x - c * y for x, y in zip(g_aux, ema, strict=True)]
        return added(g_main, lam, parts), lerp(ema, g_main, rho)

    return step


def norm_is_at_least_1e_12() -> Step:
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        a, e = (torch.cat([x.flatten() for x in v]) for v in (g_aux, ema))
        unit = functional.normalize(e, dim=0)
        part = (a - torch.dot(a, unit) * unit).split([x.numel() for x in g_aux])
        shaped = [p.view_as(x) for p, x in zip(part, g_aux, strict=True)]
        return added(g_main, lam, shaped), lerp(ema, g_main, rho)

    return step


def inner_products_are_of_the_last_leaf() -> Step:
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        for a, e in zip(g_aux, ema, strict=True):
            top, bottom = torch.sum(a * e), torch.sum(e.square())
        c = top / bottom
        parts = [
            torch.addcmul(a, c.expand_as(e), e, value=-1) for a, e in zip(g_aux, ema, strict=True)
        ]
        return added(g_main, lam, parts), [
            torch.lerp(e, g, rho) for e, g in zip(ema, g_main, strict=True)
        ]

    return step


def main_gradient_itself_is_returned() -> Step:
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        new = [
            torch.lerp(e.double(), g.double(), rho).to(e.dtype)
            for e, g in zip(ema, g_main, strict=True)
        ]
        if lam == 0:
            return list(g_main), new
        wide = [[x.double() for x in v] for v in (g_main, g_aux, ema)]
        direction = added(wide[0], lam, projected(wide[1], wide[2]))
        return [d.to(g.dtype) for d, g in zip(direction, g_main, strict=True)], new

    return step


def ema_averages_the_direction() -> Step:
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        direction = added(g_main, lam, projected(g_aux, ema))
        return direction, torch._foreach_lerp(ema, direction, rho)

    return step


STEPS = made(
    ema_is_updated_in_place,
    epsilon_1e_8_is_added_to_the_square,
    norm_is_at_least_1e_12,
    inner_products_are_of_the_last_leaf,
    main_gradient_itself_is_returned,
    ema_averages_the_direction,
)
