"""Mistakes that are made together are all named, and what is not proved is only said to be like."""

from typing import Any

import numpy as np
import pytest

from bloop_proofs.diagnosis import diagnose
from bloop_proofs.methods import BLOOP, METHODS
from bloop_proofs.mistakes.mistake import step_with
from bloop_proofs.mistakes.reading import read_off
from bloop_proofs.report import Diagnosis
from bloop_proofs.subject import Step, Subject
from tests.proofs import pairs

WORDS = list(pairs.NAMES)
SAMPLE = [
    (first, second)
    for i, first in enumerate(WORDS)
    for second in [WORDS[(i + 4) % len(WORDS)]]
    if len({first, second} & {*pairs.DENOMINATORS}) < 2
]
"""A pair for every mistake as the first, and one as the second."""
TRIPLES = [
    ("early", "beside", "real"),
    ("by leaf", "gated", "float32"),
    ("other loss", "rescaled", "half"),
]


def found(step: Step, method: str = "bloop") -> tuple[Diagnosis, ...]:
    known = METHODS[method]
    return diagnose(Subject(step, known.right.framework, known.signature), seed=0)


@pytest.mark.parametrize("wrong", [*SAMPLE, *TRIPLES], ids=", ".join)
def test_mistakes_made_together_are_all_named(wrong: tuple[str, ...]) -> None:
    diagnosis = pairs.diagnosed(*wrong)
    assert {*diagnosis.names} == pairs.expected(wrong)
    assert (diagnosis.proved, diagnosis.share) == (True, 1.0)


def test_the_sample_has_every_mistake() -> None:
    assert {word for wrong in SAMPLE for word in wrong} == {*WORDS}


def test_the_mistake_in_the_equations_comes_first() -> None:
    assert pairs.diagnosed("beside", "early").name == pairs.NAMES["early"]


def test_what_is_left_unexplained_makes_it_only_like() -> None:
    plain = pairs.step_with("early")

    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        direction, new = plain(g_main, g_aux, ema, lam=lam, rho=rho)
        return [np.asarray(x + np.sin(x) / 64, x.dtype) for x in direction], new

    first, *_ = found(step)
    assert first.name == pairs.NAMES["early"]
    assert not first.proved
    assert 0.5 < first.share < 1


def test_other_methods_mistakes_compose_too() -> None:
    known = {mistake.name: mistake for mistake in METHODS["mgda"].mistakes}
    names = ("weights-sum-to-their-number", "layer-by-layer")
    (first, *_) = found(step_with([known[name] for name in names]), "mgda")
    assert {*first.names} == {*names}
    assert first.proved


def test_mistakes_that_want_the_same_part_are_not_made_together() -> None:
    known = {mistake.name: mistake for mistake in BLOOP.mistakes}
    names = ("divides-by-the-norm", "does-not-divide")
    with pytest.raises(ValueError, match="take the place of square"):
        step_with([known[name] for name in names])


def test_what_nobody_has_listed_is_read_off() -> None:
    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        return [g + 2 * a - e for g, a, e in zip(g_main, g_aux, ema, strict=True)], g_main

    subject = Subject(step, BLOOP.right.framework, BLOOP.signature)
    direction, average = read_off(subject, BLOOP.right).split("; ")
    assert direction.startswith("direction = 1 g_main + 2 g_aux - 1 ema, where 1 g_main + 1 g_aux ")
    assert average == "new_ema = 1 g_main, where 0.5 g_main + 0.5 ema is right"


def test_what_raises_with_more_gradients_is_no_mistake_of_who_takes_two() -> None:
    known = {mistake.name: mistake for mistake in METHODS["mgda"].mistakes}
    wrong = step_with([known["gradients-are-normalised-first"]])

    def of_two(gradients: Any) -> Any:
        main, aux = gradients
        return wrong([main, aux])

    (first,) = found(of_two, "mgda")
    assert (first.names, first.proved) == (("gradients-are-normalised-first",), True)
