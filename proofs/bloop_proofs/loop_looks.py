"""What a wrong loop looks like: how its directions would be if a known mistake were made."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

Rows = np.ndarray
"""One vector per step, (steps, n)."""


@dataclass(frozen=True, eq=False)
class Loop:
    """The gradients of a loop: (steps, ranks, micro-batches, losses, n), in float64."""

    gradients: np.ndarray
    lam: float
    rho: float

    @property
    def mean(self) -> np.ndarray:
        """The means over ranks and micro-batches: (steps, losses, n)."""
        means: np.ndarray = self.gradients.mean(axis=(1, 2))
        return means


@dataclass(frozen=True, eq=False)
class Look:
    """A mistake in words, and the two terms of the direction of every step that it leads to."""

    words: str
    main: Rows
    added: Rows

    @property
    def whole(self) -> Rows:
        """The directions."""
        directions: Rows = self.main + self.added
        return directions


def looks(loop: Loop) -> Iterator[Look]:
    """Yield the known mistakes, those of fewer parts first."""
    main, aux = parts(loop.mean)
    for words, both in {
        "the auxiliary gradient is added without the projection": (main, loop.lam * aux),
        "the average is updated before the projection": terms(loop, main, aux, first=True),
        "rho weighs the old average, 1 - rho the new gradient": terms(
            Loop(loop.gradients, loop.lam, 1 - loop.rho), main, aux
        ),
        "the average starts from the first main gradient instead of 0": terms(
            loop, main, aux, start=main[0]
        ),
        "the two losses are exchanged": terms(loop, aux, main),
        "the auxiliary gradient holds the main one: .grad is not cleared in between": terms(
            loop, main, main + aux
        ),
        "the projection is added to the gradient of the summed losses": terms(
            loop, main + aux, aux, ema=main[:, None]
        ),
    }.items():
        yield Look(words, *both)
    _, ranks, micro, _, _ = loop.gradients.shape
    if ranks > 1:
        yield _each_rank(loop)
    if micro > 1:
        yield from _each_micro_batch(loop)
    yield from _partial(loop)


def _each_rank(loop: Loop) -> Look:
    """Return what comes of averaging directions instead of gradients."""
    own = [terms(loop, *parts(rank)) for rank in np.moveaxis(loop.gradients.mean(axis=2), 1, 0)]
    words = "each rank projects on an average of its own, and the directions are averaged"
    return Look(words, *np.mean(own, axis=0))


def _each_micro_batch(loop: Loop) -> Iterator[Look]:
    """Yield what comes of moving the EMA with every micro-batch, once per direction or not."""
    over_ranks = loop.gradients.mean(axis=1)
    steps, micro, _, n = over_ranks.shape
    both = terms(loop, *parts(over_ranks.reshape(steps * micro, 2, n)))
    means = [term.reshape(steps, micro, n).mean(axis=1) for term in both]
    yield Look("each micro-batch is a step of its own, which moves the average", *means)
    main, aux = parts(loop.mean)
    moving = over_ranks[:, :, 0]
    yield Look("the average is moved once per micro-batch", *terms(loop, main, aux, ema=moving))


def _partial(loop: Loop) -> Iterator[Look]:
    """Yield what comes of parts of the mean in the main gradient, the auxiliary one, the EMA."""
    kept = dict(_reductions(loop))
    kinds = {"": loop.mean, **kept}

    def words(chosen: tuple[str, ...]) -> str:
        names = ("the main gradient", "the auxiliary gradient", "the average")
        by_kind = {
            kind: " and ".join(n for n, k in zip(names, chosen, strict=True) if k == kind)
            for kind in chosen
            if kind
        }
        return "; ".join(f"{who}: {kind} only, not the mean" for kind, who in by_kind.items())

    def order(chosen: tuple[str, ...]) -> tuple[int, bool]:
        return len(set(chosen) - {""}), chosen[0] != chosen[2]

    for chosen in sorted(product(kinds, repeat=3), key=order):
        if any(chosen):
            main, aux, ema = (kinds[kind][:, i] for kind, i in zip(chosen, (0, 1, 0), strict=True))
            yield Look(words(chosen), *terms(loop, main, aux, ema=ema[:, None]))


def _reductions(loop: Loop) -> Iterator[tuple[str, np.ndarray]]:
    _, ranks, micro, _, _ = loop.gradients.shape
    if ranks > 1:
        for r in range(ranks):
            yield f"that of rank {r}", loop.gradients[:, r].mean(axis=1)
    if micro > 1:
        yield "that of the last micro-batch", loop.gradients[:, :, -1].mean(axis=1)
        yield "that of the first micro-batch", loop.gradients[:, :, 0].mean(axis=1)
    if ranks > 1 and micro > 1:
        for r in range(ranks):
            yield f"that of the last micro-batch of rank {r}", loop.gradients[:, r, -1]


def parts(gradients: np.ndarray) -> tuple[Rows, Rows]:
    """Return the main and the auxiliary gradients of every step."""
    return gradients[:, 0], gradients[:, 1]


def terms(
    loop: Loop,
    main: Rows,
    aux: Rows,
    *,
    ema: np.ndarray | None = None,
    first: bool = False,
    start: np.ndarray | float = 0.0,
) -> tuple[Rows, Rows]:
    """Return g_main and lam pi(g_aux; e) of every step; ``ema`` holds what moves e in each."""
    moving = main[:, None] if ema is None else ema
    e = np.zeros(main.shape[1]) + start
    added = []
    for a, fresh in zip(aux, moving, strict=True):
        before = e
        for g in fresh:
            e = (1 - loop.rho) * e + loop.rho * g
        onto = e if first else before
        square = onto @ onto
        added.append(loop.lam * (a - (a @ onto / square * onto if square else 0.0)))
    return main, np.array(added)
