"""The text of the kernels, compiled for a GPU where NVRTC can be had."""

from itertools import product
from typing import Any

import pytest

pytest.importorskip("cupy", reason="cupy is not installed")

from bloop_cupy import launch

TYPES = sorted(set(launch.C_TYPES.values()))


def nvrtc() -> Any:
    """Return CuPy's compiler; skip where the library that it calls is missing."""
    from cupy.cuda import compiler  # the library is looked for on the first call

    try:
        compiler._get_nvrtc_version()
    except Exception as error:  # of a type that only the loader of the library has
        pytest.skip(f"no NVRTC: {type(error).__name__}")
    return compiler


@pytest.mark.parametrize("peaks", [False, True])
@pytest.mark.parametrize("main", TYPES)
def test_the_kernels_compile(main: str, peaks: bool) -> None:
    compiler = nvrtc()
    for average in ("float", "double"):
        text = launch.source((main, main, average, main, average), peaks)
        program = compiler._NVRTCProgram(text, "kernels.cu", method="cubin")
        # CuPy adds the last option by itself
        options = "-std=c++17", "-arch=sm_80", "--device-as-default-execution-space"
        binary, _ = program.compile(options)
        assert all(name in binary for name in (b"products", b"settle", b"pack", b"combine"))


def test_no_two_signatures_have_the_same_text() -> None:
    signatures = list(product(TYPES, repeat=2))
    texts = {launch.source((x, x, y, x, y), True) for x, y in signatures}
    assert len(texts) == len(signatures)
