"""The guides' blocks of Python run as they are printed, each by itself."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"jax": ("jax", "optax"), "numpy": ("dask.array",)}
"""The pages that are held to it, and what they need installed."""


@pytest.mark.parametrize("page", PAGES)
def test_blocks_run_as_printed(page: str) -> None:
    for package in PAGES[page]:
        pytest.importorskip(package, reason=f"{package} is not installed")
    file = DOCS / f"{page}.md"
    text = file.read_text()
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert blocks
    for block in blocks:
        # lines are counted as in the page
        code = "\n" * text.count("\n", 0, block.start(1)) + block.group(1)
        exec(compile(code, str(file), "exec"), {"__name__": "__main__"})
