"""The two-dimensional problem of section 3.3."""

import numpy as np

from bloop_proofs.problems.quadratic import Quadratic


def section_3_3() -> Quadratic:
    """Return section 3.3's problem: L_main = a^2 / 2, L_aux = ((a - 1)^2 + b^2) / 2, up to 1/2.

    Its solution is (0, 0). Mixed training converges to (lam / (1 + lam), 0) with condition number
    1 + 1 / lam; Bloop's direction is (a, lam b), which leads to (0, 0) for every lam > 0.

    Example:
        >>> import numpy as np
        >>> section_3_3().grad_aux(np.array([3.0, 4.0]))
        array([2., 4.])
    """
    return Quadratic(
        name="section 3.3",
        solution=np.zeros(2),
        start=np.ones(2),
        rows=np.array([[1.0, 0.0]]),
        target=np.zeros(1),
        curvature=np.eye(2),
        linear=np.array([1.0, 0.0]),
    )
