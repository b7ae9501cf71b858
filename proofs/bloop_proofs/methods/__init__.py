"""Every method that implementations can be judged by, its laws and its known mistakes.

A method is a module that defines its ``SIGNATURE``, a right step of the method's name on the rows
of a matrix, its own laws and mistakes, and the ``RELATIONS`` that it shares with others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.law import Law, laws_in
from bloop_proofs.laws import lists, relations
from bloop_proofs.methods import (
    a_gem,
    between,
    bloop,
    cagrad,
    cosine_gate,
    dynamic_barrier,
    grad_vac,
    meta_balance,
    mgda,
    mixed,
    pcgrad,
    sam_gs,
)
from bloop_proofs.methods.bloop import definition
from bloop_proofs.methods.bloop.mistakes import MISTAKES
from bloop_proofs.methods.bloop.mistakes import probes as bloop_probes
from bloop_proofs.mistakes import probes
from bloop_proofs.mistakes.common import common
from bloop_proofs.mistakes.looks import Probes
from bloop_proofs.mistakes.mistake import Mistake, mistakes_in
from bloop_proofs.signature import Signature
from bloop_proofs.subject import Subject


@dataclass(frozen=True, eq=False)
class Method:
    """A method: how its step is called, the ordered catalogues of its laws and known mistakes.

    ``right`` is a right step, simply written, in float64, and ``probes`` returns the inputs on
    which mistakes are told apart.
    """

    signature: Signature
    laws: tuple[Law, ...]
    mistakes: tuple[Mistake, ...]
    right: Subject
    probes: Callable[..., Probes] = probes.probes_for


def _of_lists(module: Any) -> Method:
    """Return the method that a module defines, whose step takes a list of gradients."""
    signature: Signature = module.SIGNATURE
    laws = (
        *relations.definition(signature),
        *laws_in(module),
        *module.RELATIONS,
        *lists.of_lists(signature),
    )
    own = mistakes_in(module)
    mistakes = (*own, *common(signature, own[0].base))
    return Method(signature, laws, mistakes, _right(mistakes))


def _right(mistakes: tuple[Mistake, ...]) -> Subject:
    """Return what wrong steps are made of."""
    first = mistakes[0]
    return Subject(first.base({}), FRAMEWORKS["numpy"], first.method)


BLOOP = Method(
    definition.SIGNATURE,
    bloop.LAWS,
    MISTAKES,
    _right(MISTAKES),
    bloop_probes.probes_for,
)
OTHERS = (
    mixed,
    a_gem,
    dynamic_barrier,
    mgda,
    cosine_gate,
    grad_vac,
    pcgrad,
    meta_balance,
    cagrad,
    sam_gs,
)
BETWEEN = Method(
    between.SIGNATURE,
    between.LAWS,
    between.MISTAKES,
    _right(between.MISTAKES),
    between.probes_for,
)
METHODS = {m.signature.name: m for m in (BLOOP, *map(_of_lists, OTHERS), BETWEEN)}
"""Every method by its name: Bloop first, and last a step between, no method of the literature."""
LAWS = BLOOP.laws
"""The laws of Bloop."""


def method_named(name: str) -> Method:
    """Return a method; raise ``ValueError`` for a name that none has."""
    if name not in METHODS:
        known = ", ".join(list(METHODS)[1:])
        raise ValueError(f"method must be bloop or one of {known}; found {name!r}")
    return METHODS[name]
