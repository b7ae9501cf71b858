"""The runner: what it records, what it refuses, and that it leaves no trace."""

import os
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.configuration import storage_directory

from bloop_proofs import LAWS, ProtocolError, Result, check_implementation
from bloop_proofs.subject import Step
from tests.proofs.subjects import breaks_every_law, changed, example, forgets_the_projection

ORTHOGONAL = "what-is-added-is-orthogonal-to-the-ema"
KEEPS = "rho-zero-keeps-the-ema"


def statuses(step: Step, **options: Any) -> dict[str, str]:
    report = check_implementation(step, **options)
    return {result.law: result.status for result in report.results}


def records(step: Step, **options: Any) -> list[tuple[Any, ...]]:
    """All that a run found, without the time it took."""
    results = check_implementation(step, **options).results
    return [(r.law, r.status, r.message, r.counterexample, r.examples) for r in results]


class Spy:
    """The right step, with a note of every input."""

    def __init__(self) -> None:
        self.step, self.seen = example("numpy"), list[str]()

    def __call__(self, g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        self.seen.append(repr((g_main, g_aux, ema, lam, rho)))
        return self.step(g_main, g_aux, ema, lam=lam, rho=rho)


def drawn(**options: Any) -> list[str]:
    """The inputs that a run tries."""
    spy = Spy()
    assert check_implementation(spy, **options).passed
    return spy.seen


def test_every_law_is_tried_in_order_and_reported_as_it_comes() -> None:
    told: list[Result] = []
    report = check_implementation(example("numpy"), examples=5, progress=told.append)
    assert report.passed
    assert [result.law for result in report.results] == [law.name for law in LAWS]
    assert tuple(told) == report.results


def test_a_wrong_step_breaks_laws_and_is_diagnosed() -> None:
    report = check_implementation(forgets_the_projection, examples=10)
    broken = {result.law for result in report.broken}
    assert not report.passed
    assert ORTHOGONAL in broken
    assert "new-ema-weighs-the-new-gradient-by-rho" not in broken
    assert report.diagnosis


def test_the_same_seed_tries_the_same_inputs_and_another_seed_others() -> None:
    options = {"laws": [ORTHOGONAL, KEEPS], "examples": 20}
    assert drawn(seed=3, **options) == drawn(seed=3, **options)
    assert drawn(seed=3, **options) != drawn(seed=4, **options)
    first, again = (records(forgets_the_projection, seed=3, **options) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("examples", [1, 10, 40])
def test_the_work_grows_linearly_with_the_examples(examples: int) -> None:
    laws = [ORTHOGONAL, "each-step-projects-on-the-ema-before-its-update"]
    once, three_steps = check_implementation(example("numpy"), laws=laws, examples=examples).results
    assert once.examples == examples
    assert three_steps.examples == max(1, examples // 2)
    assert len(drawn(laws=laws, examples=examples)) == 1 + once.examples + 3 * three_steps.examples


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"framework": "tinygrad"}, "framework must be one of"),
        ({"laws": "no-such-law"}, "no-such-law"),
        ({"laws": []}, "laws must name at least one law; found none"),
        ({"examples": 0}, "examples must be a whole number, at least 1; found 0"),
        ({"examples": 2.5}, "examples must be a whole number, at least 1; found 2.5"),
        ({"expected_failures": {"no-such-law": "why"}}, "no-such-law"),
        ({"expected_failures": {KEEPS: "  "}}, f"must give a reason for '{KEEPS}'"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_implementation(forgets_the_projection, **options)


def test_a_step_must_be_callable() -> None:
    with pytest.raises(TypeError, match="step must be callable; found list"):
        check_implementation([])  # type: ignore[arg-type]


PAIR = "step must return a pair"
WRONG_FORMS: dict[str, tuple[Any, str]] = {
    "direction only": (lambda d, e: np.stack([x.ravel()[0] for x in d]), f"{PAIR}.*found ndarray"),
    "dict": (lambda d, e: {"direction": d}, f"{PAIR}.*found dict of 1"),
    "three": (lambda d, e: (d, e, 0), f"{PAIR}.*found tuple of 3"),
    "nothing": (lambda d, e: None, f"{PAIR}.*found NoneType"),
    "generator": (lambda d, e: (x for x in (d, e)), f"{PAIR}.*found generator"),
    "floats": (lambda d, e: (1.0, 2.0), "found float for direction"),
    "float leaves": (lambda d, e: (d, [1.0 for _ in e]), r"found float for new_ema\[0\]"),
    "None leaves": (lambda d, e: ([None for _ in d], e), r"found NoneType for direction\[0\]"),
    "one array": (lambda d, e: (d[0], e), "found ndarray for direction"),
    "too few": (lambda d, e: (d[:1], e), "a list of 2 arrays.*found list of 1 for direction"),
    "strings": (lambda d, e: ([np.array("a") for _ in d], e), "must hold numbers; found dtype <U1"),
    "objects": (lambda d, e: ([x.astype(object) for x in d], e), "found dtype object"),
}


@pytest.mark.parametrize("form", WRONG_FORMS)
def test_another_form_than_the_protocols_is_said_in_one_line(form: str) -> None:
    change, message = WRONG_FORMS[form]
    with pytest.raises(ProtocolError, match=message) as raised:
        check_implementation(changed(change))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, e: (d, [np.stack([x, x]) for x in e]), "new_ema[0] must have"),
        (lambda d, e: ([x.astype(complex) for x in d], e), "direction[0] must have"),
    ],
)
def test_leaves_that_cannot_be_compared_break_the_laws(change: Any, message: str) -> None:
    laws = [ORTHOGONAL, "splitting-into-leaves-does-not-matter"]
    for result in check_implementation(changed(change), examples=10, laws=laws).results:
        assert result.status == "failed"
        assert result.message.startswith(message)
        assert " real entries" in result.message


