"""Frameworks: arrays both ways, arrays as code, and right and wrong subjects in each of them."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bloop_proofs import LAWS, check_implementation, load
from bloop_proofs.cases import Case
from bloop_proofs.frameworks import DTYPES, FRAMEWORKS, Framework, bfloat16, framework_named
from bloop_proofs.gradients import same_bits
from bloop_proofs.subject import Step
from tests.proofs.subjects import error_of, example, forgets_the_projection


def installed(name: str) -> Framework:
    pytest.importorskip(name, reason=f"{name} is not installed")
    return FRAMEWORKS[name]


@contextmanager
def x64(enabled: bool) -> Iterator[None]:
    """JAX with 64-bit arrays or without."""
    jax = pytest.importorskip("jax", reason="jax is not installed")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", enabled)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


@pytest.fixture(params=["numpy", "torch", "jax", "jax with x64"])
def framework(request: pytest.FixtureRequest) -> Iterator[Framework]:
    name, _, wide = request.param.partition(" ")
    if name == "jax":
        with x64(bool(wide)):
            yield installed(name)
    else:
        yield installed(name)


def arrays(framework: Framework) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Arrays of every dtype of a framework, with NaN, infinities, -0 and empty ones."""

    def of(dtype: str) -> st.SearchStrategy[np.ndarray[Any, Any]]:
        shapes = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=2)
        if dtype == "bfloat16":
            return hnp.arrays(np.float16, shapes).map(lambda x: x.astype(bfloat16()))
        return hnp.arrays(dtype, shapes)

    return st.sampled_from(framework.dtypes()).flatmap(of)


