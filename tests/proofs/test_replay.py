"""Replaying one law on one input."""

from typing import Any

import numpy as np
import pytest

from bloop_proofs import LawViolation, ProtocolError, StepRaised, check_implementation, replay
from tests.proofs.subjects import example, forgets_the_projection

LAW = "what-is-added-is-orthogonal-to-the-ema"


def case(xp: Any = np, **changes: Any) -> dict[str, Any]:
    one = [xp.asarray([1.0, 2.0]), xp.asarray([[3.0]])]
    return {"g_main": one, "g_aux": one, "ema": one, "lam": 0.5, "rho": 0.25, **changes}


def test_a_law_that_holds_is_silent() -> None:
    replay(LAW, example("numpy"), case())


def test_a_law_that_is_broken_says_how() -> None:
    with pytest.raises(LawViolation, match=r"<d - g_main, ema> must be 0 within .*; found 7"):
        replay(LAW, forgets_the_projection, case())


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_arrays_are_those_of_the_framework(framework: str) -> None:
    module = "jax.numpy" if framework == "jax" else framework
    xp = pytest.importorskip(module, reason=f"{framework} is not installed")
    replay(LAW, example(framework), case(xp), framework=framework)
    with pytest.raises(LawViolation, match="must be 0 within"):
        replay(LAW, forgets_the_projection, case(xp), framework=framework)


def test_a_step_that_raises_is_the_cause() -> None:
    def raises(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        raise ZeroDivisionError("by zero")

    with pytest.raises(StepRaised, match="step raised ZeroDivisionError: by zero") as raised:
        replay(LAW, raises, case())
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_overflow_is_judged_and_not_warned_about() -> None:
    huge = [np.array([1e200, 0.0])]
    given = case(g_main=huge, g_aux=huge, ema=huge)

    def overflows(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        return [g * np.sum(g * g) for g in g_main], ema

    with pytest.raises(LawViolation, match=r"direction must be .*; found \[inf"):
        replay("direction-is-equation-5", overflows, given)


def test_a_wrong_call_is_named() -> None:
    with pytest.raises(ValueError, match="no-such-law"):
        replay("no-such-law", example("numpy"), case())
    with pytest.raises(ValueError, match="framework must be one of"):
        replay(LAW, example("numpy"), case(), framework="none")
    with pytest.raises(ProtocolError, match="found NoneType"):
        replay(LAW, lambda *gradients, lam, rho: None, case())


def test_it_finds_what_the_runner_found() -> None:
    (result,) = check_implementation(forgets_the_projection, laws=LAW, examples=20).results
    with pytest.raises(LawViolation) as raised:
        exec(result.counterexample, {})
    assert str(raised.value) == result.message
