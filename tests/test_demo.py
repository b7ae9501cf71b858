"""``bloop-ref demo``: its gradients, its arithmetic, its files and its errors."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from bloop_ref.cli import main
from bloop_reproduction.demo import lipschitz, network
from bloop_reproduction.demo.command import LAMS
from bloop_reproduction.demo.data import digits
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.plot import TITLE, plot
from bloop_reproduction.demo.summary import compare, finding, table
from bloop_reproduction.demo.sweep import grid, train_all
from bloop_reproduction.demo.training import Result, Run, train

WIDTHS = (64, 6, 5, 10)
UNIT = float(np.finfo(np.float64).eps) / 2


def small_network(seed: int) -> tuple[network.Floats, list[network.Layer]]:
    generator = np.random.default_rng(seed)
    flat = generator.standard_normal(network.size(WIDTHS)) / 4
    return flat, network.layers(flat, WIDTHS)


def main_gradient(flat: network.Floats) -> network.Floats:
    out = np.zeros_like(flat)
    data = digits()
    images, labels = data.train_images[:32].astype(np.float64), data.train_labels[:32]
    network.cross_entropy_gradient(
        network.layers(flat, WIDTHS), images, labels, network.layers(out, WIDTHS)
    )
    return out


def main_loss(flat: network.Floats) -> float:
    data = digits()
    images, labels = data.train_images[:32].astype(np.float64), data.train_labels[:32]
    return network.cross_entropy(network.layers(flat, WIDTHS), images, labels)


def aux_gradient(flat: network.Floats) -> network.Floats:
    out = np.zeros_like(flat)
    layers = network.layers(flat, WIDTHS)
    iterations = [lipschitz.PowerIteration.exact(layer.weights) for layer in layers]
    lipschitz.log_lipschitz_gradient(layers, iterations, network.layers(out, WIDTHS))
    return out


def aux_loss(flat: network.Floats) -> float:
    return lipschitz.log_lipschitz_bound(network.layers(flat, WIDTHS))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("loss", "gradient"), [(main_loss, main_gradient), (aux_loss, aux_gradient)]
)
def test_gradients_agree_with_central_differences(loss, gradient, seed: int) -> None:
    """Halving h leaves a quarter of the truncation error: a third of what the quotient moved by."""
    flat, _ = small_network(seed)
    way = np.random.default_rng(seed + 100).standard_normal(flat.size)
    h = 2.0**-17
    coarse, fine = ((loss(flat + k * way) - loss(flat - k * way)) / (2 * k) for k in (h, h / 2))
    terms = 64 * max(WIDTHS) * sum(WIDTHS)  # products behind one loss, each rounded once
    rounding = 4 * terms * UNIT * (1 + abs(loss(flat))) / h
    assert abs(fine - gradient(flat) @ way) <= abs(coarse - fine) + rounding


def test_power_iteration_started_at_the_answer_stays_there() -> None:
    matrix = np.random.default_rng(0).standard_normal((7, 5))
    left, norm, right = lipschitz.PowerIteration.exact(matrix)(matrix)
    largest = np.linalg.svd(matrix)[1][0]
    assert abs(norm - largest) <= 50 * UNIT * largest
    assert abs(left @ matrix @ right - norm) <= 50 * UNIT * largest


def test_power_iteration_follows_from_anywhere() -> None:
    """On diag(2, 1) the tangent to the leading vector shrinks by 4 with every call."""
    iteration = lipschitz.PowerIteration(np.array([1.0, 1.0]) / np.sqrt(2.0))
    for call in range(1, 12):
        _, norm, right = iteration(np.diag([2.0, 1.0]))
        assert abs(right[1] / right[0] - 4.0**-call) <= 8 * call * UNIT
        assert 1 <= norm <= 2 * (1 + 8 * UNIT)


def test_a_run_depends_on_its_seed_alone() -> None:
    first, again = train(Run("bloop", 0.1, 0, 1)), train(Run("bloop", 0.1, 0, 1))
    assert first == again
    assert train(Run("bloop", 0.1, 1, 1)).train_loss != first.train_loss


def test_processes_give_what_one_process_gives() -> None:
    runs = grid([0.1], seeds=1, epochs=1)
    several = sorted(train_all(runs, jobs=2), key=lambda result: runs.index(result.run))
    assert several == list(train_all(runs, jobs=1))


def made_up(times: float) -> list[Result]:
    """Fronts that are straight lines, Bloop's loss lower by a factor."""
    return [
        Result(
            Run(method, lam, seed, 60),
            train_loss=np.exp(-x) / (times if method == "bloop" else 1.0),
            test_accuracy=0.9,
            log_lipschitz_bound=x,
        )
        for method in METHODS
        for seed in range(2)
        for lam, x in ((0.1, 2.0), (1.0, 1.0))
    ]


