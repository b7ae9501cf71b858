"""The JSON form of golden vectors: numbers in hexadecimal and in decimal, leaf by leaf."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from bloop_proofs.vectors.model import FORMAT, KINDS, Form, Golden, Table, hexadecimal, leaf_rows
from tests.golden.notes import FLAGS

Show = Callable[[Table], list[Any]]
"""From a table to its numbers as JSON has them."""


def document(goldens: Iterable[Golden]) -> str:
    """Return golden vectors as JSON, one to a line."""
    cases = list(goldens)
    lines = ",\n".join(json.dumps(encode(golden), separators=(",", ":")) for golden in cases)
    used = {name for case in cases for name in case.flags}
    told = {name: flag for name, flag in FLAGS.items() if name in used}
    notes = {name: {"bug": x.bug, "effect": x.effect, "mend": x.mend} for name, x in told.items()}
    head = f'"format":{FORMAT},"count":{len(cases)},"notes":{json.dumps(notes, indent=1)}'
    return f'{{{head},"cases":[\n{lines}\n]}}\n'


def encode(golden: Golden) -> dict[str, Any]:
    """Return a golden vector as JSON's lists and dicts."""
    kind = KINDS[golden.kind]

    forms = {"inputs": kind.inputs, "outputs": kind.outputs, "tolerances": kind.tolerances}

    def tables(of: str, show: Show) -> dict[str, Any]:
        known = getattr(golden, of)
        return {name: encoded(known[name], form, golden, show) for name, form in forms[of].items()}

    return {
        "id": golden.id,
        "group": golden.group,
        "kind": golden.kind,
        "dtype": golden.dtype,
        "ema_dtype": golden.ema_dtype,
        "shapes": [list(shape) for shape in golden.shapes],
        "comment": golden.comment,
        "flags": list(golden.flags),
        **{of: tables(of, hexadecimal) for of in forms},
        # Python's shortest decimals: whoever reads them as float64 reads the same bits
        "decimal": {of: tables(of, lambda table: table.ravel().tolist()) for of in forms},
    }


def encoded(table: Table, form: Form, golden: Golden, show: Show = hexadecimal) -> Any:
    """Return a table as JSON's lists."""
    rows: list[Any]
    if form in ("number", "numbers"):
        rows = show(table)
    else:
        rows = [[_entries(leaf, golden, show) for leaf in leaf_rows(golden, row)] for row in table]
    return rows if form in ("numbers", "vectors") else rows[0]


def _entries(leaf: Table, golden: Golden, show: Show) -> list[Any]:
    numbers = show(leaf)
    if golden.width == 1:
        return numbers
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]
