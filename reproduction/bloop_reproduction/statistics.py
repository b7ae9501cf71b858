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


def areas(*several: Mapping[int, ArrayLike]) -> list[NDArray[np.float64]]:
    """Return, of several fronts by seed, what share of a box each seed's front dominates.

    The box spans all points, of all seeds; its worst corner is the reference point. A point that is
    not finite dominates nothing, and is outside.

    >>> areas({0: [[0.0, 1.0], [1.0, 0.0]]}, {0: [[1.0, 1.0], [0.5, 0.5]]})
    [array([0.]), array([0.25])]
    """
    points = np.concatenate([np.asarray(each, float) for one in several for each in one.values()])
    points = points[np.isfinite(points).all(axis=1)]
    size = np.ptp(points, axis=0) if len(points) else np.zeros(2)
    if not size.all():
        return [np.zeros(len(one)) for one in several]
    worst, whole = points.max(axis=0), size.prod()
    return [
        np.array([hypervolume(np.asarray(one[seed], float), worst) for seed in sorted(one)]) / whole
        for one in several
    ]


def gains(fronts: Mapping[int, ArrayLike], others: Mapping[int, ArrayLike]) -> list[float]:
    """Return for each seed how much more one front dominates than another, as a share.

    The whole is the box that all points of both span, of all seeds; see ``areas``.

    >>> gains({0: [[0.0, 1.0], [1.0, 0.0]]}, {0: [[1.0, 1.0], [0.5, 0.5]]})
    [-0.25]
    """
    ours, theirs = areas(fronts, others)
    return [float(gain) for gain in ours - theirs]


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
