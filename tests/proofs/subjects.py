"""Subjects that the tests of the front ends judge: right ones of the guides, and wrong ones."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bloop_proofs import load
from bloop_proofs.subject import Step

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
FILES = {"numpy": "my_bloop.py", "torch": "my_bloop_torch.py", "jax": "my_bloop_jax.py"}

HERE = ("verify", "--in-process")
"""``bloop-ref verify`` without a process apart, which takes a second to start."""

LATEST: list[Any] = []


def example(framework: str) -> Step:
    """The right step that the guide shows for a framework."""
    return load(f"{EXAMPLES / FILES[framework]}:step")


def forgets_the_projection(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    """Mixed training, in any framework."""
    direction = [g + lam * a for g, a in zip(g_main, g_aux, strict=True)]
    return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema, strict=True)]


def breaks_every_law(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
    """Noise in the wrong dtype, over the inputs, and over what the last step returned."""
    for leaf in (*g_main, *g_aux, *ema, *LATEST):
        leaf[...] = 3.0
    noise = np.random.default_rng()
    direction, new_ema = (
        [np.array(x + noise.uniform(1, 2), np.promote_types(x.dtype, np.longdouble)) for x in like]
        for like in (g_main, ema)
    )
    LATEST[:] = [*direction, *new_ema]
    return direction, new_ema


def changed(change: Callable[[Any, Any], Any]) -> Step:
    """The right NumPy step with something done to what it returns."""
    right = example("numpy")

    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        return change(*right(g_main, g_aux, ema, lam=lam, rho=rho))

    return step


def error_of(program: str, *, cwd: Path) -> str:
    """Run a program away from this process; return the last line of what it complains."""
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", program],
        cwd=cwd,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proofs")])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, program + done.stderr
    return done.stderr.splitlines()[-1]
