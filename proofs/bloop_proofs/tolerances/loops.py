"""Bounds on the directions of a loop that averages gradients and remembers them over steps."""

from bloop_proofs.tolerances.steps import SLACK, average_bound, direction_bound


def mean_bound(u: float, count: int, size: float) -> float:
    """Return the bound on ||computed - exact|| for the mean of ``count`` vectors.

    ``size`` is the mean of their norms. A sum in any order rounds every term ``count`` - 1 times,
    and each is divided once or twice, before the sum or after it.
    """
    return SLACK * u * (count + 1) * size


def remembered_bound(
    u: float, count: int, main: float, ema: float, error: float, rho: float
) -> float:
    """Return the bound on ||computed - exact|| for the EMA after a step.

    ``error`` is that of the EMA before, of norm ``ema``, and ``main`` the mean norm of the main
    gradients: what is remembered decays by 1 - rho, and the new mean and the average round.
    """
    fresh = rho * mean_bound(u, count, main)
    return (1 - rho) * error + fresh + average_bound(u, u, main, ema, rho)


def loop_bound(
    u: float,
    n: int,
    count: int,
    main: float,
    aux: float,
    lam: float,
    ema: float,
    error: float,
) -> float:
    """Return the bound on ||computed - exact|| for a direction on means of ``count`` gradients.

    To that of one step come the errors of both means, which a projection does not increase, and
    that of the EMA: the projections along e and along e' differ by the sine of their angle, which
    is ||e - e'|| / ||e|| at most. ``main`` and ``aux`` are mean norms of the gradients.
    """
    turned = min(error / ema, 1.0) if ema else float(error > 0)
    means = mean_bound(u, count, main) + lam * mean_bound(u, count, aux)
    return direction_bound(u, n, main, aux, lam) + means + lam * turned * aux
