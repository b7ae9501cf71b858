"""What the price of a training step is measured on: two models, three ways to have two losses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torchjd import aggregation, autojac

from bloop_ref.surgery import PCGrad
from bloop_torch import Bloop, Surgery

LAM, RHO = 0.3, 0.01
Loss = Callable[[], Tensor]
CLASSES, TOKENS, LENGTH = 10, 512, 64


@dataclass
class Problem:
    """A model and its two losses.

    ``both`` is one forward pass that both losses come out of; where there is none, each is computed
    by itself.
    """

    model: nn.Module
    main: Loss
    aux: Loss
    both: Callable[[], tuple[Tensor, Tensor]] | None = None

    def losses(self) -> tuple[Tensor, Tensor]:
        """Compute both losses."""
        return self.both() if self.both else (self.main(), self.aux())


class Heads(nn.Module):
    """A trunk with a head for each loss."""

    def __init__(self, trunk: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.trunk, self.heads = trunk, nn.ModuleList(nn.Linear(width, classes) for _ in range(2))

    def losses(self, x: Tensor, labels: Tensor, which: Sequence[int]) -> list[Tensor]:
        """Return cross-entropies of some heads, out of one forward pass."""
        hidden = self.trunk(x)
        outputs = [self.heads[k](hidden).flatten(0, -2) for k in which]
        return [
            nn.functional.cross_entropy(y, labels[k]) for k, y in zip(which, outputs, strict=True)
        ]


class Decoder(nn.Module):
    """A GPT-2 without its head, small: 4 layers of 256 with 4 attention heads."""

    def __init__(self, width: int = 256, layers: int = 4) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(TOKENS, width), nn.Embedding(LENGTH, width)
        options: Any = {"dropout": 0.0, "activation": "gelu", "batch_first": True}
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, norm_first=True, **options)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last layer's outputs."""
        hidden = self.tokens(x) + self.places.weight
        return self.layers(hidden, mask=self.mask, is_causal=True)


def perceptron() -> tuple[Heads, Callable[[], tuple[Tensor, Tensor]]]:
    """Return a perceptron with 2.6M parameters, and what draws a batch of 256 for it."""
    sizes = (512, 1024, 1024, 1024)
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())]
    model = Heads(nn.Sequential(*layers), sizes[-1], CLASSES)
    return model, lambda: (torch.randn(256, 512), torch.randint(CLASSES, (2, 256)))


def transformer() -> tuple[Heads, Callable[[], tuple[Tensor, Tensor]]]:
    """Return a decoder with 3.6M parameters, and what draws 8 sequences for it."""
    model = Heads(Decoder(), 256, TOKENS)
    return model, lambda: (
        torch.randint(TOKENS, (8, LENGTH)),
        torch.randint(TOKENS, (2, 8 * LENGTH)),
    )


def shared_trunk(made: tuple[Heads, Any]) -> Problem:
    """Both losses come out of one forward pass."""
    model, draw = made
    x, labels = draw()

    def both() -> Any:
        return tuple(model.losses(x, labels, (0, 1)))

    return Problem(model, lambda: both()[0], lambda: both()[1], both)


def two_batches(made: tuple[Heads, Any]) -> Problem:
    """Each loss has a batch of its own, and a forward pass."""
    model, draw = made
    return Problem(model, _of_the_first_head(model, *draw()), _of_the_first_head(model, *draw()))


def regulariser(made: tuple[Heads, Any]) -> Problem:
    """The auxiliary loss is one of the weights alone: the log of the product of their norms."""
    model, draw = made
    x, labels = draw()
    matrices = [p for p in model.parameters() if p.ndim == 2]

    def aux() -> Tensor:
        return torch.stack([p.square().sum() for p in matrices]).log().sum() / 2

    return Problem(model, _of_the_first_head(model, x, labels), aux)


def _of_the_first_head(model: Heads, x: Tensor, labels: Tensor) -> Loss:
    return lambda: model.losses(x, labels, (0,))[0]


MODELS = {"transformer": transformer, "perceptron": perceptron}
CASES = {
    "shared trunk": shared_trunk,
    "two batches": two_batches,
    "regulariser": regulariser,
}


def weighted_sum(problem: Problem) -> Callable[[], object]:
    """Return the backward pass of L_main + lam L_aux: what everything is compared with."""

    def run() -> object:
        main, aux = problem.losses()
        return (main + LAM * aux).backward()

    return run


def two_passes(problem: Problem) -> Callable[[], object]:
    """Return two backward passes that keep both gradients, and do nothing with them."""
    parameters = list(problem.model.parameters())

    def run() -> object:
        if problem.both:
            main, aux = problem.both()
            kept = torch.autograd.grad(main, parameters, retain_graph=True, allow_unused=True)
        else:
            kept = torch.autograd.grad(problem.main(), parameters, allow_unused=True)
            aux = problem.aux()
        aux.backward()
        return kept

    return run


def ours(surgery: Surgery, problem: Problem) -> Callable[[], object]:
    """Return a step of ours: one call where the losses share a forward pass, else two phases."""

    def run() -> object:
        if problem.both:
            return surgery.backward(*problem.both())
        for k, loss in enumerate((problem.main, problem.aux)):
            with surgery.gradient(k):
                loss().backward()
        return surgery.combine()

    run.surgery = surgery  # type: ignore[attr-defined]
    return run


def bloop(problem: Problem) -> Callable[[], object]:
    """Return a step of Bloop."""
    return ours(Bloop(problem.model.named_parameters(), lam=LAM, rho=RHO), problem)


def pcgrad(problem: Problem) -> Callable[[], object]:
    """Return a step of PCGrad."""
    return ours(Surgery(problem.model.named_parameters(), PCGrad(lam=LAM)), problem)


def torchjd(aggregator: aggregation.Aggregator) -> Callable[[Problem], Callable[[], object]]:
    """Return what makes a step of TorchJD: one row of the Jacobian after the other, as we do."""

    def prepare(problem: Problem) -> Callable[[], object]:
        parameters = list(problem.model.parameters())

        def run() -> object:
            autojac.backward(problem.losses(), inputs=parameters, parallel_chunk_size=1)
            return autojac.jac_to_grad(parameters, aggregator)

        return run

    return prepare


CONTESTANTS = {
    "weighted sum": weighted_sum,
    "two bare passes": two_passes,
    "Bloop": bloop,
    "PCGrad": pcgrad,
    "TorchJD PCGrad": torchjd(aggregation.PCGrad()),
    "TorchJD UPGrad": torchjd(aggregation.UPGrad()),
}
