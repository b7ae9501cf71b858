import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from bloop_torch import _foreach, _stack


@pytest.fixture
def unread(monkeypatch: Any) -> None:
    """Use what runs on devices whose values are not waited for."""
    monkeypatch.setattr(_stack, "_engine_for", lambda rows: _foreach)


@pytest.fixture(scope="session")
def ranks(tmp_path_factory: Any) -> Any:
    """Run ``tests.torch.ranks`` in two processes; return the folder and what each of them saw."""
    folder = tmp_path_factory.mktemp("ranks")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.torch.ranks", str(rank), str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        logs = [process.communicate(timeout=200)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert not any(process.returncode for process in processes), "\n".join(logs)
    return folder, [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]
