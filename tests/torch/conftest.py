from typing import Any

import pytest

from bloop_torch import _foreach, _stack


@pytest.fixture
def unread(monkeypatch: Any) -> None:
    """Use what runs on devices whose values are not waited for."""
    monkeypatch.setattr(_stack, "_engine_for", lambda rows: _foreach)
