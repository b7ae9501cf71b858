"""What a report says beyond pass and fail: how much, how often, where, and what is left."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from bloop_proofs import Report, check_implementation, runner
from bloop_proofs.cases import Case
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.law import LawViolation, laws_named
from bloop_proofs.laws.measure import require_close
from bloop_proofs.methods import BLOOP
from bloop_proofs.mistakes.mistake import step_with
from bloop_proofs.notes import Notes, causes
from bloop_proofs.runner import try_law
from bloop_proofs.subject import Subject
from tests.proofs.subjects import example, forgets_the_projection

RIGHT = example("numpy")
Step = Callable[..., Any]


def inner(x: Any, y: Any) -> Any:
    return sum((a.conj() * b).real.sum() for a, b in zip(x, y, strict=True))


def unguarded(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    """Bloop without a guard against 0 / 0."""
    c = inner(g_aux, ema) / inner(ema, ema)
    triples = zip(g_main, g_aux, ema, strict=True)
    direction = [(g + lam * (a - c * e)).astype(g.dtype) for g, a, e in triples]
    return direction, RIGHT(g_main, g_aux, ema, lam=lam, rho=rho)[1]


def leaf_by_leaf(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    triples = zip(g_main, g_aux, ema, strict=True)
    outputs = [RIGHT([g], [a], [e], lam=lam, rho=rho) for g, a, e in triples]
    return [d[0] for d, _ in outputs], [e[0] for _, e in outputs]


def capped(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    return RIGHT(g_main, g_aux, ema, lam=min(lam, 2.0), rho=rho)


def dropping(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    """Bloop that is wrong for complex leaves, and gives NaN at zero."""
    direction, new_ema = unguarded(g_main, g_aux, ema, lam=lam, rho=rho)
    return [np.asarray(d.real, d.dtype) for d in direction], new_ema


FEW = [
    "direction-is-equation-5",
    "zero-ema-leaves-the-auxiliary-gradient-whole",
    "each-step-projects-on-the-ema-before-its-update",
    "complex-leaves-use-the-real-inner-product",
    "rho-zero-keeps-the-ema",
]


@cache
def judged(step: Step) -> Report:
    """What the laws say; a diagnosis takes longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "explained", lambda *_, **__: [])
        return check_implementation(step, laws=FEW, examples=30)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (unguarded, "wrong only where ema is 0"),
        (leaf_by_leaf, "wrong only where there are several leaves"),
        (capped, "wrong only where lam >= 3"),
        (dropping, "wrong only where ema is 0 or leaves are complex"),
        (forgets_the_projection, "% of the inputs of direction-is-equation-5"),
        (RIGHT, ""),
    ],
)
def test_the_summary_says_where_a_subject_is_wrong(step: Step, said: str) -> None:
    report = judged(step)
    assert said in report.summary
    assert bool(report.summary) is (not report.passed)
    shares = {result.law: result.share for result in report.results}
    assert {law for law, share in shares.items() if share} == {r.law for r in report.broken}


def test_what_is_wrong_everywhere_and_at_zero_only_have_other_shares() -> None:
    everywhere, at_zero = (
        {result.law: result.share for result in judged(step).results}
        for step in (forgets_the_projection, unguarded)
    )
    assert everywhere["direction-is-equation-5"] > 0.8
    assert at_zero["direction-is-equation-5"] == 0
    assert at_zero["zero-ema-leaves-the-auxiliary-gradient-whole"] == 1


def test_not_a_number_is_traced_to_its_entry_and_its_cause() -> None:
    broken = judged(unguarded).broken[0]
    assert "; direction[0][0] is nan where ema is 0" in broken.message


def test_the_largest_violation_is_larger_than_the_smallest_counterexample() -> None:
    broken = judged(leaf_by_leaf).broken[0]
    assert broken.largest.endswith("times the bound")
    distances = [
        float(text.partition("at a distance of ")[2].split(",")[0])
        for text in (broken.message, broken.largest)
    ]
    assert distances[0] < distances[1]


@pytest.mark.parametrize(
    ("required", "found", "shown"),
    [
        ([0.0, 2.0], [0.0, 2.0000001], "must be [0, 2] within 0; found [0, 2.0000001],"),
        ([1.0] * 9, [1.0] * 8 + [3.0], "found [..., 1, 1, 1, 1, 1, 3],"),
        ([1.0] * 9, [3.0] + [1.0] * 8, "found [3, 1, 1, 1, 1, 1, ...],"),
    ],
)
def test_vectors_print_where_and_with_the_digits_in_which_they_differ(
    required: list[float], found: list[float], shown: str
) -> None:
    with pytest.raises(LawViolation) as raised:
        require_close("d", np.array(found), np.array(required), 0.0)
    assert shown in str(raised.value)


def test_causes_name_zeros_and_squares_that_leave_the_range() -> None:
    case = Case(
        g_main=[np.array([300.0], np.float16)],
        g_aux=[np.array([1e-30], np.float32)],
        ema=[np.array([0.0])],
    )
    assert causes(BLOOP.signature, case) == [
        "g_main has squares that overflow float16",
        "g_aux has squares that underflow to 0 in float32",
        "ema is 0",
    ]


def early(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    _, new_ema = RIGHT(g_main, g_aux, ema, lam=lam, rho=rho)
    return RIGHT(g_main, g_aux, new_ema, lam=lam, rho=rho)[0], new_ema


def test_the_named_mistake_explains_the_laws_that_it_breaks() -> None:
    named = check_implementation(early, laws=FEW[:2], examples=20)
    assert named.diagnosis[0].name == "ema-is-updated-before-the-projection"
    assert named.explained == {named.diagnosis[0].name: tuple(r.law for r in named.broken)}
    assert named.remaining == ()


def test_broken_laws_are_grouped_by_the_mistake_that_breaks_them_and_others_remain() -> None:
    known = {mistake.name: mistake for mistake in BLOOP.mistakes}
    names = ("auxiliary-gradient-is-not-projected", "rho-and-its-complement-are-swapped")
    pair = [known[name] for name in names]
    wrong = step_with(pair)

    def also_writes(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        outputs = wrong(g_main, g_aux, ema, lam=lam, rho=rho)
        g_main[0][...] = 0
        return outputs

    notes = Notes(Subject(also_writes, FRAMEWORKS["numpy"], BLOOP.signature))
    laws = laws_named([FEW[0], FEW[-1], "inputs-are-not-written"], BLOOP.laws)
    for law in laws:
        for noted in (notes.tried(law), notes.surveyed(law)):
            try_law(noted, notes.subject, examples=20, seed=0)
    groups = {name: set(laws) for name, laws in notes.grouped(pair).items()}
    assert groups == {
        names[0]: {FEW[0]},
        names[1]: {FEW[-1]},
        "together": set(),
        "": {"inputs-are-not-written"},
    }
