"""The look at the site in a browser sees what people would see."""

import shutil
from pathlib import Path

import pytest

from tests.docs.look import CHROMIUM, look, served

pytestmark = pytest.mark.slow

PAGE = """<article><img src="no.png"><p style="white-space:nowrap">{}</p></article>
<script>console.error("bad"); null.x</script>"""


def test_errors_missing_images_and_what_is_too_wide_are_told(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        pytest.skip("there is no Chromium")
    (tmp_path / "page.html").write_text(PAGE.format("wide " * 200))
    with served(tmp_path) as address:
        errors = look(browser, address, tmp_path, "page.html", 375)
    assert errors[0] == "bad"
    assert errors[1].startswith("Uncaught TypeError")
    assert errors[2] == "no image no.png"
    assert errors[3].startswith("too wide: P wide wide")
