"""``check_loop`` on loops of two processes: DDP and FSDP2 pass, gradients past the hooks do not."""

from collections.abc import Callable
from typing import Any

import pytest

from bloop_proofs import LoopReport, check_loop

torch = pytest.importorskip("torch", reason="torch is not installed")

LAM, RHO, SIZE, MICRO = 0.5, 0.25, 2, 2


@pytest.fixture(scope="module")
def judge(processes: Any, tmp_path_factory: Any) -> Callable[[str, int], LoopReport]:
    """Judge a loop by what a rank holds; the same seed draws the same gradients for all of them."""
    found: list[dict[str, Any]] = []

    def judged(name: str, rank: int) -> LoopReport:
        def run(batches: Any, *, lam: float, rho: float) -> Any:
            assert (lam, rho) == (LAM, RHO)
            if not found:
                folder = tmp_path_factory.mktemp("ranks")
                torch.save(batches, folder / "batches.pt")
                found[:] = processes("tests.proofs.loop_ranks", SIZE, folder)
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
