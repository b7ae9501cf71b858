"""The step of every framework on the GPU: laws, exactness, trees, dtypes, launches."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from bloop_proofs import check_implementation
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm
from tests.gpu.cases import CASES, LAM, RHO, draw, run_of, sizes
from tests.gpu.devices import DEVICE, ON_CPU, launches, missing, never_waiting, to_device, to_host

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")
WEIGHTS: dict[str, Any] = {"lam": LAM, "rho": RHO}
MOST_LAUNCHES = 10
Step = Callable[..., Any]


def step_of(framework: str) -> Step:
    step: Step = import_module(f"bloop_{framework}").step
    return step


def steps(framework: str) -> dict[str, Step]:
    """Return every way to take a step, in place and compiled too."""
    step = step_of(framework)
    if framework == "jax":
        return {
            "pure": step,
            "donated": partial(step, donate=True),
            "compiled": import_module("jax").jit(step),
        }
    ways: dict[str, Step] = {"pure": step, "in place": partial(step, inplace=True)}
    if framework == "torch":
        compiler = import_module("torch")
        compiled = {f"{name}, compiled": compiler.compile(way) for name, way in ways.items()}
        ways |= compiled
    return ways


def there(framework: str, *vectors: Any) -> list[Any]:
    return [[to_device(framework, leaf) for leaf in vector] for vector in vectors]


def for_laws(framework: str) -> tuple[Step, str]:
    """Return the step, and the framework whose arrays the laws are to hand it."""
    step = step_of(framework)
    if framework == "torch":

        def moved(*vectors: Any, **weights: Any) -> Any:
            outputs = step(*([x.to(DEVICE) for x in vector] for vector in vectors), **weights)
            return tuple([x.cpu() for x in output] for output in outputs)

        return moved, framework
    if framework == "cupy" and ON_CPU:

        def stood_in(*vectors: Any, **weights: Any) -> Any:
            outputs = step(*there(framework, *vectors), **weights)
            return tuple([to_host(leaf) for leaf in output] for output in outputs)

        return stood_in, "numpy"
    return step, framework


@pytest.mark.slow
def test_every_law_holds(framework: str) -> None:
    step, arrays = for_laws(framework)
    # every shape that a law draws is compiled anew by JAX
    examples = 3 if framework == "jax" else 10
    report = check_implementation(step, framework=arrays, examples=examples)
    assert report.passed, report.broken


def test_a_tree_of_161_leaves_takes_exact_steps(framework: str) -> None:
    case = CASES["Bloop"]
    for name, step in steps(framework).items():
        for gradients, (ema,), required, (after,) in run_of(case):
            found = step(*there(framework, *gradients, ema), **WEIGHTS)
            direction, average = ([to_host(leaf) for leaf in output] for output in found)
            case.check(direction, required, gradients, (ema,))
            for x, y in zip(average, after, strict=True):
                np.testing.assert_array_equal(x, y, err_msg=name)


def test_in_place_takes_the_memory_and_gives_the_same_bits(framework: str) -> None:
    generator = np.random.default_rng(0)
    vectors = [[generator.normal(size=(100, 9)).astype(np.float32)] for _ in range(3)]
    ways = steps(framework)
    required = ways["pure"](*there(framework, *vectors), **WEIGHTS)
    taken = there(framework, *vectors)
    found = ways["donated" if framework == "jax" else "in place"](*taken, **WEIGHTS)
    if framework != "jax":
        assert found[0][0] is taken[1][0]
        assert found[1][0] is taken[2][0]
    for x, y in zip(found, required, strict=True):
        np.testing.assert_array_equal(to_host(x[0]), to_host(y[0]))


def test_two_steps_give_the_same_bits(framework: str) -> None:
    generator = np.random.default_rng(1)
    shapes = [(1 << 20,), (1000, 1000), (3,)]
    vectors = [[generator.normal(size=s).astype(np.float32) for s in shapes] for _ in range(3)]
    step = step_of(framework)
    outputs = [step(*there(framework, *vectors), **WEIGHTS) for _ in range(2)]
    for x, y in zip(*(flatten(output) for output in outputs), strict=True):
        np.testing.assert_array_equal(x, y)


def flatten(outputs: Any) -> list[np.ndarray]:
    return [to_host(leaf) for vector in outputs for leaf in vector]


def test_a_step_of_161_leaves_takes_few_launches(framework: str) -> None:
    if framework == "jax" or ON_CPU or missing("torch"):
        pytest.skip("the launches are counted by torch, of what it shares a process with")
    vectors = there(framework, *(draw(seed) for seed in range(3)))
    step = partial(step_of(framework), *vectors, **WEIGHTS, inplace=True)
    assert 0 < launches(step, framework) <= MOST_LAUNCHES


def test_the_host_waits_for_nothing(torch: Any) -> None:
    step = step_of("torch")
    vectors = there("torch", *(draw(seed) for seed in range(3)))
    step(*vectors, **WEIGHTS)
    with never_waiting():
        step(*vectors, **WEIGHTS)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_with_a_float32_average(dtype: str, framework: str) -> None:
    vectors = [draw(seed, [(300,), (7, 5)]) for seed in range(3)]
    tensors = there(framework, *vectors)
    tensors[:2] = [[narrow(framework, leaf, dtype) for leaf in v] for v in tensors[:2]]
    direction, average = step_of(framework)(*tensors, **WEIGHTS)
    assert {str(leaf.dtype).removeprefix("torch.") for leaf in direction} == {dtype}
    assert {str(leaf.dtype).removeprefix("torch.") for leaf in average} == {"float32"}
    u, n = 2.0**-11 if dtype == "float16" else 2.0**-8, sum(leaf.size for leaf in vectors[0])
    main, aux, ema = sizes(vectors)
    case = CASES["Bloop"]
    state = case.method.init(vectors[0])._replace(memory=(vectors[2],))
    required, after = case.method.step(vectors[:2], state)
    wide = [to_host(leaf).astype(np.float32) for leaf in direction]
    error = norm(flat(wide) - flat(required))
    assert error <= 2 * direction_bound(u, n, main, aux, LAM)  # each may err by one
    error = norm(flat([to_host(leaf) for leaf in average]) - flat(after.memory[0]))
    assert error <= 2 * average_bound(2.0**-24, u, main, ema, RHO)


def narrow(framework: str, leaf: Any, dtype: str) -> Any:
    if framework == "torch":
        return leaf.to(getattr(import_module("torch"), dtype))
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    return to_device(framework, to_host(leaf).astype(bfloat16 if dtype == "bfloat16" else dtype))
