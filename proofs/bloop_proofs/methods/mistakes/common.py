"""Mistakes that can be made with every method: roles, leaves, memory, form, hidden values."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.method import Method
from bloop_proofs.methods.mistakes.mistake import MethodMistake, step_of
from bloop_proofs.methods.mistakes.pieces import RIGHT
from bloop_proofs.subject import Step

Change = Callable[[Gradient, Sequence[Gradient]], Gradient]


def right_step(method: Method) -> Step:
    """Return a right step, simply written, in float64."""
    return step_of(RIGHT[method], method)


def _given(gradients: Sequence[Gradient]) -> Sequence[Gradient]:
    return gradients


def _kept(direction: Gradient, gradients: Sequence[Gradient]) -> Gradient:
    return direction


def _around(
    method: Method,
    *,
    before: Callable[[Sequence[Gradient]], Sequence[Gradient]] = _given,
    after: Change = _kept,
) -> Step:
    """Return a right step with a change of the gradients before it, or of the direction after."""
    right = right_step(method)

    def step(gradients: Sequence[Gradient], *state: Any, **options: Any) -> Any:
        returned = right(before(gradients), *state, **options)
        if method.stateful:
            return after(returned[0], gradients), returned[1]
        return after(returned, gradients)

    return step


def _leaves(gradients: Sequence[Gradient]) -> list[tuple[Any, ...]]:
    """Return for every leaf those of all gradients."""
    return list(zip(*gradients, strict=True))


def _leaf_by_leaf(method: Method) -> Step:
    right = right_step(method)

    def stateless(gradients: Sequence[Gradient], **options: Any) -> Gradient:
        return [right([[x] for x in leaves], **options)[0] for leaves in _leaves(gradients)]

    def stateful(gradients: Sequence[Gradient], state: Any, **options: Any) -> Any:
        states = state or [None] * len(gradients[0])
        leaves = [[[x] for x in each] for each in _leaves(gradients)]
        pairs = [right(g, old, **options) for g, old in zip(leaves, states, strict=True)]
        return [direction[0] for direction, _ in pairs], [new for _, new in pairs]

    return stateful if method.stateful else stateless


def _written(direction: Gradient, gradients: Sequence[Gradient]) -> Gradient:
    for leaf, value in zip(gradients[0], direction, strict=True):
        leaf[...] = value
    return gradients[0]


def _returned(direction: Gradient, gradients: Sequence[Gradient]) -> Gradient:
    same = all(map(np.array_equal, direction, gradients[0]))
    return gradients[0] if same else direction


def _finite(gradients: Sequence[Gradient]) -> Sequence[Gradient]:
    return [[np.asarray(np.nan_to_num(x)) for x in gradient] for gradient in gradients]


def _keeping(method: Method) -> Step:
    """Return a step whose state are the arrays it was given, from which it computes all anew."""
    right = right_step(method)

    def step(gradients: Sequence[Gradient], state: Any, **options: Any) -> Any:
        steps = [*(state or []), gradients]
        known: Any = None
        for each in steps:
            direction, known = right(each, known, **options)
        return direction, steps

    return step


def _remembering(method: Method) -> Step:
    """Return a step that adds a part of the direction of the call before."""
    last: list[Gradient] = []

    def after(direction: Gradient, gradients: Sequence[Gradient]) -> Gradient:
        old = last.pop() if last else direction
        last.append(direction)
        alike = len(old) == len(direction) and all(
            x.shape == y.shape for x, y in zip(old, direction, strict=True)
        )
        both = zip(direction, old if alike else direction, strict=True)
        return [np.asarray(x + (y - x) / 4, x.dtype) for x, y in both]

    return _around(method, after=after)


def common(method: Method) -> list[MethodMistake]:
    """Return the mistakes that can be made with a method as with the others."""

    def entry(
        name: str, statement: str, where: str, mend: str, make: Callable[[], Step], **about: Any
    ) -> MethodMistake:
        return MethodMistake(
            name,
            about.pop("group", "numerics"),
            statement,
            where,
            mend,
            make,
            method=method,
            **about,
        )

    found = [
        entry(
            "direction-is-written-into-the-main-gradient",
            "The main gradient's memory becomes the direction's.",
            "protocol: gradients are not written",
            "Write the direction to a new array.",
            lambda: _around(method, after=_written),
        ),
        entry(
            "main-gradient-itself-is-returned",
            "Where the direction equals the main gradient, it is the same array.",
            "protocol: the direction is a new array",
            "Return a copy of the main gradient where nothing is to be done.",
            lambda: _around(method, after=_returned),
        ),
        entry(
            "direction-is-always-float64",
            "The leaves of the direction are float64, whatever the gradients'.",
            "protocol: the direction has the main gradient's dtypes",
            "Cast the direction to the dtype of the main gradient, leaf by leaf.",
            lambda: _around(method, after=lambda d, g: [x.astype(np.float64) for x in d]),
        ),
        entry(
            "leaves-are-returned-flat",
            "Every leaf of the direction has one axis.",
            "protocol: the direction has the main gradient's shapes",
            "Give each leaf of the direction its shape back.",
            lambda: _around(method, after=lambda d, g: [x.ravel() for x in d]),
        ),
        entry(
            "nan-is-replaced",
            "NaN in a gradient counts as 0.",
            "protocol: NaN shows",
            "Let NaN through, so that a loss scaler or a person can see it.",
            lambda: _around(method, before=_finite),
        ),
        entry(
            "direction-is-averaged-over-calls",
            "A quarter of the direction is that of the call before.",
            "protocol: the state is all that is remembered",
            "Compute the direction of the gradients and the state alone.",
            lambda: _remembering(method),
            remembers=True,
        ),
    ]
    if method.name != "mixed":
        found.insert(
            0,
            entry(
                "layer-by-layer",
                "Every leaf is treated as a problem of its own.",
                "leaves: one inner product over all parameters",
                "Sum inner products and norms over all leaves before using them.",
                lambda: _leaf_by_leaf(method),
                group="equations",
            ),
        )
    if method.name in ("a_gem", "dynamic_barrier", "cosine_gate", "meta_balance", "mixed"):
        found.insert(
            0,
            entry(
                "roles-are-exchanged",
                "The last gradient is taken for the main one, and the first for an auxiliary one.",
                "protocol: gradients = [g_main, g_aux, ...]",
                "The main gradient comes first.",
                lambda: _around(method, before=lambda gradients: gradients[::-1]),
                group="equations",
            ),
        )
    if method.stateful:
        found.append(
            entry(
                "state-keeps-the-arrays-it-was-given",
                "The state refers to the gradients, which the training loop writes over.",
                "protocol: the state is the step's own",
                "Copy what the state keeps of the gradients.",
                lambda: _keeping(method),
            )
        )
    return found
