"""A declared domain: a step is called on nothing outside of it, and refuses nothing inside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bloop_proofs import METHODS, check_implementation, parametrize_with_laws
from bloop_proofs.domain import ASSUMPTIONS, declared
from bloop_proofs.frameworks import Framework
from bloop_proofs.runner import subject_in
from bloop_proofs.subject import Subject
from bloop_ref.cli import main
from tests.proofs.subjects import EXAMPLES, example, forgets_the_projection

DEFINITION = "direction-is-equation-5"
COMPLEX = "complex-leaves-use-the-real-inner-product"
OVERFLOW, MIXED = "half-precision-gradients-do-not-overflow", "every-leaf-keeps-its-own-dtype"
NAN = "bad-main-gradient-shows-in-the-direction"
EMPTY = "empty-and-zero-dimensional-leaves-are-leaves"
ERRORS = "errors-fall-with-the-steps-as-theorem-2-proves"
ZERO_EMA = "zero-ema-leaves-the-auxiliary-gradient-whole"

Inside = Callable[[list[Any], float, float], bool]


def _leaves(holds: Callable[[Any], Any]) -> Inside:
    return lambda vectors, lam, rho: all(holds(leaf) for v in vectors for leaf in v)


def _nonzero(vectors: list[Any]) -> bool:
    return all(any(leaf.any() for leaf in vector) for vector in vectors)


DOMAINS: dict[str, tuple[str, Inside]] = {
    "real": (COMPLEX, _leaves(lambda x: np.isrealobj(x))),
    "finite": (NAN, _leaves(lambda x: np.isfinite(x).all())),
    "no-empty-leaves": (EMPTY, _leaves(lambda x: x.size)),
    "same-dtype": (MIXED, lambda v, lam, rho: len({x.dtype for y in v for x in y}) == 1),
    "nonzero-gradients": ("", lambda v, lam, rho: _nonzero(v[:2])),
    "nonzero-ema": (ZERO_EMA, lambda v, lam, rho: _nonzero(v[2:])),
    "lam>0": ("lam-zero-gives-the-main-gradient", lambda v, lam, rho: lam > 0),
    "rho>0": ("rho-zero-keeps-the-ema", lambda v, lam, rho: rho > 0),
    "rho<1": ("rho-one-replaces-the-ema", lambda v, lam, rho: rho < 1),
    "float32": (OVERFLOW, _leaves(lambda x: x.dtype == np.float32)),
    "float32,float64": (OVERFLOW, _leaves(lambda x: x.dtype.name in ("float32", "float64"))),
}


class Narrow:
    """The right step, for some inputs only; on others it raises as code does that forgot them."""

    def __init__(self, inside: Inside) -> None:
        self.step, self.inside = example("numpy"), inside

    def __call__(self, g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        if not self.inside([g_main, g_aux, ema], lam, rho):
            raise ZeroDivisionError("never thought of")
        return self.step(g_main, g_aux, ema, lam=lam, rho=rho)


def statuses(step: Any, **options: Any) -> dict[str, str]:
    report = check_implementation(step, **options)
    return {result.law: result.status for result in report.results}


def test_every_assumption_is_tried_below() -> None:
    assert {name for names in DOMAINS for name in names.split(",")} >= ASSUMPTIONS.keys() - {
        "two-losses"
    }


@pytest.mark.parametrize("assume", DOMAINS)
def test_a_step_is_called_inside_its_domain_only(assume: str) -> None:
    outside, inside = DOMAINS[assume]
    laws = {DEFINITION, ZERO_EMA, MIXED, *([outside] if outside else [])}
    found = statuses(Narrow(inside), laws=laws, examples=20, assume=assume)
    assert "failed" not in found.values()
    assert not outside or found[outside] == "skipped"
    assert found[DEFINITION] == "passed"


def test_without_the_assumption_the_same_step_fails() -> None:
    step = Narrow(DOMAINS["rho<1"][1])
    assert statuses(step, laws=DEFINITION, assume="real") == {DEFINITION: "failed"}


def test_the_report_says_for_what_a_step_is_right() -> None:
    laws = [DEFINITION, ERRORS, COMPLEX]
    step = Narrow(DOMAINS["float32"][1])
    report = check_implementation(step, examples=9, laws=laws, assume=("float32", "real"))
    assert report.passed
    assert report.verdict == "right, for real float32 leaves"
    assert str(report).startswith("Narrow: right, for real float32 leaves: ")
    assert report.to_dict()["assume"] == ["real", "float32"]
    found = {result.law: result for result in report.results}
    assert report.outside == (found[COMPLEX],)
    assert found[COMPLEX].message == "it is about other inputs than real float32 leaves"
    # training runs in the precision that there is
    assert found[ERRORS].status == "passed"


def test_inside_its_domain_a_step_refuses_nothing() -> None:
    def refuses(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        if np.iscomplexobj(g_main[0]):
            raise TypeError("not for me")
        return example("numpy")(g_main, g_aux, ema, lam=lam, rho=rho)

    assert statuses(refuses, laws=COMPLEX) == {COMPLEX: "skipped"}
    assert statuses(refuses, laws=COMPLEX, assume="rho<1") == {COMPLEX: "failed"}
    assert statuses(refuses, laws=COMPLEX, assume="real") == {COMPLEX: "skipped"}


def test_a_mistake_is_found_and_named_inside_the_domain() -> None:
    def wrong(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        assert all(x.dtype == np.float32 for x in (*g_main, *g_aux, *ema))
        return forgets_the_projection(g_main, g_aux, ema, lam=lam, rho=rho)

    report = check_implementation(wrong, laws=[DEFINITION, COMPLEX], examples=9, assume="float32")
    assert report.verdict == "wrong, for float32 leaves"
    assert [result.status for result in report.results] == ["failed", "skipped"]
    assert report.diagnosis[0].name == "auxiliary-gradient-is-not-projected"


def test_a_law_outside_of_the_domain_is_neither_expected_to_fail_nor_expired() -> None:
    options: dict[str, Any] = {"laws": COMPLEX, "expected_failures": {COMPLEX: "not written"}}
    assert statuses(example("numpy"), assume="real", **options) == {COMPLEX: "skipped"}


def test_where_nothing_was_judged_the_verdict_says_so() -> None:
    report = check_implementation(example("numpy"), laws=COMPLEX, assume="real")
    assert report.verdict == "not judged, for real leaves"


def test_methods_of_lists_have_domains_too() -> None:
    def two(gradients: Any) -> Any:
        main, aux = gradients
        return METHODS["mgda"].right.step([main, aux])

    laws = ["direction-is-as-defined", "direction-of-more-gradients-is-as-defined"]
    found = statuses(two, method="mgda", laws=laws, examples=9, assume="two-losses")
    assert found == dict(zip(laws, ["passed", "skipped"], strict=True))


@pytest.mark.parametrize(
    ("assume", "message"),
    [
        ("reel", "assume must name some of real, finite, .*float64; found 'reel'"),
        ("two-losses", r"assume must be about the inputs of bloop, step\(.*; found 'two-losses'"),
    ],
)
def test_a_wrong_domain_is_named_at_once(assume: str, message: str) -> None:
    for judge in (check_implementation, parametrize_with_laws):
        with pytest.raises(ValueError, match=message):
            judge(example("numpy"), assume=assume)


def test_a_domain_in_which_a_framework_has_no_arrays_is_refused() -> None:
    class Single(Framework):
        def dtypes(self) -> tuple[str, ...]:
            return ("float16", "float32")

    framework = Single("jax", "jax.numpy", "jnp", "array")
    subject = Subject(example("numpy"), framework, METHODS["bloop"].signature)
    message = "a dtype that jax has here, one of float16, float32; found float64"
    assert subject_in("float32,float64", subject).dtypes == ("float32",)
    with pytest.raises(ValueError, match=message):
        subject_in("float64", subject)


def test_the_domain_is_said_in_words() -> None:
    names = "rho<1, same-dtype,nonzero-ema,float32,finite"
    said = "finite float32 leaves of one dtype, an EMA that is not 0, rho < 1"
    assert str(declared(names)) == said
    assert str(declared("lam>0")) == "lam > 0"
    assert str(declared(declared(names).assumed)) == said


def test_pytest_skips_what_is_outside() -> None:
    mark = parametrize_with_laws(Narrow(DOMAINS["real"][1]), laws=COMPLEX, assume="real")
    with pytest.raises(pytest.skip.Exception, match="other inputs than real leaves"):
        mark.args[1][0].values[0]()


def test_the_command_line_says_the_domain(capsys: pytest.CaptureFixture[str]) -> None:
    subject = f"{EXAMPLES / 'my_bloop.py'}:step"
    laws = f"{DEFINITION},{COMPLEX}"
    assert main(["verify", subject, "--assume", "real,rho<1", "--laws", laws]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "PASSED: right, for real leaves, rho < 1: 1 passed, 1 skipped" in shown
    assert "skipped: laws about other inputs than real leaves, rho < 1: 1 (--verbose" in shown
    assert main(["verify", subject, "--assume", "reel"]) == 2
    assert main(["verify", "--vectors", "outputs.json", "--assume", "real"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert [error.partition(";")[2] for error in errors][:1] == [" found 'reel'"]
    assert "give no --assume with --vectors" in errors[1]
