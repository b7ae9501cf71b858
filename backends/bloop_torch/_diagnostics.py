"""How the vectors of a step lie to one another, from inner products that were computed anyway."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from bloop_ref import Diagnostics
from bloop_ref.coefficients import cosine, projection_row

PAIRS = [(0, 0), (1, 0), (1, 1), (0, 2), (1, 2), (2, 2)]
"""The six inner products of (g_main, g_aux, ema)."""


def diagnostics_of(
    gram: Mapping[tuple[int, int], Any], exponents: Sequence[int], unit: Any
) -> Diagnostics:
    """Return the diagnostics of columns whose inner products are known; see ``Diagnostics``.

    Column j was measured in 2**exponents[j], and the gradients in ``unit`` besides.
    """
    main, aux, ema = (_root(gram[j, j]) for j in range(3))
    two_main, two_aux, two_ema = (math.ldexp(1.0, exponent) for exponent in exponents)
    _, taken_out = projection_row(gram[1, 2], gram[2, 2])
    return Diagnostics(
        norm_main=main * two_main / unit,
        norm_aux=aux * two_aux / unit,
        norm_ema=ema * two_ema,
        cos_main_aux=cosine(gram[1, 0], main, aux),
        cos_main_ema=cosine(gram[0, 2], main, ema),
        cos_aux_ema=cosine(gram[1, 2], aux, ema),
        coefficient=-taken_out * (two_aux / two_ema) / unit,
    )


def _root(square: Any) -> Any:
    return square.sqrt() if isinstance(square, Tensor) else math.sqrt(square)
