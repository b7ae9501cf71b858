"""The reference as a ``step``, other estimators beside it, and settings for the tests here."""

from typing import Any

from hypothesis import Phase, settings

import bloop_ref

Gradient = list[Any]


def bloop(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: Any, rho: Any
) -> tuple[Gradient, Gradient]:
    """Algorithm 1 by the reference."""
    direction = bloop_ref.bloop_direction(g_main, g_aux, ema, lam=lam)
    return direction, bloop_ref.update_ema(ema, g_main, rho=rho)


def full_batch(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: Any, rho: Any
) -> tuple[Gradient, Gradient]:
    """The direction by the reference, for runs that need no EMA."""
    return bloop_ref.bloop_direction(g_main, g_aux, ema, lam=lam), ema


def updated_first(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: Any, rho: Any
) -> tuple[Gradient, Gradient]:
    """The other estimator: the EMA updated before the projection."""
    updated = bloop_ref.update_ema(ema, g_main, rho=rho)
    return bloop_ref.bloop_direction(g_main, g_aux, updated, lam=lam), updated


def raw_gradient(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: Any, rho: Any
) -> tuple[Gradient, Gradient]:
    """No EMA: the projection on the gradient of the mini-batch itself."""
    return bloop_ref.bloop_direction(g_main, g_aux, g_main, lam=lam), ema


def mixed(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: Any, rho: Any
) -> tuple[Gradient, Gradient]:
    """Mixed training (eq. 1)."""
    return [g + lam * a for g, a in zip(g_main, g_aux, strict=True)], ema


def examples(count: int) -> settings:
    """Hypothesis settings: so many examples, always the same ones, no time limit on any.

    A failing run of many steps is reported as it is: shrinking it would take minutes.
    """
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
    )
