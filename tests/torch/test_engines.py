"""The two passes over all leaves: the kernels in their interpreter, and operations on lists."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from bloop_torch import _foreach, _triton
from tests.torch.engine_launches import LEAVES, count
from tests.torch.engines_support import CASES

NO_TRITON = "Triton's kernels are for GPUs"


@pytest.fixture(params=["whole", "cut"])
def engine(request: Any, monkeypatch: Any) -> Any:
    if request.param == "cut":
        monkeypatch.setattr(_foreach, "PIECE", 48)
        monkeypatch.setattr(_foreach, "BLOCK", 16)
    return _foreach


@pytest.mark.parametrize("name", CASES)
def test_operations_on_lists(engine: Any, name: str) -> None:
    CASES[name](engine)


@pytest.mark.slow
def test_kernels() -> None:
    """Every case in one process, which may choose the interpreter."""
    pytest.importorskip("triton", reason=NO_TRITON)
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.torch.engine_launches"],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert outcome.returncode == 0, outcome.stderr
    outcomes = json.loads(outcome.stdout.splitlines()[-1])
    assert outcomes.keys() == {*CASES, "launches"}
    failures = [f"{name}: {failure}" for name, failure in outcomes.items() if failure is not None]
    assert not failures, "\n".join(failures)


def test_the_kernels_are_not_used_without_a_gpu() -> None:
    assert not _triton.runs_on(torch.device("cpu"))


def test_operations_do_not_grow_with_the_leaves() -> None:
    for driven in (False, True):
        # two of a list of tensors are one of it
        few, many = (
            [name for name in count(_foreach, leaves, driven=driven)[0] if name != "aten::cat"]
            for leaves in (2, LEAVES)
        )
        assert few == many


@pytest.mark.slow
@pytest.mark.parametrize(("chip", "aligned"), [(75, False), (90, True), ("gfx942", True)])
def test_kernels_compile_for_a_gpu(
    monkeypatch: Any, tmp_path: Any, chip: Any, aligned: bool
) -> None:
    """What the interpreter runs is not yet what the compiler takes."""
    triton = pytest.importorskip("triton", reason=NO_TRITON)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton.backends.compiler import GPUTarget

    from bloop_torch import _kernels

    target = GPUTarget("hip", chip, 64) if chip == "gfx942" else GPUTarget("cuda", chip, 32)
    half, brain, single, double = list(_kernels.KINDS.values())[1:]
    where = dict.fromkeys(("records", "blocks", "first"), "i32")

    def compiled(kernel: Any, signature: Any, **constants: Any) -> str:
        constants |= {"ALIGNED": aligned, "BLOCK": 2048}
        source = triton.compiler.ASTSource(
            kernel, {"table": "*i64", **where, **signature}, constants
        )
        code = triton.compile(source, target=target, options={"enable_fp_fusion": False}).asm
        return str(code["amdgcn" if chip == "gfx942" else "ptx"])

    for dtypes in ((brain, single, single), (half, None, double)):
        for kind in ("scaled", "peaks"):
            code = compiled(
                _kernels.products,
                {"results": "*fp64", "stride": "i32", "unit": "*fp64"},
                DTYPES=dtypes,
                PAIRS=((1, 2), (2, 2)),
                CHECK=(0,),
                PASS=kind,
            )
        code = compiled(
            _kernels.combinations,
            {},
            DTYPES=dtypes,
            OUTS=(dtypes[0], dtypes[2]),
            PATTERN=((1, 1, 2), (1, 0, 1)),
            FLAGS=(False, True),
        )
        if isinstance(chip, int):
            assert ("ld.global.v" in code) == ("st.global.v" in code) == aligned
            assert "fma.rn.f64" not in code
