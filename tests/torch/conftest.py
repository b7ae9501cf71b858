from typing import Any

import pytest

from bloop_torch import _columns


@pytest.fixture
def unread(monkeypatch: Any) -> None:
    """Use what runs on devices whose values are not waited for."""
    monkeypatch.setattr(_columns, "_can_be_read", lambda rows: False)
