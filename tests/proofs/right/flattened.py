"""Right implementations in NumPy that join all leaves to one vector and project that."""

from typing import Any

import numpy as np

from bloop_proofs.subject import Step
from tests.proofs.right.pieces import Leaves, cut, from_projection, joined


def _dots(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    return a - (a @ e) / (e @ e) * e if np.any(e) else a


def _unit_vector(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(e)
    unit = e / norm if norm > 0 else e
    return a - (unit @ a) * unit


def _matrix(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """I - e e' / e'e, applied in rows of blocks: whole it would not fit for long vectors."""
    if not np.any(e):
        return a
    blocks = np.array_split(np.arange(e.size), -(-e.size // 256))
    return np.concatenate(
        [
            (np.eye(rows.size, e.size, rows[0]) - np.outer(e[rows], e) / np.dot(e, e)) @ a
            for rows in blocks
        ]
    )


def _least_squares(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """What is left of the best approximation of a by a multiple of e."""
    coefficient, *_ = np.linalg.lstsq(e[:, None], a, rcond=None)
    return a - e * coefficient


def _twice(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Gram-Schmidt with reorthogonalisation."""
    return _dots(_dots(a, e), e)


def _qr(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    if not np.any(e):
        return a
    q, _ = np.linalg.qr(e[:, None])
    return a - (q @ (q.T @ a[:, None]))[:, 0]


def _long_double(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    long_a, long_e = a.astype(np.longdouble), e.astype(np.longdouble)
    return _dots(long_a, long_e).astype(np.float64)


def _halves(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """The part along e as half of the difference between a and its mirror image."""
    if not np.any(e):
        return a
    mirrored = a - 2 * (a @ e) / (e @ e) * e
    return (a + mirrored) / 2


def as_a_matrix(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
    """Both outputs as one product of a 2 x 3 matrix with the three vectors."""
    rows = np.stack([joined(v) for v in (g_main, g_aux, ema)])
    _, a, e = rows
    c = (a @ e) / (e @ e) if np.any(e) else 0.0
    outputs = np.array([[1.0, lam, -lam * c], [rho, 0.0, 1 - rho]])
    # 0 * NaN is NaN, so what g_aux holds is left out where its weight is none
    direction, average = outputs[0] @ rows, outputs[1, ::2] @ rows[::2]
    return cut(direction, g_main), cut(average, ema)


FLATTENED: dict[str, Step] = {
    "one vector": from_projection(_dots),
    "unit vectors": from_projection(_unit_vector),
    "projection matrix": from_projection(_matrix),
    "least squares": from_projection(_least_squares),
    "Gram-Schmidt twice": from_projection(_twice),
    "QR": from_projection(_qr),
    "long double": from_projection(_long_double),
    "mirror image": from_projection(_halves),
    "matrix of coefficients": as_a_matrix,
}
