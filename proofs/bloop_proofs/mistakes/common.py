"""Mistakes that can be made with every method: roles, leaves, memory, form, hidden values."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import Base, Mistake
from bloop_proofs.signature import Signature
from bloop_proofs.subject import Step

Vectors = Sequence[Gradient]
Outputs = Mapping[str, Any]
Before = Callable[[Vectors], Vectors]
After = Callable[[Outputs, Vectors], Outputs]


def around(
    method: Signature, under: Step, *, before: Before | None = None, after: After | None = None
) -> Step:
    """Return a step with a change of its vectors before it, or of its outputs after."""

    def step(*given: Any, **options: Any) -> Any:
        vectors = given if method.vectors else given[0]
        changed = before(vectors) if before else vectors
        arguments = changed if method.vectors else (changed, *given[1:])
        returned = under(*arguments, **options)
        pairs = len(method.returned) > 1
        outputs = dict(zip(method.returned, returned if pairs else (returned,), strict=True))
        outputs |= after(outputs, vectors) if after else {}
        return tuple(outputs.values()) if pairs else outputs["direction"]

    return step


SHAPES = "protocol: the outputs have the shapes of the inputs, leaf by leaf"
FORMS: Sequence[tuple[str, str, str, Callable[[Gradient], Gradient]]] = (
    (
        "leaves-are-returned-flat",
        "Every leaf of the outputs has one axis.",
        "Give each leaf of the outputs its shape back.",
        lambda leaves: [x.ravel() for x in leaves],
    ),
    (
        "zero-dimensional-leaves-get-an-axis",
        "Leaves of shape () come back with shape (1,).",
        "Give parameters of shape () outputs of shape ().",
        lambda leaves: [np.atleast_1d(x) for x in leaves],
    ),
    (
        "axes-of-length-one-are-dropped",
        "The outputs are squeezed.",
        "Keep axes of length 1.",
        lambda leaves: [np.squeeze(x) for x in leaves],
    ),
    (
        "leaves-are-returned-in-reverse",
        "The leaves of all outputs come in reverse order.",
        "Return the leaves in the order in which they came.",
        lambda leaves: leaves[::-1],
    ),
    (
        "leaves-are-returned-by-size",
        "The leaves of all outputs are sorted by their number of entries.",
        "Return the leaves in the order in which they came.",
        lambda leaves: sorted(leaves, key=np.size),
    ),
    (
        "empty-leaves-are-left-out",
        "Leaves without entries are missing from the outputs.",
        "Return leaves without entries too.",
        lambda leaves: [x for x in leaves if x.size],
    ),
)
"""What can be done to the leaves of every output: name, statement, mend."""


def forms(method: Signature, base: Base, *names: str) -> tuple[Mistake, ...]:
    """Return the mistakes in the form of the outputs, all or those named."""

    def made(change: Callable[[Gradient], Gradient]) -> Callable[[Step], Step]:
        def after(outputs: Outputs, vectors: Vectors) -> Outputs:
            return {name: change(outputs[name]) for name in method.outputs}

        return partial(around, method, after=after)

    return tuple(
        Mistake(method, name, "numerics", statement, SHAPES, mend, base, around=made(change))
        for name, statement, mend, change in FORMS
        if not names or name in names
    )


def written_over(outputs: Outputs, vectors: Vectors) -> Outputs:
    """Write the direction into the main gradient's memory."""
    for leaf, value in zip(vectors[0], outputs["direction"], strict=True):
        leaf[...] = value
    return {"direction": vectors[0]}


def given_back(outputs: Outputs, vectors: Vectors) -> Outputs:
    """Return the main gradient itself where the direction equals it."""
    same = all(map(np.array_equal, outputs["direction"], vectors[0]))
    return {"direction": vectors[0]} if same else {}


def _wide(outputs: Outputs, vectors: Vectors) -> Outputs:
    return {"direction": [x.astype(np.float64) for x in outputs["direction"]]}


def _finite(vectors: Vectors) -> Vectors:
    return [[np.asarray(np.nan_to_num(x)) for x in vector] for vector in vectors]