def exact(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays are equal, NaN to NaN and -0 to -0."""
    wide = [x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) for x in (first, second)]
    parts = [np.stack([x.real, x.imag]) for x in wide]
    signs = [np.where(np.isnan(x), False, np.signbit(x)) for x in parts]
    return same_bits([first], [second]) and np.array_equal(signs[0], signs[1])


@given(data=st.data())
def test_arrays_go_there_and_back_as_copies(framework: Framework, data: st.DataObject) -> None:
    values = data.draw(arrays(framework))
    array = framework.array(values)
    back = framework.numpy(array)
    assert framework.is_array(array)
    assert exact(back, values)
    back[...] = 1
    assert exact(framework.numpy(array), values)


@given(data=st.data())
def test_arrays_as_code_are_the_same_arrays(framework: Framework, data: st.DataObject) -> None:
    values = data.draw(arrays(framework))
    case = Case(g_main=[values], bad=data.draw(st.floats()), levels=[[values], 3])
    scope: dict[str, Any] = {}
    exec(f"{framework.imports}\n{case.code(framework)}", scope)
    rebuilt = scope["case"]
    assert framework.is_array(rebuilt["g_main"][0])
    assert exact(framework.numpy(rebuilt["g_main"][0]), values)
    assert exact(framework.numpy(rebuilt["levels"][0][0]), values)
    assert exact(np.array(rebuilt["bad"]), np.array(case.bad))
    assert rebuilt["levels"][1] == 3


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_overwriting_changes_what_shares_memory(name: str) -> None:
    framework = installed(name)
    array = framework.array(np.zeros(3))
    framework.overwrite(array[1:])
    assert framework.numpy(array).tolist() == [0.0, 7.0, 7.0]


def test_tensors_that_guard_themselves_are_overwritten_and_fetched() -> None:
    framework = installed("torch")
    torch = framework.xp
    with torch.inference_mode():
        inferred = torch.ones(2)
    conjugate = torch.tensor([1 + 2j]).conj()
    needs_grad = torch.ones(2, requires_grad=True)
    for tensor in (inferred, needs_grad):
        framework.overwrite(tensor)
        assert framework.numpy(tensor).tolist() == [7.0, 7.0]
    assert framework.numpy(conjugate).tolist() == [1 - 2j]


def test_a_read_only_array_stays_as_it_is() -> None:
    locked = np.zeros(2)
    locked.flags.writeable = False
    FRAMEWORKS["numpy"].overwrite(locked)
    assert locked.tolist() == [0.0, 0.0]


def test_dtypes_are_those_that_the_framework_has() -> None:
    assert FRAMEWORKS["numpy"].dtypes() == tuple(name for name in DTYPES if name != "bfloat16")
    assert installed("torch").dtypes() == DTYPES
    with x64(True):
        assert installed("jax").dtypes() == DTYPES
    with x64(False):
        lacking = set(DTYPES) - set(installed("jax").dtypes())
    assert lacking == {"float64", "complex128"}


def test_bfloat16_is_left_out_where_ml_dtypes_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    framework = installed("torch")
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    assert set(DTYPES) - set(framework.dtypes()) == {"bfloat16"}
    law = "half-precision-gradients-do-not-overflow"
    report = check_implementation(example("torch"), framework="torch", laws=law, examples=20)
    assert [result.status for result in report.results] == ["passed"]


@pytest.mark.parametrize("name", ["torch", "jax", "cupy"])
def test_a_framework_that_is_not_installed_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, FRAMEWORKS[name].module, None)
    with pytest.raises(ValueError, match=rf'{name} cannot be.*pip install "bloop-ref\[{name}\]"'):
        framework_named(name)


def test_an_unknown_framework_is_named() -> None:
    with pytest.raises(ValueError, match=r"framework must be one of .*found 'Numpy'"):
        framework_named("Numpy")


def eagerly(step: Step) -> Step:
    """A compiled JAX step without the compiler."""
    return importlib.import_module("jax").disable_jit()(step)


COMPILED = ["direction-is-equation-5", "every-leaf-keeps-its-own-dtype", "outputs-are-new-arrays"]


def test_right_steps_pass_all_laws() -> None:
    for name in ("numpy", "torch"):
        installed(name)
        report = check_implementation(example(name), framework=name, examples=10)
        assert report.count() == {"passed": len(report.results)}, str(report)


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
def test_a_compiled_step_passes_all_laws(wide: bool) -> None:
    # two hundred leaves take seconds to compile, and are the same program but for the dtype
    laws = [law.name for law in LAWS if wide or not law.name.startswith("large-models")]
    with x64(wide):
        report = check_implementation(example("jax"), framework="jax", laws=laws, examples=3)
    assert report.count() == {"passed": len(report.results)}, str(report)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("change", [lambda step: step, eagerly])
def test_jax_steps_pass_with_the_compiler_and_without(wide: bool, change: Any) -> None:
    with x64(wide):
        step = change(example("jax"))
        report = check_implementation(step, framework="jax", laws=COMPILED, examples=2)
    assert report.count() == {"passed": len(COMPILED)}, str(report)


def test_a_wrong_step_fails_alike_in_every_framework(framework: Framework) -> None:
    laws = ["direction-is-equation-5", "new-ema-weighs-the-new-gradient-by-rho"]
    report = check_implementation(
        forgets_the_projection, framework=framework.name, laws=laws, examples=6
    )
    assert [result.status for result in report.results] == ["failed", "passed"]


MIXED = """
def step(g_main, g_aux, ema, *, lam, rho):
    direction = [g + lam * a for g, a in zip(g_main, g_aux)]
    return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema)]
"""


def test_counterexamples_run_as_printed(
    framework: Framework, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mixed_training.py").write_text(MIXED)
    monkeypatch.chdir(tmp_path)
    spec = "mixed_training.py:step"
    laws = "direction-is-equation-5"
    report = check_implementation(load(spec), framework=framework.name, laws=laws, examples=5)
    (result,) = report.results
    assert report.subject == spec
    raised = error_of(result.counterexample, cwd=tmp_path)
    assert raised == f"bloop_proofs.law.LawViolation: {result.message}"
