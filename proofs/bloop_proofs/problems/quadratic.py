"""Quadratic bilevel problems of chosen dimension, rank, conditioning and coupling."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from bloop_proofs.problems.arrays import Array, orthogonal
from bloop_proofs.problems.base import BilevelProblem


@dataclass(frozen=True, eq=False)
class Quadratic(BilevelProblem):
    """Main loss ||B theta - b||^2 / 2, auxiliary loss theta' A theta / 2 - q' theta.

    B (``rows``) has full row rank r < p, so that the minimisers of the main loss are the affine
    set {B theta = b}, and H = B'B. A (``curvature``) is positive semidefinite, and definite on the
    null space of B. The main gradient is computed as B'(B theta - b): it lies in the range of H up
    to a relative rounding error, however small it is.
    """

    rows: Array
    target: Array
    curvature: Array
    linear: Array

    def main(self, theta: Array) -> float:
        """Return ||B theta - b||^2 / 2."""
        residual = self.constraint(theta)
        return float(residual @ residual) / 2

    def aux(self, theta: Array) -> float:
        """Return theta' A theta / 2 - q' theta."""
        return float(theta @ (self.curvature @ theta) / 2 - self.linear @ theta)

    def grad_main(self, theta: Array) -> Array:
        """Return B'(B theta - b)."""
        return np.asarray(self.rows.T @ self.constraint(theta))

    def grad_aux(self, theta: Array) -> Array:
        """Return A theta - q."""
        return np.asarray(self.curvature @ theta - self.linear)

    def constraint(self, theta: Array) -> Array:
        """Return B theta - b."""
        return np.asarray(self.rows @ theta - self.target)

    def constraint_jacobian(self, theta: Array) -> Array:
        """Return B."""
        return self.rows

    def smoothness(self, radius: float) -> tuple[float, float]:
        """Return ||H|| and ||A||, whatever the radius."""
        return (
            float(np.linalg.norm(self.rows, 2)) ** 2,
            float(np.linalg.norm(self.curvature, 2)),
        )

    @property
    def growth(self) -> float:
        """The smallest eigenvalue of A on the null space of B."""
        basis = scipy.linalg.null_space(self.rows)
        return float(np.linalg.eigvalsh(basis.T @ self.curvature @ basis)[0])

    def hessian_main(self, theta: Array) -> Array:
        """Return H = B'B, shape (p, p), the same everywhere."""
        return np.asarray(self.rows.T @ self.rows)

    def nearest_minimiser(self, theta: Array) -> Array:
        """Return the minimiser of the main loss that is nearest to theta."""
        return np.asarray(theta - np.linalg.pinv(self.rows) @ self.constraint(theta))

    def error_bound(self, theta: Array) -> float:
        """Return 1 / mu: ||H x|| >= mu ||x|| for x in the range of H."""
        return float(np.linalg.norm(self.rows, -2)) ** -2

    def hessian_lipschitz(self, theta: Array) -> float:
        """Return 0: the Hessian is constant."""
        return 0.0


def null_space_solution(problem: Quadratic) -> Array:
    """Return the solution by eliminating the constraint, from the data of the problem alone.

    With N an orthonormal basis of the null space of B and theta_0 = B^+ b it is
    theta_0 + N (N'AN)^-1 N'(q - A theta_0).
    """
    particular = np.linalg.pinv(problem.rows) @ problem.target
    basis = scipy.linalg.null_space(problem.rows)
    reduced = basis.T @ problem.curvature @ basis
    slope = basis.T @ (problem.linear - problem.curvature @ particular)
    return np.asarray(particular + basis @ np.linalg.solve(reduced, slope))


def quadratic(
    p: int,
    rank: int,
    *,
    conditioning: float = 1.0,
    aux_conditioning: float = 1.0,
    coupling: float = 0.0,
    pull: float = 0.0,
    seed: int = 0,
) -> Quadratic:
    """Build a quadratic bilevel problem around a solution that is drawn first.

    In coordinates of range(H) and its orthogonal complement, the nonzero eigenvalues of H run
    geometrically from 1 / ``conditioning`` to 1, those of a random matrix from
    1 / ``aux_conditioning`` to 1; A is that matrix with its off-diagonal blocks multiplied by
    ``coupling``. At the solution grad_aux is a vector w in range(H) of norm ``pull``.

    Args:
        p: the dimension.
        rank: the rank of H, with 1 <= rank < p.
        conditioning: the largest over the smallest nonzero eigenvalue of H, at least 1.
        aux_conditioning: the same for the matrix behind A; no eigenvalue of A leaves its range.
        coupling: in [0, 1]; at 0 the Hessian A does not couple range(H) and its complement.
        pull: the norm of w, how strongly the auxiliary loss pulls against the main one.
        seed: the seed of everything random.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> problem = quadratic(3, 1, pull=2.0)
        >>> problem.main(problem.solution) <= problem.main(problem.start)
        True
    """
    if not 1 <= rank < p:
        raise ValueError(f"rank must satisfy 1 <= rank < p = {p}; found {rank}")
    if min(conditioning, aux_conditioning) < 1:
        found = (conditioning, aux_conditioning)
        raise ValueError(f"conditioning and aux_conditioning must be at least 1; found {found}")
    if not 0 <= coupling <= 1 or pull < 0:
        found = (coupling, pull)
        raise ValueError(f"coupling must lie in [0, 1] and pull be at least 0; found {found}")
    generator = np.random.default_rng(seed)
    axes, solution = orthogonal(generator, p), generator.standard_normal(p)
    roots = np.sqrt(np.geomspace(1, 1 / conditioning, rank))
    rows = (axes[:, :rank] * roots).T
    curvature = axes @ _coupled(generator, p, rank, aux_conditioning, coupling) @ axes.T
    direction = axes[:, :rank] @ generator.standard_normal(rank)
    w = direction * (pull / np.linalg.norm(direction))
    return Quadratic(
        name=f"quadratic(p={p}, rank={rank}, conditioning={conditioning:.3g}, aux_conditioning="
        f"{aux_conditioning:.3g}, coupling={coupling:.3g}, pull={pull:.3g}, seed={seed})",
        solution=solution,
        start=solution + generator.standard_normal(p),
        rows=rows,
        target=rows @ solution,
        curvature=curvature,
        linear=curvature @ solution - w,
    )


def _coupled(
    generator: np.random.Generator, p: int, rank: int, conditioning: float, coupling: float
) -> Array:
    """Return a random positive definite matrix with its off-diagonal blocks damped."""
    axes = orthogonal(generator, p)
    full = (axes * np.geomspace(1, 1 / conditioning, p)) @ axes.T
    mask = np.full((p, p), coupling)
    mask[:rank, :rank] = mask[rank:, rank:] = 1
    damped = full * mask
    return np.asarray((damped + damped.T) / 2)
