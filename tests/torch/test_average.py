from typing import Any

import torch

from tests.torch.ranks import USED, gradient_of, several_kinds


def test_the_mean_counts_a_leaf_that_a_process_has_not_as_zero(ranks: Any) -> None:
    _, (first, second) = ranks
    like = several_kinds()
    for step, used in enumerate(USED):
        for name, x in like.items():
            found = first["average"][step][name]
            if not any(name in there for there in used):
                assert found is None
                continue
            parts = [gradient_of(name, k, step) for k in range(2) if name in used[k]]
            assert torch.equal(found, torch.stack(parts).sum(0) / 2)
            assert found.dtype == x.dtype
            assert found.stride() == x.stride()
            assert torch.equal(found, second["average"][step][name])


def test_the_main_gradient_is_under_way_while_the_auxiliary_one_is_computed(ranks: Any) -> None:
    _, seen = ranks
    for here in seen:
        kinds = [event.partition(" ")[2] or event for event in here["order"]]
        # a flag for each parameter, and one bucket for all gradients
        reduced = ["torch.int32", "torch.float32"]
        assert kinds == ["main", *reduced, "aux", *reduced]


def test_parts_are_averaged_where_other_processes_have_the_same_parts(ranks: Any) -> None:
    for here in ranks[1]:
        pairs = zip(*here["directions"].values(), strict=True)
        assert all(torch.equal(x, y) for x, y in pairs)


def test_a_partial_sum_is_added_up_first(ranks: Any) -> None:
    for here in ranks[1]:
        assert torch.equal(here["partial"], torch.full((3,), 3.0))


def test_sharded_parameters_are_not_averaged_over_their_shards(ranks: Any) -> None:
    for here in ranks[1]:
        assert "average_over must be no group" in here["shards"]
