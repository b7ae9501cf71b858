"""Golden vectors: what they hold is exact, and their tolerances tell right steps from wrong."""

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import pytest

import bloop_ref
from bloop_proofs import vectors
from bloop_proofs.methods import BLOOP
from bloop_proofs.tolerances import norm
from bloop_proofs.vectors.comparing import violation
from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import Golden
from bloop_ref.gramian import MOST_APART
from tests.golden import bloop, bounds
from tests.golden.encoding import document
from tests.golden.rounding import nearest

CASES = bloop()


# What the vectors say


def exact_rows(table: np.ndarray) -> list[list[Fraction]]:
    return [[Fraction(x) for x in row] for row in table.tolist()]


def inner(x: list[Fraction], y: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def off(u: list[Fraction], v: list[Fraction]) -> list[Fraction]:
    """Return pi(u; v), written down once more."""
    share = inner(u, v) / inner(v, v) if any(v) else Fraction(0)
    return [a - share * b for a, b in zip(u, v, strict=True)]


def off_span(u: list[Fraction], span: list[list[Fraction]]) -> list[Fraction]:
    basis: list[list[Fraction]] = []
    for vector in [*span, u]:
        basis.append(reduce(off, basis, vector))
    return basis[-1]


def expected(case: Golden) -> dict[str, list[list[Fraction]]]:
    """Return the exact outputs of a case."""
    rows = {name: exact_rows(table) for name, table in case.inputs.items()}
    if case.kind == "projection":
        return {"projected": [off_span(rows["vector"][0], rows["span"])]}
    if case.kind == "hierarchy":
        total, *others = rows["gradients"]
        for k, (gradient, (lam,)) in enumerate(zip(others, rows["lams"], strict=True)):
            part = off_span(gradient, rows["references"][: k + 1])
            total = [t + lam * p for t, p in zip(total, part, strict=True)]
        return {"direction": [total]}
    (((lam,),), ((rho,),)) = rows["lam"], rows["rho"]
    emas = [*rows["ema"], *exact_rows(case.outputs["new_ema"])]
    steps = list(zip(rows["g_main"], rows["g_aux"], emas, strict=False))
    return {
        "direction": [
            [g + lam * p for g, p in zip(m, off(a, e), strict=True)] for m, a, e in steps
        ],
        "new_ema": [
            [(1 - rho) * x + rho * g for g, x in zip(m, e, strict=True)] for m, _, e in steps
        ],
    }


def test_outputs_are_the_equations_in_exact_arithmetic_rounded_once() -> None:
    for case in CASES:
        for name, rows in expected(case).items():
            dtype = case.ema_dtype if name == "new_ema" else case.dtype
            rounded = [[nearest(x, dtype) for x in row] for row in rows]
            assert case.outputs[name].tolist() == rounded, case.id


def test_every_group_comes_in_every_dtype_with_its_own_numbers_and_norms_above_underflow() -> None:
    assert len({case.id for case in CASES}) == len(CASES)
    assert {(c.group, c.dtype) for c in CASES} == {(c.group, d) for c in CASES for d in FORMATS}
    for case in CASES:
        for name, table in {**case.inputs, **case.outputs}.items():
            dtype = case.ema_dtype if "ema" in name else case.dtype
            assert np.isfinite(table).all()
            if name not in ("lam", "lams", "rho"):
                assert table.tolist() == [[nearest(x, dtype) for x in r] for r in exact_rows(table)]
            if name in ("g_main", "g_aux", "ema"):
                bits, least, _ = FORMATS[dtype]
                enough = 2.0 ** (least + 3 + (0 if dtype == "float16" else bits))
                assert all(norm(row) == 0 or norm(row) >= enough for row in table), case.id


def test_inputs_hold_what_implementations_stumble_over() -> None:
    shapes = {shape for case in CASES for shape in case.shapes}
    assert {(), (0,), (3, 0), (2, 2)} <= shapes
    assert max(len(case.shapes) for case in CASES) == 4
    emas = [c.inputs["ema"] for c in CASES if "ema" in c.inputs and c.dtype == "float64"]
    sizes = [norm(ema[0]) for ema in emas]
    assert min(sizes) == 0
    assert min(x for x in sizes if x) < 1e-160 < 1e160 < max(sizes), "squares leave the range"


def test_no_two_vectors_of_a_step_lie_farther_apart_than_is_promised() -> None:
    for case in CASES:
        rows = [row for name in ("g_main", "g_aux", "ema") for row in case.inputs.get(name, ())]
        peaks = [x for x in (float(np.max(np.abs(row), initial=0)) for row in rows) if x]
        assert not peaks or max(peaks) / min(peaks) <= MOST_APART, case.id


def test_vectors_come_from_the_seed_alone() -> None:
    before = document(bloop())
    bloop.cache_clear()
    assert document(bloop()) == before
    assert document(bloop(1)) != before


# How they judge


def reference(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    direction = bloop_ref.bloop_direction(g_main, g_aux, ema, lam=lam)
    return direction, bloop_ref.update_ema(ema, g_main, rho=rho)


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_the_reference_is_right(framework: str) -> None:
    pytest.importorskip(framework)
    report = vectors.check(reference, framework)
    assert report.passed, report
    assert len(report.results) == (20 if framework == "numpy" else 24)


def by_least_squares(vector: np.ndarray, span: np.ndarray) -> np.ndarray:
    """Return the part of a vector orthogonal to a span, by a library and not by Gram-Schmidt."""
    left: np.ndarray = vector - span.T @ np.linalg.lstsq(span.T, vector, rcond=None)[0]
    return left


def by_reference(vector: np.ndarray, span: np.ndarray) -> np.ndarray:
    left: np.ndarray = bloop_ref.project_orthogonal(vector, *span)
    return left


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("project", [by_least_squares, by_reference])
def test_right_spans_are_right(
    project: Callable[[np.ndarray, np.ndarray], np.ndarray], seed: int
) -> None:
    chosen = [c for c in bloop(seed) if c.dtype in ("float64", "float32")]
    for case in chosen:
        x = {name: table.astype(case.dtype) for name, table in case.inputs.items()}
        if case.kind == "projection":
            found = {"projected": project(x["vector"][0], x["span"])[None]}
            assert not violation(case, found), case.id
        if case.kind == "hierarchy":
            levels = enumerate(zip(x["lams"], x["gradients"][1:], strict=True), start=1)
            parts = [lam * project(g, x["references"][:k]) for k, (lam, g) in levels]
            found = {"direction": (x["gradients"][0] + sum(parts))[None]}
            assert not violation(case, found), case.id


def test_no_tolerance_excuses_an_output_of_zero() -> None:
    for case in CASES:
        for name, table in case.outputs.items():
            for row, (bound,) in zip(table, case.tolerances[name], strict=True):
                cancels = case.id.startswith(("projections-inside", "steps-no-entries"))
                assert bound < norm(row) or cancels, case.id


def test_carried_errors_grow_with_the_angle_and_the_basis() -> None:
    ema, aux = np.array([3.0, 4.0]), np.array([0.0, 2.0])
    assert bounds.turned(0.5, ema, aux, 3.0) == 3.0 * 2.0 * 0.5 / 5.0
    assert bounds.turned(0.0, 0 * ema, aux, 3.0) == 0.0
    span = bounds.Span(2.0**-24, 2)
    errors = []
    for residual in (5.0, 2.5, 0.0):
        span.extend(ema, residual)
        errors.append(span.error / span.single)
    assert errors == [1.0, 4.0, 4.0]


@pytest.mark.parametrize("mistake", [m for m in BLOOP.mistakes if m.group == "equations"][1::9])
def test_mistakes_are_wrong_and_named(mistake: Any) -> None:
    report = vectors.check(mistake.step)
    assert not report.passed
    assert report.diagnosis[0].name == mistake.name
