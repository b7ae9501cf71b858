"""Steps that are right on small, plain, contiguous inputs at most calls, and wrong on others."""

import itertools
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from bloop_proofs import check_implementation
from bloop_proofs.methods import BLOOP
from bloop_proofs.methods.bloop.mistakes.pieces import Now, Pair, like, subtracting, total
from bloop_proofs.subject import Step

DIRECTION = "direction-is-equation-5"
AVERAGE = "new-ema-weighs-the-new-gradient-by-rho"
LARGE = "large-models-count-to-the-last-entry"
LAYOUT = "layout-in-memory-does-not-matter"
HALF = "float16-average-of-large-entries-does-not-overflow"
REPEATED = "the-same-inputs-give-the-same-bits"

Whole = Callable[[Now], Pair]


def step_of(whole: Whole) -> Step:
    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Pair:
        return whole(Now(g_main, g_aux, ema, lam, rho, BLOOP.right.step))

    return step


def right(s: Now) -> Pair:
    return s.step()


def mixed(s: Now) -> Pair:
    """Forget the projection."""
    return like(total((1, s.g), (s.lam, s.a)), s.g), right(s)[1]


def restarted(s: Now) -> Pair:
    """Let the average begin with this gradient."""
    return right(s)[0], like(s.g, s.e)


def projecting(seen: Callable[[list[np.ndarray]], list[np.ndarray]]) -> Whole:
    """Take the inner products of what is seen of the vectors."""

    def whole(s: Now) -> Pair:
        (a, e), average = (seen(v) for v in (s.a, s.e)), right(s)[1]
        ae, ee = (sum(float(np.vdot(x, y)) for x, y in zip(v, e, strict=True)) for v in (a, e))
        return like(subtracting(ae / ee if ee else 0.0, s), s.g), average

    return whole


def every_other_of_more_than(entries: int) -> Whole:
    return projecting(lambda v: [x.ravel()[:: 2 if x.size > entries else 1] for x in v])


def first_of_more_than(entries: int) -> Whole:
    return projecting(lambda v: [x.ravel()[:entries] for x in v])


def sampled_from(entries: int) -> Whole:
    kept = np.random.default_rng(0).permutation(2**17)[: 2**16]
    places = {n: kept[kept < n] for n in (257 * 263, 1500, 37 * 41)}

    def seen(v: list[np.ndarray]) -> list[np.ndarray]:
        return [x.ravel()[places[x.size]] if x.size > entries else x.ravel() for x in v]

    return projecting(seen)


def leaves_beyond_are_left_out(count: int) -> Whole:
    return projecting(lambda v: [x * (i < count) for i, x in enumerate(v)])


def leaves_beyond_stay(count: int) -> Whole:
    def whole(s: Now) -> Pair:
        d, average = right(s)
        return d, [*average[:count], *(x.copy() for x in s.e[count:])]

    return whole


def at_calls(other: Whole, *calls: int) -> Whole:
    number = itertools.count(1)
    return lambda s: other(s) if next(number) in calls else right(s)


def by_chance(other: Whole, draw: Callable[[], float], part: float = 0.003) -> Whole:
    return lambda s: other(s) if draw() < part else right(s)


def read_as(raw: Callable[[np.ndarray], np.ndarray]) -> Whole:
    return projecting(lambda v: [raw(x) for x in v])


def from_the_start(x: np.ndarray) -> np.ndarray:
    """Read so many entries as there are from where the memory begins, whatever the strides."""
    whole = x
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    memory = whole.ravel(order="K")
    return memory[: x.size] if whole is not x else x.ravel()


def with_positive_strides(x: np.ndarray) -> np.ndarray:
    return x[tuple(slice(None, None, -1 if n < 0 else 1) for n in x.strides)].ravel()


def wrong_where(is_odd: Callable[[np.ndarray], Any]) -> Whole:
    return lambda s: (mixed if any(is_odd(x) for v in (s.g, s.a, s.e) for x in v) else right)(s)


def half_average(average: Callable[[Any, Any, Any], Any]) -> Whole:
    """Compute the average of half-precision leaves in half precision."""

    def whole(s: Now) -> Pair:
        d, wide = right(s)
        if s.e[0].dtype != np.float16:
            return d, wide
        rho = np.float16(s.rho)
        return d, [np.asarray(average(e, g, rho)) for e, g in zip(s.e, s.g, strict=True)]

    return whole


def half_squares(s: Now) -> Pair:
    """Square the entries of the average in its own dtype."""
    square = sum(float(np.sum(np.square(np.abs(x)).astype(np.float64))) for x in s.e)
    ae = sum(float(np.vdot(np.float64(x), np.float64(y))) for x, y in zip(s.a, s.e, strict=True))
    return (subtracting(ae / square if square else 0.0, s), right(s)[1])


def capped(most: float) -> Whole:
    return lambda s: right(s.but(lam=min(s.lam, most)))


def floored(least: float) -> Whole:
    return lambda s: right(s.but(rho=max(s.rho, least) if s.rho else s.rho))


