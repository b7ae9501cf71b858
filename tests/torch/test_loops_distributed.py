"""The loops of others, and every feature of a loop, in two processes, each step judged there."""

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.torch.loop_features import CHECKS

LOOPS = "hugging_face_trainer", "lightning_automatic", "lightning_manual", "hugging_face_accelerate"


@pytest.fixture(scope="module")
def passed(tmp_path_factory: Any) -> set[str]:
    """Run both processes; return what each of them has passed."""
    for library in ("transformers", "lightning", "accelerate"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    folder = tmp_path_factory.mktemp("loops")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
    }
    run = subprocess.run(
        [sys.executable, "-m", "tests.torch.loop_processes", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    if run.returncode:
        raise AssertionError(run.stdout[-4000:] + run.stderr[-8000:])
    first, second = (set((folder / f"{k}.passed").read_text().split("\n")) for k in range(2))
    return first & second


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
def test_loops_of_others_take_the_references_steps_on_the_mean_of_all_processes(
    loop: str, passed: set[str]
) -> None:
    assert loop in passed


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
def test_every_feature_gives_what_one_process_does(check: str, passed: set[str]) -> None:
    assert check in passed
