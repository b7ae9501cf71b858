"""The suite of every method: each mistake is found and named, no right implementation accused."""

from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from bloop_proofs import METHODS, Case, check_implementation, replay
from bloop_proofs.diagnosis import diagnose
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.law import LawViolation
from bloop_proofs.mistakes.looks import Probe, form, history, memory, values
from bloop_proofs.quiet import silence
from bloop_proofs.runner import try_law
from bloop_proofs.subject import ProtocolError, StepRaised, Subject
from tests.proofs.methods import in_the_reference
from tests.proofs.witness import smallest

EXAMPLES = 12
"""How many inputs an ordinary law is tried on."""
BESIDE = {name: method for name, method in METHODS.items() if not method.signature.vectors}
"""The methods whose steps take a list; Bloop and a step between have tests of their own."""
MISTAKES = [mistake for method in BESIDE.values() for mistake in method.mistakes]
LAWS = [(name, law) for name, method in BESIDE.items() for law in method.laws]

each_method = pytest.mark.parametrize("name", BESIDE)
each_mistake = pytest.mark.parametrize(
    "mistake", MISTAKES, ids=lambda m: f"{m.method.name}-{m.name}"
)


@pytest.fixture(autouse=True)
def _silent():
    with silence():
        yield


def subject(mistake):
    return Subject(mistake.step, FRAMEWORKS["numpy"], mistake.method)


def right(name):
    return METHODS[name].right


