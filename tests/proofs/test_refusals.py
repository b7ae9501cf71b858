"""Inputs that a step may refuse: a skip with its reason, which hides nothing."""

from typing import Any

import numpy as np

from bloop_proofs import check_implementation
from tests.proofs.subjects import example
from tests.proofs.test_runner import ORTHOGONAL, statuses


def refuses_half(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    if any(leaf.dtype == np.float16 for leaf in g_main):
        raise TypeError("float16 is not for me")
    return example("numpy")(g_main, g_aux, ema, lam=lam, rho=rho)


def refuses_half_and_mixes_dtypes(g_main: Any, *rest: Any, lam: float, rho: float) -> Any:
    direction, new_ema = refuses_half(g_main, *rest, lam=lam, rho=rho)
    return [x.astype(direction[0].dtype) for x in direction], new_ema


def test_a_refusal_is_a_skip_with_its_reason() -> None:
    report = check_implementation(refuses_half, laws=["float32-ema-of-half-gradients-keeps-moving"])
    (result,) = report.results
    assert (result.status, result.counterexample) == ("skipped", "")
    reason = "step raised TypeError: float16 is not for me"
    assert result.message == f"step refuses half precision: {reason}"
    assert report.passed


def test_a_refusal_of_some_inputs_hides_no_failure_on_others() -> None:
    laws = ["every-leaf-keeps-its-own-dtype"]
    assert statuses(refuses_half, laws=laws) == {laws[0]: "skipped"}
    assert statuses(refuses_half_and_mixes_dtypes, laws=laws) == {laws[0]: "failed"}


def test_only_what_a_law_lets_a_step_refuse_is_skipped() -> None:
    def refuses(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        raise NotImplementedError("not yet")

    assert statuses(refuses, laws=[ORTHOGONAL], examples=1) == {ORTHOGONAL: "failed"}
