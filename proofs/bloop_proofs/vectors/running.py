"""Running a Python step on golden vectors."""

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import bfloat16
from bloop_proofs.subject import Subject, flat
from bloop_proofs.vectors.model import Golden, Table, leaf_rows


def run(subject: Subject, case: Golden) -> dict[str, list[np.ndarray]]:
    """Return a subject's outputs for a case of steps, its own EMA carried from step to step."""
    first = first_step(case)
    ema = first.ema
    outputs: dict[str, list[np.ndarray]] = {"direction": [], "new_ema": []}
    for rows in zip(case.inputs["g_main"], case.inputs["g_aux"], strict=True):
        g_main, g_aux = (_arrays(row, case, case.dtype) for row in rows)
        output = subject.of(first, g_main=g_main, g_aux=g_aux, ema=ema)
        ema = output.new_ema
        outputs["direction"].append(flat(output.direction))
        outputs["new_ema"].append(flat(ema))
    return outputs


def first_step(case: Golden) -> Case:
    """Return the inputs of the first step of a case."""
    given = {name: case.inputs[name].item() for name in ("lam", "rho")}
    dtypes = {"g_main": case.dtype, "g_aux": case.dtype, "ema": case.ema_dtype}
    vectors = {name: _arrays(case.inputs[name][0], case, dtypes[name]) for name in dtypes}
    return Case(**vectors, **given)


def _arrays(row: Table, case: Golden, dtype: str) -> Gradient:
    """Return a row of numbers as arrays of a dtype, leaf by leaf."""
    entries = np.complex128 if case.width == 2 else np.float64
    return [
        leaf.view(entries).reshape(shape).astype(bfloat16() if dtype == "bfloat16" else dtype)
        for leaf, shape in zip(leaf_rows(case, row), case.shapes, strict=True)
    ]
