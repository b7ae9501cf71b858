"""The pages of docs/reproduction against the recorded runs."""

import pytest

from bloop_reproduction.claims import NAMES, load, stem
from bloop_reproduction.pages import pages
from bloop_reproduction.results import Results
from bloop_reproduction.revision import revision
from tests.docs.pages import DOCS

FOLDER = DOCS / "reproduction"
MOST_BYTES = 150_000
"""A figure that is looked at in a page."""


@pytest.fixture(scope="module")
def results() -> Results:
    return Results(FOLDER / "results.json")


def test_the_pages_are_made_of_the_recorded_runs(results: Results) -> None:
    found = pages(FOLDER)
    assert [page.path.stem for page in found] == ["index", *map(stem, NAMES)]
    assert [page.path.name for page in found if page.text(results) != page.path.read_text()] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_claim_is_recorded_by_the_code_that_is_here(name: str, results: Results) -> None:
    """Otherwise run it again: docs/reproduction/index.md has the command."""
    claim = load(name)
    records = results.of(name, claim.settings(False))
    assert all(record and record.revision == revision(claim.measure) for record in records)
    seeds = {
        record.row.setting["seed"] for record in records if record and "seed" in record.row.setting
    }
    assert len(seeds) >= 5 or not seeds


@pytest.mark.parametrize("name", NAMES)
def test_a_claim_has_a_figure_that_is_no_larger_than_a_page_should_have(name: str) -> None:
    figure = FOLDER / "images" / f"{stem(name)}.svg"
    assert figure.read_bytes()[:5] == b"<?xml"
    assert figure.stat().st_size <= MOST_BYTES
    assert f"images/{stem(name)}.svg" in (FOLDER / f"{stem(name)}.md").read_text()
