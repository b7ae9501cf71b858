"""Every public name is documented: what it returns, an example that runs, where it comes from."""

import doctest
import inspect
from typing import Any

import pytest

import bloop_ref
from bloop_ref import coefficients, ire, surgery
from bloop_ref.surgery import rows

MODULES = {"ire", "surgery"}
PUBLIC: dict[str, Any] = {
    **{name: getattr(bloop_ref, name) for name in bloop_ref.__all__ if name not in MODULES},
    **{f"surgery.{name}": getattr(surgery, name) for name in surgery.__all__},
    **{f"ire.{name}": getattr(ire, name) for name in ire.__all__},
    **{f"surgery.rows.{name}": getattr(rows, name) for name in rows.__all__},
    **{
        f"coefficients.{name}": function
        for name, function in inspect.getmembers(coefficients, inspect.isfunction)
        if function.__module__ == coefficients.__name__
    },
}
STATES = {
    *("BloopState", "HierarchicalBloopState", "Diagnostics"),
    *(f"surgery.{name}" for name in surgery.__all__ if name.endswith("State")),
    *("surgery.Method", "surgery.GramMethod", "ire.IREState"),
}
"""What comes out of others, or is there to be derived from."""


@pytest.mark.parametrize("name", PUBLIC)
def test_has_a_summary_of_one_sentence(name: str) -> None:
    summary = inspect.getdoc(PUBLIC[name]).split("\n\n")[0]  # type: ignore[union-attr]
    assert "\n" not in summary
    assert summary.endswith(".")


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - STATES))
def test_has_an_example(name: str) -> None:
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(PUBLIC[name]) or "")
    assert any(example.want for example in examples)


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - STATES))
def test_hyper_parameters_are_passed_by_name(name: str) -> None:
    if inspect.isclass(PUBLIC[name]):
        options = list(inspect.signature(PUBLIC[name]).parameters.values())[2:]
    else:
        parameters = inspect.signature(PUBLIC[name]).parameters
        options = [parameters[key] for key in ("lam", "lams", "rho") if key in parameters]
    assert all(option.kind is option.KEYWORD_ONLY for option in options)
