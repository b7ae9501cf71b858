"""Print the catalogue of laws as the page docs/laws.md: ``python -m bloop_proofs.laws``."""

import re
from collections.abc import Iterable

from bloop_proofs.law import Law
from bloop_proofs.methods import LAWS, METHODS

HEAD = """# The laws

The laws of Bloop come first, then those of [the methods beside it](#the-methods-beside-bloop).

What every right implementation of Bloop obeys, in the order in which `bloop-ref verify` tries it.
`e` is the EMA of the main gradients before the step, `d` the direction, `pi(u; v)` the part of `u`
orthogonal to `v`. Equation and section numbers are those of Hsieh et al., ICML 2024, arXiv
2402.02998v2. A step may refuse what stands under *may refuse*, by a `TypeError` or a
`NotImplementedError`; the law is skipped then, with the reason. Inside a
[declared domain](verify.md#a-declared-domain) it may refuse nothing.

This page is written by `python -m bloop_proofs.laws`; a test holds it to the code.
"""

METHODS_HEAD = """## The methods beside Bloop

What every right implementation of a method obeys (`--method NAME`). `m` or `g_0` is the main
gradient, `a` or `a_k` are the auxiliary ones, `d` is the direction; `n` are norms, and `pi(u; v)`
is the part of `u` orthogonal to `v`. How a step is called stands under each title.
"""

GROUPS = {
    "paper": "What the equations say (`--laws paper`)",
    "numerics": "What arithmetic and memory must not spoil (`--laws numerics`)",
}


def page() -> str:
    """Return the page."""
    bloop = [
        _section(f"## {title}", [law for law in LAWS if law.group == group])
        for group, title in GROUPS.items()
    ]
    beside = [
        _section(f"### {name}\n\n    {method.signature.call}", method.laws)
        for name, method in METHODS.items()
        if name != "bloop"
    ]
    return "\n".join([HEAD, *bloop, METHODS_HEAD, *beside])


def _section(title: str, laws: Iterable[Law]) -> str:
    rows = [
        f"| `{law.name}` | {_cell(law.equation)} | {_cell(law.statement)} | {law.may_refuse} |"
        for law in laws
    ]
    header = ["| law | where | statement | may refuse |", "|---|---|---|---|"]
    return "\n".join([title, "", *header, *rows, ""])


def _cell(text: str) -> str:
    """Return a statement as a cell of a Markdown table, with signs that Markdown leaves alone."""
    for plain, sign in (("||", "‖"), ("<=", "≤"), (">=", "≥"), ("``", "`"), ("|", "\\|")):
        text = text.replace(plain, sign)
    return re.sub(r"<([^<>]*)>", r"⟨\1⟩", text)


if __name__ == "__main__":
    print(page(), end="")
