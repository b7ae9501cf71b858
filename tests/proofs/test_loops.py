"""``check_loop``: right loops pass, and wrong ones look like what is wrong with them."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from bloop_proofs import LoopReport, ProtocolError, check_loop
from bloop_proofs.loop_looks import Loop, looks
from bloop_proofs.loops import drawn, required
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm
from tests.proofs.trainers import (
    AverageOfLocal,
    AveragePerMicroBatch,
    Early,
    FromParameters,
    MeanOfDirections,
    StepPerMicroBatch,
    Trainer,
)

PARTS = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2)]


@pytest.mark.parametrize(("ranks", "micro"), PARTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_right_loops_pass(ranks: int, micro: int, dtype: str) -> None:
    report = check_loop(Trainer(), ranks=ranks, micro_batches=micro, steps=8, dtype=dtype)
    assert report.passed, str(report)
    assert (report.message, report.diagnosis) == ("", "")


TWICE = "multiplied by 2: summed over the"
WRONG: list[tuple[Trainer, int, int, str]] = [
    (
        Trainer(average=(False, False), watched=1),
        2,
        1,
        "the main gradient and the auxiliary gradient and the average: that of rank 1 only",
    ),
    (Trainer(average=(True, False)), 2, 2, "the auxiliary gradient: that of rank 0 only"),
    (Trainer(average=(False, True)), 2, 1, "the main gradient and the average: that of rank 0"),
    (AverageOfLocal(), 2, 1, "the average: that of rank 0 only, not the mean"),
    (Trainer(clear=True, divide=False), 1, 3, "average: that of the last micro-batch only"),
    (Trainer(clear=True), 1, 2, "only, not the mean; the whole direction is multiplied by 0.5"),
    (Trainer(divide=False), 2, 3, "the whole direction is multiplied by 3: summed over the micro"),
    (Trainer(scale=2), 2, 1, f"the whole direction is {TWICE} ranks, not averaged"),
    (Trainer(divide=False), 2, 2, f"{TWICE} ranks or the micro-batches, not averaged"),
    (Trainer(scale=4), 2, 2, "multiplied by 4: summed over the ranks and micro-batches, not"),
    (Trainer(scale=1024), 2, 2, "multiplied by 1024: a loss scale is not divided out"),
    (Trainer(scale=1 / 8), 1, 1, "multiplied by 0.125: a loss scale is divided out twice"),
    (Trainer(scale=0.5), 1, 2, "divided once too often by the number of micro-batches"),
    (Trainer(scale_aux=2), 2, 1, f"the auxiliary gradient is {TWICE} ranks, not averaged"),
    (Trainer(scale_aux=7), 1, 1, "auxiliary gradient is multiplied by 7: lam is another"),
    (MeanOfDirections(), 2, 2, "each rank projects on an average of its own, and the directions"),
    (StepPerMicroBatch(), 1, 2, "each micro-batch is a step of its own, which moves the average"),
    (AveragePerMicroBatch(), 1, 2, "the average is moved once per micro-batch"),
    (Early(), 1, 1, "the average is updated before the projection"),
    (FromParameters(), 1, 2, "the average starts from something else than 0, such as the param"),
]


@pytest.mark.parametrize(("run", "ranks", "micro", "like"), WRONG)
@pytest.mark.parametrize("seed", [0, 1])
def test_wrong_loops_look_like_what_they_are(
    run: Trainer, ranks: int, micro: int, like: str, seed: int
) -> None:
    report = check_loop(run, ranks=ranks, micro_batches=micro, seed=seed)
    assert not report.passed
    assert like in report.diagnosis
    assert report.message.startswith("direction of step ")
    assert f"looks like: {report.diagnosis}" in str(report)


@pytest.mark.parametrize(("run", "ranks", "micro", "like"), WRONG)
def test_half_precision_names_no_other_mistake(
    run: Trainer, ranks: int, micro: int, like: str
) -> None:
    report = check_loop(run, ranks=ranks, micro_batches=micro, dtype="float16")
    assert not report.passed
    mistake = "multiplied by" if "multiplied by" in like or "once too often" in like else like
    assert not report.diagnosis or mistake in report.diagnosis


def test_what_no_known_mistake_explains_is_not_named() -> None:
    def run(batches: Any, *, lam: float, rho: float) -> Any:
        return [[leaf.flip(0) if leaf.ndim else leaf for leaf in g] for g in right(batches)]

    def right(batches: Any) -> Any:
        return Trainer()(batches, lam=0.5, rho=0.25)

    report = check_loop(run)
    assert report.diagnosis == ""
    assert str(report).endswith("like no known mistake")


def test_a_direction_that_is_not_finite_is_reported() -> None:
    report = check_loop(Trainer(scale=float("nan")))
    assert "must be finite" in report.message
    assert not report.diagnosis


@pytest.mark.parametrize(("ranks", "micro"), PARTS)
def test_no_two_mistakes_and_no_right_loop_look_the_same(ranks: int, micro: int) -> None:
    batches = drawn(4, ranks, micro, ((3,), (2, 2), ()), "float32", 0)
    right, bounds = required(batches, 0.5, 0.25)
    vectors = [[[[flat(g) for g in p] for p in rank] for rank in step] for step in batches]
    known = [("", np.array(right))]
    known += [(x.words, x.whole) for x in looks(Loop(np.array(vectors), 0.5, 0.25))]
    room = 2 * ranks * micro * norm(np.array(bounds))
    for (first, x), (second, y) in combinations(known, 2):
        assert norm((x - y).ravel()) > room, (first, second)


def generated(batches: Any, lam: float, rho: float) -> Iterator[Any]:
    yield from Trainer()(batches, lam=lam, rho=rho)


def test_directions_may_be_given_out_one_after_the_other() -> None:
    assert check_loop(generated).passed


FORMS: dict[str, tuple[Callable[..., Any], str]] = {
    "nothing": (lambda b, lam, rho: None, "for every step, 4 in all; found NoneType"),
    "too few": (lambda b, lam, rho: [b[0][0][0][0]], "for every step, 4 in all; found list of 1"),
    "leaves": (lambda b, lam, rho: [b[0][0][0][0][:1]] * 4, "each a list of 3 arrays, one per"),
    "shards": (
        lambda b, lam, rho: [[leaf[:1] if leaf.ndim else leaf for leaf in b[0][0][0][0]]] * 4,
        "step 1[0] must have 3 real entries like g_main[0]; found 1 real entries",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_another_form_is_said_in_one_line(form: str) -> None:
    run, message = FORMS[form]
    with pytest.raises(ProtocolError) as raised:
        check_loop(run)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranks": 0}, "ranks must be a whole number, at least 1; found 0"),
        ({"dtype": "complex64"}, "dtype must be one of .*'float32'.*; found 'complex64'"),
        ({"steps": 1}, "steps must be a whole number, at least 2; found 1"),
        ({"rho": 1.0}, "rho must be between 0 and 1"),
        ({"lam": 0.0}, "lam must be above 0, so that projections tell; found 0.0"),
    ],
)
def test_a_wrong_argument_is_named(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_loop(Trainer(), **options)


def test_a_report_of_a_right_loop_says_what_was_checked() -> None:
    report = LoopReport(4, 2, 3, "", "")
    assert str(report) == "passed: 4 steps (ranks: 2, micro-batches: 3)"
