"""Write the golden vectors that are shipped: ``python -m tests.golden``."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from bloop_proofs.vectors import plain
from bloop_proofs.vectors.model import FORMAT, Golden
from tests.golden import beside, bloop
from tests.golden.encoding import document

HERE = Path(__file__).parents[2] / "proofs" / "bloop_proofs" / "vectors" / "v1"


def text(goldens: Iterable[Golden]) -> str:
    """Return golden vectors as plain text."""
    return "\n".join([f"format {FORMAT}", *map(plain.block, goldens)]) + "\n"


def contents() -> Iterator[tuple[str, str]]:
    """Yield the names and contents of the files."""
    for name, goldens in (("bloop", bloop()), ("methods", beside())):
        yield f"{name}-vectors.json", document(goldens)
        yield f"{name}-vectors.txt", text(goldens)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for name, content in contents():
        (HERE / name).write_text(content, encoding="utf-8", newline="\n")
        print(HERE / name, len(content))
