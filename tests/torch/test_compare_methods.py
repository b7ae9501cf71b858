"""The example that compares methods: every one of them in one loop, drawn so that all can read."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from matplotlib.colors import to_rgb

from tests.torch.test_examples import load

SIGNATURES = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return load("compare_methods")


@pytest.fixture(scope="module")
def quick(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What ``--quick`` leaves: the picture, and the results."""
    folder = tmp_path_factory.mktemp("quick")
    paths = folder / "fronts.svg", folder / "runs.json"
    example.main(["--quick", "--out", str(paths[0]), "--json", str(paths[1])])
    return paths[0].read_bytes(), json.loads(paths[1].read_text())


@pytest.fixture(scope="module")
def figure(example: ModuleType, quick: Any) -> Any:
    return example.draw([example.Result(**run) for run in quick[1]], 40)


def test_every_method_is_trained_and_looked_at(example: ModuleType, quick: Any) -> None:
    _, runs = quick
    names = [run["method"] for run in runs]
    assert names == [*(n for n in example.WEIGHED for _ in range(2)), *example.OTHERS]
    for run in runs:
        assert {"norm_main", "norm_aux", "cos_main_aux"} <= run["last"].keys()
        assert 0 < run["main"] < 3
        assert 0 < run["aux"] < 3


def test_weights_tell(quick: Any) -> None:
    """A larger weight leaves a lower auxiliary loss, whatever the method."""
    _, runs = quick
    for low, high in zip(runs[:8:2], runs[1:8:2], strict=True):
        assert low["method"] == high["method"]
        assert low["lam"] < high["lam"]
        assert low["aux"] > high["aux"]


@pytest.mark.parametrize("ending", SIGNATURES)
def test_the_ending_says_the_format(ending: str, figure: Any, tmp_path: Path) -> None:
    path = tmp_path / f"fronts{ending}"
    figure.savefig(path)
    assert path.read_bytes().startswith(SIGNATURES[ending])


def test_every_line_can_be_told_from_the_others(example: ModuleType, figure: Any) -> None:
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(example.STYLES)
    lines = [line for line in axes.lines if line.get_label() in example.STYLES]
    assert len({line.get_marker() for line in lines}) == len(lines)  # in grey as well
    fronts = [line for line in lines if line.get_label() in example.WEIGHED]
    assert len({line.get_linestyle() for line in fronts}) == len(fronts)
    assert len({to_rgb(line.get_color()) for line in fronts}) == len(fronts)
    assert not any(name in axes.get_title(loc="left") for name in example.STYLES)


@pytest.mark.parametrize(
    ("name", "message"),
    [("fronts.docx", r"must end in .png, .svg, .pdf; found fronts.docx"), ("no/f.png", "a folder")],
)
def test_a_bad_path_is_refused_before_anything_is_trained(
    name: str, message: str, example: ModuleType, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(example, "train", None)
    with pytest.raises(SystemExit):
        example.main(["--out", str(tmp_path / name)])
    assert message in capsys.readouterr().err