def test_the_comparison_interpolates_the_logarithm_of_the_loss() -> None:
    comparison = compare(made_up(3.0))
    assert comparison is not None
    assert comparison.bound == 1.5
    assert abs(comparison.times_bloop(comparison.runner_up) - 3.0) <= 64 * UNIT
    assert "bound of 1.50: Bloop 0.0744, mixed training 0.2231" in finding(made_up(3.0))


def test_fronts_without_a_common_bound_are_not_compared() -> None:
    apart = [
        replace(r, log_lipschitz_bound=r.log_lipschitz_bound + 9 * (r.run.method == "bloop"))
        for r in made_up(1.0)
    ]
    assert compare(apart) is None
    assert "cannot be compared" in finding(apart)
    assert matplotlib.image.imread(io.BytesIO(plot(apart))).shape[:2] == (825, 1200)


def test_the_plot_is_a_picture_of_the_results() -> None:
    picture = matplotlib.image.imread(io.BytesIO(plot(made_up(3.0))))
    assert picture.shape[:2] == (825, 1200)
    assert plot(made_up(3.0)) != plot(made_up(2.0))


def test_the_picture_says_nothing_that_another_run_could_falsify() -> None:
    drawings = [plot(made_up(times), "svg").decode() for times in (1.0, 3.0)]
    titles = [set(re.findall(r"<!-- (Train loss .*) -->", drawing)) for drawing in drawings]
    assert titles == [{TITLE}, {TITLE}]
    assert not any(word in drawing for drawing in drawings for word in ("lower", "higher"))


def test_a_single_seed_has_no_deviation() -> None:
    console = Console(width=120)
    for results, marks in ((made_up(2.0), True), (made_up(2.0)[:2], False)):
        with console.capture() as printed:
            console.print(table(results))
        assert ("±" in printed.get()) == marks


@pytest.mark.slow
def test_the_command_writes_the_plot_and_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, records = tmp_path / "p.png", tmp_path / "r.json"
    files = ["--out", str(out), "--json", str(records)]
    assert main(["demo", "--quick", "--epochs", "1", "--jobs", "1", *files]) == 0
    found = json.loads(records.read_text())
    assert {record["run"]["method"] for record in found} == set(METHODS)
    assert all(np.isfinite(record["train_loss"]) for record in found)
    assert matplotlib.image.imread(out).shape[:2] == (825, 1200)
    assert "Train loss at a log Lipschitz bound" in " ".join(capsys.readouterr().out.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.png", "r.json"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--epochs", "0"], "--epochs must be at least 1; found 0"),
        (["--seeds", "-1"], "--seeds must be at least 1; found -1"),
        (["--jobs", "0"], "--jobs must be at least 1; found 0"),
        (["--out", "{folder}/no/p.png"], "must lie in a folder that exists"),
        (["--json", "{folder}"], "must be a file; found a folder"),
        (["--out", "{folder}/p.gif"], "must end in one of .svg, .pdf, .png"),
    ],
)
def test_a_wrong_option_is_one_line_and_2(
    options: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *(option.format(folder=tmp_path) for option in options)]) == 2
    captured = capsys.readouterr()
    assert line in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_grid_covers_every_method_and_lam() -> None:
    runs = grid(LAMS, seeds=2, epochs=3)
    assert len(set(runs)) == len(METHODS) * len(LAMS) * 2
