"""The JSON form of golden vectors: numbers as hexadecimal strings, leaf by leaf."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bloop_proofs.vectors.model import FORMAT, KINDS, Form, Golden, Table, hexadecimal, leaf_rows


def document(goldens: Iterable[Golden]) -> str:
    """Return golden vectors as JSON, one to a line."""
    lines = ",\n".join(json.dumps(encode(golden), separators=(",", ":")) for golden in goldens)
    return f'{{"format":{FORMAT},"cases":[\n{lines}\n]}}\n'


def encode(golden: Golden) -> dict[str, Any]:
    """Return a golden vector as JSON's lists and dicts."""
    kind = KINDS[golden.kind]

    def tables(of: str, forms: Mapping[str, Form]) -> dict[str, Any]:
        return {
            name: encoded(getattr(golden, of)[name], form, golden) for name, form in forms.items()
        }

    return {
        "id": golden.id,
        "group": golden.group,
        "kind": golden.kind,
        "dtype": golden.dtype,
        "ema_dtype": golden.ema_dtype,
        "shapes": [list(shape) for shape in golden.shapes],
        "inputs": tables("inputs", kind.inputs),
        "outputs": tables("outputs", kind.outputs),
        "tolerances": tables("tolerances", kind.tolerances),
    }


def encoded(table: Table, form: Form, golden: Golden) -> Any:
    """Return a table as JSON's lists."""
    rows: list[Any]
    if form in ("number", "numbers"):
        rows = hexadecimal(table)
    else:
        rows = [[_entries(leaf, golden) for leaf in leaf_rows(golden, row)] for row in table]
    return rows if form in ("numbers", "vectors") else rows[0]


def _entries(leaf: Table, golden: Golden) -> list[Any]:
    numbers = hexadecimal(leaf)
    if golden.width == 1:
        return numbers
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
