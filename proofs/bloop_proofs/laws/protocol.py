"""Laws that every method obeys: form, memory, repetition, and values that are not finite.

Each is made for the inputs of a method; a name or a statement of its own says it in the method's
words.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import same_bits, spoiled, times
from bloop_proofs.law import Inputs, Law, LawViolation, law, require
from bloop_proofs.laws.measure import found, require_form, require_right
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import Shapes, inputs
from bloop_proofs.subject import StepRaised, Subject

BROADCASTABLE: tuple[Shapes, ...] = (
    ((2,), (2, 1)),
    ((1,), (), (1, 1)),
    ((3, 1), (1, 3), (3,)),
)
SPARSE: tuple[Shapes, ...] = (((0,), (2,)), ((), (0, 3)), ((2,), (0, 2), (), (1, 0)))
"""Shapes with leaves that have no entry, and with leaves of shape ()."""


def another(subject: Subject, case: Case) -> Case:
    """Return a case of the same form: the first two vectors exchanged, and twice as long."""
    return subject.method.on_steps(
        case, lambda step: [times(step[1], 2.0), times(step[0], 2.0), *step[2:]]
    )


def numpy(subject: Subject, vector: Sequence[Any]) -> Gradient:
    """Return arrays of a subject's framework as NumPy arrays."""
    return [subject.framework.numpy(leaf) for leaf in vector]


def overwrite(subject: Subject, vector: Sequence[Any]) -> None:
    """Write over arrays of a subject's framework."""
    for leaf in vector:
        if getattr(leaf, "ndim", 0):  # NumPy's scalars cannot be written to
            subject.framework.overwrite(leaf)


def form(kinds: Inputs, **words: Any) -> Law:
    """Return the law of shapes and dtypes, on inputs of which some would change either."""

    @law(**{"group": "numerics", "equation": "protocol", **words}, inputs=kinds)
    def direction_has_the_form_of_the_main_gradient(subject: Subject, case: Case) -> None:
        """Leaf by leaf d has the shape and dtype of g_main, without any broadcasting."""
        output = subject.of(case)
        require_form(subject, output, case)
        require_right(subject, case, output)

    return direction_has_the_form_of_the_main_gradient


def bad_values_show(method: Signature) -> Law:
    """Return the law of NaN."""

    def with_nan(case: Case) -> Case:
        gradients = list(case.gradients)
        gradients[case.which] = spoiled(gradients[case.which], case.place, np.nan)
        return case.but(gradients=gradients)

    numbers = {"which": (1, 0), "place": range(6)}
    kinds = inputs(method, numbers=numbers, then=with_nan)

    @law(group="numerics", equation="not a number", inputs=kinds)
    def not_a_number_is_never_hidden(subject: Subject, case: Case) -> None:
        """NaN in a gradient that the method adds or compares shows in d, or the step raises."""
        try:
            direction = found(subject, case)
        except StepRaised:
            return
        require_not_finite(direction, "NaN", f"gradients[{case.which}]")

    return not_a_number_is_never_hidden


def require_not_finite(direction: np.ndarray, bad: object, source: str) -> None:
    """Raise where a direction hides a bad entry of a gradient."""
    message = f"direction must show the {bad} in {source}; found only finite entries, {direction}"
    require(not np.all(np.isfinite(direction)), message)


def inputs_are_kept(kinds: Inputs, **words: Any) -> Law:
    """Return the law that a step writes to no gradient."""

    @law(group="numerics", equation="protocol", inputs=kinds, **words)
    def gradients_are_not_written(subject: Subject, case: Case) -> None:
        """A step leaves the gradients as they were, bit for bit."""
        given = subject.arrays(case)
        subject.run(given, case)
        for step, known in zip(given, subject.method.steps(case), strict=True):
            for k, (arrays, before) in enumerate(zip(step, known, strict=True)):
                name = subject.method.name_of(k)
                required = f"{name} must be left as it was, {before}"
                try:
                    after = numpy(subject, arrays)
                except RuntimeError as error:  # the memory of an array may have been given away
                    raise LawViolation(f"{required}; {error}") from error
                if not same_bits(after, before):
                    raise LawViolation(f"{required}; found {after} after the step")

    return gradients_are_not_written


