"""What numba has no word for: code kept on disk, and several entries in registers at once."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, njit
from numba import types as numba_types

types: Any = numba_types  # these are not annotated
intrinsic: Callable[[Any], Any] = extending.intrinsic

WIDTH = 32
"""Entries that are combined at once: enough independent sums to hide the latency of adding."""


def kept(**options: Any) -> Callable[..., Any]:
    """Compile a function, kept on disk where there is a folder for that.

    What is kept counts as fresh while the function's own file is as it was: who changes this one
    has to touch that of the kernels.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # neither this folder nor the user's cache can be written
            return njit(nogil=True, **options)(function)

    return decorate


class Lanes(numba_types.Type):
    """Several numbers in registers: all are read before one is written."""

    def __init__(self, of: Any) -> None:
        """Take the type of the numbers."""
        super().__init__(f"Lanes({of})")
        self.of = of


def _many(of: Any) -> Any:
    return ir.VectorType(ir.FloatType() if of == types.float32 else ir.DoubleType(), WIDTH)


@extending.register_model(Lanes)
class _LanesModel(extending.models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _many(of.of))  # type: ignore[no-untyped-call]


def _spread(builder: Any, number: Any, of: Any) -> Any:
    i32, many = ir.IntType(32), _many(of)
    one = builder.insert_element(ir.Constant(many, ir.Undefined), number, i32(0))
    return builder.shuffle_vector(one, one, ir.VectorType(i32, WIDTH)([0] * WIDTH))


def _as(builder: Any, x: Any, many: Any) -> Any:
    """Return a vector widened, or rounded once, to others of as many numbers."""
    if x.type == many:
        return x
    return (builder.fptrunc if many.element == ir.FloatType() else builder.fpext)(x, many)


@intrinsic
def at(_: Any, address: Any, position: Any, like: Any) -> Any:
    """Return a pointer to an entry of a leaf of numbers like a given one."""
    pointer = types.CPointer(like)

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        start = builder.inttoptr(arguments[0], context.get_value_type(pointer))
        return builder.gep(start, [arguments[1]])

    return pointer(address, types.int64, like), generate


@intrinsic
def same(_: Any, number: Any) -> Any:
    """Return lanes that all hold a number."""
    return Lanes(number)(number), lambda _c, builder, _s, v: _spread(builder, v[0], number)


@intrinsic
def plus(_: Any, total: Any, weight: Any, x: Any) -> Any:
    """Return lanes plus a number times lanes, rounded as in ``_entry``."""

    def generate(_c: Any, builder: Any, _s: Any, values: Any) -> Any:
        product = builder.fmul(_spread(builder, values[1], x.of), values[2], flags=("contract",))
        return builder.fadd(values[0], product, flags=("contract",))

    return x(x, x.of, x), generate


def _place(context: Any, builder: Any, pointer: Any, kind: Any) -> tuple[Any, int]:
    many = ir.VectorType(context.get_value_type(kind.dtype), WIDTH)
    return builder.bitcast(pointer, many.as_pointer()), kind.dtype.bitwidth // 8


@intrinsic
def load(_: Any, pointer: Any, like: Any) -> Any:
    """Return entries as lanes of numbers like a given one."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, size = _place(context, builder, values[0], signature.args[0])
        return _as(builder, builder.load(place, align=size), _many(like))

    return Lanes(like)(pointer, like), generate


@intrinsic
def store(_: Any, pointer: Any, x: Any) -> Any:
    """Write lanes, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, size = _place(context, builder, values[0], signature.args[0])
        many = place.type.pointee
        builder.store(_as(builder, values[1], many), place, align=size)
        return context.get_dummy_value()

    return types.void(pointer, x), generate
