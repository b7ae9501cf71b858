"""Laws that many methods obey on inputs of other kinds: large, laid out otherwise, in other dtypes.

Each is made by a function that is given how inputs of a method are drawn.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import scaled
from bloop_proofs.law import Inputs, Law, law
from bloop_proofs.laws.measure import require_form, require_right
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import LEAVES, Shapes
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import safe_exponent

Drawn = Callable[..., Inputs]
"""The inputs of a method, which take the arguments of ``strategies.inputs``."""

LONG: Shapes = ((1500,), (37, 41), (4, 3, 2, 3), *((3,), ()) * 10)
"""The shapes of a model: few large leaves, many small ones."""
LARGE: tuple[Shapes, ...] = (((257, 263),), ((3,), (), (2, 2), (1,)) * 50)
"""A leaf of more than 2^16 entries, and two hundred leaves."""

GRIDS: tuple[Shapes, ...] = (((2, 3),), ((3,), (2, 2)), ((5,), (3, 2), ()))

LAYOUTS = (
    ("strided",),
    ("reversed",),
    ("fortran",),
    ("contiguous", "strided"),
    ("fortran", "contiguous"),
    ("contiguous", "fortran"),
    ("contiguous", "contiguous", "reversed"),
    ("contiguous", "contiguous", "fortran"),
)
"""The layouts that the vectors of a step take in turn."""

FAR = (1.0, -1.0, 0.5, -0.5, 0.75, -0.25)
"""Shares of the exponent range within which products of entries are normal numbers."""


def grown(method: Signature, case: Case, shapes: Shapes) -> Case:
    """Return a case with drawn vectors of given shapes, in the dtype of its own.

    Along the last vector the others turn, in the large and from entry to entry: what some of the
    entries say, the others deny.
    """
    generator = np.random.default_rng(case.seed)
    dtype = method.steps(case)[-1][0][0].dtype

    def vector(along: Gradient | None) -> Gradient:
        entries = [generator.standard_normal(shape) for shape in shapes]
        if along is not None:
            entries = [x + _turning(y) * y for x, y in zip(entries, along, strict=True)]
        return [np.asarray(x, dtype) for x in entries]

    def step(vectors: Sequence[Gradient]) -> list[Gradient]:
        last = vector(None)
        return [*(vector(last) for _ in vectors[1:]), last]

    return method.on_steps(case, step)


def _turning(leaf: np.ndarray) -> np.ndarray:
    """Return weights of the entries of a leaf that fall from 2 to -2 and alternate by 1."""
    places = np.arange(leaf.size)
    weights = 2 - 4 * (places + 0.5) / max(leaf.size, 1) + (-1.0) ** places
    return np.asarray(weights.reshape(leaf.shape))


def large(
    of: Drawn,
    method: Signature,
    require: Callable[[Subject, Case], None] = require_right,
    **words: Any,
) -> Law:
    """Return the law of models of any size; ``require`` judges a case."""
    kinds = of(numbers={"seed": range(1000)})

    @law(**{"group": "numerics", "equation": "leaves", "cost": 25, **words}, inputs=kinds)
    def large_models_count_to_the_last_entry(subject: Subject, case: Case) -> None:
        """With a leaf of more than 2^16 entries, and with 200 leaves, d is as defined."""
        for shapes in LARGE:
            require(subject, grown(method, case, shapes))

    return large_models_count_to_the_last_entry


def any_layout(of: Drawn, **words: Any) -> Law:
    """Return the law of the layout in memory."""
    kinds = of(shapes=GRIDS, numbers={"layouts": LAYOUTS})

    @law(group="numerics", equation="protocol", inputs=kinds, **words)
    def layout_in_memory_does_not_matter(subject: Subject, case: Case) -> None:
        """Strided leaves, reversed ones and those in Fortran's order give what others give.

        Each as far as the framework has such arrays.
        """
        layouts, library = case.layouts, subject.framework
        given = [
            [
                [library.laid_out(leaf, layouts[k % len(layouts)]) for leaf in vector]
                for k, vector in enumerate(step)
            ]
            for step in subject.method.steps(case)
        ]
        output = subject.run(given, case)
        require_form(subject, output, case)
        require_right(subject, case, output)

    return layout_in_memory_does_not_matter


def half_precision(of: Drawn, method: Signature) -> Law:
    """Return the law of half precision."""

    def large(case: Case) -> Case:
        return method.on_all(case, lambda vector: scaled(vector, 7))

    kinds = of(dtypes=("float16", "bfloat16"), then=large)

    @law(group="numerics", equation="range", inputs=kinds, may_refuse="half precision")
    def half_precision_gradients_do_not_overflow(subject: Subject, case: Case) -> None:
        """With float16 gradients of entries in the hundreds, whose squares overflow, d does not.

        It is as defined, where that is in the range of the dtype.
        """
        if _held(method, case):
            require_right(subject, case)

    return half_precision_gradients_do_not_overflow


def _held(method: Signature, case: Case) -> bool:
    """Whether float16 holds the direction as it is defined, and twice that."""
    largest = max(
        float(np.max(np.abs(answer["direction"][0]), initial=0.0))
        for answer in method.answers(method, case, None)
    )
    return largest < float(np.finfo(np.float16).max) / 2


def own_dtypes(of: Drawn, method: Signature) -> Law:
    """Return the law of leaves in several dtypes."""
    kinds = of(shapes=LEAVES, dtypes=(("float32", "float64"), ("float16", "float32")))

    @law(group="numerics", equation="protocol", inputs=kinds, may_refuse="mixed dtypes")
    def every_leaf_keeps_its_own_dtype(subject: Subject, case: Case) -> None:
        """d has the dtypes of g_main, leaf by leaf, where they differ."""
        output = subject.of(case)
        require_form(subject, output, case)
        if _held(method, case):
            require_right(subject, case, output)

    return every_leaf_keeps_its_own_dtype


def complex_leaves(of: Drawn) -> Law:
    """Return the law of complex leaves."""
    kinds = of(dtypes=("complex128", "complex64"))

    @law(group="numerics", equation="inner product", inputs=kinds, may_refuse="complex leaves")
    def complex_leaves_use_the_real_inner_product(subject: Subject, case: Case) -> None:
        """<x, y> = Re sum conj(x) y: a complex parameter is two real ones."""
        output = subject.of(case)
        require_form(subject, output, case)
        require_right(subject, case, output)

    return complex_leaves_use_the_real_inner_product


def any_scale(of: Drawn, method: Signature) -> Law:
    """Return the law of the largest and smallest scales, for methods of degree one."""
    kinds = of(dtypes=("float64", "float32"), numbers={"share": FAR})

    @law(group="numerics", equation="common scale", inputs=kinds)
    def tiny_and_huge_gradients_are_combined_alike(subject: Subject, case: Case) -> None:
        """With all gradients tiny or huge together, d is as defined, relative to their size.

        So far that products of four entries are normal numbers.
        """
        exponent = int(case.share * safe_exponent(case.gradients[0], factors=4))
        require_right(subject, method.on_all(case, lambda vector: scaled(vector, exponent)))

    return tiny_and_huge_gradients_are_combined_alike
