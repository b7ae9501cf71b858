"""Every link of README.md and docs leads somewhere; those to other hosts are well formed."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, name, targets


def broken(page: Path, target: str) -> str:
    """Return what is wrong with a link, or nothing."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        well_formed = parts.scheme == "https" and "." in parts.netloc and " " not in target
        return "" if well_formed else "not the address of a page"
    goal = (page.parent / parts.path).resolve() if parts.path else page
    if not goal.is_relative_to(ROOT) or not goal.exists():
        return "no such file"
    if parts.fragment and (goal.suffix != ".md" or parts.fragment not in anchors(goal)):
        return "no such heading"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    found = {target: broken(page, target) for target in targets(page)}
    assert {target: why for target, why in found.items() if why} == {}


def test_the_checker_tells(tmp_path: Path) -> None:
    page = ROOT / "docs" / "theory.md"
    wrong = ["nowhere.md", "methods.md#nowhere", "#nowhere", "images/demo.png#x", "../../x.md"]
    assert all(broken(page, target) for target in [*wrong, "http://example.com", "https://x y.z"])
    right = ["methods.md", "methods.md#the-table", "#5-section-33", "https://example.com/a#b"]
    assert not any(broken(page, target) for target in right)
    assert targets(page)
