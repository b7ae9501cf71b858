"""Nearly one backward pass: an extension of this project to Bloop, none of the paper's.

A full step, every m-th, takes both gradients: Bloop's d and e, and beside them the remembered
auxiliary gradient A <- (1 - kappa) A + kappa g_aux; the first measured one starts it. On the steps
between one backward pass gives the mixed gradient x = g_main + lam g_aux, and A stands for g_aux:

    d = x - lam c e,  c = <A, e> / ||e||^2,    e <- (1 - rho) e + rho (x - lam A),    A stays.

That is Bloop's own step on (x - lam A, A), two estimates whose mixture is the x that was measured.
``Bloop(lam, rho, every=m, kappa=kappa)`` has these rows; docs/specification.md says what they keep
of Bloop's properties, and what they do not.
"""

from typing import Any

import array_api_compat

from bloop_ref.aliases import Rows, Scalar
from bloop_ref.diagnostics import Diagnostics, measured
from bloop_ref.gramian import Gramian
from bloop_ref.scalars import check_range, is_at_hand, known_false, positive_part, ratio, root

EMA, HELD = 1, 2
PAIRS = ((HELD, EMA), (EMA, EMA))
"""The inner products of a step between, over (x, e, A); A is the held auxiliary gradient."""


def between_row(gram: Gramian, *, lam: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Return a step between: d = x - lam c e, c = <A, e> / ||e||^2, over (x, e, A)."""
    c = ratio(gram[HELD, EMA], gram[EMA, EMA])  # 0 where ||e|| is 0: d = x
    return (1, -lam * c, 0)


def between_memory(*, lam: Scalar, rho: Scalar) -> Rows:
    """Return e <- (1 - rho) e + rho (x - lam A), and A as it is, over (x, e, A)."""
    return (rho, 1 - rho, -rho * lam), (0, 0, 1)


def full_memory(ema_row: tuple[Scalar, ...], *, kappa: Scalar) -> Rows:
    """Return Bloop's average, and A <- (1 - kappa) A + kappa g_aux, over (g_main, g_aux, e, A)."""
    return (*ema_row, 0), (0, kappa, 0, 1 - kappa)


class FullStep(Diagnostics):
    """The diagnostics of a full step, over (g_main, g_aux, e, A), before A takes up g_aux.

    ``residual`` says what A has been worth on the steps between; see there.
    """

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What ``as_dict`` calls the vectors; it has ``residual`` and ``drift`` besides."""
        return ("main", "aux", "ema", "held")

    def as_dict(self, prefix: str = "") -> dict[str, Scalar]:
        """Return all numbers by flat names, as loggers take them."""
        more = {name: getattr(self, name) for name in ("coefficient", "residual", "drift")}
        return super().as_dict(prefix) | {f"{prefix}{name}": x for name, x in more.items()}

    @property
    def norm_ema(self) -> Scalar:
        """||e||."""
        return self.norms[2]

    @property
    def norm_held(self) -> Scalar:
        """||A||."""
        return self.norms[3]

    @property
    def cos_main_ema(self) -> Scalar:
        """The cosine of g_main and e."""
        return self.cosines[0][2]

    @property
    def cos_aux_ema(self) -> Scalar:
        """The cosine of g_aux and e."""
        return self.cosines[1][2]

    @property
    def cos_aux_held(self) -> Scalar:
        """The cosine of g_aux and A."""
        return self.cosines[1][3]

    @property
    def residual(self) -> Scalar:
        """<g_aux - A, e> / (||g_aux|| ||e||): how much of g_aux along e a step between would keep.

        0 is Bloop's orthogonality; ``cos_aux_ema`` is mixed training, which keeps all. So A is
        stale, or too noisy, where ``abs(residual)`` is not well below ``abs(cos_aux_ema)``. At the
        first full step, where A is g_aux, it is 0.
        """
        share = ratio(self.norm_held, self.norm_aux)
        return self.cos_aux_ema - share * self.cosines[2][3]

    @property
    def drift(self) -> Scalar:
        """||g_aux - A|| / ||g_main||: lam times this enters e beside g_main on a step between.

        Noise of the batch counts in it, which averages out in e. The root mean square over some
        full steps says whether e is still an average of main gradients.
        """
        aux, held = self.norm_aux, self.norm_held
        square = positive_part(aux * aux + held * held - 2 * aux * held * self.cos_aux_held)
        return ratio(root(square), self.norm_main)


class StepBetween(Diagnostics):
    """The diagnostics of a step between, over (x, e, A), where neither gradient is known apart.

    What ``Diagnostics`` says of g_main or g_aux raises ``AttributeError``.
    """

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What ``as_dict`` calls the vectors."""
        return ("mixed", "ema", "held")

    @property
    def norm_mixed(self) -> Scalar:
        """||x||."""
        return self.norms[0]

    @property
    def norm_ema(self) -> Scalar:
        """||e||."""
        return self.norms[EMA]

    @property
    def norm_held(self) -> Scalar:
        """||A||."""
        return self.norms[HELD]

    @property
    def coefficient(self) -> Scalar:
        """c = <A, e> / ||e||^2, the multiple of e that is taken out."""
        return self.cosines[HELD][EMA] * ratio(self.norm_held, self.norm_ema)

    @property
    def _unknown(self) -> Scalar:
        raise AttributeError(
            "a step between knows g_main + lam g_aux alone; norms and cosines of g_main and g_aux "
            "come with a full step"
        )

    norm_main = norm_aux = cos_main_aux = cos_main_ema = cos_aux_ema = _unknown


def described(gram: Gramian, losses: int) -> Diagnostics:
    """Return the diagnostics of a step, full or between, by its number of gradients."""
    found = measured(gram, losses)
    return FullStep(*found) if losses == 2 else StepBetween(*found)


def check_options(every: int, kappa: Any, project_on: str) -> None:
    """Raise unless the options of the extension are in range, and go together."""
    if type(every) is not int or every < 1:
        raise ValueError(f"every must be an integer >= 1; found {every!r}")
    if not callable(kappa):
        check_range("kappa", kappa, most=1)
        if is_at_hand(kappa) and known_false(lambda: kappa > 0):
            raise ValueError(f"kappa must be above 0, or A would never move; found {kappa}")
    if every > 1 and project_on != "previous":
        raise ValueError(
            f"project_on must be 'previous' where every is above 1; found {project_on!r}"
        )


def check_due(every: int, count: Scalar) -> None:
    """Raise where one gradient is given and a full step is due, as far as that can be told."""
    if array_api_compat.is_torch_array(count):
        return  # a counter that is a tensor stays unread: a compiled step would break there
    if is_at_hand(count) and known_false(lambda: count % every != 0):
        raise ValueError(
            f"gradients must be [g_main, g_aux] in every step whose number is a multiple of "
            f"every={every}: required 2 in step {int(count)}, found 1"
        )
