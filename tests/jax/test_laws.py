"""Every law, on the step and on the transformation, eagerly and compiled."""

from typing import Any

import jax
import pytest

import bloop_jax
from bloop_proofs import LAWS, check_implementation
from bloop_ref import State

EXAMPLES = 2
"""Every new shape is compiled; the command line tries 100."""
LARGE = "large-models-count-to-the-last-entry"
BUT_LARGE = [law.name for law in LAWS if law.name != LARGE]
"""Two hundred leaves take seconds to compile, and all forms call the same program for them."""


def transformed(g_main: Any, g_aux: Any, ema: Any, *, lam: Any, rho: Any) -> Any:
    transformation = bloop_jax.bloop(lam, rho, nonfinite="propagate")
    zero = transformation.init(g_main).count
    direction, after = transformation.update(g_main, State((ema,), (), zero, zero), aux_grads=g_aux)
    return direction, after.ema


@pytest.mark.slow
@pytest.mark.parametrize("step", [bloop_jax.step, transformed])
def test_every_law_holds_eagerly(step: Any, x64: bool) -> None:
    laws = "all" if step is bloop_jax.step else BUT_LARGE
    report = check_implementation(step, framework="jax", examples=EXAMPLES, laws=laws)
    assert report.passed, report.broken
    assert {result.status for result in report.results} == {"passed"}


@pytest.mark.slow
def test_every_law_holds_under_jit(x64: bool) -> None:
    step = jax.jit(bloop_jax.step)
    report = check_implementation(step, framework="jax", examples=EXAMPLES, laws=BUT_LARGE)
    assert report.passed, report.broken
    assert {result.status for result in report.results} == {"passed"}
