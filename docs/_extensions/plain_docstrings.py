"""Docstrings are plain text with Google's sections; here they become reStructuredText.

In plain text ``||v||``, ``g_`` and ``*`` stand for themselves; and an indented
paragraph is shown as it stands.
"""

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.typing import ExtensionMetadata

SECTIONS = {"Args:", "Attributes:", "Example:", "Examples:", "Raises:", "Returns:", "Yields:"}
LITERAL = re.compile(r"(``.*?``|:\w+:`[^`]*`|(?<![\w*])\*(?=[^\s*])[^*]*[^\s*]\*(?![\w*]))")
MARKUP = re.compile(r"([\\|*`]|_(?!\w))")


def escaped(line: str) -> str:
    """Return a line of text whose only markup is code, roles, and *emphasis*."""
    parts = LITERAL.split(line)
    return "".join(x if k % 2 else MARKUP.sub(r"\\\1", x) for k, x in enumerate(parts))


def indent(line: str) -> int:
    """Return how far a line is indented."""
    return len(line) - len(line.lstrip())


def converted(lines: list[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText."""
    found: list[str] = []
    base, shown, session = 0, False, False
    for k, line in enumerate(lines):
        before = lines[k - 1].strip() if k else ""
        if not line.strip():
            session = False
        elif shown and indent(line) > base:
            pass
        elif session or line.lstrip().startswith(">>>"):
            shown, session = False, True
        elif k and not before and indent(line) > base and found:
            found += ["::", ""]
            shown = True
        else:
            shown = False
            is_heading = line.strip() in SECTIONS
            base = indent(line) + 4 if is_heading else min(base, indent(line)) if base else 0
            line = line if is_heading else escaped(line)
        found.append(line)
    return found


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Convert a docstring in place, its sections by napoleon."""
    # of an attribute napoleon would take what stands before a colon for its type
    kind: Any = "object" if what in ("attribute", "data", "property") else what
    lines[:] = GoogleDocstring(converted(lines), None, None, kind, name, obj, options).lines()


def skip(app: Sphinx, what: str, name: str, obj: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what ``typing.NamedTuple`` says of fields, which the class documents itself."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field") else None


def setup(app: Sphinx) -> ExtensionMetadata:
    """Listen to autodoc."""
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
