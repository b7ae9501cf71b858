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
    """Compile a function, kept on disk where there is a folder for that."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # neither this folder nor the user's cache can be written
            return njit(nogil=True, **options)(function)

    return decorate


class Lanes(numba_types.Type):
    """Several float64 numbers in registers: all are read before one is written."""


lanes = Lanes("Lanes")
DOUBLES = ir.VectorType(ir.DoubleType(), WIDTH)


@extending.register_model(Lanes)
class _LanesModel(extending.models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, DOUBLES)  # type: ignore[no-untyped-call]


def _spread(builder: Any, number: Any) -> Any:
    i32 = ir.IntType(32)
    one = builder.insert_element(ir.Constant(DOUBLES, ir.Undefined), number, i32(0))
    return builder.shuffle_vector(one, one, ir.VectorType(i32, WIDTH)([0] * WIDTH))


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
    return lanes(types.float64), lambda _c, builder, _s, values: _spread(builder, values[0])


@intrinsic
def plus(_: Any, total: Any, weight: Any, x: Any) -> Any:
    """Return lanes plus a number times lanes, rounded as in ``_entry``."""

    def generate(_c: Any, builder: Any, _s: Any, values: Any) -> Any:
        product = builder.fmul(_spread(builder, values[1]), values[2], flags=("contract",))
        return builder.fadd(values[0], product, flags=("contract",))

    return lanes(lanes, types.float64, lanes), generate


def _moved(context: Any, builder: Any, pointer: Any, kind: Any) -> tuple[Any, Any, int]:
    entry = context.get_value_type(kind.dtype)
    many = ir.VectorType(entry, WIDTH)
    return builder.bitcast(pointer, many.as_pointer()), many, kind.dtype.bitwidth // 8


@intrinsic
def load(_: Any, pointer: Any) -> Any:
    """Return entries as lanes."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, many, size = _moved(context, builder, values[0], signature.args[0])
        found = builder.load(place, align=size)
        return found if many == DOUBLES else builder.fpext(found, DOUBLES)

    return lanes(pointer), generate


@intrinsic
def store(_: Any, pointer: Any, x: Any) -> Any:
    """Write lanes, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place, many, size = _moved(context, builder, values[0], signature.args[0])
        rounded = values[1] if many == DOUBLES else builder.fptrunc(values[1], many)
        builder.store(rounded, place, align=size)
        return context.get_dummy_value()

    return types.void(pointer, lanes), generate
