"""The constants of Theorem A: how far from the solution of a quadratic problem Bloop may stop.

docs/theory.md proves them for exact gradients, and its symbols are used here: c is the weight of
the mixed loss V = L_main + c L_aux that serves as Lyapunov function. ``rho=None`` is the full batch
without an EMA, the projection on g_main itself (eq. 3).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bloop_proofs.problems.arrays import UNIT_ROUNDOFF, Array
from bloop_proofs.problems.constants import Constants, bases, constants
from bloop_proofs.problems.quadratic import Quadratic


def lag(rho: float | None) -> float:
    """Return what the EMA multiplies c by: 4 / rho, and 1 without an EMA."""
    return 1.0 if rho is None else 4 / rho


def slowest(k: Constants, lam: float, rho: float | None) -> float:
    """Return n, the smaller rate of the two subspaces: min(mu, lam nu), with an EMA lam nu / 2."""
    return min(k.main_curvature, lam * k.aux_curvature / (1 if rho is None else 2))


def largest_step(problem: Quadratic, lam: float, rho: float | None = None) -> float:
    """Return n / (9 lam L L_a lag), the largest step for which ``radius_constant`` is proved."""
    k = constants(problem)
    product = lam * k.main_smoothness * k.aux_smoothness
    return slowest(k, lam, rho) / (9 * product * lag(rho))


def radius_constant(problem: Quadratic, lam: float, rho: float | None = None) -> float:
    """Return C with limsup ||theta_t - theta*|| <= C eta at constant eta <= ``largest_step``.

    C = 4 lag lam L W sqrt(1 + (K / nu)^2) / sqrt(mu n), Corollary A1 of docs/theory.md.

    Example:
        >>> from bloop_proofs.problems.toy import section_3_3
        >>> radius_constant(section_3_3(), lam=1.0)
        4.0
    """
    k = constants(problem)
    rate = np.sqrt(k.main_curvature * slowest(k, lam, rho))
    spread = np.hypot(1, k.coupling / k.aux_curvature)
    return float(4 * lag(rho) * lam * k.main_smoothness * k.pull * spread / rate)


@dataclass(frozen=True)
class Setting:
    """Bloop with constant lam and rho on a quadratic problem, with steps that never increase.

    Attributes:
        problem: the problem.
        lam: the weight of the auxiliary loss, positive.
        rho: the weight of the new gradient in the EMA, in (0, 1], or ``None`` for no EMA.
        largest_eta: the first and largest step.

    Raises:
        ValueError: the steps are too long for Theorem A.
    """

    problem: Quadratic
    lam: float
    rho: float | None
    largest_eta: float

    def __post_init__(self) -> None:
        limit = largest_step(self.problem, self.lam, self.rho)
        if not 0 < self.largest_eta <= limit:
            raise ValueError(f"largest_eta must lie in (0, {limit}]; found {self.largest_eta}")

    @cached_property
    def constants(self) -> Constants:
        """The constants of the problem."""
        return constants(self.problem)

    @cached_property
    def smoothness(self) -> float:
        """M = L + c L_a at the largest step, the smoothness of every V that occurs."""
        relative = lag(self.rho) * self.largest_eta * self.lam * self.constants.aux_smoothness
        return self.constants.main_smoothness / (1 - relative)

    @cached_property
    def gap(self) -> float:
        """m = (1 - kappa) n, where H + c A >= (1 - kappa) times its two diagonal blocks.

        kappa is at most sqrt(c L_a / (mu + c L_a)), and at most K sqrt(c / (mu nu)).
        """
        k, c = self.constants, self.weight(self.largest_eta)
        mixed = c * k.aux_smoothness
        kappa = min(
            np.sqrt(mixed / (k.main_curvature + mixed)),
            k.coupling * np.sqrt(c / (k.main_curvature * k.aux_curvature)),
        )
        return float((1 - kappa) * slowest(k, self.lam, self.rho))

    @cached_property
    def pull(self) -> float:
        """W_c <= W (1 + c L_a / mu), the norm of grad_aux at the minimiser of V."""
        k, c = self.constants, self.weight(self.largest_eta)
        return k.pull * (1 + c * k.aux_smoothness / k.main_curvature)

    def weight(self, eta: float) -> float:
        """Return c = lag eta lam M."""
        return lag(self.rho) * eta * self.lam * self.smoothness

    def potential_root(self, eta: float, theta: Array, ema: Array | None) -> float:
        """Return y, the root of 2 (V(theta) - min V) + ||ema - g_main||^2 / M.

        Without an EMA, the second term is absent.
        """
        problem, c = self.problem, self.weight(eta)
        hessian = problem.hessian_main(theta) + c * problem.curvature
        shift = np.linalg.solve(hessian, c * problem.grad_aux(problem.solution))
        offset = theta - problem.solution + shift
        value = float(offset @ hessian @ offset)
        if ema is not None:
            value += float(np.sum((ema - problem.grad_main(theta)) ** 2)) / self.smoothness
        return float(np.sqrt(value))

    def decaying_constant(self, theta: Array, ema: Array | None) -> float:
        """Return C' with ||theta_t - theta*|| <= C' eta_t under ``recursion.harmonic_steps``.

        Corollary A2: with beta = sqrt(c L_a / m) and z the part of theta - theta* in the null space
        of H, all at the first step, R = max(2 W_c / (sqrt(m) (1 - beta)), y / c),
        X = R / sqrt(mu) + W_c / mu, Z = max(2 K X / nu, z / c): C' = sqrt(X^2 + Z^2) c / eta.
        """
        k, c = self.constants, self.weight(self.largest_eta)
        beta = float(np.sqrt(c * k.aux_smoothness / self.gap))
        y = self.potential_root(self.largest_eta, theta, ema)
        settled = 2 * self.pull / (np.sqrt(self.gap) * (1 - beta))
        x = max(settled, y / c) / np.sqrt(k.main_curvature) + self.pull / k.main_curvature
        _, across = bases(self.problem)
        start = float(np.linalg.norm(across.T @ (theta - self.problem.solution)))
        z = max(2 * k.coupling * x / k.aux_curvature, start / c)
        return float(np.hypot(x, z)) * c / self.largest_eta

    def rounding(self, theta: Array) -> float:
        """Return how far rounding displaces the two ends of a step from a first point ``theta``.

        A computed step is an exact one from and to points that near: B theta - b is computed within
        (p + 2) u sqrt(p L) (||theta|| + ||theta*||), as if theta were displaced by that over
        sqrt(mu), and B' times it, the projection, the sum and the update round by some (p + 8) u of
        the numbers that enter. On its way theta is taken to be no larger than twice its sizes at
        both ends. This counts rounding errors, it does not prove a bound for a floating-point run.
        """
        k, p = self.constants, len(theta)
        size = 2 * float(np.linalg.norm(theta) + np.linalg.norm(self.problem.solution)) + k.pull
        condition = float(np.sqrt(p * k.main_smoothness / k.main_curvature))
        return (2 * p + 10) * UNIT_ROUNDOFF * condition * size
