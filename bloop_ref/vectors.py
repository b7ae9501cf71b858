"""Vectors as a stack of aligned leaves, checked once at the door."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, NoReturn

import array_api_compat
import array_api_compat.numpy
import numpy as np
import optree

from bloop_ref.aliases import Array, Leaves, Scalar, Vector
from bloop_ref.arrays import beside, device, gather, is_double, kind, parts, spacing


@dataclass(frozen=True)
class Stack:
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

    def of(self, *leaves: Leaves) -> "Stack":
        """Return other vectors, or the same in another choice, that are known to fit together."""
        return replace(self, leaves=leaves)

    def unflatten(self, leaves: Leaves) -> Vector:
        """Rebuild a vector of this structure."""
        return optree.tree_unflatten(self.treespec, leaves)

    @property
    def dtypes(self) -> tuple[Any, ...]:
        """Every leaf's dtype: that of the first vector that has the leaf."""
        rows = zip(*self.leaves, strict=True)
        return tuple(next((x.dtype for x in row if x is not None), None) for row in rows)

    @property
    def spacing(self) -> float:
        """The largest spacing at 1 among the dtypes of the leaves; 0 where they are exact."""
        if self.wide is None:
            return 0.0
        dtypes = {x.dtype for vector in self.leaves for x in vector if x is not None}
        return max((spacing(dtype, self.xp) for dtype in dtypes), default=0.0)

    @cached_property
    def peaks(self) -> tuple[Scalar, ...]:
        """The largest magnitude of each vector's entries."""
        return tuple(map(self._peak, self.leaves))

    def _peak(self, vector: Leaves) -> Scalar:
        xp = self.xp
        peaks = [
            xp.max(xp.abs(part))
            for leaf in vector
            if leaf is not None and 0 not in leaf.shape
            for part in parts(leaf, self.wide, xp)
        ]
        return reduce(xp.maximum, gather(peaks, xp)) if peaks else self.scalar(0)

    def scalar(self, value: Scalar, dtype: Any = None) -> Scalar:
        """Return a number as a zero-dimensional array beside the vectors, wide by default."""
        leaf = next((leaf for vector in self.leaves for leaf in vector if leaf is not None), None)
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


def align(**vectors: Vector) -> Stack:
    """Check that the named vectors can be combined, and lay their leaves side by side.

    Nothing is broadcast. Backends that walk trees in their own way hand in lists of leaves.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: tree structures, shapes, devices or kinds of dtype differ.

    Example:
        >>> import numpy as np
        >>> stack = align(g={"w": np.ones(2), "b": None}, e={"w": np.zeros(2), "b": None})
        >>> stack.leaves
        ((None, array([1., 1.])), (None, array([0., 0.])))
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

    columns = tuple(tuple(leaves) for leaves, _ in flat)
    door = _Door(names, treespec)
    for position, row in enumerate(zip(*columns, strict=True)):
        door.check(position, row)
    return Stack(columns, treespec, door.xp or array_api_compat.numpy, *door.accumulator())


class _Door:
    """What has come in so far: most leaves are as those before them, and looked at no further."""

    def __init__(self, names: tuple[str, ...], treespec: optree.PyTreeSpec) -> None:
        self.names, self.treespec = names, treespec
        self.xp: Any = None
        self.kinds: dict[tuple[type, Any], str] = {}
        self.devices: list[Any] = []  # no set: not every library's devices can be hashed
        self.first = (0, 0)

    def path(self, position: int, j: int) -> str:
        """Return what the user calls a leaf."""
        return optree.treespec_accessors(self.treespec)[position].codify(self.names[j])

    def check(self, position: int, row: Leaves) -> None:
        """Check one leaf of every vector by itself, and against the first vector that has it."""
        model: tuple[Any, ...] = ()
        for j, leaf in enumerate(row):
            if leaf is None:
                continue
            key = type(leaf), getattr(leaf, "dtype", None)
            if key not in self.kinds:
                self.kinds[key] = self._let_in(leaf, position, j)
            where = device(leaf, self.xp)
            if where not in self.devices:
                self.devices.append(where)
            found = leaf.shape, where, self.kinds[key]
            if model and found != model[1:]:
                self._refuse(position, j, found, model)
            model = model or (j, *found)

    def _let_in(self, leaf: Array, position: int, j: int) -> str:
        """Return the kind of a leaf of a type and dtype that has not been seen yet."""
        if not array_api_compat.is_array_api_obj(leaf) or isinstance(leaf, np.ma.MaskedArray):
            raise TypeError(
                f"{self.path(position, j)} must be an array of a library that follows the "
                f"array API standard, or None; found {type(leaf).__name__}"
            )
        found = array_api_compat.array_namespace(leaf)
        if self.xp is None:
            self.xp, self.first = found, (position, j)
        if found is not self.xp:
            raise TypeError(
                f"{self.path(position, j)} must be an array of the library of "
                f"{self.path(*self.first)}: required {self.xp.__name__}, found {found.__name__}"
            )
        if kind(leaf, found) == "other":
            raise TypeError(
                f"{self.path(position, j)} must have a real or complex floating dtype of at most "
                f"64 bits a part; found {leaf.dtype}"
            )
        return kind(leaf, found)

    def _refuse(
        self, position: int, j: int, found: tuple[Any, ...], model: tuple[Any, ...]
    ) -> NoReturn:
        first, *required = model
        questions = zip(("shape", "device", "kind of dtype"), required, found, strict=True)
        what, wanted, got = next(question for question in questions if question[1] != question[2])
        if what == "shape":
            wanted, got = tuple(wanted), tuple(got)
        raise ValueError(
            f"{self.path(position, j)} must have the {what} of {self.path(position, first)}: "
            f"required {wanted}, found {got}"
        )

    def accumulator(self) -> tuple[Any, bool]:
        """Return the widest dtype that all devices have, and if a leaf is as wide."""
        xp = self.xp or array_api_compat.numpy
        if "object" in self.kinds.values():
            return None, False
        if not all(_has_float64(where, xp) for where in self.devices or [None]):
            return xp.float32, True
        return xp.float64, any(is_double(dtype, xp) for _, dtype in self.kinds)


def _has_float64(where: Any, xp: Any) -> bool:
    if array_api_compat.is_numpy_namespace(xp):
        return True
    return "float64" in xp.__array_namespace_info__().dtypes(kind="real floating", device=where)


def all_finite(stack: Stack, places: Iterable[int]) -> Scalar:
    """Return whether every entry of some vectors is finite, as an array that is not read."""
    xp = stack.xp
    flags = [
        xp.all(xp.isfinite(leaf))
        for j in places
        for leaf in stack.leaves[j]
        if leaf is not None and kind(leaf, xp) != "object"
    ]
    return reduce(xp.logical_and, gather(flags, xp)) if flags else stack.scalar(True, xp.bool)


def choose(stack: Stack, condition: Scalar, new: Leaves, old: Leaves) -> Leaves:
    """Return one vector or the other without reading the condition; a ``None`` leaf is zero."""
    xp = stack.xp
    return tuple(
        None
        if x is None
        else xp.where(beside(condition, x, xp), x, xp.zeros_like(x) if y is None else y)
        for x, y in zip(new, old, strict=True)
    )
