"""Fronts on least squares: their verdicts, and the problem."""

from collections.abc import Callable

import numpy as np

from bloop_proofs.tolerances import unit_roundoff
from bloop_reproduction.claim import Row
from bloop_reproduction.claims.least_squares import CLAIM, LAMS, SEEDS, P, measure, problem
from bloop_reproduction.demo.methods import METHODS
from tests.reproduction.rows import drawn, row, verdicts


def made_up(factor: Callable[[str, float], float]) -> list[Row]:
    """Fronts whose main loss falls by a decade where the auxiliary one rises by 1."""
    return [
        row(
            {"method": method, "lam": lam, "seed": seed},
            aux=4 - float(np.log10(lam)),
            main=factor(method, lam) * lam * (1 + 0.01 * seed),
        )
        for seed in range(SEEDS)
        for lam in LAMS
        for method in METHODS
    ]


def test_verdicts() -> None:
    several = [
        made_up(lambda method, lam: 0.2 if method == "bloop" else 1.0),
        made_up(lambda method, lam: (0.2 if lam < 1 else 5.0) if method == "bloop" else 1.0),
        made_up(lambda method, lam: {"bloop": 0.2, "pcgrad": 3.0}.get(method, 1.0)),
        made_up(lambda method, lam: 2.0 if method == "bloop" else 1.0),
    ]
    assert verdicts(CLAIM, several) == ["holds", "in part", "in part", "does not hold"]


def test_fronts_that_reach_nothing_in_common_show_nothing() -> None:
    apart = [
        entry._replace(measured={**entry.measured, "aux": entry.measured["aux"] + 9})
        if entry.setting["method"] == "bloop"
        else entry
        for entry in made_up(lambda method, lam: 1.0)
    ]
    assert verdicts(CLAIM, [apart]) == ["does not hold"]


def test_the_figure_has_every_method() -> None:
    found = drawn(CLAIM, made_up(lambda method, lam: 1.0))
    assert all(f"<!-- {method.label} -->" in found for method in METHODS.values())


def test_the_main_loss_leaves_dimensions_free() -> None:
    here = problem(0)
    best = np.linalg.lstsq(here.X, here.y)[0]
    main, _ = here.losses(best)
    # the residual of a least-squares solution that is exact, to the rounding of X theta
    size = np.linalg.norm(here.X) * np.linalg.norm(best) + np.linalg.norm(here.y)
    assert main <= (P * unit_roundoff([here.X]) * size) ** 2
    assert np.linalg.matrix_rank(here.X) < P


def test_all_methods_take_the_same_batches() -> None:
    """Without weight all of them are SGD on the main loss."""
    setting = {"lam": 0.0, "seed": 0, "epochs": 2}
    found = [measure({**setting, "method": m}) for m in ("bloop", "mixed", "dynamic_barrier")]
    assert found[0] == found[1] == found[2]
