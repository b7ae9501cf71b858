"""What a wrong loop looks like: how its directions would be if a known mistake were made."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from bloop_proofs.tolerances import norm

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


def explained(loop: Loop, found: Rows, room: float) -> str:
    """Return what directions look like, "" where no known mistake leads to them.

    ``room`` is how far they may be from what a mistake leads to. Mistakes come before factors, and
    a factor of the whole direction before one for each gradient.
    """
    every = list(looks(loop))
    right = Look("", *_terms(loop, *_parts(loop.mean)))
    nearest = min(every, key=lambda look: _distance(found, look.whole))
    if _distance(found, nearest.whole) <= room:
        others = [look.whole for look in every if look is not nearest]
        others += [c * right.whole for n, _ in _counts(loop) for c in (n, 1 / n)]
        # in half precision the bounds are too wide to tell some mistakes from others
        told = all(_distance(nearest.whole, other) > 2 * room for other in others)
        return nearest.words if told else ""
    for look in (right, *every):
        if words := _scaled(loop, look, found, room):
            return "; ".join(filter(None, (look.words, words)))
    return _scaled_apart(loop, right, found, room)


def _distance(x: Rows, y: Rows) -> float:
    return norm((x - y).ravel())


def _scaled(loop: Loop, look: Look, found: Rows, room: float) -> str:
    """Return by what the directions of a mistake are multiplied, "" where they are not."""
    whole = look.whole
    c = float(np.sum(found * whole) / np.sum(whole * whole))
    room *= max(1.0, abs(c))
    if not _distance(found, c * whole) <= room:
        return ""
    causes = ("a loss scale is not divided out", "a loss scale is divided out twice")
    slack = room / norm(whole.ravel())
    if abs(c - 1) <= 2 * slack:  # it cannot be told from 1
        return ""
    return f"the whole direction is {_factor(loop, c, slack, causes)}"


def _scaled_apart(loop: Loop, right: Look, found: Rows, room: float) -> str:
    """Return by what each of the two terms of the right directions is multiplied, likewise."""
    terms = np.stack([right.main.ravel(), right.added.ravel()], axis=1)
    factors: list[float] = np.linalg.lstsq(terms, found.ravel())[0].tolist()
    room *= max(1.0, *map(abs, factors))
    if not norm(found.ravel() - terms @ factors) <= room:
        return ""
    names = ("the main gradient", "the auxiliary gradient")
    causes = ("lam is another, or a loss is scaled alone",) * 2
    said = []
    # no factor is better known than the directions are, along what the other term leaves free
    slack = room / float(np.linalg.svd(terms, compute_uv=False)[-1])
    for name, c in zip(names, factors, strict=True):
        if abs(c - 1) > slack:
            said.append(f"{name} is {_factor(loop, c, slack, causes)}")
    return "; ".join(said)


def _factor(loop: Loop, c: float, slack: float, causes: tuple[str, str]) -> str:
    """Return a factor, known within ``slack``, with what leads to it."""
    likely = causes[0] if abs(c) > 1 else causes[1]
    known = [(float(n), f"summed over the {over}, not averaged") for n, over in _counts(loop)]
    known += [
        (1 / n, f"divided once too often by the number of {over}") for n, over in _counts(loop)
    ]
    value, words = min(known, key=lambda entry: abs(c - entry[0]), default=(0.0, ""))
    likely = words if words and abs(c - value) <= slack else likely
    return f"multiplied by {c:.6g}: {likely}"


def _counts(loop: Loop) -> list[tuple[int, str]]:
    """Return over how many gradients a loop may sum."""
    _, ranks, micro, _, _ = loop.gradients.shape
    if ranks == micro:  # which of the two is not to be told
        counts = [(ranks, "ranks or the micro-batches")]
    else:
        counts = [(ranks, "ranks"), (micro, "micro-batches")]
    if ranks > 1 and micro > 1:
        counts.append((ranks * micro, "ranks and micro-batches"))
    return [(n, over) for n, over in counts if n > 1]


def looks(loop: Loop) -> Iterator[Look]:
    """Yield the known mistakes, those of fewer parts first."""
    main, aux = _parts(loop.mean)
    for words, terms in {
        "the auxiliary gradient is added without the projection": (main, loop.lam * aux),
        "the average is updated before the projection": _terms(loop, main, aux, first=True),
        "rho weighs the old average, 1 - rho the new gradient": _terms(
            Loop(loop.gradients, loop.lam, 1 - loop.rho), main, aux
        ),
        "the average starts from the first main gradient instead of 0": _terms(
            loop, main, aux, start=main[0]
        ),
        "the two losses are exchanged": _terms(loop, aux, main),
        "the auxiliary gradient holds the main one: .grad is not cleared in between": _terms(
            loop, main, main + aux
        ),
        "the projection is added to the gradient of the summed losses": _terms(
            loop, main + aux, aux, ema=main[:, None]
        ),
    }.items():
        yield Look(words, *terms)
    _, ranks, micro, _, _ = loop.gradients.shape
    if ranks > 1:
        yield _each_rank(loop)
    if micro > 1:
        yield from _each_micro_batch(loop)
    yield from _partial(loop)


def _each_rank(loop: Loop) -> Look:
    """Return what comes of averaging directions instead of gradients."""
    own = [_terms(loop, *_parts(rank)) for rank in np.moveaxis(loop.gradients.mean(axis=2), 1, 0)]
    words = "each rank projects on an average of its own, and the directions are averaged"
    return Look(words, *np.mean(own, axis=0))


def _each_micro_batch(loop: Loop) -> Iterator[Look]:
    """Yield what comes of moving the EMA with every micro-batch, once per direction or not."""
    over_ranks = loop.gradients.mean(axis=1)
    steps, micro, _, n = over_ranks.shape
    terms = _terms(loop, *_parts(over_ranks.reshape(steps * micro, 2, n)))
    means = [term.reshape(steps, micro, n).mean(axis=1) for term in terms]
    yield Look("each micro-batch is a step of its own, which moves the average", *means)
    main, aux = _parts(loop.mean)
    moving = over_ranks[:, :, 0]
    yield Look("the average is moved once per micro-batch", *_terms(loop, main, aux, ema=moving))


def _partial(loop: Loop) -> Iterator[Look]:
    """Yield what comes of parts of the mean in the main gradient, the auxiliary one, the EMA."""
    kept = dict(_reductions(loop))
    parts = {"": loop.mean, **kept}

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

    for chosen in sorted(product(parts, repeat=3), key=order):
        if any(chosen):
            main, aux, ema = (parts[kind][:, i] for kind, i in zip(chosen, (0, 1, 0), strict=True))
            yield Look(words(chosen), *_terms(loop, main, aux, ema=ema[:, None]))


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


def _parts(gradients: np.ndarray) -> tuple[Rows, Rows]:
    return gradients[:, 0], gradients[:, 1]


def _terms(
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
