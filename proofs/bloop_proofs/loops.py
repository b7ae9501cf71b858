"""Judging a training loop by the directions that it leaves: distributed, accumulated, scaled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.exact import Vector, equation_5, fractions, moved, plus, rounded
from bloop_proofs.frameworks import Framework, bfloat16, framework_named
from bloop_proofs.law import LawViolation
from bloop_proofs.laws.measure import require_close
from bloop_proofs.loop_diagnosis import explained
from bloop_proofs.loop_looks import Loop
from bloop_proofs.subject import ProtocolError, describe, flat, returned_gradient
from bloop_proofs.tolerances import norm, unit_roundoff
from bloop_proofs.tolerances.loops import loop_bound, remembered_bound

SHAPES = ((3,), (2, 2), ())
Batches = list[list[list[tuple[Gradient, Gradient]]]]
"""For every step, rank and micro-batch the main and the auxiliary gradient."""


@dataclass(frozen=True)
class LoopReport:
    """What came of checking a loop.

    ``message`` is the first step that is wrong, what was required, within which bound, and what was
    found; ``diagnosis`` what all steps look like, as far as it is a known mistake. Both are "" in a
    loop that is right.
    """

    steps: int
    ranks: int
    micro_batches: int
    message: str
    diagnosis: str

    @property
    def passed(self) -> bool:
        """Whether all directions are those of one process on the mean gradients."""
        return not self.message

    def __str__(self) -> str:
        of = f"{self.steps} steps (ranks: {self.ranks}, micro-batches: {self.micro_batches})"
        if self.passed:
            return f"passed: {of}"
        like = f"looks like: {self.diagnosis}" if self.diagnosis else "like no known mistake"
        return f"failed: {of}\n  {self.message}\n{like}"


def check_loop(
    run: Callable[..., Any],
    *,
    ranks: int = 1,
    micro_batches: int = 1,
    steps: int = 4,
    lam: float = 0.5,
    rho: float = 0.25,
    framework: str = "torch",
    dtype: str = "float32",
    shapes: Sequence[tuple[int, ...]] = SHAPES,
    seed: int = 0,
) -> LoopReport:
    """Check that a training loop leaves Bloop's direction of the mean gradients in every step.

    With m_t and a_t the means of the gradients over ranks and micro-batches, and e_0 = 0, step t
    must leave d_t = m_t + lam pi(a_t; e_t), and e_{t+1} = (1 - rho) e_t + rho m_t. The directions
    alone are looked at, so the average may be hidden; a loop in one process, without accumulation,
    can be checked, too. The bound grows with the errors of the means and of e_t.

    Args:
        run: ``run(batches, lam=..., rho=...)`` runs the loop from its start and returns for every
            step what a rank's ``.grad`` holds before the optimiser takes it: a list of arrays,
            whole ones, one per parameter. ``batches[t][r][k]`` is the pair (g_main, g_aux) of step
            t, rank r and micro-batch k, each a list of arrays. The losses of that micro-batch
            should be <g_main, theta> and <g_aux, theta>, of which ``linear_loss`` makes torch
            scalars, so that the drawn vectors are their gradients.
        ranks: how many processes the loop has.
        micro_batches: how many micro-batches each of them accumulates over in a step.
        steps: how many steps are taken, at least 2: the first one has no average yet.
        lam: the weight of the auxiliary loss, > 0.
        rho: the weight of the new gradient in the average, in (0, 1).
        framework: ``"torch"``, ``"jax"``, ``"numpy"`` or ``"cupy"``: that of the arrays.
        dtype: that of the drawn gradients, and the coarsest that the loop may round to.
        shapes: those of the parameters.
        seed: where the drawing of gradients starts.

    Raises:
        ProtocolError: ``run`` returns something else.
        ValueError: an argument is out of range.

    Example:
        >>> import numpy as np
        >>> def run(batches, lam, rho):
        ...     e, directions = np.zeros(2), []
        ...     for (micro_batches,) in batches:
        ...         m, a = (sum(g[i][0] for g in micro_batches) for i in (0, 1))
        ...         c = a @ e / (e @ e) if e @ e else 0.0
        ...         directions.append([m + lam * (a - c * e)])
        ...         e = (1 - rho) * e + rho * m
        ...     return directions
        >>> form = {"framework": "numpy", "dtype": "float64", "shapes": [(2,)]}
        >>> check_loop(run, micro_batches=1, **form).passed
        True
        >>> check_loop(run, micro_batches=3, **form).diagnosis
        'the whole direction is multiplied by 3: summed over the micro-batches, not averaged'

    Source: Algorithm 1 of arXiv 2402.02998v2, on the gradients of a batch in parts.
    """
    known = framework_named(framework)
    if dtype not in (there := [name for name in known.dtypes() if "complex" not in name]):
        raise ValueError(f"dtype must be one of {there}; found {dtype!r}")
    _check(lam, rho, ranks=ranks, micro_batches=micro_batches, steps=steps)
    batches = drawn(steps, ranks, micro_batches, shapes, dtype, seed)
    given = [
        [[tuple(_arrays(known, g) for g in pair) for pair in rank] for rank in step]
        for step in batches
    ]
    found = _directions(run(given, lam=lam, rho=rho), known, given)
    right, bounds = required(batches, lam, rho)
    message = _first_wrong(found, right, bounds)
    diagnosis = ""
    if message and np.all(np.isfinite(found)):
        vectors = [[[[flat(g) for g in p] for p in rank] for rank in step] for step in batches]
        # a part of the gradients is no longer than all of them together
        room = ranks * micro_batches * norm(np.array(bounds))
        diagnosis = explained(Loop(np.array(vectors), lam, rho), found, room)
    return LoopReport(steps, ranks, micro_batches, message, diagnosis)


def _check(lam: float, rho: float, **counts: Any) -> None:
    for name, value in counts.items():
        least = 2 if name == "steps" else 1
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number, at least {least}; found {value!r}")
    if not lam > 0:
        raise ValueError(f"lam must be above 0, so that projections tell; found {lam!r}")
    if not 0 < rho < 1:
        raise ValueError(f"rho must be between 0 and 1, so that averages tell; found {rho!r}")


def drawn(
    steps: int,
    ranks: int,
    micro_batches: int,
    shapes: Sequence[tuple[int, ...]],
    dtype: str,
    seed: int,
) -> Batches:
    """Return gradients whose entries are multiples of 1/8 up to 4, which every dtype holds."""
    random = np.random.default_rng(seed)

    def gradient() -> Gradient:
        kind = bfloat16() if dtype == "bfloat16" else dtype
        return [np.asarray(random.integers(-32, 33, shape) / 8, kind) for shape in shapes]

    return [
        [[(gradient(), gradient()) for _ in range(micro_batches)] for _ in range(ranks)]
        for _ in range(steps)
    ]


def required(batches: Batches, lam: float, rho: float) -> tuple[list[np.ndarray], list[float]]:
    """Return the exact directions, and how far those of a right loop may be from them."""
    u = unit_roundoff(batches[0][0][0][0])
    e: Vector = [Fraction(0)] * flat(batches[0][0][0][0]).size
    error, right, bounds = 0.0, [], []
    for step in batches:
        pairs = [pair for rank in step for pair in rank]
        mains, auxes = ([pair[i] for pair in pairs] for i in (0, 1))
        main, aux = (float(np.mean([norm(flat(g)) for g in gs])) for gs in (mains, auxes))
        m, a, size = _mean(mains), _mean(auxes), norm(rounded(e))
        right.append(rounded(equation_5(m, a, e, lam)))
        bounds.append(loop_bound(u, len(e), len(pairs), main, aux, lam, size, error))
        error = remembered_bound(u, len(pairs), main, size, error, rho)
        e = moved(e, m, rho)
    return right, bounds


def _mean(gradients: Sequence[Gradient]) -> Vector:
    total: Vector = [Fraction(0)] * flat(gradients[0]).size
    for gradient in gradients:
        total = plus(total, Fraction(1, len(gradients)), fractions(gradient))
    return total


def _arrays(framework: Framework, gradient: Gradient) -> list[Any]:
    return [framework.array(leaf) for leaf in gradient]


def _directions(returned: Any, framework: Framework, given: Sequence[Any]) -> np.ndarray:
    """Return the directions of all steps as rows; raise where they are none."""
    form = "run must return a direction for every step"
    found = list(returned) if hasattr(returned, "__iter__") else None
    if found is None or len(found) != len(given):
        shown = describe(returned if found is None else found)
        raise ProtocolError(f"{form}, {len(given)} in all; found {shown}")
    rows = []
    for t, direction in enumerate(found):
        like = given[t][0][0][0]
        name = f"step {t + 1}"
        rows.append(flat(returned_gradient(framework, form, name, direction, "g_main", like)))
    return np.array(rows)


def _first_wrong(found: np.ndarray, right: Sequence[np.ndarray], bounds: Sequence[float]) -> str:
    for t, (row, known, bound) in enumerate(zip(found, right, bounds, strict=True), start=1):
        try:
            require_close(f"direction of step {t}", row, known, bound)
        except LawViolation as error:
            return str(error)
    return ""
