"""The loops of others, and every feature of a loop, in two processes, each step judged there."""

from typing import Any, NamedTuple

import pytest

from tests.torch.loop_features import CHECKS

LOOPS = "hugging_face_trainer", "lightning_automatic", "lightning_manual", "hugging_face_accelerate"


class Run(NamedTuple):
    """What both processes have passed, and what they said."""

    passed: set[str]
    log: str


@pytest.fixture(scope="module")
def run(processes: Any, tmp_path_factory: Any) -> Run:
    """Run both processes, which stop at the first check that fails."""
    for library in ("transformers", "lightning", "accelerate"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    found = processes("tests.torch.loop_processes", 2, tmp_path_factory.mktemp("loops"))
    (first, said), (second, answered) = found
    return Run({*first} & {*second}, f"{said}\n{answered}")


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_loops_of_others_take_the_references_steps_on_the_mean_of_all_processes(
    loop: str, run: Run
) -> None:
    assert loop in run.passed, run.log


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
def test_every_feature_gives_what_one_process_does(check: str, run: Run) -> None:
    assert check in run.passed, run.log
