"""Adapters: right subjects of other forms pass in every framework, wrong ones are found."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bloop_proofs import (
    Report,
    check_implementation,
    from_class,
    from_dict,
    from_flat,
)
from bloop_proofs.subject import Step
from tests.proofs.subjects import ROOT, error_of, example

MIXED_DTYPES = "every-leaf-keeps-its-own-dtype"
SOME = [
    "direction-is-equation-5",
    "new-ema-weighs-the-new-gradient-by-rho",
    "each-step-projects-on-the-ema-before-its-update",
    "inputs-are-not-written",
    "empty-and-zero-dimensional-leaves-are-leaves",
]


def flat(framework: str) -> Step:
    """A right step on one flat array per gradient."""
    right = example(framework)

    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        (direction,), (new_ema,) = right([g_main], [g_aux], [ema], lam=lam, rho=rho)
        return direction, new_ema

    return step


def named(framework: str) -> Step:
    """A right step on dicts, which gives its answers in another order."""
    right = example(framework)

    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        names = sorted(g_main, reverse=True)
        given = ([gradient[name] for name in names] for gradient in (g_main, g_aux, ema))
        returned = right(*given, lam=lam, rho=rho)
        return tuple(dict(zip(names, gradient, strict=True)) for gradient in returned)

    return step


def holding(framework: str) -> Callable[..., Any]:
    """A right class that holds the EMA itself."""
    right = example(framework)

    class Optimiser:
        def __init__(self, lam: float, rho: float) -> None:
            self.lam, self.rho = lam, rho
            self.ema: Any = None

        def step(self, g_main: Any, g_aux: Any) -> Any:
            direction, self.ema = right(g_main, g_aux, self.ema, lam=self.lam, rho=self.rho)
            return direction

    return Optimiser


FORMS: dict[str, Callable[[str], Step]] = {
    "flat": lambda framework: from_flat(flat(framework)),
    "dict": lambda framework: from_dict(named(framework), names="layers.{}.weight"),
    "class": lambda framework: from_class(holding(framework)),
    "class of flat": lambda framework: from_flat(from_class(_flat_class(framework))),
    "class of dicts": lambda framework: from_dict(from_class(_dict_class(framework))),
}


def _flat_class(framework: str) -> Callable[..., Any]:
    class Flat:
        def __init__(self, lam: float, rho: float) -> None:
            self.options: Any = {"lam": lam, "rho": rho}
            self.ema: Any = None

        def step(self, g_main: Any, g_aux: Any) -> Any:
            direction, self.ema = flat(framework)(g_main, g_aux, self.ema, **self.options)
            return direction

    return Flat


def _dict_class(framework: str) -> Callable[..., Any]:
    class Named:
        def __init__(self, lam: float, rho: float) -> None:
            self.options: Any = {"lam": lam, "rho": rho}
            self.ema: Any = None

        def step(self, g_main: Any, g_aux: Any) -> Any:
            direction, self.ema = named(framework)(g_main, g_aux, self.ema, **self.options)
            return direction

    return Named


@pytest.mark.parametrize("form", ["flat", "dict", "class"])
def test_right_subjects_of_every_form_pass_all_laws(form: str) -> None:
    report = check_implementation(FORMS[form]("numpy"), examples=3)
    skipped = {MIXED_DTYPES} if form == "flat" else set()
    assert report.passed, str(report)
    assert {r.law for r in report.results if r.status == "skipped"} == skipped


@pytest.mark.parametrize("form", ["class of flat", "class of dicts"])
def test_adapters_can_be_nested(form: str) -> None:
    report = check_implementation(FORMS[form]("numpy"), laws=SOME, examples=20)
    assert report.count() == {"passed": len(SOME)}, str(report)


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("form", ["flat", "dict", "class"])
def test_right_subjects_of_every_form_pass_in_every_framework(form: str, framework: str) -> None:
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    examples = 10 if framework == "torch" else 2  # each new shape is compiled
    report = check_implementation(
        FORMS[form](framework), framework=framework, laws=SOME, examples=examples
    )
    assert report.count() == {"passed": len(SOME)}, str(report)


def test_a_flat_subject_says_why_it_is_not_judged_on_mixed_dtypes() -> None:
    (result,) = check_implementation(from_flat(flat("numpy")), laws=MIXED_DTYPES).results
    assert result.message.startswith("step refuses mixed dtypes: step raised TypeError: a flat ")
    assert "has one dtype; found float32 and float64" in result.message


def verdicts(step: Step, **options: Any) -> dict[str, str]:
    report: Report = check_implementation(step, laws=SOME, examples=20, **options)
    return {result.law: result.status for result in report.results}


def test_what_a_flat_step_writes_to_its_inputs_is_seen() -> None:
    def in_place(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        direction, new_ema = flat("numpy")(g_main, g_aux, ema, lam=lam, rho=rho)
        ema[...] = new_ema
        return direction, new_ema

    found = verdicts(from_flat(in_place))
    assert found.pop("inputs-are-not-written") == "failed"
    assert set(found.values()) == {"passed"}


def test_a_class_may_update_its_ema_in_place_and_be_wrong_about_it() -> None:
    class InPlace:
        def __init__(self, lam: float, rho: float) -> None:
            self.lam, self.rho = lam, rho
            self.average: Any = None

        def direction(self, g_main: Any, g_aux: Any) -> Any:
            for e, g in zip(self.average, g_main, strict=True):
                e[...] = (1 - self.rho) * e + self.rho * g
            right = example("numpy")
            return right(g_main, g_aux, self.average, lam=self.lam, rho=self.rho)[0]

    found = verdicts(from_class(InPlace, method="direction", ema="average"))
    assert found["direction-is-equation-5"] == "failed"
    assert found["new-ema-weighs-the-new-gradient-by-rho"] == "passed"
    assert found["inputs-are-not-written"] == "passed"


def test_a_factory_may_translate_the_arguments() -> None:
    def make(lam: float, rho: float) -> Any:
        swapped: Any = holding("numpy")(lam=rho, rho=lam)
        swapped.lam, swapped.rho = swapped.rho, swapped.lam
        return swapped

    assert set(verdicts(from_class(make)).values()) == {"passed"}


def flat_mixed(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    return g_main + lam * g_aux, (1 - rho) * ema + rho * g_main


def dict_mixed(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    pairs = (flat_mixed(g_main[k], g_aux[k], ema[k], lam=lam, rho=rho) for k in g_main)
    direction, new_ema = zip(*pairs, strict=True)
    return dict(zip(g_main, direction, strict=True)), dict(zip(g_main, new_ema, strict=True))


class Mixed:
    def __init__(self, lam: float, rho: float) -> None:
        self.lam, self.rho = lam, rho
        self.average: Any = None

    def step(self, g_main: Any, g_aux: Any) -> Any:
        pairs = zip(g_main, g_aux, self.average, strict=True)
        mixed = [flat_mixed(*leaves, lam=self.lam, rho=self.rho) for leaves in pairs]
        self.average = [new_ema for _, new_ema in mixed]
        return [direction for direction, _ in mixed]


@pytest.fixture(
    params=[
        (from_flat(flat_mixed), "from_flat(tests.proofs.test_adapters:flat_mixed)"),
        (from_dict(dict_mixed, "w{}"), "from_dict(tests.proofs.test_adapters:dict_mixed)"),
        (from_class(Mixed, ema="average"), "from_class(tests.proofs.test_adapters:Mixed)"),
    ],
    ids=["flat", "dict", "class"],
)
def adapted(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_counterexamples_of_adapted_subjects_run(adapted: tuple[Step, str]) -> None:
    step, name = adapted
    law = "what-is-added-is-orthogonal-to-the-ema"
    report = check_implementation(step, laws=law, examples=20)
    assert report.subject == name
    raised = error_of(report.results[0].counterexample, cwd=ROOT)
    assert raised.startswith("bloop_proofs.law.LawViolation: <d - g_main, ema> must be 0")


def test_flat_arrays_are_the_leaves_one_after_the_other() -> None:
    seen: list[list[float]] = []

    def looks(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        seen.extend(x.tolist() for x in (g_main, g_aux, ema))
        return g_main, ema

    leaves = [np.array([1.0]), np.zeros((0, 2)), np.array([[2.0, 3.0]]), np.array(4.0)]
    direction, new_ema = from_flat(looks)(leaves, leaves, leaves, lam=1.0, rho=0.5)
    assert seen == [[1.0, 2.0, 3.0, 4.0]] * 3
    for given, back in zip(leaves, direction, strict=True):
        assert np.array_equal(given, back)
        assert given.shape == back.shape
    assert len(new_ema) == len(leaves)
