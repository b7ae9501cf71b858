"""Laws that several methods obey: what a change of all vectors does to the outputs."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import scaled, times, unflatten, zeros_like
from bloop_proofs.law import Law, law
from bloop_proofs.laws import wide
from bloop_proofs.laws.measure import (
    bound,
    bounds,
    found,
    require_close,
    require_right,
    require_same,
)
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import LEAVES, inputs
from bloop_proofs.subject import Subject, flat

MORE = "more than two gradients"
EXPONENTS = (1, -1, 4, -4, 12, -12, 20, -20)
"""Powers of two: the fourth power of what they scale is a normal number in single precision."""


def definition(method: Signature) -> tuple[Law, ...]:
    """Return the laws that a direction, for two gradients and for more, is what is defined."""

    @law(equation=method.where, inputs=inputs(method), statement=method.theorem)
    def direction_is_as_defined(subject: Subject, case: Case) -> None:
        require_right(subject, case)

    if method.most_losses == 2:
        return (direction_is_as_defined,)
    # four gradients can meet in 1296 orders, too many to compare with
    counts = (3,) if "orders" in method.optional else (3, 4)
    kinds = inputs(method, losses=counts, earlier=(0, 1), dtypes=("float64",))

    @law(equation=method.where, inputs=kinds, may_refuse=MORE)
    def direction_of_more_gradients_is_as_defined(subject: Subject, case: Case) -> None:
        """The definition with one main and several auxiliary gradients.

        A step that takes no ``orders`` may take any, at random too, where a method has them.
        """
        require_right(subject, case)

    return direction_is_as_defined, direction_of_more_gradients_is_as_defined


def degree_one(method: Signature) -> Law:
    """Return the law of the common scale."""

    @law(equation="common scale", inputs=inputs(method, numbers={"exponent": EXPONENTS}))
    def common_scale_carries_over(subject: Subject, case: Case) -> None:
        """d(s g_0, s g_1, ...) = s d(g_0, g_1, ...), s > 0 on the gradients of all steps.

        So there is no absolute constant, such as an epsilon, in the method.
        """
        moved = method.on_all(case, lambda gradient: scaled(gradient, case.exponent))
        direction = np.ldexp(found(subject, moved), -case.exponent)
        require_close("d(s g) / s", direction, found(subject, case), 2 * bound(subject, case))

    return common_scale_carries_over


def scale_free(method: Signature) -> Law:
    """Return the law that only the line of the auxiliary gradient matters."""

    @law(equation="scale of a", inputs=inputs(method, numbers={"exponent": EXPONENTS}))
    def scale_of_the_auxiliary_gradient_does_not_matter(subject: Subject, case: Case) -> None:
        """d(m, s a) = d(m, a) for s > 0."""
        main, aux = case.gradients
        other = found(subject, case, gradients=[main, scaled(aux, case.exponent)])
        require_close("direction", other, found(subject, case), 2 * bound(subject, case))

    return scale_of_the_auxiliary_gradient_does_not_matter


def symmetric(method: Signature) -> Law:
    """Return the law that no gradient comes first."""

    @law(equation="symmetry", inputs=inputs(method, options={"lam": (1.0,)}))
    def exchanging_two_gradients_changes_nothing(subject: Subject, case: Case) -> None:
        """d(m, a) = d(a, m): no loss is the main one (where both have the weight 1)."""
        other = found(subject, method.on_steps(case, lambda step: step[::-1]))
        require_close("direction", other, found(subject, case), 2 * bound(subject, case))

    return exchanging_two_gradients_changes_nothing


def require_carried(
    subject: Subject,
    case: Case,
    change: Callable[[np.ndarray], np.ndarray],
    *,
    rounds: bool,
    outputs: Iterable[str] = (),
) -> None:
    """Require that a change of all vectors, which rounds them or not, changes the outputs alike."""
    moved = subject.method.on_all(case, lambda vector: unflatten(change(flat(vector)), vector))
    plain = {name: change(flat(x)) for name, x in subject.of(case).vectors.items()}
    here, there = bounds(subject, case), bounds(subject, moved)
    # changing the vectors rounds them by no more than an output is allowed to err
    room = {name: (2 if rounds else 1) * (here[name] + there[name]) for name in plain}
    require_same("", subject.of(moved), plain, room, outputs)


def rotation(method: Signature, equation: str = "rotation", **words: Any) -> Law:
    """Return the law of rotations."""
    angles = {"angle": (0.5, 1.0, 2.0, 3.0)}
    kinds = inputs(method, shapes=LEAVES, dtypes=("float64",), numbers=angles)

    @law(equation=equation, inputs=kinds, **words)
    def rotation_carries_over(subject: Subject, case: Case) -> None:
        """Rotating all gradients alike, in the plane of the first and last entry, rotates d.

        The method reads the gradients through their inner products only.
        """

        def rotate(vector: np.ndarray) -> np.ndarray:
            c, s = np.cos(case.angle), np.sin(case.angle)
            turned = vector.copy()
            turned[0] = c * vector[0] - s * vector[-1]
            turned[-1] = s * vector[0] + c * vector[-1]
            return turned

        require_carried(subject, case, rotate, rounds=True, outputs=["direction"])

    return rotation_carries_over


def signed_permutation(
    method: Signature, equation: str = "signed permutation", signs: bool = True, **words: Any
) -> Law:
    """Return the law of permutations, and of signs, of the entries."""
    numbers = {"shift": (1, 2, 3), "flipped": (0, 1) if signs else (-1,)}

    @law(equation=equation, inputs=inputs(method, shapes=LEAVES, numbers=numbers), **words)
    def permutation_and_signs_of_the_entries_carry_over(subject: Subject, case: Case) -> None:
        """Permuting the entries of all gradients alike, across leaves too, permutes d.

        Changing the sign of an entry in all gradients changes its sign in d.
        """

        def permute(vector: np.ndarray) -> np.ndarray:
            signs = np.where(np.arange(vector.size) == case.flipped, -1.0, 1.0)
            return np.roll(signs * vector, case.shift)

        require_carried(subject, case, permute, rounds=False)

    return permutation_and_signs_of_the_entries_carry_over


def splitting(method: Signature, equation: str = "leaves", **words: Any) -> Law:
    """Return the law that leaves are one vector."""

    @law(equation=equation, inputs=inputs(method, shapes=LEAVES), **words)
    def splitting_into_leaves_does_not_matter(subject: Subject, case: Case) -> None:
        """Inner products and norms run over all parameters: one long leaf gives the same d."""
        joined = method.on_all(case, lambda x: [flat(x).astype(x[0].dtype)])
        required = {name: flat(x) for name, x in subject.of(case).vectors.items()}
        room = {name: 2 * x for name, x in bounds(subject, case).items()}
        require_same("", subject.of(joined), required, room)

    return splitting_into_leaves_does_not_matter


def of_products(method: Signature) -> tuple[Law, ...]:
    """Return what holds where a method reads inner products only."""
    same = tuple(of(method) for of in (degree_one, rotation, signed_permutation, splitting))
    return *same, *of_all_scales(method)


def of_all_scales(method: Signature) -> tuple[Law, ...]:
    """Return what holds where a direction is of degree one, and a complex entry two real ones."""
    of = partial(inputs, method)
    return wide.any_scale(of, method), wide.complex_leaves(of)


def zeros(
    method: Signature, theorem: str, which: tuple[tuple[int, ...], ...] = ((1,), (0,), (0, 1))
) -> Law:
    """Return the law of what a method gives where gradients are zero."""

    def zeroed(case: Case) -> Case:
        gradients = [
            zeros_like(gradient) if k in case.zero else gradient
            for k, gradient in enumerate(case.gradients)
        ]
        return case.but(gradients=gradients)

    kinds = inputs(method, numbers={"zero": which}, then=zeroed)

    @law(equation="zero gradients", inputs=kinds, statement=theorem)
    def zero_gradients_give_what_they_should(subject: Subject, case: Case) -> None:
        require_right(subject, case)

    return zero_gradients_give_what_they_should


def antiparallel(method: Signature, theorem: str) -> Law:
    """Return the law of what a method gives for opposed gradients."""

    def opposed(case: Case) -> Case:
        main, *_ = case.gradients
        return case.but(gradients=[main, times(main, -case.times)])

    kinds = inputs(method, numbers={"times": (1, 2, 3)}, then=opposed)

    @law(equation="opposed gradients", inputs=kinds, statement=theorem)
    def opposed_gradients_give_what_they_should(subject: Subject, case: Case) -> None:
        require_right(subject, case)

    return opposed_gradients_give_what_they_should
