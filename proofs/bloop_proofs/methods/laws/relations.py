"""Laws that several methods obey: what a change of all gradients does to the direction."""

from collections.abc import Callable

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.law import Law
from bloop_proofs.laws.invariances import unflatten
from bloop_proofs.laws.measure import require_close
from bloop_proofs.laws.scales import scaled
from bloop_proofs.methods.inputs import inputs
from bloop_proofs.methods.measure import bound, found, method_law, require_right
from bloop_proofs.methods.method import Method
from bloop_proofs.methods.subject import MethodSubject, on_all
from bloop_proofs.strategies import LEAVES
from bloop_proofs.subject import flat

LawOf = Callable[[Method], Law]
"""From a method to a law about it."""

MORE = "more than two gradients"
EXPONENTS = (1, -1, 4, -4, 12, -12, 20, -20)
"""Powers of two: the fourth power of what they scale is a normal number in single precision."""


def definition(method: Method) -> Law:
    """Return the law that a method's direction for two gradients is what it is defined to be."""

    @method_law(equation=method.where, inputs=inputs(method), statement=method.theorem)
    def direction_is_as_defined(subject: MethodSubject, case: Case) -> None:
        require_right(subject, case)

    return direction_is_as_defined


def definition_for_more(method: Method) -> Law:
    """Return the same for more gradients."""
    # four gradients can meet in 1296 orders, too many to compare with
    counts = (3,) if "orders" in method.optional else (3, 4)
    kinds = inputs(method, losses=counts, earlier=(0, 1), dtypes=("float64",))

    @method_law(equation=method.where, inputs=kinds, may_refuse=MORE)
    def direction_of_more_gradients_is_as_defined(subject: MethodSubject, case: Case) -> None:
        """The definition with one main and several auxiliary gradients.

        A step that takes no ``orders`` may take any, at random too, where a method has them.
        """
        require_right(subject, case)

    return direction_of_more_gradients_is_as_defined


def degree_one(method: Method) -> Law:
    """Return the law of the common scale."""

    @method_law(equation="common scale", inputs=inputs(method, numbers={"exponent": EXPONENTS}))
    def common_scale_carries_over(subject: MethodSubject, case: Case) -> None:
        """d(s g_0, s g_1, ...) = s d(g_0, g_1, ...), s > 0 on the gradients of all steps.

        So there is no absolute constant, such as an epsilon, in the method.
        """
        moved = on_all(case, lambda step: [scaled(gradient, case.exponent) for gradient in step])
        direction = np.ldexp(found(subject, moved), -case.exponent)
        require_close("d(s g) / s", direction, found(subject, case), 2 * bound(subject, case))

    return common_scale_carries_over


def scale_free(method: Method) -> Law:
    """Return the law that only the line of the auxiliary gradient matters."""

    @method_law(equation="scale of a", inputs=inputs(method, numbers={"exponent": EXPONENTS}))
    def scale_of_the_auxiliary_gradient_does_not_matter(subject: MethodSubject, case: Case) -> None:
        """d(m, s a) = d(m, a) for s > 0."""
        main, aux = case.gradients
        other = found(subject, case, gradients=[main, scaled(aux, case.exponent)])
        require_close("direction", other, found(subject, case), 2 * bound(subject, case))

    return scale_of_the_auxiliary_gradient_does_not_matter


def symmetric(method: Method) -> Law:
    """Return the law that no gradient comes first."""

    @method_law(equation="symmetry", inputs=inputs(method, options={"lam": (1.0,)}))
    def exchanging_two_gradients_changes_nothing(subject: MethodSubject, case: Case) -> None:
        """d(m, a) = d(a, m): no loss is the main one (where both have the weight 1)."""
        other = found(subject, on_all(case, lambda step: step[::-1]))
        require_close("direction", other, found(subject, case), 2 * bound(subject, case))

    return exchanging_two_gradients_changes_nothing


