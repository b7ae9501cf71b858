"""Reading the JSON forms: golden vectors, and the outputs that a program wrote for them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import (
    FORMAT,
    GROUPS,
    KINDS,
    Form,
    Golden,
    Table,
    Tables,
    VectorError,
    number,
)


def goldens(content: str) -> tuple[Golden, ...]:
    """Read golden vectors; raise ``VectorError`` for what is none of this format."""
    try:
        return tuple(map(_golden, _read(content)["cases"]))
    except VectorError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"required golden vectors of format {FORMAT}; {type(error).__name__}: {error}"
        raise VectorError(message) from error


def outputs(content: str, known: Mapping[str, Golden]) -> dict[str, Tables]:
    """Read outputs; raise ``VectorError`` for an unknown id or name, or another shape."""
    found = _read(content).get("outputs")
    if not isinstance(found, dict):
        raise VectorError('required "outputs": an object from ids to outputs')
    return {id_: dict(_outputs(id_, of_case, known)) for id_, of_case in found.items()}


def _read(content: str) -> dict[str, Any]:
    try:
        value = json.loads(content, object_pairs_hook=_unique)
    except VectorError:
        raise
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits
        raise VectorError(f"required JSON; {error}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise VectorError(f'required a JSON object with "format": {FORMAT}')
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise VectorError(f"names must differ; found {max(names, key=names.count)!r} twice")
    return dict(pairs)


def _golden(case: dict[str, Any]) -> Golden:
    kind = KINDS[case["kind"]]
    shapes = tuple(tuple(shape) for shape in case["shapes"])
    head = (case["id"], case["group"], case["kind"], case["dtype"], shapes)
    if case["dtype"] not in FORMATS or case["group"] not in GROUPS:
        known = f"a dtype and a group of format {FORMAT}"
        raise VectorError(f"required {known}; found {case['dtype']!r} and {case['group']!r}")
    bare = Golden(*head, inputs={}, outputs={}, tolerances={})

    def tables(of: str, forms: Mapping[str, Form]) -> Tables:
        return {name: _table(case[of][name], form, bare, name) for name, form in forms.items()}

    return Golden(
        *head,
        tables("inputs", kind.inputs),
        tables("outputs", kind.outputs),
        tables("tolerances", kind.tolerances),
        case.get("comment", ""),
        tuple(case.get("flags", ())),
    )


def _outputs(id_: str, found: Any, known: Mapping[str, Golden]) -> Iterator[tuple[str, Table]]:
    if id_ not in known:
        raise VectorError(f"outputs must be of golden vectors; found the id {id_!r}")
    golden = known[id_]
    forms = KINDS[golden.kind].outputs
    if not isinstance(found, dict) or not set(found) <= set(forms):
        raise VectorError(f"{id_}: outputs must be an object with {' and '.join(forms)}")
    for name, value in found.items():
        table, required = _table(value, forms[name], golden, name), golden.outputs[name]
        if len(table) != len(required):
            raise VectorError(
                f"{id_}: {name} must have {len(required)} vectors; found {len(table)}"
            )
        yield name, table


def _table(value: Any, form: Form, golden: Golden, name: str) -> Table:
    """Return the numbers of a JSON value as a table."""
    where = f"{golden.id}: {name}"
    rows = value if form in ("numbers", "vectors") else [value]
    if not isinstance(rows, list):
        raise VectorError(f"{where} must be a list of {form}")
    if form in ("number", "numbers"):
        return np.array([number(row, where) for row in rows], dtype=np.float64)[:, None]
    numbers = [_row(row, golden, where) for row in rows]
    return np.array(numbers, dtype=np.float64).reshape(len(rows), sum(golden.sizes))


def _row(vector: Any, golden: Golden, where: str) -> list[float]:
    """Return the numbers of a vector: a list per leaf, nested or flat, in row-major order."""
    leaves = vector if isinstance(vector, list) else [vector]
    flat = [list(_flat(leaf, where)) for leaf in leaves]
    if (found := list(map(len, flat))) != golden.sizes:
        raise VectorError(
            f"{where} must have leaves of {golden.sizes} numbers; found {_few(found)}"
        )
    return [x for leaf in flat for x in leaf]


def _few(sizes: list[int]) -> str:
    """Return a list that may be long in a few words."""
    return str(sizes) if len(sizes) <= 8 else f"{len(sizes)} leaves"


def _flat(value: Any, where: str) -> Iterator[float]:
    if isinstance(value, list):
        for entry in value:
            yield from _flat(entry, where)
    else:
        yield number(value, where)
