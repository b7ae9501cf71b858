"""The right answers of MGDA and CAGrad, found in another way than by the methods themselves.

Both solve a convex problem over the hull of the gradients. The conditions of Karush, Kuhn and
Tucker are linear equations on every face of it, so all faces are tried, in exact arithmetic, and
the best point is the answer: no search, no start and no tolerance.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from math import isqrt
from operator import mul

import numpy as np

from bloop_proofs.tolerances import norm

Row = tuple[Fraction, ...]
Matrix = Sequence[Sequence[Fraction]]


def least_norm_weights(gradients: np.ndarray) -> np.ndarray:
    """Return the weights of the point of least norm of a hull; NaN where a gradient is not finite.

    On a face whose vertices are affinely independent it solves (G + 1 1^T) p = 1, w = p / sum(p).
    One with w >= 0 is a point of the hull, and the shortest of these is the shortest of all.
    """
    return _numbers(_least_norm, gradients)


def conflict_averse_weights(gradients: np.ndarray, c: float) -> np.ndarray:
    """Return the a of CAGrad's direction g_0 + sum_k a_k g_k, a >= 0; 0 where g_w is.

    On a face of gradients that are linearly independent <g_k, g_0 + v> = t for all of them,
    v = sum a_k g_k and ||v|| = c ||g_0||. So G a = t 1 - s with s_k = <g_k, g_0>, and t is the
    larger root of a quadratic equation. If all others have <g_k, g_0 + v> >= t, a is right, for the
    direction maximises min_k <g_k, d> over the ball.
    """
    return _numbers(_conflict_averse, gradients, c)


def length_pulled_along(gradients: np.ndarray, pulls: np.ndarray) -> float:
    """Return ||g_w||, w the ``conflict_averse_weights`` over their sum; 0 where all are 0."""
    total = float(pulls.sum())
    return norm(pulls @ gradients) / total if total else 0.0


def of_inner_products(gram: Sequence[Sequence[float]]) -> np.ndarray:
    """Return ``least_norm_weights`` of gradients of which the inner products are given."""
    return np.array(list(map(float, _least(_exact(gram)))))


def _numbers(solve: Callable[..., Row], gradients: np.ndarray, *more: float) -> np.ndarray:
    if not np.all(np.isfinite(gradients)):
        return np.full(len(gradients), np.nan)
    wide = np.ascontiguousarray(gradients, dtype=np.float64)
    found = solve(wide.tobytes(), wide.shape, *more)
    return np.array([float(x) for x in found])


def _exact(rows: Sequence[Sequence[float]]) -> list[Row]:
    return [tuple(map(Fraction, row)) for row in rows]


def _gram(data: bytes, shape: tuple[int, ...]) -> list[Row]:
    """Return the inner products, summed as whole numbers: denominators are powers of two."""
    rows = [_whole(row) for row in np.frombuffer(data).reshape(shape).tolist()]
    return [
        tuple(Fraction(sum(map(mul, v, w)), divisor * other) for w, other in rows)
        for v, divisor in rows
    ]


def _whole(row: Sequence[float]) -> tuple[list[int], int]:
    """Return whole numbers, and a number that they are to be divided by."""
    ratios = [x.as_integer_ratio() for x in row]
    divisor = max((below for _, below in ratios), default=1)
    return [above * (divisor // below) for above, below in ratios], divisor


@lru_cache(maxsize=4096)
def _least_norm(data: bytes, shape: tuple[int, ...]) -> Row:
    return _least(_gram(data, shape))


def _least(gram: Matrix) -> Row:
    """Return the weights of the point of least norm."""
    losses = len(gram)
    best: tuple[Fraction, Row] | None = None
    for face in _faces(losses):
        matrix = [[gram[i][j] + 1 for j in face] for i in face]
        solved = _solve(matrix, [[Fraction(1)] * len(face)])
        if solved is None or min(solved[0]) < 0:
            continue
        total = sum(solved[0])
        weights = _spread(face, [x / total for x in solved[0]], losses)
        square = sum(w * _dot(row, weights) for w, row in zip(weights, gram, strict=True))
        if best is None or square < best[0]:
            best = Fraction(square), weights
    assert best is not None  # every vertex is a face
    return best[1]


@lru_cache(maxsize=4096)
def _conflict_averse(data: bytes, shape: tuple[int, ...], c: float) -> Row:
    """Return the weights of v; of the best v there is where roots that are rounded hide a tie."""
    gram = _gram(data, shape)
    losses = len(gram)
    slopes = [sum(row, Fraction(0)) / losses for row in gram]
    square = Fraction(c) ** 2 * sum(slopes) / losses
    best, found = min(slopes), (Fraction(0),) * losses
    for face in _faces(losses):
        on_face = _on_face(gram, slopes, square, face)
        if on_face is None:
            continue
        falls = [s + _dot(row, on_face) for s, row in zip(slopes, gram, strict=True)]
        if min(falls) == falls[face[0]]:
            return on_face
        if min(falls) > best:
            best, found = min(falls), on_face
    return found


def _on_face(
    gram: Matrix, slopes: Sequence[Fraction], square: Fraction, face: tuple[int, ...]
) -> Row | None:
    """Return a >= 0 with equal <g_k, g_0 + v> on a face and ||v||^2 = ``square``, if there is."""
    s = [slopes[k] for k in face]
    solved = _solve([[gram[i][j] for j in face] for i in face], [[Fraction(1)] * len(face), s])
    if solved is None:
        return None
    ones, along = solved
    # ||v||^2 = t^2 <1, p> - 2 t <1, q> + <s, q> for G p = 1 and G q = s; <1, a> is the root
    total, middle = sum(ones), sum(along)
    freedom = middle * middle - total * (_dot(s, along) - square)
    if freedom < 0:
        return None
    t = (middle + root(Fraction(freedom))) / total
    weights = [t * p - q for p, q in zip(ones, along, strict=True)]
    return None if min(weights) < 0 else _spread(face, weights, len(gram))


def root(square: Fraction) -> Fraction:
    """Return a square root, exact where it is rational and else to some 2^-128 of itself."""
    n, d = square.as_integer_ratio()
    return Fraction(isqrt(n * d << 256), d << 128)


def _faces(losses: int) -> Iterator[tuple[int, ...]]:
    """Yield the vertices of every face of a simplex, the smallest faces first."""
    for size in range(1, losses + 1):
        yield from combinations(range(losses), size)


def _spread(face: Sequence[int], values: Sequence[Fraction], losses: int) -> Row:
    known = dict(zip(face, values, strict=True))
    return tuple(known.get(k, Fraction(0)) for k in range(losses))


def _dot(x: Sequence[Fraction], y: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def _solve(matrix: Matrix, right: Matrix) -> list[list[Fraction]] | None:
    """Solve symmetric equations for several right-hand sides; ``None`` where they are singular."""
    lines = [[*row, *extra] for row, extra in zip(matrix, zip(*right, strict=True), strict=True)]
    size = len(lines)
    for k in range(size):
        pivot = next((i for i in range(k, size) if lines[i][k]), None)
        if pivot is None:
            return None
        lines[k], lines[pivot] = lines[pivot], lines[k]
        lines[k] = [x / lines[k][k] for x in lines[k]]
        for i in range(size):
            if i != k and lines[i][k]:
                factor = lines[i][k]
                lines[i] = [x - factor * y for x, y in zip(lines[i], lines[k], strict=True)]
    return [[line[size + r] for line in lines] for r in range(len(right))]