def _carried(
    subject: MethodSubject, case: Case, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Require that a change of all vectors changes the direction alike."""

    def moved(gradient: Gradient) -> Gradient:
        return unflatten(change(flat(gradient)), gradient)

    other = on_all(case, lambda step: [moved(gradient) for gradient in step])
    required = change(found(subject, case))
    # changing the vectors rounds them by no more than a direction is allowed to err
    room = 2 * bound(subject, case) + 2 * bound(subject, other)
    require_close("direction", found(subject, other), required, room)


def rotation(method: Method) -> Law:
    """Return the law of rotations."""
    angles = {"angle": (0.5, 1.0, 2.0, 3.0)}

    @method_law(
        equation="rotation",
        inputs=inputs(method, shapes=LEAVES, dtypes=("float64",), numbers=angles),
    )
    def rotation_carries_over(subject: MethodSubject, case: Case) -> None:
        """Rotating all gradients alike, in the plane of the first and last entry, rotates d.

        The method reads the gradients through their inner products only.
        """

        def rotate(vector: np.ndarray) -> np.ndarray:
            c, s = np.cos(case.angle), np.sin(case.angle)
            turned = vector.copy()
            turned[0] = c * vector[0] - s * vector[-1]
            turned[-1] = s * vector[0] + c * vector[-1]
            return turned

        _carried(subject, case, rotate)

    return rotation_carries_over


def signed_permutation(method: Method) -> Law:
    """Return the law of permutations and signs of the entries."""
    kinds = inputs(method, shapes=LEAVES, numbers={"shift": (1, 2, 3), "flipped": (0, 1)})

    @method_law(equation="signed permutation", inputs=kinds)
    def permutation_and_signs_of_the_entries_carry_over(subject: MethodSubject, case: Case) -> None:
        """Permuting the entries of all gradients alike, across leaves too, permutes d.

        Changing the sign of an entry in all gradients changes its sign in d.
        """

        def permute(vector: np.ndarray) -> np.ndarray:
            signs = np.where(np.arange(vector.size) == case.flipped, -1.0, 1.0)
            return np.roll(signs * vector, case.shift)

        _carried(subject, case, permute)

    return permutation_and_signs_of_the_entries_carry_over


def splitting(method: Method) -> Law:
    """Return the law that leaves are one vector."""

    @method_law(equation="leaves", inputs=inputs(method, shapes=LEAVES))
    def splitting_into_leaves_does_not_matter(subject: MethodSubject, case: Case) -> None:
        """Inner products and norms run over all parameters: one long leaf gives the same d."""

        def joined(gradient: Gradient) -> Gradient:
            return [flat(gradient).astype(gradient[0].dtype)]

        one = found(subject, on_all(case, lambda step: list(map(joined, step))))
        require_close("direction", one, found(subject, case), 2 * bound(subject, case))

    return splitting_into_leaves_does_not_matter


def zeros(theorem: str, which: tuple[tuple[int, ...], ...] = ((1,), (0,), (0, 1))) -> LawOf:
    """Return, for a method, the law of what it gives where gradients are zero."""

    def of(method: Method) -> Law:
        def zeroed(case: Case) -> Case:
            gradients = [
                [np.zeros_like(leaf) for leaf in gradient] if k in case.zero else gradient
                for k, gradient in enumerate(case.gradients)
            ]
            return case.but(gradients=gradients)

        kinds = inputs(method, numbers={"zero": which}, then=zeroed)

        @method_law(equation="zero gradients", inputs=kinds, statement=theorem)
        def zero_gradients_give_what_they_should(subject: MethodSubject, case: Case) -> None:
            require_right(subject, case)

        return zero_gradients_give_what_they_should

    return of


def antiparallel(theorem: str) -> LawOf:
    """Return, for a method, the law of what it gives for opposed gradients."""

    def of(method: Method) -> Law:
        def opposed(case: Case) -> Case:
            main, *_ = case.gradients
            return case.but(gradients=[main, [np.asarray(-case.times * x) for x in main]])

        kinds = inputs(method, numbers={"times": (1, 2, 3)}, then=opposed)

        @method_law(equation="opposed gradients", inputs=kinds, statement=theorem)
        def opposed_gradients_give_what_they_should(subject: MethodSubject, case: Case) -> None:
            require_right(subject, case)

        return opposed_gradients_give_what_they_should

    return of
