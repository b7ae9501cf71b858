import gc
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

import bloop_torch
from tests.torch.agreement import normal, require_step
from tests.torch.models import batches, two_losses

# raised by the compiler's own imports
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")

LAM, RHO = 0.5, 0.25
SHAPES = ((300, 50), (17,), (0,), ())


@pytest.fixture(autouse=True)
def fresh() -> Any:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compiled(**options: Any) -> Any:
    """Return the step as a program of one graph."""
    return torch.compile(
        lambda *vectors, lam, rho: bloop_torch.step(*vectors, lam=lam, rho=rho, **options),
        fullgraph=True,
    )


def test_the_step_compiles_as_one_graph() -> None:
    vectors = [normal(SHAPES, seed) for seed in (1, 2, 3)]
    require_step(*vectors, *compiled()(*vectors, lam=LAM, rho=RHO), lam=LAM, rho=RHO)


def test_the_step_compiles_in_place_without_an_output() -> None:
    vectors = [normal(SHAPES, seed) for seed in (1, 2, 3)]
    before = [[x.clone() for x in vector] for vector in vectors]
    direction, new_ema = compiled(inplace=True)(*vectors, lam=LAM, rho=RHO)
    require_step(*before, direction, new_ema, lam=LAM, rho=RHO)
    assert all(d is a for d, a in zip(direction, vectors[1], strict=True))
    assert all(new is e for new, e in zip(new_ema, vectors[2], strict=True))


def programs() -> int:
    """Return how many programs have been compiled since the last call."""
    count = int(counters["stats"]["unique_graphs"])
    counters.clear()
    return count


MANY = 40


@pytest.mark.parametrize("inplace", [False, True])
def test_a_compiler_sees_one_operator_for_all_leaves(inplace: bool) -> None:
    vectors = [normal([(5, k % 3) for k in range(MANY)], seed) for seed in (1, 2, 3)]
    before = [[x.clone() for x in vector] for vector in vectors]
    graphs: list[int] = []

    def backend(graph: Any, _: Any) -> Any:
        graphs.append(sum(node.op == "call_function" for node in graph.graph.nodes))
        return graph.forward

    run = torch.compile(
        lambda *vectors: bloop_torch.step(*vectors, lam=LAM, rho=RHO, inplace=inplace),
        fullgraph=True,
        backend=backend,
    )
    direction, new_ema = run(*vectors)
    require_step(*before, direction, new_ema, lam=LAM, rho=RHO)
    for outputs, inputs in ((direction, vectors[1]), (new_ema, vectors[2])):
        assert all((x is y) == inplace for x, y in zip(outputs, inputs, strict=True))
    # the operator, and the new outputs, but no arithmetic on leaves
    (operations,) = graphs
    assert operations <= (0 if inplace else 2 * MANY) + 12


@pytest.mark.parametrize("leaves", [2, MANY])
def test_other_hyper_parameters_compile_no_more_than_one_program(leaves: int) -> None:
    run = compiled()
    vectors = [normal([(7,)] * leaves, seed) for seed in (1, 2, 3)]
    programs()
    for lam, rho in ((0.5, 0.25), (0.25, 0.5), (0.125, 0.75), (2.0, 0.125)):
        require_step(*vectors, *run(*vectors, lam=lam, rho=rho), lam=lam, rho=rho)
    # after a number has changed, it is no longer part of the program
    assert programs() == 2


def test_no_gradient_at_all() -> None:
    nothing = [None, None]
    assert compiled()(nothing, nothing, nothing, lam=LAM, rho=RHO) == (nothing, nothing)
    assert bloop_torch.step(nothing, nothing, nothing, lam=LAM, rho=RHO) == (nothing, nothing)


def test_a_compiled_optimiser_may_step() -> None:
    model = two_losses()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    bloop = bloop_torch.Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    gc.collect()  # objects of other tests would take their hooks away while the compiler looks on
    (x,) = batches(1)
    bloop.backward(*model(x))
    before = [p.detach() - p.grad for p in model.parameters()]
    torch.compile(optimizer.step, backend="eager")()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize("leaves", [2, MANY])
def test_hyper_parameters_may_be_tensors(leaves: int) -> None:
    run = compiled()
    vectors = [normal([(7,)] * leaves, seed) for seed in (1, 2, 3)]
    programs()
    for lam, rho in ((0.5, 0.25), (0.25, 0.5)):
        scalars = {"lam": torch.tensor(lam), "rho": torch.tensor(rho)}
        require_step(*vectors, *run(*vectors, **scalars), lam=lam, rho=rho)
    assert programs() == 1
