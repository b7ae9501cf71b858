"""How fronts are compared, and how sure a number over seeds is."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap

from bloop_reproduction.claim import Number

Front = NDArray[np.float64]
"""Points of two losses, both to be small, shape (n, 2)."""


def hypervolume(front: Front, reference: Sequence[float]) -> float:
    """Return the area that a front dominates below a reference point.

    A point (x, y) dominates all that is worse in both losses. Points beyond the reference count
    for nothing.

    >>> hypervolume(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), (2.0, 2.0))
    3.0
    """
    x_end, lowest = reference
    area = 0.0
    for x, y in sorted(map(tuple, front)):
        if x < x_end and y < lowest:
            area += (x_end - x) * (lowest - y)
            lowest = y
    return float(area)


def dominated(front: Front, by: Front) -> float:
    """Return the share of a front's points that some point of another dominates.

    >>> dominated(np.array([[1.0, 1.0], [0.0, 3.0]]), by=np.array([[0.5, 1.0]]))
    0.5
    """
    here, there = front[:, None], by[None]
    worse = np.all(here >= there, axis=2) & np.any(here > there, axis=2)
    return float(np.mean(np.any(worse, axis=1)))


def gains(fronts: Mapping[int, ArrayLike], others: Mapping[int, ArrayLike]) -> list[float]:
    """Return for each seed how much more one front dominates than another, as a share.

    The whole is the box that all points of both span, of all seeds; its worst corner is the
    reference point.

    >>> gains({0: [[0.0, 1.0], [1.0, 0.0]]}, {0: [[1.0, 1.0], [0.5, 0.5]]})
    [-0.25]
    """
    points = np.concatenate([np.asarray(each) for each in (*fronts.values(), *others.values())])
    worst, size = points.max(axis=0), np.ptp(points, axis=0)
    if not size.all():
        return [0.0] * len(fronts)
    areas = [
        [hypervolume(np.asarray(each[seed]), worst) / float(size.prod()) for seed in sorted(each)]
        for each in (fronts, others)
    ]
    return [one - other for one, other in zip(*areas, strict=True)]


def interval(
    name: str,
    values: ArrayLike,
    statistic: Callable[..., float] = np.mean,
    *,
    resamples: int = 9999,
) -> Number:
    """Return a statistic over seeds with its 95% bootstrap interval (percentiles).

    A single seed, or seeds that agree, have no width; nor has what is not finite.

    >>> interval("x", [1.0, 1.0, 1.0])
    Number(name='x', value=1.0, low=1.0, high=1.0)
    """
    sample = np.asarray(values, float)
    value = float(statistic(sample))
    if len(sample) < 2 or not np.isfinite(sample).all() or np.ptp(sample) == 0:
        return Number(name, value, value, value)
    found = bootstrap(
        (sample,),
        statistic,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Number(name, value, float(found.low), float(found.high))
