"""Formulas as MathML, written when the site is built: nothing to fetch, and no script to run."""

import re
from typing import Literal

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

# what the converter takes for something else, or sets letter by letter
REWRITTEN = {
    r"(\\[bB]igg?)\\\|": r"\1‖",
    r"\\tag\{(.*?)\}": r"\\qquad\\text{(\1)}",
    r"\\mathrm\{(\w\w+)\}": r"\\text{\1}",
}


def converted(formula: str, display: Literal["inline", "block"]) -> str:
    """Return a formula in MathML."""
    for pattern, replacement in REWRITTEN.items():
        formula = re.sub(pattern, replacement, formula)
    return convert(formula, display=display)


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula that stands in a line."""
    translator.body.append(converted(node.astext(), "inline"))
    raise nodes.SkipNode


def display(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula that has lines of its own, in a box that scrolls where the page is narrow."""
    formula = converted(node.astext(), "block")
    translator.body.append(f'<div class="formula">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
