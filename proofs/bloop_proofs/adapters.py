"""Other forms of a subject, brought into the protocol's form by one call each."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from array_api_compat import array_namespace, is_writeable_array
from optree import tree_map

from bloop_proofs.source import Source, source_of
from bloop_proofs.subject import ProtocolError, Step, describe


def from_flat(step: Step) -> Step:
    """Return a subject made of a step that takes and returns one flat array per gradient.

    The arrays are joined for the step and what it returns is cut as they were. Gradients of
    several dtypes cannot be joined without changing them: such inputs are refused, and the law
    about them is skipped. The joined arrays are new ones, so whether an output shares memory with
    an input is not judged.

    Args:
        step: ``step(g_main, g_aux, ema, *, lam, rho) -> (direction, new_ema)``, each gradient an
            array of shape (n,), n the number of entries of all parameters together; for another
            method ``step(gradients, **options) -> direction``, ``gradients`` a list of such
            arrays, and with a state as ``check_implementation`` says.

    Example:
        >>> def mine(g_main, g_aux, ema, *, lam, rho):
        ...     c = g_aux @ ema / (ema @ ema)
        ...     return g_main + lam * (g_aux - c * ema), (1 - rho) * ema + rho * g_main
        >>> from bloop_proofs import check_implementation, from_flat
        >>> step = from_flat(mine)
        >>> check_implementation(step, laws="what-is-added-is-orthogonal-to-the-ema").passed
        True
    """
    return with_source(_in_form(step, _join, _cut, _write_back), step, "from_flat(step)")


def from_dict(step: Step, names: str = "parameter_{}") -> Step:
    """Return a subject made of a step that takes and returns dicts of arrays.

    Args:
        step: ``step(g_main, g_aux, ema, *, lam, rho) -> (direction, new_ema)``, each gradient a
            dict from the names of the parameters to their arrays; for another method
            ``step(gradients, **options) -> direction``, ``gradients`` a list of such dicts, and
            with a state as ``check_implementation`` says.
        names: the name of a parameter, with ``{}`` for its number.

    Example:
        >>> def mine(g_main, g_aux, ema, *, lam, rho):
        ...     new_ema = {name: (1 - rho) * ema[name] + rho * g for name, g in g_main.items()}
        ...     return {name: g + lam * g_aux[name] for name, g in g_main.items()}, new_ema
        >>> from bloop_proofs import check_implementation, from_dict
        >>> step = from_dict(mine, names="layers.{}.weight")
        >>> check_implementation(step, laws="new-ema-weighs-the-new-gradient-by-rho").passed
        True
        >>> check_implementation(step, laws="what-is-added-is-orthogonal-to-the-ema").passed
        False
    """

    def keys(leaves: Sequence[Any]) -> list[str]:
        return [names.format(i) for i in range(len(leaves))]

    def named(leaves: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(keys(leaves), leaves, strict=True))

    def values(name: str, found: Any, like: Sequence[Any]) -> list[Any]:
        return _values(name, found, keys(like))

    call = f"from_dict(step, names={names!r})"
    return with_source(_in_form(step, named, values), step, call)


def _in_form(
    step: Step,
    made: Callable[[Sequence[Any]], Any],
    read: Callable[[str, Any, Sequence[Any]], list[Any]],
    after: Callable[[Sequence[Any], Any], None] = lambda leaves, form: None,
) -> Step:
    """Return a subject made of a step on vectors of another form than lists of arrays.

    ``made`` makes that form of a vector, ``read`` the list of what came out; ``after`` the step
    the vectors show what was written to them.
    """

    @functools.wraps(step)  # which optional arguments it takes, its signature says
    def adapted(*given: Any, **options: Any) -> Any:
        lists = isinstance(given[0][0], list)
        vectors = given[0] if lists else given
        forms = [made(vector) for vector in vectors]
        returned = step(*((forms, *given[1:]) if lists else forms), **options)
        for vector, form in zip(vectors, forms, strict=True):
            after(vector, form)
        if lists and len(given) == 1:
            return read("direction", returned, vectors[0])
        direction, other = pair(returned, "state" if lists else "new_ema")
        direction = read("direction", direction, vectors[0])
        return direction, other if lists else read("new_ema", other, vectors[-1])

    return adapted


def from_class(make: Callable[..., Any], *, method: str = "step", ema: str = "ema") -> Step:
    """Return a subject made of a class that holds the EMA itself.

    For every step an object is made anew and given the EMA, takes the step, and is asked for the
    EMA. It gets copies, which it may write to: whether an EMA is updated in place is its own
    affair.

    Args:
        make: ``make(lam=..., rho=...)`` returns an object, as a class does or a function around it.
        method: the name of its ``step(g_main, g_aux) -> direction``.
        ema: the name of the attribute that holds the EMA, in the form of the gradients.

    Example:
        >>> class Mine:
        ...     def __init__(self, weight, beta):
        ...         self.weight, self.beta, self.average = weight, beta, None
        ...     def direction(self, g_main, g_aux):
        ...         self.average = [
        ...             self.beta * e + (1 - self.beta) * g for e, g in zip(self.average, g_main)
        ...         ]
        ...         return [g + self.weight * a for g, a in zip(g_main, g_aux)]
        >>> from bloop_proofs import check_implementation, from_class
        >>> make = lambda lam, rho: Mine(weight=lam, beta=1 - rho)
        >>> step = from_class(make, method="direction", ema="average")
        >>> check_implementation(step, laws="new-ema-weighs-the-new-gradient-by-rho").passed
        True
    """

    def adapted(g_main: Any, g_aux: Any, old_ema: Any, *, lam: float, rho: float) -> Any:
        subject = make(lam=lam, rho=rho)
        for name in (method, ema):
            if not hasattr(subject, name):
                raise ProtocolError(f"{type(subject).__name__} must have {name}; found none")
        setattr(subject, ema, tree_map(_copy, old_ema))
        direction = getattr(subject, method)(g_main, g_aux)
        return direction, getattr(subject, ema)

    return with_source(adapted, make, f"from_class(step, method={method!r}, ema={ema!r})")


def pair(returned: Any, second: str = "new_ema") -> tuple[Any, Any]:
    """Return what a step returned where it is a pair; raise ``ProtocolError`` where not."""
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        required = f"step must return a pair (direction, {second})"
        raise ProtocolError(f"{required}; found {describe(returned)}")
    return returned[0], returned[1]


def with_source(adapted: Step, inner: Any, call: str) -> Step:
    """Note in a subject how it was made, so that its counterexamples run."""
    adapter, _, _ = call.partition("(")
    source = source_of(inner)
    vars(adapted)["__bloop_source__"] = Source(
        f"{adapter}({source.name})",
        (*source.lines, f"step = {call}"),
        (*source.helpers, adapter),
    )
    return adapted


def _copy(array: Any) -> Any:
    return array_namespace(array).asarray(array, copy=True)


def _join(leaves: Sequence[Any]) -> Any:
    """Return the entries of all leaves as one new array."""
    dtypes = sorted({str(leaf.dtype) for leaf in leaves})
    if len(dtypes) > 1:
        raise TypeError(f"a flat gradient has one dtype; found {' and '.join(dtypes)}")
    xp = array_namespace(*leaves)
    return xp.concat([xp.reshape(leaf, (-1,)) for leaf in leaves])


def _write_back(leaves: Sequence[Any], flat: Any) -> None:
    """Let the leaves show what was written to the array that was joined of them."""
    for leaf, part in zip(leaves, parts(flat, leaves), strict=True):
        if is_writeable_array(leaf):
            leaf[...] = part


def _cut(name: str, flat: Any, like: Sequence[Any]) -> list[Any]:
    """Return the leaves of a flat array; raise where it is none or has not their entries."""
    size = sum(math.prod(leaf.shape) for leaf in like)
    if getattr(flat, "shape", None) != (size,):
        found = f"shape {flat.shape}" if hasattr(flat, "shape") else describe(flat)
        raise ProtocolError(f"{name} must be a flat array of shape ({size},); found {found}")
    return parts(flat, like)


def parts(flat: Any, like: Sequence[Any]) -> list[Any]:
    """Return a flat array cut into leaves of the shapes of others."""
    cut, start = [], 0
    for leaf in like:
        stop = start + math.prod(leaf.shape)
        cut.append(flat[start:stop].reshape(tuple(leaf.shape)))
        start = stop
    return cut


def _values(name: str, found: Any, keys: Sequence[str]) -> list[Any]:
    """Return the arrays of a dict in the order of the parameters."""
    if not isinstance(found, dict) or set(found) != set(keys):
        shown = sorted(map(str, found)) if isinstance(found, dict) else describe(found)
        raise ProtocolError(f"{name} must be a dict with the names {list(keys)}; found {shown}")
    return [found[key] for key in keys]
