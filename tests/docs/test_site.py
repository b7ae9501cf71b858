"""The site builds without a warning, finds what is looked for, and has every public name."""

import html
import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sphinx.util.inventory import InventoryFile

from tests.docs.pages import DOCS, ROOT, blocks

pytestmark = pytest.mark.slow

PACKAGES = {
    "bloop_ref": "bloop_ref",
    "bloop_ref.surgery": "surgery",
    "bloop_ref.ire": "ire",
    "bloop_numpy": "bloop_numpy",
    "bloop_torch": "bloop_torch",
    "bloop_jax": "bloop_jax",
    "bloop_cupy": "bloop_cupy",
    "bloop_proofs": "bloop_proofs",
}
"""The packages, and the page of each below ``api``."""
SEARCHED = ["PCGrad", "FSDP", "rho", "Trainer"]


def text(page: Path) -> str:
    """What a page shows, all white space single."""
    body = page.read_text().partition("<article")[2].partition("</article>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", body)).split())


def module(name: str) -> ModuleType:
    pytest.importorskip(name.partition(".")[0], reason=f"{name} is not installed")
    return importlib.import_module(name)


def test_packages_are_those_of_the_wheel() -> None:
    there = {path.parent.name for path in ROOT.glob("[bp][ar]*/*/__init__.py")}
    assert {name for name in PACKAGES if "." not in name} == there | {"bloop_ref"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package: str, site: Path) -> None:
    pytest.importorskip("cupy", reason="cupy is not installed")
    page = text(site / "api" / f"{PACKAGES[package]}.html")
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    documented = {
        name for kind, entries in inventory.data.items() if kind[:3] == "py:" for name in entries
    }
    here = module(package)
    for name in here.__all__:
        value = getattr(here, name)
        homes = [p for p in PACKAGES if getattr(module(p), name, None) is value]
        if inspect.ismodule(value):
            assert value.__name__ in documented
        else:
            assert any(f"{home}.{name}" in documented for home in homes), name
        assert re.search(rf"\b{name}\b", page), name


def test_docstrings_are_shown_as_they_are(site: Path) -> None:
    page = text(site / "api" / "bloop_ref.html")
    for expected in (
        "So <d - g_main, ema> = 0; and with ema = g_main (the full batch, eq. 3) <d, g_main> = ||",
        "direction, state = bloop.step([g_main, g_aux], state)",
        "the weight of the auxiliary loss, >= 0: a number, a scalar array, or a function of the",
    ):
        assert expected in page
    assert "state = method.init(gradient_of_any_loss, losses=2) direction" in text(
        site / "api" / "surgery.html"
    )


@pytest.mark.parametrize("word", SEARCHED)
def test_the_search_finds(word: str, site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    known: dict[str, Any] = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    found = {term for kind in ("terms", "titleterms") for term in known[kind]}
    # the page's search takes a word for the beginning of a term
    assert any(term.startswith(word.lower()) for term in found)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"(?:https?:)?//[^>]*>")
    styles = re.compile(r"(?:@import|url\()\s*[\"']?https?:[^)]*")
    assert fetched.search('<script async src="https://cdn.example.com/x.js"></script>')
    assert styles.search('@import url("https://fonts.example.com/x.css")')
    for pattern, ending in ((fetched, "*.html"), (styles, "*.css")):
        found = {hit for page in site.rglob(ending) for hit in pattern.findall(page.read_text())}
        assert found == set()


def test_formulas_are_written_out(site: Path) -> None:
    assert (site / "theory.html").read_text().count("<math") > 300
    for page in site.rglob("*.html"):
        assert "\\frac" not in text(page)


def test_the_pieces_of_the_source_are_those_of_the_source(site: Path) -> None:
    shown = text(site / "sixty-lines.html")
    pieces = [
        b for b in blocks(DOCS / "sixty-lines.md") if b.language.startswith("{literalinclude}")
    ]
    named = re.findall(r"^:pyobject: ([\w.]+)$", "".join(p.text for p in pieces), re.MULTILINE)
    essential = ["direction_row", "ema_row", "Bloop.pairs", "Bloop.weights", "Bloop.memory"]
    assert [name for name in named if name in essential] == essential
    symbols = [
        re.search(r"^:pyobject: ([\w.]+)$", piece.text, flags=re.MULTILINE) for piece in pieces
    ]
    for piece, symbol in zip(pieces, symbols, strict=True):
        file = (DOCS / piece.language.partition("} ")[2]).resolve()
        value: Any = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        for part in symbol[1].split(".") if symbol else []:
            value = getattr(value, part)
        lines = inspect.getsource(inspect.unwrap(value)).split("\n")
        start = re.search(r"^:start-at: (.*)$", piece.text, flags=re.MULTILINE)
        first = next(line for line in lines if (start[1] if start else "def ") in line)
        assert " ".join(first.split()) in shown
        if symbol and not start:
            assert " ".join(" ".join(lines).split()) in shown
