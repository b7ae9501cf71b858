"""A step on columns, as the equations have it."""

from collections.abc import Sequence

from bloop_torch._coefficients import matrix_of
from bloop_torch._columns import Columns, Scalar

MAIN, AUX, EMA = range(3)
NAMES = ("g_main", "g_aux", "ema")
NEEDED = [(AUX, EMA), (EMA, EMA)]
"""The inner products that the direction depends on."""


def take_step(columns: Columns, lam: Scalar, rho: Scalar) -> None:
    """Write the direction and the next average of columns (g_main, g_aux, ema)."""
    (ae, ee), exponents, _ = columns.inner_products(NEEDED)
    matrix = matrix_of(ae, ee, lam=lam, rho=rho)
    columns.combine(matrix, exponents=exponents, units=units_of(exponents))


def units_of(exponents: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the units that coefficients take when inner products were of scaled columns.

    Each has the unit of its own column, but what is taken out of g_aux has that of g_aux.
    """
    main, aux, ema = exponents
    return (main, aux, aux), (main, aux, ema)