def _remembering(method: Signature, under: Step) -> Step:
    """Return a step that adds a part of the direction of the call before."""
    last: list[Gradient] = []

    def after(outputs: Outputs, vectors: Vectors) -> Outputs:
        direction = outputs["direction"]
        old = last.pop() if last else direction
        last.append(direction)
        alike = [x.shape for x in old] == [x.shape for x in direction]
        both = zip(direction, old if alike else direction, strict=True)
        return {"direction": [np.asarray(x + (y - x) / 4, x.dtype) for x, y in both]}

    return around(method, under, after=after)


def _leaf_by_leaf(method: Signature, under: Step) -> Step:
    def stateless(gradients: Vectors, **options: Any) -> Gradient:
        leaves = zip(*gradients, strict=True)
        return [under([[x] for x in each], **options)[0] for each in leaves]

    def stateful(gradients: Vectors, state: Any, **options: Any) -> Any:
        states = state or [None] * len(gradients[0])
        leaves = [[[x] for x in each] for each in zip(*gradients, strict=True)]
        pairs = [under(g, old, **options) for g, old in zip(leaves, states, strict=True)]
        return [direction[0] for direction, _ in pairs], [new for _, new in pairs]

    return stateful if method.stateful else stateless


def _keeping(under: Step) -> Step:
    """Return a step whose state are the arrays it was given, from which it computes all anew."""

    def step(gradients: Vectors, state: Any, **options: Any) -> Any:
        steps = [*(state or []), gradients]
        known: Any = None
        for each in steps:
            direction, known = under(each, known, **options)
        return direction, steps

    return step


def common(method: Signature, base: Base) -> list[Mistake]:
    """Return the mistakes that can be made with a method of lists as with the others."""

    def changed(**change: Any) -> Callable[[Step], Step]:
        return partial(around, method, **change)

    def entry(name: str, statement: str, where: str, mend: str, **about: Any) -> Mistake:
        known = {"group": "numerics", "where": where, "mend": mend, **about}
        return Mistake(method, name, statement=statement, base=base, **known)

    found = [
        entry(
            "direction-is-written-into-the-main-gradient",
            "The main gradient's memory becomes the direction's.",
            "protocol: gradients are not written",
            "Write the direction to a new array.",
            around=changed(after=written_over),
        ),
        entry(
            "main-gradient-itself-is-returned",
            "Where the direction equals the main gradient, it is the same array.",
            "protocol: the direction is a new array",
            "Return a copy of the main gradient where nothing is to be done.",
            around=changed(after=given_back),
        ),
        entry(
            "direction-is-always-float64",
            "The leaves of the direction are float64, whatever the gradients'.",
            "protocol: the direction has the main gradient's dtypes",
            "Cast the direction to the dtype of the main gradient, leaf by leaf.",
            around=changed(after=_wide),
        ),
        *forms(method, base, "leaves-are-returned-flat"),
        entry(
            "nan-is-replaced",
            "NaN in a gradient counts as 0.",
            "protocol: NaN shows",
            "Let NaN through, so that a loss scaler or a person can see it.",
            around=changed(before=_finite),
        ),
        entry(
            "direction-is-averaged-over-calls",
            "A quarter of the direction is that of the call before.",
            "protocol: the state is all that is remembered",
            "Compute the direction of the gradients and the state alone.",
            around=partial(_remembering, method),
            remembers=True,
        ),
    ]
    if method.name != "mixed":
        layer_by_layer = entry(
            "layer-by-layer",
            "Every leaf is treated as a problem of its own.",
            "leaves: one inner product over all parameters",
            "Sum inner products and norms over all leaves before using them.",
            around=partial(_leaf_by_leaf, method),
            group="equations",
        )
        found.insert(0, layer_by_layer)
    if method.name in ("a_gem", "dynamic_barrier", "cosine_gate", "meta_balance", "mixed"):
        exchanged = entry(
            "roles-are-exchanged",
            "The last gradient is taken for the main one, and the first for an auxiliary one.",
            "protocol: gradients = [g_main, g_aux, ...]",
            "The main gradient comes first.",
            around=changed(before=lambda gradients: gradients[::-1]),
            group="equations",
        )
        found.insert(0, exchanged)
    if method.stateful:
        keeping = entry(
            "state-keeps-the-arrays-it-was-given",
            "The state refers to the gradients, which the training loop writes over.",
            "protocol: the state is the step's own",
            "Copy what the state keeps of the gradients.",
            around=_keeping,
        )
        found.append(keeping)
    return found
