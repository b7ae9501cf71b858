"""The laws as a pytest mark: one test per law, with readable ids."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from bloop_proofs.frameworks import framework_named
from bloop_proofs.law import Law, LawViolation
from bloop_proofs.methods import method_named
from bloop_proofs.runner import check_implementation, checked_laws, subject_in
from bloop_proofs.subject import Step, Subject

if TYPE_CHECKING:
    import pytest


def parametrize_with_laws(
    step: Step,
    *,
    method: str = "bloop",
    framework: str = "numpy",
    laws: str | Iterable[str] = "all",
    examples: int = 100,
    seed: int = 0,
    expected_failures: Mapping[str, str] | None = None,
    assume: str | Iterable[str] = (),
) -> "pytest.MarkDecorator":
    """Return a pytest mark that runs a test once per law, with an argument ``check`` to call.

    The arguments are those of ``check_implementation``. The ids are the names of the laws, so that
    ``pytest -k orthogonal`` works. A law in ``expected_failures`` is a strict ``xfail`` with its
    reason: the test fails as soon as the law holds. What the step refuses, and what lies
    outside of the assumed domain, is skipped, with the reason. Needs pytest.

    Raises:
        ValueError, TypeError: as ``check_implementation``, at once.

    Example:
        >>> def mine(g_main, g_aux, ema, *, lam, rho):
        ...     direction = [g + lam * a for g, a in zip(g_main, g_aux)]
        ...     return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema)]
        >>> @parametrize_with_laws(mine, laws="paper")
        ... def test_mine_is_bloop(check):
        ...     check()
        >>> mark = parametrize_with_laws(mine, laws=["rho-zero-keeps-the-ema"])
        >>> mark.kwargs["ids"]
        ['rho-zero-keeps-the-ema']
    """
    import pytest  # the suite runs without it

    reasons = expected_failures or {}
    known = method_named(method)
    chosen = checked_laws(step, framework, laws, examples, reasons, known.laws)
    assumed = subject_in(
        assume, Subject(step, framework_named(framework), known.signature)
    ).domain.assumed

    def check_of(law: Law) -> Callable[[], None]:
        def check() -> None:
            __tracebackhide__ = True
            report = check_implementation(
                step,
                method=method,
                framework=framework,
                laws=law.name,
                examples=examples,
                seed=seed,
                assume=assumed,
            )
            (result,) = report.results
            if result.status == "skipped":
                pytest.skip(result.message)
            if result.status == "failed":
                raise LawViolation(str(report))

        return check

    def parameter(law: Law) -> object:
        expected = pytest.mark.xfail(
            strict=True, raises=LawViolation, reason=reasons.get(law.name, "")
        )
        return pytest.param(check_of(law), marks=[expected] if law.name in reasons else [])

    return pytest.mark.parametrize(
        "check", [parameter(law) for law in chosen], ids=[law.name for law in chosen]
    )
