"""Figure 4: its pictures, the gradients of two heads on a trunk, and its verdicts."""

import numpy as np
import pytest

from bloop_proofs.tolerances import norm
from bloop_reproduction.claims.figure_4 import CLAIM, LABELS, SLOWER
from bloop_reproduction.demo.data import digits
from bloop_reproduction.demo.network import cross_entropy, size
from bloop_reproduction.training import Sgd
from bloop_reproduction.two_heads import Task, TwoDigits, TwoHeads, TwoKinds, two_digits
from tests.reproduction.rows import drawn, fronts_of, row, verdicts

UNIT = float(np.finfo(np.float64).eps) / 2


class Small(TwoDigits):
    trunk = (64, 6, 5)


class Same(Small):
    """Both tasks are one."""

    def tasks(self) -> tuple[Task, Task]:
        return two_digits()[0], two_digits()[0]


def small(seed: int) -> TwoHeads:
    problem = Small(np.random.default_rng(seed))
    problem.parameters = problem.parameters.astype(np.float64)
    return problem


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("which", [0, 1])
def test_gradients_agree_with_central_differences(which: int, seed: int) -> None:
    """Halving h leaves a quarter of the truncation error: a third of what the quotient moved by."""
    problem, rows = small(seed), np.arange(24)
    way = np.random.default_rng(seed + 100).standard_normal(len(problem.parameters))
    task = problem.tasks()[which]

    def loss(t: float) -> float:
        network = problem.heads(problem.parameters + t * way)[which]
        return cross_entropy(network, task.images[rows], task.labels[rows])

    h = 2.0**-17
    coarse, fine = ((loss(k) - loss(-k)) / (2 * k) for k in (h, h / 2))
    found = problem.gradients_of((rows, rows))[which]
    terms = 64 * max(problem.widths) * sum(problem.widths)  # products behind a loss, rounded once
    rounding = 4 * terms * UNIT * (1 + abs(loss(0.0))) / h
    assert abs(fine - found @ way) <= abs(coarse - fine) + rounding
    assert norm(found) > 0


def test_the_trunk_is_shared_and_the_heads_are_not() -> None:
    problem = small(0)
    main, aux = problem.gradients_of((np.arange(8), np.arange(8)))
    trunk, head = size(problem.trunk), size(problem.widths[-2:])
    assert len(problem.parameters) == trunk + 2 * head
    assert norm(main[:trunk]) > 0 < norm(aux[:trunk])
    assert not main[trunk + head :].any()
    assert not aux[trunk : trunk + head].any()


def test_a_head_leads_where_its_own_loss_falls() -> None:
    problem = small(0)
    before = problem.losses()
    rows = np.arange(len(two_digits()[0].labels))
    main, _ = problem.gradients_of((rows, rows))
    Sgd(problem.parameters).step(problem.parameters, main, rate=2.0**-7)
    assert problem.losses()[0] < before[0]


def test_the_cosine_is_of_the_whole_gradients() -> None:
    problem = TwoKinds(np.random.default_rng(0))
    assert -1 < problem.cosine() < 1
    same = Same(np.random.default_rng(0))
    same.parameters[size(same.widths) :] = same.parameters[size(same.trunk) : size(same.widths)]
    # one head as the other and one task as the other: the trunks' parts agree, the heads' are apart
    main = same.gradients_of((np.arange(1437), np.arange(1437)))[0].astype(float)
    trunk = main[: size(same.trunk)]
    share = float(trunk @ trunk / (main @ main))
    assert abs(same.cosine() - share) <= 8 * len(main) * float(np.finfo(np.float32).eps)


def test_each_digit_is_once_below_and_once_above() -> None:
    main, aux = two_digits()
    assert main.images is aux.images
    labels = sorted(digits().train_labels)
    assert sorted(main.labels) == sorted(aux.labels) == labels
    assert 0.05 < float(np.mean(main.labels == aux.labels)) < 0.15  # by chance, one in ten


def test_verdicts() -> None:
    factors = {**dict.fromkeys(LABELS, 1.0), SLOWER: 0.5, "bloop": 0.2}
    lower = fronts_of("method", factors)
    some = fronts_of("method", {**factors, "dynamic_barrier": 0.1})
    same = fronts_of("method", dict.fromkeys(LABELS, 1.0))
    assert verdicts(CLAIM, (lower, some, same)) == ["holds", "in part", "does not hold"]
    assert not CLAIM.read(lower).reason
    assert "farther" in CLAIM.read(some).reason
    assert "seeds" in CLAIM.read(same).reason
    assert all(label in drawn(CLAIM, lower) for label in LABELS.values())


def test_a_lead_within_the_spread_of_the_seeds_is_none() -> None:
    """Bloop's losses are twice the others' for some seeds, and half of them for the others."""
    rows = [
        row(each.setting, **{**each.measured, "main": each.measured["main"] * factor})
        for each in fronts_of("method", dict.fromkeys(LABELS, 1.0))
        for factor in [
            1 if each.setting["method"] != "bloop" else 2.0 ** (each.setting["seed"] - 2)
        ]
    ]
    found = CLAIM.read(rows)
    assert all(number.low < 0 < number.high for number in found.numbers[:3])
    assert found.verdict == "does not hold"


def test_the_grid_is_the_papers() -> None:
    found = CLAIM.settings(False)
    lams = sorted({setting["lam"] for setting in found})
    assert (lams[0], lams[-1]) == (1e-3, 1e3)
    assert len(found) == len(lams) * len(LABELS) * 5
    assert len(CLAIM.settings(True)) == 2 * len(LABELS)


def test_a_run_depends_on_its_setting_alone() -> None:
    setting = {"method": SLOWER, "lam": 1.0, "seed": 0, "steps": 20}
    assert CLAIM.measure(setting) == CLAIM.measure(setting)
    assert CLAIM.measure(setting) != CLAIM.measure({**setting, "method": "bloop"})
