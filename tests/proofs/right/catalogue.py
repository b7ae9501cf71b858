"""All right implementations by name, and how to get one."""

import pytest

from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.methods import BLOOP
from bloop_proofs.subject import Step, Subject
from tests.proofs.right.flattened import FLATTENED
from tests.proofs.right.leafwise import LEAFWISE
from tests.proofs.right.libraries import JAX, REFERENCE, TORCH

ON_NUMPY: dict[str, Step] = {**LEAFWISE, **FLATTENED, **REFERENCE}
RIGHT = {
    **dict.fromkeys(ON_NUMPY, "numpy"),
    **dict.fromkeys(TORCH, "torch"),
    **dict.fromkeys(JAX, "jax"),
}
"""The names of the implementations, and their frameworks."""


def subject(name: str) -> Subject:
    """Return an implementation; the calling test is skipped where its framework is missing."""
    framework = FRAMEWORKS[RIGHT[name]]
    pytest.importorskip(framework.module, reason=f"{framework.name} is not installed")
    step = ON_NUMPY[name] if name in ON_NUMPY else {**TORCH, **JAX}[name]()
    return Subject(step, framework, BLOOP.signature)
