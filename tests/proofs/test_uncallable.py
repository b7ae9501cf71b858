"""Steps that cannot be called as the protocol says, and those that raise on every input."""

import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bloop_proofs import LAWS, ProtocolError, check_implementation
from bloop_proofs.runner import ALIKE
from bloop_ref.cli import main
from tests.proofs.subjects import HERE, changed, example

KEEPS, LATER = "rho-zero-keeps-the-ema", LAWS[ALIKE].name


def lacks_the_ema(g_main: Any, g_aux: Any, *, lam: float, rho: float) -> Any:
    return g_main, g_aux


def wants_alpha(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float, alpha: float) -> Any:
    return g_main, ema


def wants_one_more(g_main: Any, g_aux: Any, ema: Any, more: Any, *, lam: float, rho: float) -> Any:
    return g_main, ema


def knows_no_rho(g_main: Any, g_aux: Any, ema: Any, *, lam: float) -> Any:
    return g_main, ema


class Steps:
    def step(self, g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        return g_main, ema


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lacks_the_ema, "too many positional arguments"),
        (wants_alpha, "missing a required.* argument: 'alpha'"),
        (wants_one_more, "missing a required argument: 'more'"),
        (knows_no_rho, "got an unexpected keyword argument 'rho'"),
        (Steps, "too many positional arguments"),
        (Steps.step, "missing a required argument: 'ema'"),
    ],
)
def test_a_wrong_signature_is_no_step(step: Any, why: str) -> None:
    required = r"arguments of step\(g_main, g_aux, ema, \*, lam, rho\) -> \(direction, new_ema\); "
    with pytest.raises(ProtocolError, match=f"{required}found one that does not: {why}") as raised:
        check_implementation(step)
    assert "\n" not in str(raised.value)


def test_a_wrong_signature_of_another_method_is_told_its_own() -> None:
    with pytest.raises(ProtocolError, match=r"step\(gradients, \*, c\) -> direction; found one"):
        check_implementation(lambda gradients: gradients[0], method="cagrad")


def test_a_step_that_takes_more_than_its_signature_says_is_judged() -> None:
    @functools.wraps(lacks_the_ema)
    def step(*gradients: Any, lam: float, rho: float) -> Any:
        return example("numpy")(*gradients, lam=lam, rho=rho)

    assert check_implementation(step, laws=KEEPS, examples=2).passed


@pytest.mark.parametrize("error", [ZeroDivisionError, TypeError, SystemExit])
def test_a_step_that_raises_breaks_ten_laws_and_says_why(error: type[BaseException]) -> None:
    def raises(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        raise error("this is\nwhy")

    report = check_implementation(raises, examples=2, expected_failures={LATER: "not tried"})
    tried, rest = report.results[:ALIKE], report.results[ALIKE:]
    said = f"step raised {error.__name__}: this is why"
    assert {(r.status, r.message) for r in tried} == {("failed", said)}
    message = f"not tried, since 10 laws in a row failed alike: {said}"
    assert {(r.status, r.message) for r in rest} == {("skipped", message)}
    assert len(report.results) == len(LAWS)
    assert not report.passed


def test_laws_that_fail_with_several_exceptions_are_all_tried() -> None:
    calls = itertools.count()

    def raises(direction: Any, new_ema: Any) -> Any:
        raise ValueError(f"call {next(calls)}")

    report = check_implementation(changed(raises), examples=2)
    assert report.count() == {"failed": len(LAWS)}


def test_laws_that_fail_alike_without_an_exception_are_all_tried() -> None:
    report = check_implementation(changed(lambda d, e: ([x[:0] for x in d], e)), examples=2)
    assert report.count().get("failed", 0) > ALIKE
    assert "skipped" not in report.count()


def test_a_returned_array_that_is_too_large_is_not_copied() -> None:
    large = np.broadcast_to(np.float64(0), (1 << 40,))  # 8 TiB, if it were copied
    report = check_implementation(changed(lambda d, e: ([large for _ in d], e)), laws=KEEPS)
    assert report.results[0].message.startswith("direction[0] must have ")


def test_laws_not_tried_take_one_line_of_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text("def step(*gradients, lam, rho): raise ValueError('no')")
    assert main([*HERE, f"{tmp_path / 'mine.py'}:step", "--examples", "2"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    rest = len(LAWS) - ALIKE
    assert f"skipped: {rest} laws, {LATER} and others: not tried, since 10 laws in a row" in shown
    assert shown.count("not tried") == 1
