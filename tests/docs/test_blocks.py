"""Every code block of README.md and docs runs as printed, here or in another test."""

import contextlib
import doctest
import io
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, Block, blocks, name

pytestmark = pytest.mark.slow

BEFORE = {
    "docs/architecture.md": "",
    "docs/choosing.md": "",
    "docs/index.md": "",
    "docs/ire.md": """
        import jax, jax.numpy as jnp, optax, torch
        import bloop_jax
        from torch.nn.functional import cross_entropy
        batches = [jnp.array([1.0, 2.0])] * 3
        params = jnp.ones(2)
        fisher_gradient = lambda p, batch: p * batch
        base_step = lambda p, batch: p - 0.1 * batch
        model = torch.nn.Linear(2, 3)
        loader = [(torch.ones(4, 2), torch.zeros(4, dtype=torch.int64))] * 3
        grads, drawn_loss = jnp.ones(2), lambda p: (p**2).sum()
        """,
    "docs/methods.md": "",
    "docs/sixty-lines.md": "",
    "docs/when.md": "",
}
"""Pages whose blocks run here one after another, as in a session, and what their reader has."""
RUN_ELSEWHERE = {
    "docs/verify.md": "tests/proofs/test_guide.py",
    "docs/vectors.md": "tests/proofs/test_vectors_in_c.py",
    "docs/tutorial.md": "tests/docs/test_tutorial.py",
    "docs/jax.md": "tests/test_docs_blocks.py",
    "docs/numpy.md": "tests/test_docs_blocks.py",
    "docs/torch.md": "tests/torch/test_guide.py",
    "README.md": "test_what_the_diffs_of_the_readme_make below",
}
CODE = {"python", "pycon", "diff", "py"}

LOOPS = {
    "PyTorch": """
        import torch
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loader = [(torch.ones(4, 2), torch.zeros(4, 1))] * 3
        def losses(model, x, y):
            return ((model(x) - y) ** 2).mean(), model.weight.abs().sum()
        result = lambda: [p.detach().tolist() for p in model.parameters()]
        torch.nn.init.constant_(model.weight, 0.5)
        torch.nn.init.constant_(model.bias, 0.5)
        """,
    "JAX": """
        import jax, jax.numpy as jnp, optax
        params, batches = jnp.ones(2), [jnp.array([1.0, 2.0])] * 3
        main_loss = lambda p, batch: ((p * batch).sum() - 1) ** 2
        aux_loss = lambda p, batch: (p**2).sum()
        mixed_loss = lambda p, batch: main_loss(p, batch) + 0.3 * aux_loss(p, batch)
        result = lambda: params.tolist()
        """,
    "NumPy": """
        import numpy as np
        params, batches = [np.ones(2)], [np.array([1.0, 2.0])] * 3
        gradients = lambda p, batch: ([2 * (p[0] @ batch - 1) * batch], [2 * p[0]])
        result = lambda: [p.tolist() for p in params]
        """,
}
"""What the README's reader has before the first line of each example."""


def code(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in CODE]


def test_every_page_with_code_is_accounted_for() -> None:
    with_code = {name(page) for page in PAGES if code(page)}
    assert with_code <= {*BEFORE, *RUN_ELSEWHERE}
    assert {*BEFORE} <= with_code


def session(page: Path, scope: dict[str, Any]) -> str:
    """Run the blocks of a page in one scope; return what they print."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in code(page):
            if block.language == "python":
                program = "\n" * block.line + block.text
                exec(compile(program, str(page), "exec"), scope)
    return printed.getvalue()


@pytest.mark.parametrize("page", BEFORE)
def test_the_blocks_of_a_page_run(page: str) -> None:
    path, scope = ROOT / page, dict[str, Any]()
    exec(textwrap.dedent(BEFORE[page]), scope)
    session(path, scope)
    sessions = "\n".join(block.text for block in code(path) if block.language == "pycon")
    test = doctest.DocTestParser().get_doctest(sessions, scope, page, None, 0)
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_diagnostics_are_printed() -> None:
    lines = session(DOCS / "when.md", {}).splitlines()
    assert len(lines) == 4
    number = r"[+-]\d\.\d\d"
    for line in lines:
        assert re.fullmatch(
            rf"cos\(main, aux\) {number}  cos\(aux, e\) {number}  lam k {number}", line
        )


@pytest.mark.parametrize("framework", LOOPS)
def test_what_the_diffs_of_the_readme_make(framework: str) -> None:
    """Before and after, both run; and the difference makes one."""
    diffs = [block.text for block in code(ROOT / "README.md") if block.language == "diff"]
    assert len(diffs) == len(LOOPS)
    lines = dict(zip(LOOPS, diffs, strict=True))[framework].splitlines()
    results = []
    for left_out in "+-":
        program = "\n".join(line[1:] for line in lines if line[:1] != left_out)
        scope: dict[str, Any] = {}
        exec(textwrap.dedent(LOOPS[framework]) + program, scope)
        results.append(scope["result"]())
    assert results[0] != results[1]
    assert "bloop" in program if left_out == "-" else True


def test_the_commands_of_the_readme_are_those_that_continuous_integration_runs() -> None:
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:40])
    assert len(re.findall(r"^pip install .* && (?:bloop-ref|pytest) ", screen, re.MULTILINE)) == 2
