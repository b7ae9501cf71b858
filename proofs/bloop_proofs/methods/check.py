"""Judging an implementation of a method: the front door of this package."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import framework_named
from bloop_proofs.methods.laws import METHOD_LAWS
from bloop_proofs.methods.method import Method
from bloop_proofs.methods.mistakes import diagnose_method
from bloop_proofs.methods.registry import method_named
from bloop_proofs.methods.subject import MethodSubject
from bloop_proofs.report import Report, Result
from bloop_proofs.runner import checked_laws, judged
from bloop_proofs.subject import Step


def check_method(
    step: Step,
    method: str,
    *,
    framework: str = "numpy",
    laws: str | Iterable[str] = "all",
    examples: int = 100,
    seed: int = 0,
    expected_failures: Mapping[str, str] | None = None,
    progress: Callable[[Result], None] | None = None,
) -> Report:
    """Judge an implementation of one of the methods beside Bloop by every law of that method.

    Args:
        step: ``step(gradients, **options) -> direction``, or for a method with a state
            ``step(gradients, state, **options) -> (direction, state)``, the state being ``None``
            before the first step and then whatever the step returned. ``gradients`` is
            [g_main, g_aux, ...], each a list of the framework's arrays, one per parameter; the
            direction has g_main's shapes and dtypes.
        method: ``"pcgrad"``, ``"grad_vac"``, ``"mgda"``, ...: ``METHODS`` lists them, and the
            signature of each.
        framework: as in ``check_implementation``.
        laws: as there; the names are those of the method's laws.
        examples: as there.
        seed: as there.
        expected_failures: as there.
        progress: as there.

    Returns:
        A ``Report``; its ``passed`` is the verdict.

    Raises:
        ProtocolError: the step returns something else than the protocol says.
        ValueError: an argument is none of those above, or the framework is not installed.
        TypeError: the step cannot be called.

    Example:
        >>> def project(u, v):
        ...     return u - min(u @ v, 0) / (v @ v) * v if v @ v else u
        >>> def mine(gradients):
        ...     (m,), (a,) = gradients
        ...     return [project(m, a) + project(a, m)]
        >>> laws = ["direction-is-as-defined", "splitting-into-leaves-does-not-matter"]
        >>> report = check_method(mine, "pcgrad", laws=laws, examples=5)
        >>> [result.status for result in report.results]
        ['failed', 'failed']
        >>> report.results[0].message
        'step raised ValueError: too many values to unpack (expected 1)'
    """
    known = method_named(method)
    expected = expected_failures or {}
    chosen = checked_laws(step, framework, laws, examples, expected, METHOD_LAWS[method])
    subject = MethodSubject(step, framework_named(framework), known)
    return judged(
        subject,
        chosen,
        examples=examples,
        seed=seed,
        expected=expected,
        progress=progress,
        probe=lambda: subject.of(ordinary(known)),
        diagnose=lambda: diagnose_method(subject, seed=seed),
        method=method,
    )


def ordinary(method: Method) -> Case:
    """Return an input that nothing is special about."""
    leaves = (np.array([3.0, 4.0], np.float32), np.array([[1.0]], np.float32))
    gradients = [list(leaves), [np.float32(-0.5) * leaf[::-1] for leaf in leaves]]
    options = {name: values(2)[0] for name, values in method.options.items()}
    optional = {name: values(2)[0] for name, (values, _) in method.optional.items()}
    return Case(earlier=[], gradients=gradients, **options, **optional)
