"""Loops of several ranks and micro-batches, in one process: a right one, and wrong ones."""

from dataclasses import dataclass
from typing import Any

import pytest

from bloop_proofs import linear_loss

torch = pytest.importorskip("torch", reason="torch is not installed")


def scaled(x: Any, factor: float) -> Any:
    return [factor * leaf for leaf in x]


def added(x: Any, y: Any) -> Any:
    return [a + b for a, b in zip(x, y, strict=True)]


def mean(vectors: Any) -> Any:
    first, *others = vectors
    for other in others:
        first = added(first, other)
    return scaled(first, 1 / (1 + len(others)))


def inner(x: Any, y: Any) -> float:
    return sum(float((a * b).sum()) for a, b in zip(x, y, strict=True))


class Bloop:
    """What one rank remembers."""

    def __init__(self, like: Any, lam: float, rho: float) -> None:
        self.lam, self.rho = lam, rho
        self.e = [torch.zeros_like(x) for x in like]

    def direction(self, main: Any, aux: Any) -> Any:
        square = inner(self.e, self.e)
        c = inner(aux, self.e) / square if square else 0.0
        return added(main, scaled(added(aux, scaled(self.e, -c)), self.lam))

    def move(self, main: Any) -> None:
        self.e = added(scaled(self.e, 1 - self.rho), scaled(main, self.rho))

    def step(self, main: Any, aux: Any) -> Any:
        direction = self.direction(main, aux)
        self.move(main)
        return direction


@dataclass
class Trainer:
    """A loop of several ranks in one process, right unless told otherwise."""

    average: tuple[bool, bool] = (True, True)
    divide: bool = True
    clear: bool = False
    scale: float = 1.0
    scale_aux: float = 1.0
    watched: int = 0

    def __call__(self, batches: Any, *, lam: float, rho: float) -> Any:
        ranks = [Bloop(batches[0][0][0][0], lam, rho) for _ in batches[0]]
        return [self.step(ranks, step)[self.watched] for step in batches]

    def step(self, ranks: list[Bloop], step: Any) -> list[Any]:
        pairs = [self.gradients(rank) for rank in step]
        means = [mean([pair[i] for pair in pairs]) for i in (0, 1)]
        directions = []
        for rank, pair in zip(ranks, pairs, strict=True):
            main, aux = (means[i] if self.average[i] else pair[i] for i in (0, 1))
            directions.append(rank.step(main, aux))
        return directions

    def gradients(self, micro_batches: Any) -> list[Any]:
        """Accumulate both gradients of a rank by backward passes."""
        found = []
        for i, scale in enumerate((self.scale, self.scale * self.scale_aux)):
            params = [torch.nn.Parameter(torch.ones_like(g)) for g in micro_batches[0][0]]
            for pair in micro_batches:
                for p in params:
                    p.grad = None if self.clear else p.grad
                loss = linear_loss(pair[i], params) * scale
                (loss / len(micro_batches) if self.divide else loss).backward()
            found.append([p.grad for p in params])
        return found


class MeanOfDirections(Trainer):
    def step(self, ranks: list[Bloop], step: Any) -> list[Any]:
        own = zip(ranks, map(self.gradients, step), strict=True)
        return [mean([rank.step(*pair) for rank, pair in own])] * len(ranks)


class StepPerMicroBatch(Trainer):
    def step(self, ranks: list[Bloop], step: Any) -> list[Any]:
        found = [super(StepPerMicroBatch, self).step(ranks, [[x[k]] for x in step]) for k in (0, 1)]
        return list(map(mean, zip(*found, strict=True)))


class AveragePerMicroBatch(Trainer):
    def step(self, ranks: list[Bloop], step: Any) -> list[Any]:
        (rank,) = ranks
        main, aux = self.gradients(step[0])
        direction = rank.direction(main, aux)
        for main, _ in step[0]:
            rank.move(main)
        return [direction]


class Early(Trainer):
    def step(self, ranks: list[Bloop], step: Any) -> list[Any]:
        (rank,) = ranks
        main, aux = self.gradients(step[0])
        rank.move(main)
        return [rank.direction(main, aux)]


class AverageOfLocal(Trainer):
    def step(self, ranks: list[Bloop], step: Any) -> list[Any]:
        pairs = [self.gradients(rank) for rank in step]
        main, aux = (mean([pair[i] for pair in pairs]) for i in (0, 1))
        directions = [rank.direction(main, aux) for rank in ranks]
        for rank, pair in zip(ranks, pairs, strict=True):
            rank.move(pair[0])
        return directions


class FromParameters(Trainer):
    """A loop whose average begins as a copy of the parameters."""

    def __call__(self, batches: Any, *, lam: float, rho: float) -> Any:
        (rank,) = (Bloop(batches[0][0][0][0], lam, rho) for _ in batches[0])
        generator = torch.Generator().manual_seed(0)
        rank.e = [torch.randn(x.shape, generator=generator).to(x) for x in rank.e]
        return [self.step([rank], step)[0] for step in batches]
