"""The plain text form: one number per token, for languages without a JSON reader at hand."""

from collections.abc import Iterator, Mapping

import numpy as np

from bloop_proofs.vectors.model import (
    FORMAT,
    KINDS,
    Golden,
    Table,
    Tables,
    VectorError,
    hexadecimal,
    number,
)


def block(golden: Golden) -> str:
    """Return the lines of one golden vector."""
    tables = {
        "leaves": np.array([golden.sizes], dtype=np.float64),
        **golden.inputs,
        **golden.outputs,
        **{f"{name}_tolerance": table for name, table in golden.tolerances.items()},
    }
    head = f"case {golden.id} {golden.kind} {golden.dtype} {golden.ema_dtype}"
    return "\n".join([head, *(_line(name, table) for name, table in tables.items()), "end"])


def _line(name: str, table: Table) -> str:
    rows, columns = table.shape
    return " ".join([f"{name} {rows} {columns}", *hexadecimal(table)])


def outputs(content: str, known: Mapping[str, Golden]) -> dict[str, Tables]:
    """Read outputs: ``format 1``, then ``case ID`` and, by name, numbers, for each case.

    Numbers that follow the same name again are further ones, so a trajectory may be written step
    by step. Raises ``VectorError`` with one line that says where the text is no such thing.
    """
    tokens = iter(content.split())
    if (next(tokens, None), next(tokens, None)) != ("format", str(FORMAT)):
        raise VectorError(f"outputs must be JSON, or text that begins with 'format {FORMAT}'")
    found: dict[str, dict[str, list[float]]] = {}
    numbers: list[float] | None = None
    id_ = ""
    for token in tokens:
        if token == "case":
            id_, numbers = next(tokens, ""), None
            if id_ not in known or id_ in found:
                required = "the id of a golden vector, each id once"
                raise VectorError(f"case must be followed by {required}; found {id_!r}")
            found[id_] = {}
        elif id_ and token in KINDS[known[id_].kind].outputs:
            numbers = found[id_].setdefault(token, [])
        elif numbers is None:
            names = " or ".join(KINDS[known[id_].kind].outputs) if id_ else "case"
            raise VectorError(f"{id_ or 'outputs'}: required {names}; found {token[:40]!r}")
        else:
            numbers.append(number(token, id_))
    return {id_: dict(_tables(found[id_], known[id_])) for id_ in found}


def _tables(found: Mapping[str, list[float]], golden: Golden) -> Iterator[tuple[str, Table]]:
    for name, numbers in found.items():
        required = golden.outputs[name]
        if len(numbers) != required.size:
            raise VectorError(
                f"{golden.id}: {name} must have {required.size} numbers; found {len(numbers)}"
            )
        yield name, np.array(numbers, dtype=np.float64).reshape(required.shape)
