"""Figure 3a: the paper's grid, its verdicts, and that runs depend on their settings alone."""

from bloop_reproduction.claims import smooth
from bloop_reproduction.claims.figure_3a import ALIKE, CLAIM
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.training import Run, train
from tests.reproduction.rows import drawn, fronts_of, verdicts

RIVALS = {"mixed": 1.0, "pcgrad": 1.01, "dynamic_barrier": 0.99}


def test_the_grid_is_the_papers() -> None:
    found = CLAIM.settings(False)
    lams = sorted({setting["lam"] for setting in found})
    assert (lams[0], lams[-1], len(lams)) == (1e-4, 1.0, 9)
    assert len({setting["seed"] for setting in found}) >= 5
    assert len(found) == 9 * 5 * len(METHODS)
    assert len(CLAIM.settings(True)) == 2 * len(METHODS)


def test_verdicts() -> None:
    lower = fronts_of("method", {"bloop": 0.2, **RIVALS})
    apart = fronts_of("method", {"bloop": 0.2, **RIVALS, "pcgrad": 0.4})
    some = fronts_of("method", {"bloop": 0.2, **RIVALS, "pcgrad": 0.1})
    same = fronts_of("method", dict.fromkeys(METHODS, 1.0))
    higher = fronts_of("method", {"bloop": 2.0, **RIVALS})
    several = (lower, apart, some, same, higher)
    wanted = ["holds", "in part", "in part", "does not hold", "does not hold"]
    assert verdicts(CLAIM, several) == wanted
    assert [bool(CLAIM.read(rows).reason) for rows in several] == [False, True, True, True, True]


def test_the_numbers_are_those_of_the_fronts() -> None:
    """Fronts that are straight in decades: the losses differ by the same factor everywhere."""
    numbers = CLAIM.read(fronts_of("method", {"bloop": 0.25, **RIVALS}, noise=0.0)).numbers
    apart, times = numbers[3], numbers[-1]
    assert 0 < apart.value < ALIKE
    assert times.name.startswith("train loss of mixed training over Bloop's")
    # both heights are an interpolation between two logarithms and 10 to the difference
    assert abs(times.value - 4) <= 64 * 2.0**-52 * 4


def test_the_picture_is_of_all_methods() -> None:
    svg = drawn(CLAIM, fronts_of("method", {"bloop": 0.2, **RIVALS}))
    assert all(entry.label in svg for entry in METHODS.values())


def test_a_run_is_the_demos_and_ends_where_its_path_ends() -> None:
    setting = {"method": "bloop", "lam": 0.3, "seed": 0, "steps": 20}
    first, again = CLAIM.measure(setting), CLAIM.measure(setting)
    assert first == again
    assert first != CLAIM.measure({**setting, "seed": 1})
    epoch = CLAIM.measure({**setting, "steps": 44})
    demo = train(Run("bloop", 0.3, 0, epochs=1))
    assert epoch == {"main": demo.train_loss, "aux": demo.log_lipschitz_bound}
    found = smooth.train(setting, METHODS["bloop"].make(0.3))
    assert len(found["path"]) == smooth.POINTS
    assert found["path"][-1] == (first["aux"], first["main"])
