"""The golden vectors of the methods beside Bloop: exact where that can be, and telling."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bloop_proofs import METHODS, vectors
from bloop_proofs.tolerances import norm
from bloop_proofs.vectors.model import BESIDE, Golden

CASES = [case for case in vectors.golden() if case.kind in BESIDE]
Vector = list[Fraction]


def dot(x: Vector, y: Vector) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def along(c: Fraction | int, x: Vector, y: Vector) -> Vector:
    """Return x + c y."""
    return [a + c * b for a, b in zip(x, y, strict=True)]


def share(x: Vector, y: Vector) -> Fraction:
    return dot(x, y) / dot(y, y) if any(y) else Fraction(0)


def pcgrad(g: list[Vector], lam: Fraction, orders: list[Fraction]) -> Vector:
    others = len(g) - 1
    total = [Fraction(0)] * len(g[0])
    for i, part in enumerate(g):
        for j in orders[i * others : (i + 1) * others]:
            part = along(-min(share(part, g[int(j)]), Fraction(0)), part, g[int(j)])
        total = along(lam if i else 1, total, part)
    return total


def mgda(g: list[Vector]) -> Vector:
    m, a = g
    across = along(-1, a, m)
    w = dot(across, a) / dot(across, across) if any(across) else Fraction(1)
    w = min(max(w, Fraction(0)), Fraction(1))
    return along(w, [(1 - w) * x for x in a], m)


def mixed(g: list[Vector], lam: Fraction) -> Vector:
    total = g[0]
    for a in g[1:]:
        total = along(lam, total, a)
    return total


def barrier(g: list[Vector], lam: Fraction) -> Vector:
    m, a = g
    return along(max(1 - lam * share(a, m), Fraction(0)), [lam * x for x in a], m)


EXACT: dict[str, Callable[..., Vector]] = {
    "mixed": mixed,
    "a_gem": lambda g: along(-min(share(g[0], g[1]), Fraction(0)), g[0], g[1]),
    "dynamic_barrier": barrier,
    "pcgrad": pcgrad,
    "mgda": mgda,
}
"""Written down once more, on fractions."""


def options(case: Golden) -> dict[str, Any]:
    left = {n: x for n, x in case.inputs.items() if n not in ("losses", "gradients")}
    numbers = {n: [Fraction(x) for x in table[:, 0].tolist()] for n, table in left.items()}
    return {n: x if n == "orders" else x[0] for n, x in numbers.items()}


@pytest.mark.parametrize("method", list(EXACT))
def test_outputs_are_those_of_exact_arithmetic(method: str) -> None:
    chosen = [case for case in CASES if case.kind == method]
    chosen = [case for case in chosen if method != "mgda" or case.group == "mgda"]
    assert len(chosen) > 20
    for case in chosen:
        gradients = [[Fraction(x) for x in row] for row in case.inputs["gradients"].tolist()]
        exact = np.array([float(x) for x in EXACT[method](gradients, **options(case))])
        # of a tolerance that grants a program so many roundings the golden output takes one or two
        rounding = 2 * 2.0 ** -(53 if case.dtype == "float64" else 24)
        distance = norm(case.outputs["direction"][0] - exact)
        assert distance <= max(rounding * norm(exact), case.tolerances["direction"].item() / 4)
        assert distance <= case.tolerances["direction"].item(), case.id


def test_every_method_of_lists_has_vectors_in_both_dtypes_with_flags_and_comments() -> None:
    assert {case.kind for case in CASES} == {
        n for n, m in METHODS.items() if not m.signature.vectors
    }
    assert {(c.kind, c.dtype) for c in CASES} == {
        (name, dtype) for name in BESIDE for dtype in ("float64", "float32")
    }
    assert all(case.comment for case in vectors.golden())
    assert len({case.id for case in vectors.golden()}) == len(vectors.golden())


@pytest.mark.parametrize("method", list(BESIDE))
def test_right_steps_are_right(method: str) -> None:
    assert vectors.check(METHODS[method].right.step, method=method).passed


@pytest.mark.parametrize("method", list(BESIDE))
def test_the_first_mistakes_are_wrong_and_named(method: str) -> None:
    listed = [m for m in METHODS[method].mistakes if m.group == "equations"]
    # MGDA's other mistakes are in its formula for two gradients
    formulas = [m for m in listed if m.name.startswith(("gradients-are", "weights-sum"))]
    wrong: Sequence[Any] = formulas if method == "mgda" else listed[:2]
    for mistake in wrong:
        report = vectors.check(mistake.step, method=method)
        assert not report.passed
        assert report.diagnosis[0].name == mistake.name


def test_a_step_may_refuse_more_than_two_gradients() -> None:
    def pair(gradients: Any) -> Any:
        if len(gradients) > 2:
            raise NotImplementedError("two losses")
        return METHODS["mgda"].right.step(gradients)

    report = vectors.check(pair, method="mgda")
    assert report.passed
    assert [result.law for result in report.results if result.status == "skipped"] == ["mgda-more"]


def test_methods_without_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="must have golden vectors; found 'between'"):
        vectors.check(lambda *_: None, method="between")


def test_the_flag_of_all_wrong_cases_says_what_the_bug_is() -> None:
    def unguarded(gradients: Any) -> Any:
        m, a = (np.concatenate([np.ravel(x) for x in g]) for g in gradients)
        found = m - min(m @ a / (a @ a), 0) * a
        ends = np.cumsum([x.size for x in gradients[0]])[:-1]
        parts = zip(np.split(found, ends), gradients[0], strict=True)
        return [part.reshape(x.shape).astype(x.dtype) for part, x in parts]

    report = vectors.check(unguarded, method="a_gem")
    assert report.summary == (
        "wrong only where flagged ZeroGradient: "
        "A norm of 0 is divided by, or compared without thought."
    )
