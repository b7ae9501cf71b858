"""Theorem A's bound on the distance to the solution, step by step."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.bounds import Setting
from bloop_proofs.problems.constants import bases


def distance_bounds(
    setting: Setting, etas: Iterable[float], theta: Array, ema: Array | None
) -> Iterator[float]:
    """Yield bounds on ||theta_t - theta*|| for t = 0, 1, ...: one more than there are steps.

    The recursion of Theorem A in docs/theory.md, with x the part of theta - theta* in range(H), z
    the rest, and y as in ``Setting.potential_root``:

        z   <- (1 - eta lam nu) z + eta lam K x,       where x <= y / sqrt(mu) + c W_c / mu
        y^2 <- (1 - eta m) y^2 + eta (c W_c + sqrt(c L_a) y)^2
        y   <- y + 2 (c - c') W_c / sqrt(mu)           for c' of the next step

    To it, what rounding does to both ends of a step is added.

    Args:
        setting: the problem and the weights.
        etas: the step sizes, positive, none larger than the one before.
        theta: the first point, shape (p,).
        ema: the first EMA, in the range of H, shape (p,); ``None`` without an EMA.

    Raises:
        ValueError: a step is larger than the one before.

    Example:
        >>> from bloop_proofs.problems.toy import section_3_3
        >>> setting = Setting(section_3_3(), lam=1.0, rho=None, largest_eta=0.1)
        >>> first, second = distance_bounds(setting, [0.1], np.array([3.0, 4.0]), None)
        >>> round(first, 6)
        5.0
    """
    k, lam, pull = setting.constants, setting.lam, setting.pull
    root = np.sqrt(k.main_curvature)
    noise = setting.rounding(theta)
    jolt = 2 * np.sqrt(setting.smoothness) * noise
    _, across = bases(setting.problem)
    z = float(np.linalg.norm(across.T @ (theta - setting.problem.solution)))
    y = setting.potential_root(setting.largest_eta, theta, ema)
    c = setting.weight(setting.largest_eta)
    yield setting.problem.distance(theta) + noise
    for eta in etas:
        y += 2 * (c - setting.weight(eta)) * pull / root
        if setting.weight(eta) > c:
            raise ValueError(f"no step may be larger than the one before; found {eta}")
        c = setting.weight(eta)
        x = y / root + c * pull / k.main_curvature
        z = (1 - eta * lam * k.aux_curvature) * z + eta * lam * k.coupling * x + noise
        y += jolt
        drive = c * pull + np.sqrt(c * k.aux_smoothness) * y
        y = np.sqrt((1 - eta * setting.gap) * y**2 + eta * drive**2) + jolt
        yield float(np.hypot(y / root + c * pull / k.main_curvature, z))


def sufficient_steps(
    setting: Setting, theta: Array, ema: Array | None, target: float, *, most: int
) -> int | None:
    """Return after how many steps of constant size the bound falls to ``target``.

    Returns ``None`` if that takes more than ``most`` steps.
    """
    bounds = distance_bounds(setting, repeat(setting.largest_eta, most), theta, ema)
    return next((t for t, bound in enumerate(bounds) if bound <= target), None)


def harmonic_steps(setting: Setting, steps: int) -> Array:
    """Return eta_t = eta_0 / (1 + eta_0 m t / 12), shape (steps,).

    These sum to infinity and fall so slowly that the bound keeps up with them: it stays within a
    constant of C eta_t (Corollary A2 of docs/theory.md).
    """
    first = setting.largest_eta
    return np.asarray(first / (1 + first * setting.gap * np.arange(steps) / 12))
