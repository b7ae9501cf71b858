"""The files of figures."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from bloop_reproduction.figures import (
    FORMATS,
    METHODS,
    SERIES,
    band,
    form_of,
    front,
    picture,
    plain_log,
)

FIRST = {"svg": b"<?xml", "pdf": b"%PDF-", "png": b"\x89PNG\r"}


def drawing(figure: Figure) -> None:
    axes = figure.subplots()
    band(axes, [1, 2], [[1.0, 3.0], [3.0, 5.0]], SERIES[0], label="band")
    front(axes, [[[1, 1], [2, 4]], [[1, 3], [2, 4]]], METHODS["mixed"], label="front")
    plain_log(axes)
    axes.legend()


@pytest.mark.parametrize("form", FORMATS)
def test_a_figure_is_a_file_of_its_format_and_always_the_same(form: str) -> None:
    found = picture(drawing, (2.0, 2.0), form)
    assert found[:5] == FIRST[form]
    assert picture(drawing, (2.0, 2.0), form) == found


def test_lines_go_through_means_and_bands_over_all_seeds() -> None:
    figure = Figure()
    drawing(figure)
    (axes,) = figure.axes
    through_band, through_front = (np.asarray(line.get_ydata()) for line in axes.lines)
    assert list(through_band) == [2, 4]
    assert list(through_front) == [2, 4]
    corners = np.asarray(axes.collections[0].get_paths()[0].vertices)
    assert (corners[:, 1].min(), corners[:, 1].max()) == (1, 5)


def test_no_two_looks_differ_by_colour_alone() -> None:
    for key in ("color", "marker", "linestyle"):
        assert len({look[key] for look in SERIES}) == len(SERIES)


@pytest.mark.parametrize(
    ("name", "line"), [("x.gif", "must end in one of .svg, .pdf, .png"), ("no/x.svg", "a folder")]
)
def test_a_file_that_cannot_be_is_refused(name: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=line):
        form_of(tmp_path / name)
