"""Catalogued mistakes, each under its name, as plain NumPy code has them."""

from typing import Any

import numpy as np

from bloop_proofs.subject import Step
from tests.proofs.rewritten.pieces import Leaves, added, dot, lerp, made, named, projected


def ema_is_updated_before_the_projection(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    ema = lerp(ema, g_main, rho)
    return added(g_main, lam, projected(g_aux, ema)), ema


def projects_leaf_by_leaf(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    parts = [projected([a], [e])[0] for a, e in zip(g_aux, ema, strict=True)]
    return added(g_main, lam, parts), lerp(ema, g_main, rho)


def divides_by_the_norm(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    norm = np.sqrt(sum(np.linalg.norm(e) ** 2 for e in ema))
    units = [e / norm if norm else e for e in ema]
    c = sum(np.vdot(u, a) for u, a in zip(units, g_aux, strict=True))
    parts = [a - c * e for a, e in zip(g_aux, ema, strict=True)]
    return added(g_main, lam, parts), lerp(ema, g_main, rho)


def projects_each_off_the_other(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    scaled = [lam * a for a in g_aux]
    if dot(g_main, scaled) < 0:
        both = projected(g_main, scaled), projected(scaled, g_main)
    else:
        both = g_main, scaled
    return added(both[0], 1.0, both[1]), lerp(ema, g_main, rho)


def square_is_at_least_1e_8(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    size = np.maximum(np.sqrt(dot(ema, ema)), 1e-4)
    units = [e / size for e in ema]
    parts = [a - dot(g_aux, units) * u for a, u in zip(g_aux, units, strict=True)]
    return added(g_main, lam, parts), lerp(ema, g_main, rho)


def zero_ema_gives_nan(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    c = np.true_divide(dot(g_aux, ema), dot(ema, ema))
    return added(added(g_main, lam, g_aux), -lam * c, ema), lerp(ema, g_main, rho)


def inner_product_is_complex(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
) -> Any:
    c, ee = (sum(np.vdot(e, x) for e, x in zip(ema, v, strict=True)) for v in (g_aux, ema))
    c = c / ee if ee else 0
    direction = added(added(g_main, lam, g_aux), -lam * c, ema)
    return [np.asarray(d).astype(g.dtype) for d, g in zip(direction, g_main, strict=True)], lerp(
        ema, g_main, rho
    )


def ema_is_kept_inside() -> Step:
    class Bloop:
        ema: Leaves | None = None

        def __call__(
            self, g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float
        ) -> Any:
            shapes = [x.shape for x in g_main]
            if self.ema is None or [x.shape for x in self.ema] != shapes:
                self.ema = [np.zeros_like(x) for x in g_main]
            direction = added(g_main, lam, projected(g_aux, self.ema))
            self.ema = lerp(self.ema, g_main, rho)
            return direction, self.ema

    return Bloop()


STEPS: dict[str, Step] = {
    **named(
        ema_is_updated_before_the_projection,
        projects_leaf_by_leaf,
        divides_by_the_norm,
        projects_each_off_the_other,
        square_is_at_least_1e_8,
        zero_ema_gives_nan,
        inner_product_is_complex,
    ),
    **made(ema_is_kept_inside),
}
