"""Print the catalogue of laws as the page docs/laws.md: ``python -m bloop_proofs.laws``."""

import re

from bloop_proofs.laws import LAWS

HEAD = """# The laws

What every right implementation of Bloop obeys, in the order in which `bloop-ref verify` tries it.
`e` is the EMA of the main gradients before the step, `d` the direction, `pi(u; v)` the part of `u`
orthogonal to `v`. Equation and section numbers are those of Hsieh et al., ICML 2024, arXiv
2402.02998v2. A step may refuse what stands under *may refuse*, by a `TypeError` or a
`NotImplementedError`; the law is skipped then, with the reason.

This page is written by `python -m bloop_proofs.laws`; a test holds it to the code.
"""

GROUPS = {
    "paper": "What the equations say (`--laws paper`)",
    "numerics": "What arithmetic and memory must not spoil (`--laws numerics`)",
}


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(_section(group, title) for group, title in GROUPS.items())])


def _section(group: str, title: str) -> str:
    rows = [
        f"| `{law.name}` | {law.equation} | {_cell(law.statement)} | {law.may_refuse} |"
        for law in LAWS
        if law.group == group
    ]
    header = ["| law | where | statement | may refuse |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", *header, *rows, ""])


def _cell(text: str) -> str:
    """Return a statement as a cell of a Markdown table, with signs that Markdown leaves alone."""
    for plain, sign in (("||", "‖"), ("<=", "≤"), (">=", "≥"), ("``", "`"), ("|", "\\|")):
        text = text.replace(plain, sign)
    return re.sub(r"<([^<>]*)>", r"⟨\1⟩", text)


if __name__ == "__main__":
    print(page(), end="")
