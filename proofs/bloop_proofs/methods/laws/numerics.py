"""Laws that every method obeys: form, memory, repetition, and values that are not finite."""

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import Law, LawViolation, require
from bloop_proofs.laws.purity import BROADCASTABLE, same_bits
from bloop_proofs.laws.scales import scaled
from bloop_proofs.methods.inputs import inputs
from bloop_proofs.methods.laws.relations import LawOf
from bloop_proofs.methods.measure import found, method_law, require_right
from bloop_proofs.methods.method import Method
from bloop_proofs.methods.subject import MethodSubject, steps_of
from bloop_proofs.strategies import Shapes
from bloop_proofs.subject import StepRaised

ODD: tuple[Shapes, ...] = (*BROADCASTABLE, ((0,), (2,)), ((), (0, 3)), ((2,), (0, 2), (), (1, 0)))


def form(method: Method) -> Law:
    """Return the law of shapes and dtypes."""
    kinds = inputs(method, shapes=ODD, dtypes=("float32", "float64", ("float32", "float64")))

    @method_law(group="numerics", equation="protocol", inputs=kinds)
    def direction_has_the_form_of_the_main_gradient(subject: MethodSubject, case: Case) -> None:
        """Leaf by leaf d has the shape and dtype of g_main, without any broadcasting."""
        direction = subject.of(case).direction
        for i, (leaf, like) in enumerate(zip(direction, case.gradients[0], strict=True)):
            for what in ("shape", "dtype"):
                if getattr(leaf, what) != getattr(like, what):
                    raise LawViolation(
                        f"direction[{i}] must have the {what} of gradients[0][{i}], "
                        f"{getattr(like, what)}; found {getattr(leaf, what)}"
                    )
        require_right(subject, case)

    return direction_has_the_form_of_the_main_gradient


def bad_values_show(method: Method) -> Law:
    """Return the law of NaN."""

    def spoiled(case: Case) -> Case:
        gradients = [[leaf.copy() for leaf in gradient] for gradient in case.gradients]
        leaf = gradients[case.which][case.place % len(gradients[0])]
        leaf[np.unravel_index(case.place % leaf.size, leaf.shape)] = np.nan
        return case.but(gradients=gradients)

    numbers = {"which": (1, 0), "place": range(6)}

    @method_law(
        group="numerics",
        equation="not a number",
        inputs=inputs(method, numbers=numbers, then=spoiled),
    )
    def not_a_number_is_never_hidden(subject: MethodSubject, case: Case) -> None:
        """NaN in a gradient that the method adds or compares shows in d, or the step raises."""
        try:
            direction = found(subject, case)
        except StepRaised:
            return
        if np.all(np.isfinite(direction)):
            raise LawViolation(
                f"direction must show the NaN in gradients[{case.which}]; "
                f"found only finite entries, {direction}"
            )

    return not_a_number_is_never_hidden


def inputs_are_kept(method: Method) -> Law:
    """Return the law that a step writes to no gradient."""

    @method_law(group="numerics", equation="protocol", inputs=inputs(method))
    def gradients_are_not_written(subject: MethodSubject, case: Case) -> None:
        """A step leaves the gradients as they were, bit for bit."""
        given = subject.arrays(case)
        subject.run(given, case)
        for step, known in zip(given, steps_of(case), strict=True):
            for k, (arrays, before) in enumerate(zip(step, known, strict=True)):
                try:
                    after = [subject.framework.numpy(leaf) for leaf in arrays]
                except RuntimeError as error:  # the memory of an array may have been given away
                    raise LawViolation(f"gradients[{k}] must be left as it was; {error}") from error
                require(
                    same_bits(after, before),
                    f"gradients[{k}] must be left as it was, {before}; found {after}",
                )

    return gradients_are_not_written


def outputs_are_new(method: Method) -> Law:
    """Return the law that a direction is the caller's own."""

    @method_law(group="numerics", equation="protocol", inputs=inputs(method))
    def direction_is_a_new_array(subject: MethodSubject, case: Case) -> None:
        """Writing to d changes no gradient, and no later step writes to d."""
        given = subject.arrays(case)
        answer = subject.run(given, case)[-1]
        subject.of(case, gradients=[scaled(gradient, 1) for gradient in case.gradients])
        now = [subject.framework.numpy(leaf) for leaf in answer.raw]
        require(same_bits(now, answer.direction), "no later step may write to a direction")
        if subject.framework.immutable:
            return
        for leaf in answer.raw:
            if getattr(leaf, "ndim", 0):  # NumPy's scalars cannot be written to
                subject.framework.overwrite(leaf)
        for arrays, before in zip(given[-1], case.gradients, strict=True):
            after = [subject.framework.numpy(leaf) for leaf in arrays]
            require(same_bits(after, before), "direction must share no memory with a gradient")

    return direction_is_a_new_array


def repetition(method: Method) -> Law:
    """Return the law that nothing is remembered but in the state."""

    @method_law(group="numerics", equation="protocol", inputs=inputs(method))
    def the_same_steps_give_the_same_bits(subject: MethodSubject, case: Case) -> None:
        """The direction depends on the gradients and the state only.

        Repeated from the start, also after others, the same steps give the same bits.
        """
        first = subject.of(case).direction
        subject.of(case, gradients=[scaled(gradient, 1) for gradient in case.gradients])
        second = subject.of(case).direction
        require(
            same_bits(first, second),
            f"direction must be {first} as at first; found {second} when the steps were repeated",
        )

    return the_same_steps_give_the_same_bits


def written_over(subject: MethodSubject) -> MethodSubject:
    """Return a subject whose gradients and directions are written over after every step."""
    kept: list[list[list[object]]] = []
    left_out = set(subject.method.optional) - subject.takes

    def step(gradients: list[list[object]], state: object, **options: object) -> object:
        for leaf in (leaf for old in kept for gradient in old for leaf in gradient):
            if getattr(leaf, "ndim", 0):
                subject.framework.overwrite(leaf)
        known = {name: value for name, value in options.items() if name not in left_out}
        direction, new_state = subject.step(gradients, state, **known)
        kept.append([*gradients, direction])
        return direction, new_state

    return MethodSubject(step, subject.framework, subject.method)


def own_state(method: Method) -> Law:
    """Return the law that a state keeps no array of the caller's."""

    @method_law(group="numerics", equation="state", inputs=inputs(method, earlier=(1, 2)))
    def state_keeps_what_it_saw(subject: MethodSubject, case: Case) -> None:
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


NUMERICS: tuple[LawOf, ...] = (
    form,
    bad_values_show,
    inputs_are_kept,
    outputs_are_new,
    repetition,
)
"""What holds for every method."""