ONE = np.float16(1)
GAPS: dict[str, tuple[Callable[[], Whole], str]] = {
    "mixes at call 1": (partial(at_calls, mixed, 1), REPEATED),
    "mixes at calls 1 and 2": (partial(at_calls, mixed, 1, 2), REPEATED),
    "mixes at calls 1 to 5": (partial(at_calls, mixed, *range(1, 6)), REPEATED),
    **{
        f"restarts at call {n}": (partial(at_calls, restarted, n), REPEATED)
        for n in (1, 2, 100, 300, 500, 700)
    },
    **{
        f"{make.__name__.replace('_', ' ')} {n}": (partial(make, n), LARGE)
        for make in (every_other_of_more_than, first_of_more_than, sampled_from)
        for n in (1024, 4096, 60000)
    },
    "every other of more than 2^16": (partial(every_other_of_more_than, 2**16), LARGE),
    **{
        f"sees {n} leaves": (partial(leaves_beyond_are_left_out, n), LARGE)
        for n in (16, 64, 150, 199)
    },
    **{f"updates {n} leaves": (partial(leaves_beyond_stay, n), LARGE) for n in (64, 150)},
    **{f"lam is at most {n}": (partial(capped, n), DIRECTION) for n in (20, 100, 1000, 5000)},
    **{f"rho is at least {n}": (partial(floored, n), AVERAGE) for n in (1e-3, 1e-4, 1e-5)},
    "memory is read from its start": (lambda: read_as(from_the_start), LAYOUT),
    "memory is read in its own order": (lambda: read_as(lambda x: x.ravel(order="K")), LAYOUT),
    "negative strides are lost": (lambda: read_as(with_positive_strides), LAYOUT),
    "Fortran's order is read as C's": (
        lambda: read_as(lambda x: (x.T if x.flags.fnc else x).ravel()),
        LAYOUT,
    ),
    "wrong where not contiguous": (
        lambda: wrong_where(lambda x: not x.flags.contiguous and not x.flags.fnc),
        LAYOUT,
    ),
    "wrong where a stride is negative": (
        lambda: wrong_where(lambda x: any(n < 0 for n in x.strides)),
        LAYOUT,
    ),
    "wrong in Fortran's order": (lambda: wrong_where(lambda x: x.flags.fnc), LAYOUT),
    "squares in half precision": (
        lambda: lambda s: (half_squares if s.e[0].dtype == np.float16 else right)(s),
        HALF,
    ),
    "difference in half precision": (lambda: half_average(lambda e, g, r: e + r * (g - e)), HALF),
    "sum in half precision": (
        lambda: half_average(lambda e, g, r: (e + (g - e) * r).astype(e.dtype)),
        HALF,
    ),
    "quotient in half precision": (
        lambda: half_average(lambda e, g, r: (e * ((ONE - r) / r) + g) * r if r else e.copy()),
        HALF,
    ),
}


def statuses(step: Step, **options: Any) -> dict[str, str]:
    return {result.law: result.status for result in check_implementation(step, **options).results}


@pytest.mark.parametrize("gap", GAPS)
def test_every_gap_is_found_at_default_settings(gap: str) -> None:
    make, law = GAPS[gap]
    assert statuses(step_of(make()), laws=[law]) == {law: "failed"}


def test_a_right_step_breaks_none_of_these_laws() -> None:
    laws = {law for _, law in GAPS.values()}
    assert set(statuses(step_of(right), laws=laws).values()) == {"passed"}


DICE: dict[str, Callable[[], Callable[[], float]]] = {
    "of NumPy": lambda: lambda: float(np.random.rand()),  # noqa: NPY002  what subjects use
    "of Python": lambda: random.random,
    "of its own": lambda: np.random.default_rng(1).random,
}


@pytest.mark.parametrize("other", [mixed, restarted])
@pytest.mark.parametrize("generator", DICE)
def test_rare_wrong_answers_by_chance_are_found(generator: str, other: Whole) -> None:
    laws = [REPEATED, DIRECTION, AVERAGE]

    def judged(seed: int) -> dict[str, str]:
        step = step_of(by_chance(other, DICE[generator]()))
        return statuses(step, laws=laws, seed=seed)

    assert [("failed" in judged(seed).values()) for seed in range(2)] == [True] * 2
    assert judged(7) == judged(7)


def test_every_input_finds_other_dice() -> None:
    thrown: list[tuple[float, float]] = []

    def whole(s: Now) -> Pair:
        thrown.append((random.random(), float(np.random.rand())))  # noqa: NPY002  likewise
        return right(s)

    check_implementation(step_of(whole), laws=[DIRECTION, AVERAGE], examples=50)
    assert len(set(thrown)) == len(thrown) > 100


def test_the_message_says_at_which_call() -> None:
    report = check_implementation(step_of(at_calls(restarted, 500)), laws=[REPEATED])
    (result,) = report.results
    assert "as on the first call; found" in result.message
    assert result.message.endswith("on the 500th")
    assert "'calls': 1000" in result.counterexample
