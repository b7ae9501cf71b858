"""What may be set on an object between two steps: its method, or numbers of it."""

import copy
from difflib import get_close_matches
from typing import Any, TypeVar

import optree

from bloop_ref.gram_method import GramMethod
from bloop_ref.method import Method
from bloop_ref.surgery import PerLeaf

AMethod = TypeVar("AMethod", bound=Method)


def altered(method: AMethod, **options: Any) -> AMethod:
    """Return a method with other options, which are checked as those of a new one are."""
    other = copy.copy(method)
    for name, value in options.items():
        object.__setattr__(other, name, value)
    other.__post_init__()
    return other


def inner(method: Method) -> Method:
    """Return the method that is applied leaf by leaf, or the method itself."""
    return method.method if isinstance(method, PerLeaf) else method


class Settable:
    """An object with a method, on which nothing can be set that would not count."""

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        made = "_made" in fields
        if made and name == "method":
            _check_method(self, value)
        elif made and name not in fields and not hasattr(type(self), name):
            raise AttributeError(_unknown(self, name))
        object.__setattr__(self, name, value)
        if made and name == "method":
            first = any(inner(value).starts(fields["losses"]))
            fields["_fresh"] = first and fields["count"] == int(fields["skipped"])


def _unknown(owner: object, name: str) -> str:
    public = [x for x in (*vars(owner), *dir(type(owner))) if not x.startswith("_")]
    similar = get_close_matches(name, public, n=1)
    hint = f"; did you mean {similar[0]!r}?" if similar else ""
    return f"{type(owner).__name__} has no attribute {name!r} to set{hint}"


def _check_method(owner: Any, new: Any) -> None:
    """Raise unless a method remembers what the present one does."""
    check_is_method(new)
    new.check_losses("losses", owner.losses)
    required, found = (_form(method, owner.losses) for method in (owner.method, new))
    if found != required:
        raise ValueError(
            f"method must remember what {type(owner.method).__name__} does, in the same dtype, to "
            f"go on with that; found {type(new).__name__}. Make a new {type(owner).__name__}"
        )


def check_is_method(method: Any) -> None:
    """Raise ``TypeError`` unless it is a method."""
    if not isinstance(method, Method):
        raise TypeError(f"method must be a bloop_ref.surgery.Method; found {method!r}")


def _form(method: Method, losses: int) -> Any:
    """Return what says how a state looks, and what is in it if anything is."""
    of_leaf = inner(method)
    kind = isinstance(method, PerLeaf), isinstance(of_leaf, GramMethod)
    scalars = optree.tree_structure(of_leaf.start(losses))
    remembered = of_leaf.remembers(losses), scalars.num_leaves
    if not any(remembered):
        return kind
    return kind, type(of_leaf), remembered, str(of_leaf.memory_dtype)
