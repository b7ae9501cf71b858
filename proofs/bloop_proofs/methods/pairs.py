"""What PCGrad and GradVac share: both alter each of two gradients by a multiple of the other."""

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import scaled
from bloop_proofs.law import Law, law
from bloop_proofs.laws.measure import bound, found, require_close
from bloop_proofs.rows import vectors
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import norm, product_error


def off_each_other(m: np.ndarray, a: np.ndarray, lam: float) -> np.ndarray:
    """Return m + lam a where the two agree, else pi(m; a) + lam pi(a; m)."""
    along = float(m @ a)
    if along >= 0:
        return m + lam * a
    return np.asarray((1 - lam * along / (m @ m)) * m + (lam - along / (a @ a)) * a)


def parts_of(subject: Subject, case: Case) -> tuple[np.ndarray, np.ndarray, float]:
    """Return m' = m + w a and a' = a + v m, read off d = (1 + v) m + (1 + w) a, and a bound.

    In the plane of m and a the coefficients are unique, and err by the error of d over the least
    singular value of the matrix of m and a. The bound is infinite where there is no plane.
    """
    m, a = vectors(case)
    matrix = np.stack([m, a], axis=1)
    least = float(np.linalg.svd(matrix, compute_uv=False)[-1]) if m.size > 1 else 0.0
    if least <= product_error(2.0**-53, m.size) * (norm(m) + norm(a)):
        return m, a, float("inf")
    (on_main, on_aux), *_ = np.linalg.lstsq(matrix, found(subject, case))
    room = (norm(m) + norm(a)) * (bound(subject, case) / least + product_error(2.0**-53, m.size))
    return m + (on_aux - 1) * a, a + (on_main - 1) * m, room


def per_loss_scale(method: Signature) -> Law:
    """Return the law of the scales of single losses."""
    numbers = {"exponents": ((1, 0), (0, 1), (-2, 3))}
    kinds = inputs(method, dtypes=("float64",), numbers=numbers, options={"lam": (1.0,)})

    @law(equation="scale of one loss", inputs=kinds)
    def scale_of_one_loss_scales_its_own_part(subject: Subject, case: Case) -> None:
        """d(s m, t a) = s m' + t a', where d(m, a) = m' + a': only directions decide on conflicts.

        m' = m + w a and a' = a + v m are read off d(m, a) where m and a are not parallel.
        """
        main, aux, room = parts_of(subject, case)
        if not np.isfinite(room):
            return
        moved = method.on_steps(
            case, lambda step: [scaled(g, k) for g, k in zip(step, case.exponents, strict=True)]
        )
        s, t = (2.0**k for k in case.exponents)
        required = s * main + t * aux
        distance = (s + t) * room + bound(subject, moved)
        require_close("d(s m, t a)", found(subject, moved), required, distance)

    return scale_of_one_loss_scales_its_own_part
