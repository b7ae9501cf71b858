"""The guide docs/methods.md: its examples run, and its table has the options as they are."""

import re
from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

from bloop_ref import surgery

GUIDE = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
NO_METHODS = {"GramMethod", "Method", "State", "sam_gs_post_step"}


def table() -> Iterator[tuple[str, list[str], list[str]]]:
    """Return for every method of the table the options that must be given, and the others."""
    after = GUIDE.split("\n## The table\n")[1].split("\n## ")[0]
    for line in after.splitlines():
        if line.startswith("| `"):
            name, *_, options, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            required, _, others = options.partition(";")
            first, second = (re.findall(r"`(\w+)`", part) for part in (required, others))
            yield name.strip("`"), first, second


@pytest.mark.parametrize(("name", "required", "others"), list(table()), ids=str)
def test_the_table_has_the_options(name: str, required: list[str], others: list[str]) -> None:
    parameters = signature(getattr(surgery, name)).parameters.values()
    options = [p for p in parameters if p.name != "nonfinite"]
    assert required == [p.name for p in options if p.default is Parameter.empty]
    assert sorted(others) == sorted(p.name for p in options if p.default is not Parameter.empty)


def test_the_table_has_every_method() -> None:
    assert {name for name, *_ in table()} == set(surgery.__all__) - NO_METHODS


def test_every_example_runs(capsys: Any) -> None:
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(code, "docs/methods.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    methods = [type(method).__name__ for method in names["methods"]]
    assert set(methods) == {name for name, *_ in table()}
    assert [line.split()[0] for line in printed] == methods
