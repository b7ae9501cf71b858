"""``bloop-ref verify --list`` and ``--explain``: what there is to judge by, in words."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from bloop_proofs.cases import Case
from bloop_proofs.law import Law
from bloop_proofs.laws.reasons import REASONS
from bloop_proofs.methods import METHODS, Method, method_named
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.quiet import silence
from bloop_proofs.runner import try_law
from bloop_proofs.subject import Subject
from bloop_proofs.trials import breaks

EXAMPLES = 12
"""How many inputs an ordinary law is tried on to learn which mistakes break it."""
SHOWN = 8
"""How many of these mistakes are named."""
COSTLY = 100
"""Laws of this cost are tried on no more mistakes than it takes to name some."""


def listed(name: str) -> str:
    """Return the methods, and the laws and known mistakes of one, a line for each.

    Raises:
        ValueError: no method has that name.

    Example:
        >>> print(listed("a_gem"))  # doctest: +ELLIPSIS
        methods (--method)
          bloop: step(g_main, g_aux, ema, *, lam, rho) -> (direction, new_ema)
        ...
        laws of a_gem (--laws)
          direction-is-as-defined (Chaudhry et al. 2019): d = m where <m, a> >= 0, else pi(m; a).
        ...
        known mistakes in a_gem
          projects-always: The direction is pi(m; a).
        ...
    """
    method = method_named(name)
    sections = {
        "methods (--method)": [f"{key}: {m.signature.call}" for key, m in METHODS.items()],
        f"laws of {name} (--laws)": [
            f"{law.name} ({law.equation}): {_first(law.statement)}" for law in method.laws
        ],
        f"known mistakes in {name}": [
            f"{mistake.name}: {_first(mistake.statement)}" for mistake in method.mistakes
        ],
    }
    return "\n\n".join("\n  ".join([title, *lines]) for title, lines in sections.items())


def _first(statement: str) -> str:
    """Return the first sentence of a statement."""
    return re.split(r"(?<=(?<!eq)\.) (?=[A-Z])", statement)[0]


def explained(law_name: str, method_name: str) -> str:
    """Return what a law says, why it matters, and which known mistakes break it.

    Raises:
        ValueError: no method has that name, or the method has no law of that name.

    Example:
        >>> print(explained("protected-loss-never-rises", "a_gem"))  # doctest: +ELLIPSIS
        protected-loss-never-rises (constraint, paper)
        <d, a> >= 0.
        <BLANKLINE>
        why it matters: It is the constraint that the method solves for.
        <BLANKLINE>
        known mistakes that break it, 3 of 15:
          projects-in-agreement: The part along a is removed where <m, a> > 0.
        ...
    """
    method = method_named(method_name)
    law = _law_of(method, law_name)
    found = breaking(law, method)
    counted = "such as" if law.cost >= COSTLY else f"{len(found)} of {len(method.mistakes)}"
    more = [f"  and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return "\n".join(
        [
            f"{law.name} ({law.equation}, {law.group})",
            law.statement,
            *([f"A step may refuse {law.may_refuse}."] if law.may_refuse else []),
            "",
            f"why it matters: {REASONS[law.name]}",
            "",
            f"known mistakes that break it, {counted}:",
            *(f"  {mistake.name}: {_first(mistake.statement)}" for mistake in found[:SHOWN]),
            *more,
        ]
    )


def _law_of(method: Method, name: str) -> Law:
    for law in method.laws:
        if law.name == name:
            return law
    there = [m for m, other in METHODS.items() if name in {law.name for law in other.laws}]
    mend = f", a law of {', '.join(there)}: say --method" if there else ""
    raise ValueError(
        f"a law of {method.signature.name} must be named (--list has them); found {name!r}{mend}"
    )


def breaking(law: Law, method: Method) -> list[Mistake]:
    """Return the known mistakes that break a law; for a costly law enough of them to show.

    Those come first that the law is there for: under a law of numerics the mistakes in numerics,
    and those that the method's definition, its first law, does not find.
    """
    definition, *_ = method.laws
    with silence():
        found = list(islice(_broken_by(law, method), SHOWN if law.cost >= COSTLY else None))
        anyway = set(_broken_by(definition, method))
    beside = "equations" if law.group == "numerics" else None
    return sorted(found, key=lambda mistake: (mistake.group == beside, mistake in anyway))


def _broken_by(law: Law, method: Method) -> Iterator[Mistake]:
    """Yield the mistakes that break a law on one of a few inputs, in the catalogue's order."""
    cases: list[Case] = []
    listening = replace(law, check=lambda _, case: cases.append(case))
    try_law(listening, method.right, examples=max(1, EXAMPLES // law.cost), seed=0)
    for mistake in method.mistakes:
        subject = Subject(mistake.step, method.right.framework, method.signature)
        if any(breaks(law, subject, case) for case in cases):
            yield mistake