def outputs_are_new(kinds: Inputs, **words: Any) -> Law:
    """Return the law that outputs share memory with nothing."""

    @law(group="numerics", equation="protocol", inputs=kinds, **words)
    def outputs_are_new_arrays(subject: Subject, case: Case) -> None:
        """Writing to an output changes no input and no other output.

        Immutable arrays may be shared.
        """
        given = subject.arrays(case)
        output = subject.run(given, case)
        if subject.framework.immutable:
            return
        others = dict(output.raw)
        for name, raw in output.raw.items():
            del others[name]
            overwrite(subject, raw)
            for k, before in enumerate(subject.method.steps(case)[-1]):
                require(
                    same_bits(numpy(subject, given[-1][k]), before),
                    f"{name} must share no memory with an input, {subject.method.name_of(k)}",
                )
            for other, leaves in others.items():
                require(
                    same_bits(numpy(subject, leaves), output.vectors[other]),
                    f"{name} must share no memory with {other}",
                )

    return outputs_are_new_arrays


def outputs_are_left_alone(kinds: Inputs, **words: Any) -> Law:
    """Return the law that no later step writes to an output."""

    @law(group="numerics", equation="protocol", inputs=kinds, **words)
    def a_later_step_leaves_earlier_outputs_alone(subject: Subject, case: Case) -> None:
        """Outputs belong to the caller: no later step writes to them, not even with new values."""
        first = subject.of(case)
        subject.of(another(subject, case))
        for name, known in first.vectors.items():
            now = numpy(subject, first.raw[name])
            if not same_bits(now, known):
                raise LawViolation(
                    f"{name} must stay {known} in later steps; found {now} after one"
                )

    return a_later_step_leaves_earlier_outputs_alone


def outputs_are_the_callers(method: Signature) -> Law:
    """Return both laws as one."""
    kinds = inputs(method)
    new, left_alone = outputs_are_new(kinds), outputs_are_left_alone(kinds)

    @law(group="numerics", equation="protocol", inputs=kinds)
    def direction_is_a_new_array(subject: Subject, case: Case) -> None:
        """Writing to d changes no gradient, and no later step writes to d."""
        left_alone.check(subject, case)
        new.check(subject, case)

    return direction_is_a_new_array


def repetition(kinds: Inputs, **words: Any) -> Law:
    """Return the law that nothing is remembered but in the state."""

    @law(group="numerics", equation="protocol", inputs=kinds, opens=True, **words)
    def the_same_steps_give_the_same_bits(subject: Subject, case: Case) -> None:
        """The direction depends on the gradients and the state only.

        Repeated from the start, also after others, the same steps give the same bits: those of the
        very first call, hundreds of times.
        """
        first, calls = subject.of(case).vectors, case.get("calls", 1)
        for call in range(2, calls + 2):
            if call > calls:
                subject.of(another(subject, case))
            again = subject.of(case).vectors
            for name, required in first.items():
                if not same_bits(again[name], required):
                    time = "the second" if call == 2 else f"the {call}th"
                    raise LawViolation(
                        f"{name} must be {required} as on the first call; "
                        f"found {again[name]} on {time}"
                    )

    return the_same_steps_give_the_same_bits


def written_over(subject: Subject) -> Subject:
    """Return a subject whose gradients and directions are written over after every step."""
    kept: list[list[list[object]]] = []
    left_out = set(subject.method.optional) - subject.takes

    def step(gradients: list[list[object]], state: object, **options: object) -> object:
        for vector in (vector for old in kept for vector in old):
            overwrite(subject, vector)
        known = {name: value for name, value in options.items() if name not in left_out}
        direction, new_state = subject.step(gradients, state, **known)
        kept.append([*gradients, direction])
        return direction, new_state

    return Subject(step, subject.framework, subject.method)


def own_state(method: Signature) -> Law:
    """Return the law that a state keeps no array of the caller's."""

    @law(group="numerics", equation="state", inputs=inputs(method, earlier=(1, 2)))
    def state_keeps_what_it_saw(subject: Subject, case: Case) -> None:
        """What is written to gradients or directions after a step changes no later direction.

        Training loops write the next gradient into the same arrays.
        """
        if subject.framework.immutable:
            return
        required = subject.of(case).direction
        direction = written_over(subject).of(case).direction
        require(
            same_bits(direction, required),
            f"direction must be {required} though earlier gradients are written over afterwards; "
            f"found {direction}",
        )

    return state_keeps_what_it_saw
