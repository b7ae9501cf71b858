"""The tutorial: its blocks run as printed, and give its table and its picture."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.image
import pytest
import torch

from tests.docs.pages import DOCS, blocks

pytestmark = pytest.mark.slow
PAGE = DOCS / "tutorial.md"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the blocks print, and the folder that they are run in."""
    folder, output, scope = tmp_path_factory.mktemp("tutorial"), io.StringIO(), dict[str, Any]()
    mpl.use("agg")
    threads = torch.get_num_threads()
    with contextlib.chdir(folder), contextlib.redirect_stdout(output), torch.random.fork_rng():
        torch.set_num_threads(1)  # other tests run beside this one
        for block in blocks(PAGE):
            if block.language == "python":
                exec(compile("\n" * block.line + block.text, str(PAGE), "exec"), scope)
    torch.set_num_threads(threads)
    return output.getvalue(), folder


def rows(text: str) -> list[tuple[str, float, float]]:
    """The method, main and auxiliary loss of every line of the table."""
    found = re.findall(r"^(\w[\w ]+?) +lam \S+ +main (\S+) +aux +(\S+) ", text, flags=re.MULTILINE)
    return [(name, float(main), float(aux)) for name, main, aux in found]


def test_the_picture_is_the_one_that_is_shown(printed: tuple[str, Path]) -> None:
    made, shown = (
        matplotlib.image.imread(folder / file)
        for folder, file in ((printed[1], "tutorial.png"), (DOCS / "images", "tutorial.png"))
    )
    assert made.shape == shown.shape


def test_the_table_says_what_the_page_does(printed: tuple[str, Path]) -> None:
    (shown,) = [block.text for block in blocks(PAGE) if block.language == "text"]
    for table in (rows(shown), rows(printed[0])):
        mixed = [row[1:] for row in table if row[0] == "mixed training"]
        bloop = [row[1:] for row in table if row[0] == "Bloop"]
        assert len(mixed) == len(bloop) == 4
        assert [main for main, _ in mixed] == sorted(main for main, _ in mixed)
        # with the largest lam Bloop has less of both losses than with the least
        assert all(last < first for first, last in zip(bloop[0], bloop[-1], strict=True))
        # and less of both than mixed training at some lam: its curve lies below
        assert any(m > bloop[-1][0] and a > bloop[-1][1] for m, a in mixed)


def test_the_page_says_what_the_table_shows(printed: tuple[str, Path]) -> None:
    assert re.search(r"cos\(aux, average\) -0\.\d\d, lam k -\d\.\d\d", printed[0])
