"""What a step may touch and must preserve: inputs, memory, shapes, dtypes; it has no memory."""

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case, Gradient
from bloop_proofs.law import LawViolation, law, require
from bloop_proofs.laws.measure import average_tolerance, direction_tolerance, require_close
from bloop_proofs.strategies import Shapes, inputs
from bloop_proofs.subject import Output, Subject, flat

VECTORS = ("g_main", "g_aux", "ema")


def same_bits(first: Gradient, second: Gradient) -> bool:
    """Whether two gradients are the same, bit for bit; NaN equals NaN, and -0 equals 0."""
    return len(first) == len(second) and all(
        x.shape == y.shape and x.dtype == y.dtype and np.array_equal(x, y, equal_nan=True)
        for x, y in zip(first, second, strict=True)
    )


@law(group="numerics", equation="protocol", inputs=inputs(zero_ema=True))
def inputs_are_not_written(subject: Subject, case: Case) -> None:
    """A step leaves g_main, g_aux and ema as they were, bit for bit."""
    arrays = {name: subject.arrays(case[name]) for name in VECTORS}
    subject.run(*arrays.values(), lam=case.lam, rho=case.rho)
    for name, given in arrays.items():
        try:
            after = [subject.framework.numpy(leaf) for leaf in given]
        except RuntimeError as error:  # the memory of an array may have been given away
            raise LawViolation(f"{name} must be left as it was, {case[name]}; {error}") from error
        if not same_bits(after, case[name]):
            raise LawViolation(
                f"{name} must be left as it was, {case[name]}; found {after} after the step"
            )


@law(
    group="numerics",
    equation="protocol",
    inputs=inputs(zero_ema=True, lams=(1.0, 0.0), rhos=(0.5, 0.0, 1.0)),
)
def outputs_are_new_arrays(subject: Subject, case: Case) -> None:
    """Writing to an output changes no input and no other output; immutable arrays may be shared."""
    arrays = {name: subject.arrays(case[name]) for name in VECTORS}
    output = subject.run(*arrays.values(), lam=case.lam, rho=case.rho)
    if subject.framework.immutable:
        return
    for name, leaves in zip(("direction", "new_ema"), output.raw, strict=True):
        for leaf in leaves:
            if getattr(leaf, "ndim", 0):  # NumPy's scalars cannot be written to
                subject.framework.overwrite(leaf)
        for given, before in [(arrays[v], case[v]) for v in VECTORS]:
            after = [subject.framework.numpy(leaf) for leaf in given]
            require(same_bits(after, before), f"{name} must share no memory with an input")
        if name == "direction":
            after = [subject.framework.numpy(leaf) for leaf in output.raw[1]]
            require(same_bits(after, output.new_ema), "direction must share no memory with new_ema")


BROADCASTABLE: tuple[Shapes, ...] = (
    ((2,), (2, 1)),
    ((1,), (), (1, 1)),
    ((3, 1), (1, 3), (3,)),
)


def check_form(output: Output, case: Case) -> None:
    """Require the shapes and dtypes of the protocol."""
    for name, source in (("direction", "g_main"), ("new_ema", "ema")):
        found, like = getattr(output, name), case[source]
        for i, (leaf, model) in enumerate(zip(found, like, strict=True)):
            for what in ("shape", "dtype"):
                if getattr(leaf, what) != getattr(model, what):
                    raise LawViolation(
                        f"{name}[{i}] must have the {what} of {source}[{i}], "
                        f"{getattr(model, what)}; found {getattr(leaf, what)}"
                    )


def check_values(output: Output, case: Case) -> None:
    """Require the exact values within the bounds."""
    required = exact.direction(case.g_main, case.g_aux, case.ema, lam=case.lam)
    require_close("direction", flat(output.direction), required, direction_tolerance(case))
    required = exact.average(case.ema, case.g_main, rho=case.rho)
    require_close("new_ema", flat(output.new_ema), required, average_tolerance(case))


@law(group="numerics", equation="protocol", inputs=inputs(shapes=BROADCASTABLE))
def leaves_are_never_broadcast(subject: Subject, case: Case) -> None:
    """Leaves whose shapes would broadcast against one another, (2,) and (2, 1), keep their own."""
    output = subject.of(case)
    check_form(output, case)
    check_values(output, case)


@law(
    group="numerics",
    equation="protocol",
    inputs=inputs(shapes=(((0,), (2,)), ((), (0, 3)), ((2,), (0, 2), (), (1, 0)))),
)
def empty_and_zero_dimensional_leaves_are_leaves(subject: Subject, case: Case) -> None:
    """A leaf with no entry adds nothing to an inner product, one of shape () adds its one entry."""
    output = subject.of(case)
    check_form(output, case)
    check_values(output, case)


@law(group="numerics", equation="protocol", inputs=inputs(zero_ema=True))
def the_same_inputs_give_the_same_bits(subject: Subject, case: Case) -> None:
    """A step is a function: repeated, also after another step, it returns the same bits."""
    first = subject.of(case)
    subject.of(case, g_main=case.g_aux, g_aux=case.g_main)
    second = subject.of(case)
    for name in ("direction", "new_ema"):
        found, required = getattr(second, name), getattr(first, name)
        if not same_bits(found, required):
            raise LawViolation(
                f"{name} must be {required} as on the first call; found {found} on the second"
            )


@law(group="numerics", equation="protocol", inputs=inputs())
def a_later_step_leaves_earlier_outputs_alone(subject: Subject, case: Case) -> None:
    """Outputs belong to the caller: no later step writes to them, not even with new values."""
    first = subject.of(case)
    subject.of(case, g_main=case.g_aux, g_aux=case.g_main)
    for name, raw in zip(("direction", "new_ema"), first.raw, strict=True):
        now = [subject.framework.numpy(leaf) for leaf in raw]
        if not same_bits(now, getattr(first, name)):
            raise LawViolation(
                f"{name} must stay {getattr(first, name)} in later steps; found {now} after one"
            )
