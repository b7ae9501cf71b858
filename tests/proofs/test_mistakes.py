"""The suite is tested on mistakes: each is found, each law finds some, and each gets its name."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from bloop_proofs import LAWS, Case, check_implementation
from bloop_proofs.diagnosis import diagnose
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.law import Law, LawViolation
from bloop_proofs.methods import BLOOP
from bloop_proofs.mistakes.looks import Probe, form, history, memory, values
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.quiet import silence
from bloop_proofs.runner import try_law
from bloop_proofs.subject import ProtocolError, Step, StepRaised, Subject
from tests.proofs.witness import smallest

RIGHT, CATALOGUE = BLOOP.right, BLOOP.mistakes
right = RIGHT.step
EXAMPLES = 12
"""How many inputs an ordinary law is tried on."""
BY_COST = sorted(LAWS, key=lambda law: law.cost)
BY_NAME = {mistake.name: mistake for mistake in CATALOGUE}

each_mistake = pytest.mark.parametrize("mistake", CATALOGUE, ids=lambda mistake: mistake.name)


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with silence():
        yield


def subject(mistake: Mistake) -> Subject:
    return judged(mistake.step)


def judged(step: Step) -> Subject:
    return Subject(step, RIGHT.framework, BLOOP.signature)


@cache
def drawn(law: Law) -> tuple[Case, ...]:
    """The inputs that a law is tried on, drawn once for all mistakes."""
    cases: list[Case] = []
    listening = replace(law, check=lambda _, case: cases.append(case))
    try_law(listening, RIGHT, examples=max(1, EXAMPLES // law.cost), seed=0)
    return tuple(cases)


@cache
def kills(law: Law, mistake: Mistake) -> bool:
    """Whether a mistake breaks a law on one of the law's inputs."""
    wrong = subject(mistake)
    for case in drawn(law):
        try:
            law.check(wrong, case)
        except (LawViolation, StepRaised, ProtocolError):
            return True
    return False


class TestKillMatrix:
    """Of the matrix of laws and mistakes each entry is computed once, those that are needed."""

    @each_mistake
    def test_every_mistake_breaks_a_law(self, mistake: Mistake) -> None:
        assert any(kills(law, mistake) for law in BY_COST)

    @pytest.mark.parametrize(
        "mistake",
        [mistake for mistake in CATALOGUE if mistake.group == "equations"],
        ids=lambda mistake: mistake.name,
    )
    def test_mistakes_in_the_equations_break_a_law_of_the_paper(self, mistake: Mistake) -> None:
        assert any(kills(law, mistake) for law in BY_COST if law.group == "paper")

    @pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
    def test_every_law_is_broken_by_a_mistake_and_not_by_a_right_step(self, law: Law) -> None:
        for case in drawn(law):
            law.check(RIGHT, case)
        assert any(kills(law, mistake) for mistake in CATALOGUE)


class TestCatalogue:
    def test_there_are_many_mistakes_of_both_groups(self) -> None:
        assert len(CATALOGUE) == len(BY_NAME) >= 45
        assert {mistake.group for mistake in CATALOGUE} == {"equations", "numerics"}

    @each_mistake
    def test_every_mistake_says_what_it_is_where_it_sits_and_how_to_mend_it(
        self, mistake: Mistake
    ) -> None:
        assert mistake.statement.endswith(".")
        assert mistake.where.startswith(("eq. 5", "section", "Algorithm 1", "protocol"))
        assert mistake.mend.endswith(".")
        assert mistake.mend[0].isupper()

    @each_mistake
    def test_the_witness_tells_the_mistake_from_a_right_step(self, mistake: Mistake) -> None:
        looks = (history,) if mistake.remembers else (values, form, memory)
        probes = [Probe(look, smallest(mistake), RIGHT) for look in looks]
        assert any(
            not probe.alike(probe.at(subject(mistake)), probe.at(RIGHT), mistake.unit)
            for probe in probes
        )

    def test_most_witnesses_have_one_or_two_entries(self) -> None:
        sizes = [sum(leaf.size for leaf in smallest(mistake).ema) for mistake in CATALOGUE]
        assert np.quantile(sizes, 0.9) <= 2

    def test_a_witness_is_the_simplest_input_that_tells(self) -> None:
        case = smallest(BY_NAME["auxiliary-gradient-is-not-projected"])
        assert repr(case) == (
            "Case(g_main=[array([1.])], g_aux=[array([1.])], ema=[array([1.])], lam=1.0, rho=0.5)"
        )

    def test_steps_with_a_memory_start_without_one(self) -> None:
        mistake = BY_NAME["lam-is-that-of-the-first-call"]
        one = [np.array([1.0])]
        results = [
            mistake.step(one, one, [np.array([0.0])], lam=lam, rho=0.5)[0][0] for lam in (1.0, 2.0)
        ]
        assert [x.item() for x in results] == [2.0, 3.0]


