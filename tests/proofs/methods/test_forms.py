"""Steps of other methods as people write them: on flat arrays, on dicts, declining inputs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bloop_proofs import METHODS, ProtocolError, check_implementation, from_dict, from_flat

MIXED = "every-leaf-keeps-its-own-dtype"
SOME = [
    "direction-is-as-defined",
    "direction-has-the-form-of-the-main-gradient",
    "gradients-are-not-written",
    "the-same-steps-give-the-same-bits",
    MIXED,
]


def flat_a_gem(gradients: Any) -> Any:
    m, a = gradients
    square = float(a @ a)
    return m - min(float(m @ a) / square, 0.0) * a if square else m.copy()


def flat_pcgrad(gradients: Any, *, orders: Any, lam: float) -> Any:
    parts = [g.astype(np.float64) for g in gradients]
    for i, order in enumerate(orders):
        for j in order:
            other = gradients[j].astype(np.float64)
            along = float(parts[i] @ other)
            parts[i] = parts[i] - (along / (other @ other) * other if along < 0 else 0)
    weighted = [part * (lam if i else 1.0) for i, part in enumerate(parts)]
    return sum(weighted).astype(gradients[0].dtype)


def flat_meta_balance(gradients: Any, state: Any, *, r: float, beta: float) -> Any:
    (wide,), rest = ([g.astype(np.float64)[None] for g in gradients[:1]], gradients[1:])
    step = METHODS["meta_balance"].right.step
    (direction,), state = step([[wide[0]], *([g] for g in rest)], state, r=r, beta=beta)
    return direction.astype(gradients[0].dtype), state


def named(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step on dicts, made of one on lists, which gives its answers in another order."""

    def on_dicts(gradients: Any, **options: Any) -> Any:
        keys = sorted(gradients[0], reverse=True)
        direction = step([[gradient[key] for key in keys] for gradient in gradients], **options)
        return dict(zip(keys, direction, strict=True))

    return on_dicts


FLAT = {
    "a_gem": from_flat(flat_a_gem),
    "pcgrad": from_flat(flat_pcgrad),
    "meta_balance": from_flat(flat_meta_balance),
}


@pytest.mark.parametrize("method", FLAT)
def test_a_step_on_flat_arrays_is_judged_and_may_refuse_several_dtypes(method: str) -> None:
    report = check_implementation(FLAT[method], method=method, laws=SOME, examples=10)
    found = {result.law: result.status for result in report.results}
    assert found == {**dict.fromkeys(SOME, "passed"), MIXED: "skipped"}


def test_a_step_on_dicts_is_judged() -> None:
    step = from_dict(named(METHODS["mgda"].right.step), names="layers.{}.weight")
    assert check_implementation(step, method="mgda", laws=SOME, examples=10).passed


def test_wrong_ones_are_found_and_their_counterexamples_run() -> None:
    def adds(gradients: Any) -> Any:
        return gradients[0] + gradients[1]

    report = check_implementation(from_flat(adds), method="a_gem", laws=SOME[:1])
    (result,) = report.results
    assert result.status == "failed"
    assert "from_flat" in result.counterexample


@pytest.mark.parametrize(
    ("step", "method", "message"),
    [
        (from_flat(lambda gradients: [gradients[0]]), "mgda", "must be a flat array of shape"),
        (from_dict(lambda gradients: gradients), "mgda", "must be a dict with the names"),
        (
            from_flat(lambda gradients, state, *, beta: gradients[0]),
            "grad_vac",
            r"step must return a pair \(direction, state\); found ndarray",
        ),
    ],
)
def test_another_form_is_said_in_one_line(step: Any, method: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        check_implementation(step, method=method)


REFUSALS: dict[str, Callable[[Any], bool]] = {
    "half-precision-gradients-do-not-overflow": lambda x: x.dtype == np.float16,
    "complex-leaves-use-the-real-inner-product": np.iscomplexobj,
}


@pytest.mark.parametrize("law", REFUSALS)
@pytest.mark.parametrize("method", ["mgda", "cosine_gate"])
def test_a_step_may_decline_what_it_was_not_written_for(method: str, law: str) -> None:
    def step(gradients: Any, **options: Any) -> Any:
        if any(REFUSALS[law](x) for gradient in gradients for x in gradient):
            raise TypeError("not for me")
        return METHODS[method].right.step(gradients, **options)

    report = check_implementation(step, method=method, laws=[law, SOME[0]], examples=5)
    assert [r.status for r in report.results if r.law == law] == ["skipped"]
    assert report.passed