@cache
def drawn(name, law):
    """The inputs that a law is tried on, drawn once for all mistakes."""
    cases = []
    listening = replace(law, check=lambda _, case: cases.append(case))
    try_law(listening, right(name), examples=max(1, EXAMPLES // law.cost), seed=0)
    return tuple(cases)


@cache
def kills(law, mistake):
    """Whether a mistake breaks a law on one of the law's inputs."""
    for case in drawn(mistake.method.name, law):
        try:
            law.check(subject(mistake), case)
        except (LawViolation, StepRaised, ProtocolError):
            return True
    return False


class TestKillMatrix:
    @each_mistake
    def test_every_mistake_breaks_a_law_of_its_method(self, mistake):
        laws = METHODS[mistake.method.name].laws
        likely_first = laws if mistake.group == "equations" else reversed(laws)
        assert any(kills(law, mistake) for law in likely_first)

    @pytest.mark.parametrize(("name", "law"), LAWS, ids=[f"{n}-{law.name}" for n, law in LAWS])
    def test_every_law_is_broken_by_a_mistake_and_not_by_a_right_step(self, name, law):
        for case in drawn(name, law):
            law.check(right(name), case)
        assert any(kills(law, mistake) for mistake in METHODS[name].mistakes)


class TestCatalogue:
    @each_method
    def test_there_are_enough_mistakes_with_names_of_their_own(self, name):
        names = [mistake.name for mistake in METHODS[name].mistakes]
        assert len(set(names)) == len(names)
        own = [m for m in METHODS[name].mistakes if m.group == "equations"]
        assert len(own) >= (8 if name in ("pcgrad", "grad_vac", "mgda", "sam_gs") else 4)

    @each_mistake
    def test_every_mistake_says_what_it_is_where_it_sits_and_how_to_mend_it(self, mistake):
        assert mistake.statement.endswith(".")
        assert mistake.where
        assert mistake.mend.endswith(".")
        assert mistake.mend[0].isupper() or mistake.mend.startswith(("beta", "g_0", "w "))

    @each_mistake
    def test_the_witness_tells_the_mistake_from_a_right_step(self, mistake):
        looks = (history,) if mistake.remembers else (values, form, memory)
        wrong, known, case = subject(mistake), right(mistake.method.name), smallest(mistake)
        probes = [Probe(look, case, known) for look in looks]
        assert any(not probe.alike(probe.at(wrong), probe.at(known)) for probe in probes)
        assert sum(leaf.size for leaf in case.gradients[0]) <= 2


class TestDiagnosis:
    @each_method
    def test_mistakes_get_their_names(self, name):
        found = {
            m.name: [entry.name for entry in diagnose(subject(m), seed=0)][:1]
            for m in METHODS[name].mistakes
        }
        assert found == {m.name: [m.name] for m in METHODS[name].mistakes}

    @each_method
    def test_a_right_step_makes_none(self, name):
        assert diagnose(right(name), seed=0) == ()

    def test_a_mistake_is_known_from_a_step_that_takes_no_optional_argument(self):
        def only_main(gradients):
            (m, *_), (a, *_) = gradients
            m, a = (np.concatenate([x.ravel() for x in g]).astype(float) for g in gradients)
            d = m - min(m @ a, 0) / (a @ a or 1) * a + a
            ends = np.cumsum([x.size for x in gradients[0]])[:-1]
            parts = zip(np.split(d, ends), gradients[0], strict=True)
            return [p.reshape(x.shape).astype(x.dtype) for p, x in parts]

        report = check_implementation(only_main, method="pcgrad", examples=10)
        assert not report.passed
        # of two gradients a', projected off m' that is orthogonal to it already, is a
        assert [entry.name for entry in report.diagnosis] == [
            "projects-off-gradients-already-projected",
            "only-the-main-gradient-is-projected",
        ]


def implementation(form, name):
    if form == "in_the_reference":
        return in_the_reference.step_of(METHODS[name].signature), "numpy"
    framework = form.removeprefix("in_").replace("loops", "numpy")
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    return import_module(f"tests.proofs.methods.{form}").STEPS[name], framework


class TestRightImplementations:
    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [1, 2])
    @pytest.mark.parametrize("form", ["in_loops", "in_torch", "in_the_reference"])
    @each_method
    def test_no_law_accuses_one(self, name, form, seed):
        step, framework = implementation(form, name)
        report = check_implementation(step, method=name, framework=framework, examples=4, seed=seed)
        assert report.passed, str(report)
        assert set(report.count()) == {"passed"}

    def test_one_in_jax_passes(self):
        jnp = pytest.importorskip("jax", reason="jax is not installed").numpy

        def step(gradients):
            wide = jnp.float32 if jnp.ones(()).dtype == jnp.float32 else jnp.float64
            m, a = (
                jnp.concatenate([x.ravel().astype(jnp.promote_types(x.dtype, wide)) for x in g])
                for g in gradients
            )
            top, bottom = jnp.vdot(a, m).real, jnp.vdot(a, a).real
            along = jnp.where(bottom > 0, jnp.minimum(top, 0) / bottom, 0 * top)
            d, start, leaves = m - along * a, 0, []
            for x in gradients[0]:
                part = d[start : start + x.size].reshape(x.shape)
                leaves.append((part if jnp.iscomplexobj(x) else part.real).astype(x.dtype))
                start += x.size
            return leaves

        report = check_implementation(step, method="a_gem", framework="jax", examples=3)
        assert report.passed, str(report)

    def test_more_gradients_than_two_may_be_refused(self):
        def two(gradients):
            if len(gradients) > 2:
                raise NotImplementedError("two losses only")
            return right("pcgrad").step(gradients, orders=None, lam=1.0)

        report = check_implementation(two, method="pcgrad", examples=3)
        assert report.passed
        skipped = [result.law for result in report.results if result.status == "skipped"]
        assert skipped == [
            "direction-of-more-gradients-is-as-defined",
            "no-gradient-is-projected-off-itself",
        ]


class TestCalls:
    def test_a_counterexample_is_a_program_that_fails_as_the_law_does(self):
        mistake = METHODS["grad_vac"].mistakes[0]
        report = check_implementation(
            mistake.step, method="grad_vac", laws=["direction-is-as-defined"]
        )
        program = report.results[0].counterexample
        assert 'method="grad_vac"' in program
        with pytest.raises(LawViolation, match="direction must be"):
            exec(program, {"stateful": mistake.step})

    def test_replay_says_nothing_of_a_right_step(self):
        g = [[np.array([3.0, 4.0])], [np.array([-5.0, 0.0])]]
        case = {"gradients": g, "orders": [[1], [0]], "lam": 1.0}
        step = right("pcgrad").step
        replay("two-gradients-are-projected-off-each-other", step, case, method="pcgrad")

    def test_expected_failures_are_the_methods_own(self):
        step = METHODS["mgda"].mistakes[0].step
        law = "no-point-of-the-hull-is-shorter"
        known: dict[str, Any] = {
            "laws": [law],
            "examples": 20,
            "expected_failures": {law: "upstream"},
        }
        assert check_implementation(step, method="mgda", **known).count() == {"xfailed": 1}
        with pytest.raises(ValueError, match="must name laws"):
            check_implementation(
                step, method="mgda", expected_failures={"direction-is-equation-5": "no"}
            )

    @pytest.mark.parametrize("returned", [None, 3.0, [np.zeros(2)], [1.0, 2.0]])
    def test_something_else_than_a_direction_is_a_protocol_error(self, returned):
        with pytest.raises(ProtocolError, match="step must return a direction"):
            check_implementation(lambda gradients: returned, method="mgda")

    def test_something_else_than_a_pair_is_a_protocol_error(self):
        with pytest.raises(ProtocolError, match=r"a pair \(direction, state\); found list of 2"):
            check_implementation(lambda gradients, state, *, beta: gradients[0], method="grad_vac")

    def test_an_unknown_method_is_an_error(self):
        with pytest.raises(ValueError, match=r"one of mixed, a_gem, .*; found 'sgd'"):
            check_implementation(lambda gradients: gradients[0], method="sgd")

    def test_a_case_prints_its_options(self):
        case = smallest(METHODS["pcgrad"].mistakes[0])
        assert isinstance(case, Case)
        assert "'orders': [[1], [0]]" in case.code(FRAMEWORKS["torch"])
