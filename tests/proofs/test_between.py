"""The laws of a step between hold for right ones, and find every catalogued mistake."""

from typing import Any

import numpy as np
import pytest

import bloop_numpy
from bloop_proofs import METHODS, check_implementation
from bloop_ref import Bloop, State

METHOD = METHODS["between"]


def reference(x: Any, held: Any, ema: Any, *, lam: float, rho: float) -> Any:
    state = State((ema, held), (), np.int32(1), np.int32(0))
    direction, after = Bloop(lam, rho, every=2).step([x], state)
    return direction, after.ema


def by_bloops_own_step(x: Any, held: Any, ema: Any, *, lam: float, rho: float) -> Any:
    """That on the two estimates x - lam A and A: how any backend's ``step`` takes one."""
    main = [np.asarray(g - lam * a, dtype=g.dtype) for g, a in zip(x, held, strict=True)]
    return bloop_numpy.step(main, held, ema, lam=lam, rho=rho)


@pytest.mark.parametrize("step", [reference, by_bloops_own_step])
def test_right_steps_pass(step: Any) -> None:
    report = check_implementation(step, method="between", examples=10)
    assert report.passed, str(report)


@pytest.fixture(scope="module")
def reports() -> Any:
    return {m: check_implementation(m.step, method="between", examples=5) for m in METHOD.mistakes}


@pytest.mark.parametrize("mistake", METHOD.mistakes, ids=lambda mistake: mistake.name)
def test_every_mistake_is_found_and_named(mistake: Any, reports: Any) -> None:
    report = reports[mistake]
    assert not report.passed
    assert [found.name for found in report.diagnosis] == [mistake.name]


def test_every_law_finds_a_mistake(reports: Any) -> None:
    found = {x.law for r in reports.values() for x in r.results if x.status == "failed"}
    assert found == {law.name for law in METHOD.laws}
