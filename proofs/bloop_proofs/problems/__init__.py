"""Bilevel problems with known answers, and what is proved of Bloop on them (docs/theory.md)."""

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.base import BilevelProblem
from bloop_proofs.problems.least_squares import LeastSquares, least_squares
from bloop_proofs.problems.quadratic import Quadratic, null_space_solution, quadratic
from bloop_proofs.problems.toy import section_3_3

__all__ = [
    "Array",
    "BilevelProblem",
    "LeastSquares",
    "Quadratic",
    "least_squares",
    "null_space_solution",
    "quadratic",
    "section_3_3",
]
