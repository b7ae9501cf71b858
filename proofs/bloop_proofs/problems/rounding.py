"""What rounding does to the losses and gradients of a problem with float64 numbers."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bloop_proofs.problems.base import BilevelProblem

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2


class Errors(NamedTuple):
    """Bounds on the rounding errors of values (numbers) and gradients (norms) of both losses."""

    main: float
    aux: float
    grad_main: float
    grad_aux: float


def rounding_errors(problem: "BilevelProblem", radius: float) -> Errors:
    """Return what rounding may do on the ball ||theta|| <= radius.

    A sum of ``problem.terms`` products, and eight operations beside it, err by (terms + 8) u times
    the sum of the magnitudes that enter. With reach = radius + ||theta*|| these are, at most twice
    the terms of the Taylor expansion at theta*, for a value
    |f(theta*)| + ||grad f(theta*)|| reach + L reach^2, and for an entry of a gradient
    ||grad f(theta*)|| + L reach + sqrt(2 L |f(theta*)|); the last one is the norm of the gradients
    of samples that cancel in the mean.
    """
    at, unit = problem.solution, (problem.terms + 8) * UNIT_ROUNDOFF
    reach = radius + float(np.linalg.norm(at))
    values, gradients = [], []
    for smooth, value, gradient in zip(
        problem.smoothness(radius),
        (problem.main(at), problem.aux(at)),
        (problem.grad_main(at), problem.grad_aux(at)),
        strict=True,
    ):
        slope = float(np.linalg.norm(gradient))
        values.append(unit * (abs(value) + slope * reach + smooth * reach**2))
        size = slope + smooth * reach + float(np.sqrt(2 * smooth * abs(value)))
        gradients.append(unit * float(np.sqrt(len(at))) * size)
    return Errors(*values, *gradients)
