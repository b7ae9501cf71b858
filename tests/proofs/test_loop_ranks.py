"""``check_loop`` on loops of two processes: DDP and FSDP2 pass, gradients past the hooks do not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bloop_proofs import LoopReport, check_loop

torch = pytest.importorskip("torch", reason="torch is not installed")

LAM, RHO, SIZE, MICRO = 0.5, 0.25, 2, 2
PROGRAM = "tests.proofs.loop_ranks"


def in_processes(batches: Any, folder: Path) -> list[dict[str, Any]]:
    """Run all loops in two processes; return what each of them found."""
    torch.save(batches, folder / "batches.pt")
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(rank), str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(SIZE)
    ]
    try:
        logs = [process.communicate(timeout=100)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert not any(process.returncode for process in processes), "\n".join(logs)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(SIZE)]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: Any) -> Callable[[str, int], LoopReport]:
    """Judge a loop by what a rank holds; the same seed draws the same gradients for all of them."""
    found: list[dict[str, Any]] = []

    def judged(name: str, rank: int) -> LoopReport:
        def run(batches: Any, *, lam: float, rho: float) -> Any:
            assert (lam, rho) == (LAM, RHO)
            found[:] = found or in_processes(batches, tmp_path_factory.mktemp("ranks"))
            return found[rank][name]

        shapes = ((4,), (2, 2))
        return check_loop(run, ranks=SIZE, micro_batches=MICRO, lam=LAM, rho=RHO, shapes=shapes)

    return judged


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", ["ddp", "fsdp"])
def test_right_loops_pass(name: str, rank: int, judge: Any) -> None:
    report = judge(name, rank)
    assert report.passed, str(report)


@pytest.mark.parametrize("rank", [0, 1])
def test_gradients_past_the_hooks_of_ddp_are_those_of_a_rank(rank: int, judge: Any) -> None:
    report = judge("ddp, past the hooks", rank)
    assert not report.passed
    assert report.diagnosis == f"the auxiliary gradient: that of rank {rank} only, not the mean"
