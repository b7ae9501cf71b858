"""The laws as a pytest mark, seen from the outside: what pytest collects, runs and says."""

import subprocess
import sys
from pathlib import Path

import pytest

from bloop_proofs import LAWS, METHODS, LawViolation, parametrize_with_laws
from tests.proofs.subjects import EXAMPLES, example

pytest_plugins = ["pytester"]

HEADER = f"""
import sys

sys.path.insert(0, {str(EXAMPLES)!r})

import numpy as np
from bloop_proofs import parametrize_with_laws
from my_bloop import step

ORTHOGONAL = "what-is-added-is-orthogonal-to-the-ema"
KEEPS = "rho-zero-keeps-the-ema"
DTYPES = "every-leaf-keeps-its-own-dtype"


def mixed(g_main, g_aux, ema, *, lam, rho):
    direction = [g + lam * a for g, a in zip(g_main, g_aux)]
    return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema)]

"""


def run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """Run a test file of a user; nothing of this repository's settings applies to it."""
    pytester.makepyfile(HEADER + test)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist", *options)


def test_there_is_one_test_per_law_with_its_name_as_id(pytester: pytest.Pytester) -> None:
    test = """
@parametrize_with_laws(step)
def test_mine(check):
    check()
"""
    result = run(pytester, test, "--collect-only", "-q")
    collected = [line.partition("::")[2] for line in result.outlines if "::" in line]
    assert collected == [f"test_mine[{law.name}]" for law in LAWS]


def test_a_right_step_passes_and_pytest_selects_laws_by_name(pytester: pytest.Pytester) -> None:
    test = """
@parametrize_with_laws(step, laws="paper", examples=5, seed=3)
def test_mine(check):
    check()
"""
    result = run(pytester, test, "-k", "orthogonal or ema-depends")
    paper = sum(law.group == "paper" for law in LAWS)
    result.assert_outcomes(passed=2, deselected=paper - 2)


def test_a_broken_law_fails_with_the_report_of_it(pytester: pytest.Pytester) -> None:
    test = """
@parametrize_with_laws(mixed, laws=[ORTHOGONAL, KEEPS], examples=20)
def test_mine(check):
    check()
"""
    result = run(pytester, test)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*LawViolation: *:mixed: 1 failed*",
            "*what-is-added-is-orthogonal-to-the-ema (section 2.2) failed: <d - g_main, ema> must*",
            "*import numpy as np*",
            '*replay("what-is-added-is-orthogonal-to-the-ema", step, case, framework="numpy")*',
        ]
    )
    assert "runner.py" not in result.stdout.str()


def test_known_failures_are_strict_xfails_with_their_reasons(pytester: pytest.Pytester) -> None:
    test = """
@parametrize_with_laws(
    mixed, laws=[ORTHOGONAL, KEEPS], examples=20, expected_failures={ORTHOGONAL: "on purpose"}
)
def test_mine(check):
    check()

@parametrize_with_laws(
    mixed, laws=[KEEPS], examples=5, expected_failures={KEEPS: "was broken once"}
)
def test_expired(check):
    check()
"""
    result = run(pytester, test, "-rx")
    result.assert_outcomes(passed=1, xfailed=1, failed=1)
    result.stdout.fnmatch_lines(["*XPASS(strict)*was broken once*", "XFAIL*on purpose*"])


def test_a_refusal_is_skipped_with_its_reason(pytester: pytest.Pytester) -> None:
    test = """
def picky(g_main, g_aux, ema, *, lam, rho):
    if len({leaf.dtype for leaf in g_main + ema}) > 1:
        raise TypeError("one dtype at a time")
    return step(g_main, g_aux, ema, lam=lam, rho=rho)

@parametrize_with_laws(picky, laws=DTYPES)
def test_mine(check):
    check()
"""
    result = run(pytester, test, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*step refuses mixed dtypes*one dtype at a time*"])


def test_another_form_is_an_error_even_where_a_failure_is_expected(
    pytester: pytest.Pytester,
) -> None:
    test = """
@parametrize_with_laws(lambda *gradients, lam, rho: None, laws=[KEEPS],
                       expected_failures={KEEPS: "not written yet"})
def test_mine(check):
    check()
"""
    result = run(pytester, test)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ProtocolError: step must return a pair*found NoneType*"])


def test_the_argument_may_stand_beside_fixtures_and_marks(pytester: pytest.Pytester) -> None:
    test = """
import pytest

@pytest.mark.parametrize("repeat", [1, 2])
@parametrize_with_laws(step, laws=[KEEPS], examples=2)
class TestMine:
    def test_law(self, check, repeat, tmp_path):
        check()
"""
    run(pytester, test).assert_outcomes(passed=2)


def test_a_wrong_argument_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="no-such-law"):
        parametrize_with_laws(example("numpy"), laws="no-such-law")
    with pytest.raises(ValueError, match="examples must be"):
        parametrize_with_laws(example("numpy"), examples=0)
    with pytest.raises(ValueError, match="must give a reason"):
        parametrize_with_laws(example("numpy"), expected_failures={"rho-zero-keeps-the-ema": ""})


def test_the_suite_is_imported_without_pytest(tmp_path: Path) -> None:
    code = "import sys, bloop_proofs; print('pytest' in sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_another_method_is_judged_by_its_own_laws() -> None:
    method = METHODS["a_gem"]
    mark = parametrize_with_laws(method.right.step, method="a_gem", examples=1)
    assert mark.kwargs["ids"] == [law.name for law in method.laws]
    for parameter in mark.args[1][:3]:
        (check,) = parameter.values
        check()
    wrong = parametrize_with_laws(method.mistakes[0].step, method="a_gem", examples=9)
    with pytest.raises(LawViolation, match="direction-is-as-defined"):
        wrong.args[1][0].values[0]()
