"""One step of Algorithm 1 on NumPy arrays, pure or in place."""

from bloop_numpy.leaves import Seen, arrays, look_at, new, refuse_read_only, refuse_sharing
from bloop_numpy.linear import plan
from bloop_ref.aliases import Leaves, Scalar, Vector
from bloop_ref.arrays import quiet
from bloop_ref.bloop import Bloop
from bloop_ref.scalars import as_scalar
from bloop_ref.vectors import align


@quiet
def step(
    g_main: Vector,
    g_aux: Vector,
    ema: Vector,
    *,
    lam: Scalar,
    rho: Scalar,
    inplace: bool = False,
) -> tuple[Vector, Vector]:
    """Return Bloop's direction and the next moving average of main gradients.

    d = g_main + lam pi(g_aux; e) and e <- (1 - rho) e + rho g_main, all leaves together. Sums are
    float64's. So are combinations, rounded once to each output's dtype, but those of float32 leaves
    whose weights all lie between 2^-20 and 16 are float32's. Where float64 entries of g_aux
    and ema lie further than a factor of 1e140 apart, the direction is NaN.

    Args:
        g_main: the main gradient, a pytree of NumPy arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure and shapes.
        ema: the moving average of main gradients before this step, likewise.
        lam: the weight of the auxiliary loss, >= 0.
        rho: the weight of the new gradient in the average, in [0, 1].
        inplace: write the direction over ``g_aux`` and the new average over ``ema``, and allocate
            nothing that grows with them; leaves that are ``None`` excepted. Nothing is written
            before all arguments have been checked. An exception from outside in the middle of it,
            such as Ctrl-C, may leave some arrays written and others not, with ``g_main`` as it was;
            when it is out nothing writes any more. Then go on from a copy of ``ema``.

    Returns:
        The direction, with the dtypes of ``g_main``, and the new average, with those of ``ema``.

    Raises:
        TypeError: a leaf is no floating NumPy array; in place, the dtypes of ``g_aux`` are not
            those of ``g_main``.
        ValueError: structures or shapes differ, or lam or rho is out of range; in place, an array
            is read-only or shares memory with another.

    Example:
        >>> import numpy as np
        >>> g_main, g_aux, ema = [np.array([3.0, 4.0])], [np.array([-5.0, 0.0])], [np.ones(2)]
        >>> direction, ema = step(g_main, g_aux, ema, lam=0.5, rho=0.25, inplace=True)
        >>> direction[0], ema[0]
        (array([1.75, 5.25]), array([1.5 , 1.75]))
        >>> direction[0] is g_aux[0]
        True

    Source: Algorithm 1 and eq. 5.
    """
    stack = align(g_main=g_main, g_aux=g_aux, ema=ema)
    method = Bloop(float(as_scalar("lam", lam, stack)), float(as_scalar("rho", rho, stack, most=1)))
    vectors = arrays(stack)
    outs = _outputs(*vectors, inplace=inplace)
    seen = look_at(vectors + outs)
    if inplace:
        _check_in_place(vectors, seen)
    work = plan(vectors, outs, seen)
    matrix, _ = method.matrix(work.gramian(method.pairs(2), 3))
    work.combine(matrix)
    direction, average = map(stack.unflatten, outs)
    return direction, average


def _outputs(*vectors: Leaves, inplace: bool) -> tuple[Leaves, Leaves]:
    """Return the leaves of the direction and of the new average, still to be written."""
    direction, average = [], []
    for g, a, e in zip(*vectors, strict=True):
        direction.append(new(g, a, e) if a is None or not inplace else a)
        average.append(new(e, g, average=True) if e is None or not inplace else e)
    return tuple(direction), tuple(average)


def _check_in_place(vectors: tuple[Leaves, ...], seen: Seen) -> None:
    """Raise unless the direction can take the place of g_aux, and the new average that of ema."""
    g_main, g_aux, ema = vectors
    for i, (g, a) in enumerate(zip(g_main, g_aux, strict=True)):
        if g is not None and a is not None and a.dtype != g.dtype:
            raise TypeError(
                "in place, g_aux must have the dtypes of g_main, which the direction has: "
                f"required {g.dtype} for leaf {i}, found {a.dtype}"
            )
    written = {"g_aux": g_aux, "ema": ema}
    refuse_read_only(written)
    refuse_sharing({"g_main": g_main}, written, seen)
