"""The golden vectors themselves, which are shipped as files."""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

from bloop_proofs.vectors import decoding
from bloop_proofs.vectors.model import FORMAT, Golden

FILES = (
    "bloop-vectors.json",
    "bloop-vectors.txt",
    "methods-vectors.json",
    "methods-vectors.txt",
    "vectors.schema.json",
)
"""Bloop's vectors and those of the methods beside it, each in two forms, and the JSON Schema."""


def shipped(name: str) -> str:
    """Return the text of one of the files."""
    folder = resources.files("bloop_proofs.vectors") / f"v{FORMAT}"
    return (folder / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def golden() -> tuple[Golden, ...]:
    """Return the golden vectors of all methods, dtypes and groups, Bloop's first.

    Example:
        >>> first = golden()[0]
        >>> first.id, first.outputs["direction"].tolist()
        ('steps-worked-float64', [[2.5, 3.0]])
        >>> first.comment, first.flags
        ('Can be followed on paper.', ())
    """
    return tuple(
        case
        for name in FILES
        if name.endswith("-vectors.json")
        for case in decoding.goldens(shipped(name))
    )


@lru_cache(maxsize=1)
def notes() -> Mapping[str, Mapping[str, str]]:
    """Return, for every flag, the ``bug`` that a vector finds, its ``effect`` and its ``mend``."""
    found: dict[str, Mapping[str, str]] = {}
    for name in FILES:
        if name.endswith("-vectors.json"):
            found |= json.loads(shipped(name))["notes"]
    return found