def test_arrays_of_another_framework_are_no_answer() -> None:
    pytest.importorskip("torch", reason="torch is not installed")

    def fetches(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        return [leaf.numpy() for leaf in g_main], ema

    with pytest.raises(ProtocolError, match="a list of torch arrays; found ndarray"):
        check_implementation(fetches, framework="torch")


def test_a_form_that_is_wrong_on_some_inputs_only_breaks_the_laws_about_them() -> None:
    def drops_empty_leaves(d: Any, e: Any) -> Any:
        return [x for x in d if x.size], e

    found = statuses(changed(drops_empty_leaves), examples=5)
    assert found["empty-and-zero-dimensional-leaves-are-leaves"] == "failed"
    assert found[ORTHOGONAL] == "passed"


def test_an_interrupt_passes_through() -> None:
    def interrupted(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_implementation(interrupted)


def test_a_step_that_is_wrong_now_and_then_fails() -> None:
    calls = iter(range(10**6))
    wrong = changed(lambda d, e: ([x + (next(calls) % 7 == 6) for x in d], e))
    report = check_implementation(wrong, laws=["direction-is-equation-5"])
    assert [result.status for result in report.results] == ["failed"]
    assert report.results[0].message.startswith("now and then, not on every call: direction must")


def test_noise_breaks_every_law_without_a_crash() -> None:
    found = statuses(breaks_every_law, examples=5)
    assert set(found.values()) == {"failed"}


def test_known_failures_are_expected_and_expire() -> None:
    reasons = {ORTHOGONAL: "mixed training, on purpose", KEEPS: "was broken once"}
    report = check_implementation(
        forgets_the_projection, laws=list(reasons), expected_failures=reasons
    )
    found = {result.law: (result.status, result.message) for result in report.results}
    assert found[ORTHOGONAL][0] == "xfailed"
    assert found[ORTHOGONAL][1].startswith("expected, mixed training, on purpose: <d - g_main")
    assert found[KEEPS] == ("xpassed", "expected to fail, but holds: was broken once")
    assert not report.passed
    reasons.pop(KEEPS)
    assert check_implementation(
        forgets_the_projection, laws=[ORTHOGONAL, KEEPS], expected_failures=reasons
    ).passed


def test_warnings_of_a_step_are_its_own_affair() -> None:
    def warns(d: Any, e: Any) -> Any:
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return d, e

    before = list(warnings.filters), np.geterr()
    assert check_implementation(changed(warns), laws=[ORTHOGONAL], examples=3).passed
    assert (list(warnings.filters), np.geterr()) == before


@given(seed=st.integers(0, 2))
def test_the_runner_works_inside_a_hypothesis_test(seed: int) -> None:
    assert statuses(example("numpy"), laws=[KEEPS], examples=3, seed=seed) == {KEEPS: "passed"}


def test_global_random_states_are_left_as_they_were() -> None:
    def states() -> tuple[Any, str]:
        return random.getstate(), repr(np.random.get_state())  # noqa: NPY002  the global state

    before = states()
    check_implementation(forgets_the_projection, laws=[ORTHOGONAL], examples=10)
    assert states() == before


def test_no_folder_is_left_behind(tmp_path: Path) -> None:
    source = "def step(g_main, g_aux, ema, *, lam, rho):\n    return g_main, ema\n"
    (tmp_path / "mine.py").write_text(source)
    code = (
        "from bloop_proofs import check_implementation, load\n"
        "assert not check_implementation(load('mine:step'), laws='paper', examples=3).passed"
    )
    command = [sys.executable, "-B", "-c", code]
    subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)}, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_the_folder_of_hypothesis_stays_where_it_was() -> None:
    before = storage_directory(intent_to_write=False).path
    check_implementation(example("numpy"), laws=[KEEPS], examples=1)
    assert storage_directory(intent_to_write=False).path == before
