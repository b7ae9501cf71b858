"""Every public name is documented: what it returns, an example that runs, where it comes from."""

import doctest
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import bloop_ref
from bloop_ref import ire, surgery

MODULES = {"ire", "surgery"}
PUBLIC: dict[str, Any] = {
    **{name: getattr(bloop_ref, name) for name in bloop_ref.__all__ if name not in MODULES},
    **{f"surgery.{name}": getattr(surgery, name) for name in surgery.__all__},
    **{f"ire.{name}": getattr(ire, name) for name in ire.__all__},
}
OF_MODULES = {
    f"{name}.{key}": value
    for name in sorted(x.name for x in pkgutil.iter_modules(bloop_ref.__path__))
    if not name.startswith("_")
    for module in [importlib.import_module(f"bloop_ref.{name}")]
    for key, value in vars(module).items()
    if getattr(value, "__module__", None) == module.__name__ and key[0] != "_" and callable(value)
}
"""What backends import."""

STATES = {
    *("State", "Diagnostics", "ire.IREState"),
    *("surgery.State", "surgery.Method", "surgery.GramMethod"),
}
"""What comes out of others, or is there to be derived from."""


@pytest.mark.parametrize("name", [*PUBLIC, *OF_MODULES])
def test_has_a_summary_of_one_sentence(name: str) -> None:
    documented = inspect.getdoc({**PUBLIC, **OF_MODULES}[name])
    assert documented
    summary = documented.split("\n\n")[0]
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
