"""The inputs on which a subject and the known mistakes of its method are compared."""

from functools import lru_cache
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import spoiled, times, zeros_like
from bloop_proofs.mistakes.looks import Look, Probe, Probes, form, history, memory, values
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import Shapes
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm

SEVERAL: Shapes = ((3,), (2, 2))
MANY: Shapes = ((2,), (1, 3), (2,))
CHOICES = 4
"""How many values of the options are tried."""


@lru_cache(maxsize=16)
def probes_for(
    right: Subject, takes: frozenset[str], dtypes: tuple[str, ...], mutable: bool, seed: int
) -> Probes:
    """Return the inputs for a framework that has some dtypes, and arrays to write to or not."""
    draw = Draw(right.method, takes, np.random.default_rng(seed))
    plain = draw.case(0)

    def probe(look: Look, case: Case) -> Probe:
        return Probe(look, case, right)

    ordinary = [probe(values, case) for case in _ordinary(draw, "float64" in dtypes)]
    special = [probe(values, case) for case in _special(draw)]
    special += [probe(form, case) for case in _forms(draw, dtypes)]
    if mutable:
        agreeing = draw.case(0, signs=(1, 1))
        told = (plain, agreeing, draw.equal(), draw.still())
        special += [probe(memory, case) for case in told]
    return Probes(tuple(ordinary), tuple(special), probe(history, draw.case(0, signs=(1,))))


class Draw:
    """Draws inputs of a method for subjects that take some of the optional arguments."""

    def __init__(self, method: Signature, takes: frozenset[str], generator: Any) -> None:
        """Keep what the inputs are drawn for, and of which numbers."""
        self.method, self.takes, self.generator = method, takes, generator

    @property
    def takes_more(self) -> bool:
        """Whether there are more gradients than two, in known orders if the method has orders."""
        ordered = "orders" not in self.method.optional or "orders" in self.takes
        return self.method.most_losses > 2 and ordered

    def gradients(self, shapes: Shapes, losses: int, sign: int) -> list[Gradient]:
        """Return gradients of which each two have a cosine far from 0, 1 and -1, of a sign."""
        while True:
            drawn = [
                [self.generator.integers(-24, 25, shape) / 8 for shape in shapes]
                for _ in range(losses)
            ]
            vectors = np.array([flat(gradient) for gradient in drawn])
            sizes = np.array([norm(v) for v in vectors])
            if not np.all(sizes):
                continue
            cosines = (vectors @ vectors.T / np.outer(sizes, sizes))[np.triu_indices(losses, 1)]
            if np.all((sign * cosines > 0.1) & (np.abs(cosines) < 0.8)):
                return drawn

    def case(
        self,
        choice: int,
        *,
        shapes: Shapes = SEVERAL,
        losses: int = 2,
        signs: tuple[int, ...] = (-1, 1, -1),
        sizes: tuple[float, ...] = (1.0, 1.0),
        dtype: str = "float32",
    ) -> Case:
        """Return a case with one step per sign, the last one for methods without a state."""
        steps = [self.gradients(shapes, losses, sign) for sign in signs]
        case = Case(
            **({"earlier": steps[:-1]} if self.method.stateful else {}),
            gradients=steps[-1],
            **self.options(choice, losses),
        )
        most = len(sizes) - 1
        return self.method.on_steps(
            case,
            lambda step: [
                [np.asarray(sizes[min(k, most)] * x).astype(dtype) for x in gradient]
                for k, gradient in enumerate(step)
            ],
        )

    def options(self, choice: int, losses: int) -> dict[str, Any]:
        """Return one of the values of every option; what is not taken has its usual value."""
        found = {}
        for k, (name, of) in enumerate(self.method.options.items()):
            known = of(losses)
            found[name] = known[(choice + k * (choice // 2)) % len(known)]
        for name, (of, usual) in self.method.optional.items():
            known = of(losses)
            found[name] = known[(3 * choice + 1) % len(known)] if name in self.takes else usual
        return found

    def turning(self) -> Case:
        """Return a case of three gradients, the first of which is turned against itself."""
        entries = ((1.0, 0.0), (-1.0, 1.0), (-10.0, -1.0))
        steps = [[np.array(entry, np.float32)] for entry in entries]
        past = {"earlier": [steps]} if self.method.stateful else {}
        return Case(**past, gradients=steps, **self.options(0, 3))

    def uneven(self, choice: int) -> Case:
        """Return a case whose auxiliary gradient is at first much larger than it is at last."""
        case = self.case(choice, signs=(1, -1, 1))
        grown = [[main, times(aux, 48)] for main, aux in case.earlier]
        return case.but(earlier=grown)

    def equal(self) -> Case:
        """Return a case of which the direction may be the main gradient: a is zero."""
        case = self.case(0, signs=(1,))
        main, aux = case.gradients
        return case.but(gradients=[main, zeros_like(aux)])

    def still(self) -> Case:
        """Return a case of zeros alone."""
        return self.method.on_all(self.equal(), zeros_like)


def _ordinary(draw: Draw, double: bool) -> list[Case]:
    """Return inputs of both signs and several sizes, options and numbers of steps."""
    pasts = ((-1, 1, -1), (1, -1, 1), (1, 1, -1, 1), (1, -1), (-1, -1, -1), (1,), (-1,))
    cases = [
        draw.case(choice, signs=signs, sizes=sizes, shapes=(SEVERAL, MANY)[choice % 2])
        for choice in range(CHOICES)
        for signs in (pasts if draw.method.stateful else pasts[-2:])
        for sizes in ((1.0, 1.0), (4.0, 0.5), (0.25, 3.0), (1.0, 48.0))
    ][:: 2 if draw.method.stateful else 1]
    cases += [
        draw.case(k, signs=signs, sizes=(2.0**e,))
        for k, e in ((0, -14), (1, 10), (2, -20))
        for signs in ((1, 1), (1, -1))
    ]
    if draw.takes_more:
        cases += [
            draw.case(choice, losses=3, signs=signs, sizes=sizes, shapes=MANY)
            for choice in range(CHOICES)
            for signs in ((-1,), (1, -1))
            for sizes in ((1.0, 1.0), (1.0, 2.0, 0.5))
        ]
    if draw.method.stateful:
        cases += [draw.uneven(choice) for choice in range(CHOICES)]
    if double:
        cases += [draw.case(k, signs=(1, -1), dtype="float64") for k in range(2)]
    return cases


def _special(draw: Draw) -> list[Case]:
    """Return inputs on whose entries simple code may fail."""
    case = draw.case(1)
    main, aux = case.gradients
    zero, opposed = zeros_like(main), times(main, -2)
    pairs = ([main, zero], [zero, aux], [zero, zero], [main, opposed], [main, main])
    bad = ([spoiled(main, 1, np.nan), aux], [main, spoiled(aux, 1, np.nan)])
    cases = [case.but(gradients=pair) for pair in (*pairs, *bad)]
    # formulas that divide by what projections leave may divide by rounding errors here
    return [*cases, draw.turning()] if draw.takes_more else cases


def _forms(draw: Draw, dtypes: tuple[str, ...]) -> list[Case]:
    """Return inputs whose leaves have odd shapes, and dtypes of which several may be there."""
    cases = [draw.case(0, shapes=shapes) for shapes in (((3,), (2, 1), (), (1,)), ((0,), (4,)))]
    if "float64" in dtypes:
        cases.append(draw.case(0, dtype="float64"))
    return cases
