"""Figure 7: its verdicts, on made-up paths."""

from bloop_reproduction.claim import Row
from bloop_reproduction.claims.figure_7 import CLAIM, LAM, MIXED, RHOS
from tests.reproduction.rows import SEEDS, drawn, row, verdicts

LAMS = (0.1, LAM, 1.0)
AS_CLAIMED = {0.001: (2.0, 0.2), 0.01: (1.5, 0.05), 0.1: (1.3, 0.1), 0.9: (1.0, 0.48)}
"""Where paths end at lam = 0.3: the bound and the train loss."""
MIXED_ENDS = (1.0, 0.5)


def made(ends: dict[float, tuple[float, float]]) -> list[Row]:
    """Straight paths, in decades, from one start; a larger lam trades main for aux alike."""
    return [
        row(
            {"rho": rho, "lam": lam, "seed": seed},
            main=main * lam / LAM * (1 + 0.01 * seed),
            aux=aux - 0.1 * lam,
            path=[(4 + share * (aux - 4), main**share * (1 + 0.01 * seed)) for share in (0.5, 1.0)],
        )
        for rho, (aux, main) in {**ends, MIXED: MIXED_ENDS}.items()
        for lam in LAMS
        for seed in SEEDS
    ]


def test_verdicts() -> None:
    no_fallback = {**AS_CLAIMED, 0.9: AS_CLAIMED[0.01]}
    no_trade = {**AS_CLAIMED, 0.1: (1.7, 0.1)}
    not_stale = {**AS_CLAIMED, 0.001: (1.2, 0.03)}
    nothing = {0.001: (1.2, 0.03), 0.01: (1.5, 0.05), 0.1: (1.7, 0.1), 0.9: (1.5, 0.05)}
    several = [made(ends) for ends in (AS_CLAIMED, no_fallback, no_trade, not_stale, nothing)]
    wanted = ["holds", "in part", "in part", "in part", "does not hold"]
    assert verdicts(CLAIM, several) == wanted
    reasons = [CLAIM.read(rows).reason for rows in several]
    assert [reason.count(";") + bool(reason) for reason in reasons] == [0, 1, 1, 1, 3]


def test_mixed_training_falls_back_on_itself() -> None:
    rows = made({**AS_CLAIMED, 0.9: MIXED_ENDS})
    back = CLAIM.read(rows).numbers[1]
    assert (back.low, back.value, back.high) == (0.0, 0.0, 0.0)


def test_the_picture_is_of_all_rhos() -> None:
    svg = drawn(CLAIM, made(AS_CLAIMED))
    assert "mixed training" in svg
    assert all(rf"\rho$ = {rho:g}" in svg for rho in RHOS)


def test_settings_and_runs() -> None:
    found = CLAIM.settings(False)
    assert {setting["rho"] for setting in found} == {MIXED, *RHOS}
    assert len(found) == len({s["lam"] for s in found}) * 5 * 5
    setting = {"lam": LAM, "seed": 0, "steps": 20}
    new, all_new = (CLAIM.measure({**setting, "rho": rho}) for rho in (MIXED, 0.9))
    assert new != all_new
    quick = [row(each, **CLAIM.measure(each)) for each in CLAIM.settings(True)]
    assert CLAIM.read(quick).numbers
