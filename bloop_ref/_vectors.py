"""Vectors as aligned columns of leaves, checked once at the door."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, TypeAlias

import array_api_compat
import array_api_compat.numpy
import optree

from bloop_ref import _accumulate as twice
from bloop_ref._arrays import device, gather, kind, parts
from bloop_ref._typing import Array, Leaves, Scalar, Vector


@dataclass(frozen=True)
class Columns:
    """Several vectors of one structure: ``leaves[j][l]`` is leaf ``l`` of vector ``j``.

    ``wide`` is the dtype that sums are carried in, and ``paired`` says that it is no wider than
    some leaf that came in, so that rounding errors are carried along. For arrays of Python objects
    (fractions, symbols), whose arithmetic is exact, ``wide`` is ``None``.
    """

    leaves: tuple[Leaves, ...]
    treespec: optree.PyTreeSpec
    xp: Any
    wide: Any
    paired: bool

    def of(self, *leaves: Leaves) -> "Columns":
        """Return other vectors, or the same in another choice, that are known to fit together."""
        return replace(self, leaves=leaves)

    def unflatten(self, leaves: Leaves) -> Vector:
        """Rebuild a vector of this structure."""
        return optree.tree_unflatten(self.treespec, leaves)

    @cached_property
    def units(self) -> tuple[Scalar, ...]:
        """What each vector is measured in: a power of two near its largest magnitude.

        Inner products and coefficients refer to v / unit: none overflows or underflows, and since
        such a division rounds nothing, no result depends on the units by a bit. Where sums are
        carried in a dtype wider than every leaf there is no danger, and the units are 1.
        """
        return tuple(map(self._unit, self.leaves)) if self.paired else (1,) * len(self.leaves)

    def _unit(self, column: Leaves) -> Scalar:
        xp = self.xp
        peaks = [
            xp.max(xp.abs(part))
            for leaf in column
            if leaf is not None and 0 not in leaf.shape
            for part in parts(leaf, self.wide, xp)
        ]
        peak = reduce(xp.maximum, gather(peaks, xp)) if peaks else self.scalar(0)
        return twice.power_of_two(peak, self.wide, xp)

    def scalar(self, value: Scalar, dtype: Any = None) -> Scalar:
        """Return a number as a zero-dimensional array beside the vectors, wide by default."""
        leaf = next((leaf for column in self.leaves for leaf in column if leaf is not None), None)
        options = {
            "dtype": dtype or self.wide,
            "device": None if leaf is None else device(leaf, self.xp),
        }
        if array_api_compat.is_array_api_obj(value):
            return self.xp.asarray(value, **options)
        return self.xp.full((), value, **options)

    def counter(self, value: Scalar) -> Array:
        """Return an integer as an array beside the vectors."""
        return self.scalar(value, self.xp.int32)


def align(**vectors: Vector) -> Columns:
    """Check that the named vectors can be combined, and lay their leaves side by side.

    Raises ``TypeError`` for a leaf that is no floating array and for mixed array libraries, and
    ``ValueError`` for different tree structures, shapes or devices. Nothing is broadcast.
    """
    names = tuple(vectors)
    flat = [optree.tree_flatten(vector, none_is_leaf=True) for vector in vectors.values()]
    if not flat:
        raise ValueError("at least one vector is required; found none")
    _, treespec = flat[0]
    for name, (_, found) in zip(names, flat, strict=True):
        if found != treespec:
            raise ValueError(
                f"{name} must have the tree structure of {names[0]}: "
                f"required {treespec}, found {found}"
            )

    def path(place: Place) -> str:
        position, j = place
        return optree.treespec_accessors(treespec)[position].codify(names[j])

    columns = tuple(tuple(leaves) for leaves, _ in flat)
    rows = [
        {(position, j): leaf for j, leaf in enumerate(row) if leaf is not None}
        for position, row in enumerate(zip(*columns, strict=True))
    ]
    present = {place: leaf for row in rows for place, leaf in row.items()}
    xp = _one_namespace(present, path)
    for row in rows:
        _check_alike(row, path, xp)
    wide, paired = _accumulator(list(present.values()), xp)
    return Columns(columns, treespec, xp, wide, paired)


Place: TypeAlias = tuple[int, int]
"""The position of a leaf in the tree, and the number of its vector."""


def _one_namespace(leaves: Mapping[Place, Array], path: Callable[[Place], str]) -> Any:
    """Return the one array library of all leaves; NumPy where there is no leaf."""
    namespaces: dict[type, Any] = {}
    first = next(iter(leaves), (0, 0))
    for place, leaf in leaves.items():
        if type(leaf) not in namespaces:
            if not array_api_compat.is_array_api_obj(leaf):
                raise TypeError(
                    f"{path(place)} must be an array of a library that follows the array API "
                    f"standard, or None; found {type(leaf).__name__}"
                )
            namespaces[type(leaf)] = array_api_compat.array_namespace(leaf)
        found, required = namespaces[type(leaf)], next(iter(namespaces.values()))
        if found is not required:
            raise TypeError(
                f"{path(place)} must be an array of the library of {path(first)}: "
                f"required {required.__name__}, found {found.__name__}"
            )
        if kind(leaf, found) == "other":
            raise TypeError(
                f"{path(place)} must have a real or complex floating dtype of at most 64 bits a "
                f"part; found {leaf.dtype}"
            )
    return next(iter(namespaces.values()), array_api_compat.numpy)


def _check_alike(row: Mapping[Place, Array], path: Callable[[Place], str], xp: Any) -> None:
    """Check one leaf of every vector against the first vector that has it."""
    requirements: dict[str, Callable[[Array], Any]] = {
        "shape": lambda leaf: tuple(leaf.shape),
        "device": lambda leaf: device(leaf, xp),
        "kind of dtype": lambda leaf: kind(leaf, xp),
    }
    places = iter(row)
    first = next(places, (0, 0))
    for place in places:
        for what, read in requirements.items():
            if (found := read(row[place])) != (required := read(row[first])):
                raise ValueError(
                    f"{path(place)} must have the {what} of {path(first)}: "
                    f"required {required}, found {found}"
                )


def _accumulator(leaves: list[Array], xp: Any) -> tuple[Any, bool]:
    """Return the widest dtype that all devices of some leaves have, and if a leaf is as wide."""
    if any(kind(leaf, xp) == "object" for leaf in leaves):
        return None, False
    devices = {device(leaf, xp) for leaf in leaves} or {None}
    if not all(_has_float64(where, xp) for where in devices):
        return xp.float32, True
    return xp.float64, any(leaf.dtype in (xp.float64, xp.complex128) for leaf in leaves)


def _has_float64(where: Any, xp: Any) -> bool:
    return "float64" in xp.__array_namespace_info__().dtypes(kind="real floating", device=where)
