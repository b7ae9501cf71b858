"""The pages of the documentation and what stands in them."""

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts),
]


class Block(NamedTuple):
    """A fenced block: the name of its page, its line there, its language and its text."""

    page: str
    line: int
    language: str
    text: str


def name(page: Path) -> str:
    """The path of a page below the root."""
    return page.relative_to(ROOT).as_posix()


def tokens(page: Path) -> list[Token]:
    """The Markdown of a page."""
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order; directives have a language in braces."""
    return [
        Block(name(page), token.map[0] + 1, token.info.strip(), token.content)
        for token in tokens(page)
        if token.type == "fence" and token.map
    ]


def targets(page: Path) -> list[str]:
    """Where the links and images of a page lead."""
    inline = [child for token in tokens(page) for child in token.children or []]
    found = [child.attrGet("href") or child.attrGet("src") for child in inline]
    return [str(target) for target in found if target is not None]


def anchors(page: Path) -> set[str]:
    """The names that a forge, and the site, give to the headings of a page."""
    every = tokens(page)
    titles = [
        "".join(child.content for child in text.children or [])
        for heading, text in pairwise(every)
        if heading.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
