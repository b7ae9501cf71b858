"""The constants of a quadratic bilevel problem that its convergence bounds are made of."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.quadratic import Quadratic


@dataclass(frozen=True)
class Constants:
    """What docs/theory.md calls L, mu, L_a, nu, K and W.

    Attributes:
        main_smoothness: L, the largest eigenvalue of the main Hessian H.
        main_curvature: mu, its smallest nonzero eigenvalue.
        aux_smoothness: L_a, the largest eigenvalue of the auxiliary Hessian A.
        aux_curvature: nu, the smallest eigenvalue of A on the null space of H.
        coupling: K, the norm of the block of A between range(H) and that null space.
        pull: W, the norm of the auxiliary gradient at the solution, which lies in range(H).
    """

    main_smoothness: float
    main_curvature: float
    aux_smoothness: float
    aux_curvature: float
    coupling: float
    pull: float


def constants(problem: Quadratic) -> Constants:
    """Return the constants of a problem.

    Example:
        >>> from bloop_proofs.problems.toy import section_3_3
        >>> constants(section_3_3()).pull
        1.0
    """
    along, across = bases(problem)
    spectrum = np.linalg.eigvalsh(along.T @ problem.hessian_main(problem.solution) @ along)
    return Constants(
        main_smoothness=float(spectrum[-1]),
        main_curvature=float(spectrum[0]),
        aux_smoothness=float(np.linalg.norm(problem.curvature, 2)),
        aux_curvature=problem.growth,
        coupling=float(np.linalg.norm(across.T @ problem.curvature @ along, 2)),
        pull=float(np.linalg.norm(problem.grad_aux(problem.solution))),
    )


def bases(problem: Quadratic) -> tuple[Array, Array]:
    """Return orthonormal bases of range(H), shape (p, r), and of its complement, (p, p - r)."""
    return scipy.linalg.orth(problem.rows.T), scipy.linalg.null_space(problem.rows)
