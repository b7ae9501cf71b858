"""Hypothesis strategies for the inputs of a method: gradients of several losses, and options."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

from hypothesis import strategies as st

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import Framework
from bloop_proofs.law import Inputs
from bloop_proofs.methods.method import Method, unchanged
from bloop_proofs.strategies import SHAPES, Dtypes, Shapes, choose, count, cut, width


def inputs(
    method: Method,
    *,
    losses: Sequence[int] = (2,),
    earlier: Sequence[int] = (0, 1, 2),
    shapes: Sequence[Shapes] = SHAPES,
    dtypes: Sequence[Dtypes] = ("float64", "float32"),
    numbers: Mapping[str, Sequence[Any]] | None = None,
    options: Mapping[str, Sequence[Any]] | None = None,
    then: Callable[[Case], Case] = unchanged,
) -> Inputs:
    """Return, for a framework, a strategy for the inputs of a step of a method.

    Args:
        method: the method.
        losses: the numbers of gradients to choose from.
        earlier: the numbers of steps before the last, for methods with a state.
        shapes: the leaf shapes to choose from, simplest first.
        dtypes: as in ``bloop_proofs.strategies.inputs``.
        numbers: names of further numbers, with the values to choose from.
        options: values of options to choose from, instead of the usual ones.
        then: a last change to the case, after the method's own.
    """
    before = earlier if method.stateful else (0,)
    known = {**method.options, **{name: values for name, (values, _) in method.optional.items()}}

    def choices(k: int) -> dict[str, Sequence[Any]]:
        usual = {name: values(k) for name, values in known.items()}
        return {**usual, **{name: x for name, x in (options or {}).items() if name in known}}

    def strategy(framework: Framework) -> st.SearchStrategy[Case]:
        there = framework.dtypes()
        kinds = [(names,) if isinstance(names, str) else names for names in dtypes]
        usable = [names for names in kinds if set(names) <= set(there)] or [("float32",)]
        forms = (usable, shapes, losses, before, *(numbers or {}).values())

        def build(drawn: bytes) -> Case:
            (names, leaves, k, past, *values), drawn = choose(drawn, forms)
            chosen, drawn = choose(drawn, list(choices(k).values()))
            like = tuple(x for _, x in zip(leaves, cycle(names)))
            steps = [cut(drawn[i :: past + 1], leaves, *[like] * k) for i in range(past + 1)]
            case = Case(
                **({"earlier": steps[1:]} if method.stateful else {}),
                gradients=steps[0],
                **dict(zip(choices(k), chosen, strict=True)),
                **dict(zip(numbers or {}, values, strict=True)),
            )
            return then(method.prepared(case))

        most = max(losses)
        entries = max(count(leaves, *[("float32",) * len(leaves)] * most) for leaves in shapes)
        heads = [*forms, *choices(most).values()]
        total = sum(map(width, heads)) + entries * (max(before) + 1)
        return st.binary(min_size=total, max_size=total).map(build)

    return strategy