class TestDiagnosis:
    @each_mistake
    def test_every_mistake_gets_its_name(self, mistake: Mistake) -> None:
        assert diagnose(subject(mistake), seed=0)[0].name == mistake.name

    @pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
    def test_other_ways_to_write_a_mistake_get_its_name(self, framework: str) -> None:
        known = FRAMEWORKS[framework]
        pytest.importorskip(known.module, reason=f"{framework} is not installed")
        steps = importlib.import_module(f"tests.proofs.rewritten.in_{framework}").STEPS
        # written without a thought of complex leaves or mixed dtypes, some make a second mistake
        for name, step in steps.items():
            assert name in diagnose(Subject(step, known, BLOOP.signature), seed=0)[0].names

    def test_a_right_step_makes_none(self) -> None:
        assert diagnose(RIGHT, seed=0) == ()

    def test_a_mistake_that_nobody_has_listed_is_like_another_at_most(self) -> None:
        def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
            direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
            return [np.tanh(x) for x in direction], average

        assert not any(entry.proved for entry in diagnose(judged(step), seed=0))

    @pytest.mark.parametrize("epsilon", [1e-7, 3e-9, 1.19e-7])
    def test_a_constant_that_is_not_listed_is_fitted(self, epsilon: float) -> None:
        def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
            _, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
            (ae, ee) = (
                sum(np.sum(x * y) for x, y in zip(v, ema, strict=True)) for v in (g_aux, ema)
            )
            rows = zip(g_main, g_aux, ema, strict=True)
            return [g + lam * (a - ae / (ee + epsilon) * e) for g, a, e in rows], average

        names = [entry.name for entry in diagnose(judged(step), seed=0)]
        assert names[0] == f"epsilon-{epsilon:g}-is-added-to-the-square".replace("e-0", "e-")

    def test_a_step_that_always_raises_gets_no_name(self) -> None:
        def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
            raise RuntimeError("out of order")

        assert diagnose(judged(step), seed=0) == ()

    def test_the_mistake_in_the_equations_comes_first(self) -> None:
        def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
            direction, average = plain(g_main, g_aux, ema, lam=lam, rho=rho)
            for leaf, value in zip(ema, average, strict=True):
                leaf[...] = value
            return direction, ema

        plain: Step = BY_NAME["zero-ema-drops-the-auxiliary-gradient"].step
        (entry,) = diagnose(judged(step), seed=0)
        assert entry.names == ("zero-ema-drops-the-auxiliary-gradient", "ema-is-updated-in-place")

    @pytest.mark.parametrize(
        "name", ["rho-and-its-complement-are-swapped", "ema-is-updated-in-place"]
    )
    def test_the_report_says_what_to_mend(self, name: str) -> None:
        report = check_implementation(BY_NAME[name].step, laws="all", examples=5)
        assert not report.passed
        assert report.diagnosis[0].name == name
        assert BY_NAME[name].mend in str(report)


def test_a_jax_step_that_gives_its_inputs_away_breaks_a_law() -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")

    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        return g_main, given_away(ema, g_main, rho)

    given_away = jax.jit(
        lambda ema, g_main, rho: [e + rho * (g - e) for e, g in zip(ema, g_main, strict=True)],
        donate_argnums=0,
    )
    report = check_implementation(step, framework="jax", laws="inputs-are-not-written", examples=1)
    assert "ema must be left as it was" in report.results[0].message
