"""What the step refuses."""

from typing import Any

import pytest
import torch

import bloop_torch

LAM, RHO = 0.5, 0.25
STEP: Any = bloop_torch.step

BAD: dict[str, dict[str, Any]] = {
    "g_aux must have as many tensors": {"g_aux": []},
    r"g_aux\[0\] must have the shape of g_main\[0\]": {"g_aux": [torch.ones(2, 1)]},
    r"ema\[0\] must have the device of": {"ema": [torch.ones(2, device="meta")]},
    r"ema\[0\] must have the kind of dtype of": {"ema": [torch.ones(2, dtype=torch.complex64)]},
    "lam must be a finite number": {"lam": -1.0},
    "lam must be a scalar": {"lam": torch.ones(1)},
    "rho must be a finite number in": {"rho": 1.5},
}


WRONG: dict[str, dict[str, Any]] = {
    "g_main must be a list of tensors": {"g_main": torch.ones(2)},
    r"g_main\[0\] must be a tensor or None": {"g_main": [1.0]},
    r"g_aux\[0\] must have a floating dtype": {"g_aux": [torch.ones(2, dtype=torch.int64)]},
    r"g_aux\[0\] must be dense": {"g_aux": [torch.ones(2).to_sparse()]},
    "rho must be a real number": {"rho": True},
}


@pytest.mark.parametrize("message", [*BAD, *WRONG])
def test_bad_input_is_named(message: Any) -> None:
    error, change = (ValueError, BAD) if message in BAD else (TypeError, WRONG)
    arguments: dict[str, Any] = {
        "g_main": [torch.ones(2)],
        "g_aux": [torch.ones(2)],
        "ema": [torch.ones(2)],
    }
    arguments |= {"lam": LAM, "rho": RHO} | change[message]
    with pytest.raises(error, match=message):
        STEP(**arguments)
