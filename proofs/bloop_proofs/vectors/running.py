"""Running a Python step on golden vectors."""

from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import bfloat16
from bloop_proofs.signature import Signature
from bloop_proofs.subject import Subject, flat
from bloop_proofs.vectors.model import BESIDE, Golden, Table, leaf_rows


def run(subject: Subject, case: Golden) -> dict[str, list[np.ndarray]]:
    """Return a subject's outputs for a case of steps, what it keeps carried from step to step."""
    if case.kind in BESIDE:
        return {"direction": [flat(subject.of(x).direction) for x in inputs(case, subject.method)]}
    lam, rho = case.inputs["lam"].item(), case.inputs["rho"].item()
    ema = arrays(case.inputs["ema"][0], case, case.ema_dtype)
    outputs: dict[str, list[np.ndarray]] = {"direction": [], "new_ema": []}
    for rows in zip(case.inputs["g_main"], case.inputs["g_aux"], strict=True):
        g_main, g_aux = (arrays(row, case, case.dtype) for row in rows)
        output = subject.of(Case(g_main=g_main, g_aux=g_aux, ema=ema, lam=lam, rho=rho))
        ema = output.new_ema
        outputs["direction"].append(flat(output.direction))
        outputs["new_ema"].append(flat(ema))
    return outputs


def inputs(case: Golden, method: Signature) -> list[Case]:
    """Return the inputs of every step, with those of the steps before it where there is a state."""
    if case.kind not in BESIDE:
        gradients = {
            name: arrays(
                case.inputs[name][0], case, case.ema_dtype if name == "ema" else case.dtype
            )
            for name in method.vectors
        }
        return [Case(**gradients, **{x: case.inputs[x].item() for x in method.options})]
    options = {name: _option(name, case) for name in method.choices}
    steps = [[arrays(row, case, case.dtype) for row in step] for step in case.steps]
    packed = (method.packed(steps[: t + 1]) for t in range(len(steps)))
    return [Case(**vectors, **options) for vectors in packed]


def _option(name: str, case: Golden) -> Any:
    table, losses = case.inputs[name], int(case.inputs["losses"].item())
    if name == "orders":
        return table.astype(int).reshape(losses, losses - 1).tolist()
    return bool(table.item()) if name == "weighted" else table.item()


def arrays(row: Table, case: Golden, dtype: str) -> Gradient:
    """Return a row of numbers as arrays of a dtype, leaf by leaf."""
    entries = np.complex128 if case.width == 2 else np.float64
    return [
        leaf.view(entries).reshape(shape).astype(bfloat16() if dtype == "bfloat16" else dtype)
        for leaf, shape in zip(leaf_rows(case, row), case.shapes, strict=True)
    ]
