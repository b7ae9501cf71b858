"""How the site is built; CONTRIBUTING.md has the command."""

import importlib.util
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
# the sources of this tree, not an installed copy
sys.path[:0] = [
    str(DOCS / "_extensions"),
    *(str(ROOT / x) for x in ("", "backends", "proofs", "reproduction")),
]

project = "bloop-ref"
author = "The bloop-ref authors"
version = (ROOT / "bloop_ref" / "__init__.py").read_text().split('__version__ = "')[1].split('"')[0]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "plain_docstrings",
    "mathml",
]
exclude_patterns = ["_build", "_extensions"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_mock_imports = ["cupy"] if importlib.util.find_spec("cupy") is None else []
add_module_names = False
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "bloop-ref"
html_static_path = ["_static"]
html_css_files = ["bloop.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_copyright = False
html_math_renderer = "mathml"
