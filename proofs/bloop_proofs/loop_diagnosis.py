"""Telling which mistake a loop's directions look like; factors and starts are fitted."""

import numpy as np
from scipy.optimize import least_squares

from bloop_proofs.loop_looks import Look, Loop, Rows, looks, parts, terms
from bloop_proofs.tolerances import norm


def explained(loop: Loop, found: Rows, room: float) -> str:
    """Return what directions look like, "" where no known mistake leads to them.

    ``room`` is how far they may be from what a mistake leads to. Mistakes come before factors, and
    a factor of the whole direction before one for each gradient.
    """
    every = list(looks(loop))
    right = Look("", *terms(loop, *parts(loop.mean)))
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
    if words := _scaled_apart(loop, right, found, room):
        return words
    started = _started(loop, found)
    told = all(_distance(started.whole, look.whole) > 2 * room for look in (right, *every))
    return started.words if told and _distance(found, started.whole) <= room else ""


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
    both = np.stack([right.main.ravel(), right.added.ravel()], axis=1)
    factors: list[float] = np.linalg.lstsq(both, found.ravel())[0].tolist()
    room *= max(1.0, *map(abs, factors))
    if not norm(found.ravel() - both @ factors) <= room:
        return ""
    names = ("the main gradient", "the auxiliary gradient")
    causes = ("lam is another, or a loss is scaled alone",) * 2
    said = []
    # no factor is better known than the directions are, along what the other term leaves free
    slack = room / float(np.linalg.svd(both, compute_uv=False)[-1])
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


def _started(loop: Loop, found: Rows) -> Look:
    """Return what comes of another average to start from than 0: that which explains most.

    What the first step takes away is along e_0, and what the second one takes away along
    (1 - rho) e_0 + rho g_0, so the two say how long e_0 is; it is fitted to all steps from there.
    """
    main, aux = parts(loop.mean)
    along, onto = (main + loop.lam * aux - found)[:2]
    both = np.stack([along, main[0]])
    if square := onto @ onto:
        both -= np.outer(both @ onto / square, onto)
    of_start, of_main = both
    size = of_start @ of_start
    length = -loop.rho * (of_start @ of_main) / ((1 - loop.rho) * size) if size else 0.0

    def look(start: np.ndarray) -> Look:
        words = "the average starts from something else than 0, such as the parameters"
        return Look(words, *terms(loop, main, aux, start=start))

    # to the last digit: in double precision the default would end above the bound
    all_digits = dict.fromkeys(("ftol", "xtol", "gtol"), np.finfo(np.float64).eps)
    fit = least_squares(
        lambda start: (look(start).whole - found).ravel(), length * along, **all_digits
    )
    return look(fit.x)
