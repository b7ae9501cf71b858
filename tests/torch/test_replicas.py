from typing import Any

import pytest
import torch
from torch import nn

from bloop_ref.surgery import PCGrad
from bloop_torch import Bloop, Surgery
from bloop_torch._replicas import CHUNK, _checksum

MESSAGES = {
    "DDP averages one of two": "gradients of processes 0 and 1 differ",
    "nothing averages": "gradients of processes 0 and 1 differ",
    "nothing averages, again": "gradients of processes 0 and 1 differ",
    "wrong, compared": "parameters of processes 0 and 1 were the same and differ now",
    "other options": "states of the method of processes 0 and 1 differ",
    "other checkpoints": "states of the method of processes 0 and 1 differ",
}


def test_processes_that_would_drift_apart_all_refuse_to_step(ranks: Any) -> None:
    for here in ranks[1]:
        refused = {what: message for what, message in here["compared"].items() if message}
        assert refused.keys() == MESSAGES.keys()
        for what, message in refused.items():
            assert MESSAGES[what] in message
        assert "average_over=group" in refused["nothing averages"]


def test_there_is_no_false_alarm(ranks: Any) -> None:
    first, second = (here["compared"] for here in ranks[1])
    taken = {what for what, message in first.items() if not message}
    assert taken == {
        "not averaged, as is wanted",
        "other values",
        "other shapes",
        "parts that happen to be the same",
        "a group of one",
        "the same batch",
        "right at first",
        "wrong, not compared",
        "before a checkpoint",
    }
    assert first.keys() - second.keys() == {"a group of one"}


@pytest.mark.parametrize("when", ["always", 0, True, 2.0, None])
def test_when_to_compare_is_a_word_or_a_number(when: Any) -> None:
    with pytest.raises(ValueError, match="compare_ranks must be 'first', 'never' or a number"):
        Surgery([nn.Parameter(torch.ones(2))], PCGrad(), compare_ranks=when)
    Bloop([nn.Parameter(torch.ones(2))], lam=1.0, rho=0.5, compare_ranks=3)


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float32, torch.float64, torch.complex64], ids=str
)
def test_a_checksum_tells_tensors_apart(dtype: torch.dtype) -> None:
    x = torch.tensor([1.0, -1.0, 2.0, -2.0], dtype=dtype)
    zero = torch.zeros_like(x)
    vectors = [
        [x],
        [-x],
        [x.flip(0)],
        [x[[2, 3, 0, 1]]],
        [zero, x],
        [x, zero, x],
        [torch.cat([x.new_zeros(CHUNK), x])],
        [torch.cat([x, x.new_zeros(CHUNK)])],
        [zero],
    ]
    sums = [int(_checksum(leaves, "text")) for leaves in vectors]
    # only zeros that follow change nothing
    assert sums[0] == sums[7]
    assert len({*sums}) == len(sums) - 1
    assert int(_checksum([None, x], "text")) == sums[4]
    assert int(_checksum([x], "other")) != sums[0]
