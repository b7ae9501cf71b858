from typing import Any

import pytest

from bloop_torch import _foreach, _stack


@pytest.fixture
def unread(monkeypatch: Any) -> None:
    """Use what runs on devices whose values are not waited for."""
    monkeypatch.setattr(_stack, "_engine_for", lambda rows: _foreach)


@pytest.fixture(scope="session")
def ranks(processes: Any, tmp_path_factory: Any) -> Any:
    """Run ``tests.torch.ranks`` in two processes; return the folder and what each of them saw."""
    folder = tmp_path_factory.mktemp("ranks")
    return folder, processes("tests.torch.ranks", 2, folder)
