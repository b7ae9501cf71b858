"""What the diagnostics say of five auxiliary losses, and of rho, on scikit-learn's digits.

``python docs/examples/diagnose.py losses`` and ``... rho`` print the tables of the guide.
"""

import sys
from collections.abc import Callable
from statistics import fmean, median
from typing import NamedTuple

import torch
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from bloop_ref import Diagnostics
from bloop_ref.surgery import Bloop, Method, Mixed
from bloop_torch import Surgery

SEEDS = (0, 1, 2)
EPOCHS = 10
SIZES = (
    *((16, rho) for rho in (1, 0.3, 0.1, 0.03, 0.01, 0.003)),
    (128, 1),
    (128, 0.1),
    (128, 0.01),
)
"""Batches, and the weight of the new gradient in the average."""
AuxiliaryLoss = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]
"""Of the model, its inputs, its outputs and the labels."""


def data() -> tuple[Tensor, Tensor]:
    """Return 1437 images and their digits."""
    pixels, digits = load_digits(return_X_y=True)
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))[:1437]
    return torch.tensor(pixels / 16, dtype=torch.float32)[order], torch.tensor(digits)[order]


def noise(model: nn.Module, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
    """Return how far noise on the pixels moves the outputs."""
    return mse_loss(model(x + 0.3 * torch.randn_like(x))[:, :10], outputs[:, :10])


def weights(model: nn.Module, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
    """Return half the squared norm of the parameters."""
    return torch.stack([(p**2).sum() / 2 for p in model.parameters()]).sum()


def parity(model: nn.Module, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
    """Return the loss of another head, which tells odd digits from even ones."""
    return cross_entropy(outputs[:, 10:], y % 2)


def paired(model: nn.Module, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
    """Return the main loss of images that are blurred by half a step to the right."""
    blurred = (x + x.reshape(-1, 8, 8).roll(1, 2).reshape(-1, 64)) / 2
    return cross_entropy(model(blurred)[:, :10], y)


def wrong(model: nn.Module, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
    """Return the loss of taking every digit for the next one."""
    return cross_entropy(outputs[:, :10], (y + 1) % 10)


LOSSES: dict[str, tuple[AuxiliaryLoss, float]] = {
    "noise moves nothing": (noise, 0.3),
    "small weights": (weights, 0.01),
    "odd or even, a second head": (parity, 0.3),
    "the same on blurred images": (paired, 0.3),
    "the next digit": (wrong, 0.3),
}
"""Auxiliary losses and their lam."""


class Run(NamedTuple):
    """What a run ended with, and medians over the second half of its steps."""

    main: float
    aux: float
    cos_main_aux: float
    cos_aux_ema: float
    taken: float
    """lam times the projection coefficient."""
    truth: float
    """The cosine of the average with the main gradient of the whole training set."""


def train(
    aux: AuxiliaryLoss, method: Method, lam: float, seed: int, epochs: int, batch: int
) -> Run:
    """Train a network of one hidden layer by Adam, with a method of two losses."""
    torch.manual_seed(seed)
    images, labels = data()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 12))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    surgery = Surgery(model.named_parameters(), method)
    steps = epochs * (len(labels) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    found: list[Diagnostics] = []
    truths: list[float] = []
    for _ in range(epochs):
        for rows in torch.randperm(len(labels))[: steps // epochs * batch].reshape(-1, batch):
            outputs = model(images[rows])
            main = cross_entropy(outputs[:, :10], labels[rows])
            seen = surgery.backward(
                main, aux(model, images[rows], outputs, labels[rows]), diagnostics=True
            )
            if seen is not None:
                found.append(seen)
            optimizer.step()
            schedule.step()
        truths.append(truth(model, surgery, images, labels))
    late = found[len(found) // 2 :]
    with torch.no_grad():
        torch.manual_seed(0)
        outputs = model(images)
        ends = cross_entropy(outputs[:, :10], labels), aux(model, images, outputs, labels)
    main_end, aux_end = (float(x) for x in ends)
    return Run(
        main_end,
        aux_end,
        median(float(x.cos_main_aux) for x in late),
        median(float(x.cos_aux_ema) for x in late),
        lam * median(float(x.coefficient) for x in late),
        median(truths[len(truths) // 2 :]),
    )


def truth(model: nn.Module, surgery: Surgery, images: Tensor, labels: Tensor) -> float:
    """Return the cosine of the average with the main gradient of all images."""
    if not surgery.state.memory:
        return 1.0
    loss = cross_entropy(model(images)[:, :10], labels)
    whole = torch.autograd.grad(loss, list(model.parameters()))
    pairs = [
        (g.flatten(), e.flatten())
        for g, e in zip(whole, surgery.state.memory[0], strict=True)
        if e is not None
    ]
    g, e = (torch.cat(x) for x in zip(*pairs, strict=True))
    return float(torch.cosine_similarity(g, e, dim=0))


def mean_of(
    aux: AuxiliaryLoss, method: Method, lam: float, *, epochs: int = EPOCHS, batch: int = 32
) -> Run:
    """Return the mean over the seeds."""
    runs = [train(aux, method, lam, seed, epochs, batch) for seed in SEEDS]
    return Run(*(fmean(x) for x in zip(*runs, strict=True)))


def of_losses(epochs: int = EPOCHS) -> Table:
    """Return the table of five auxiliary losses."""
    heads = ["auxiliary loss", "lam", "cos(main, aux)", "cos(aux, e)", "lam k"]
    sides = [f"{loss}: {how}" for loss in ("main", "aux") for how in ("alone", "mixed", "Bloop")]
    table = Table(*heads, *sides, box=box.MARKDOWN)
    for name, (aux, lam) in track(LOSSES.items(), "losses", console=Console(stderr=True)):
        methods = (Bloop(0.0, 0.01), Mixed(lam), Bloop(lam, 0.01))
        runs = [mean_of(aux, method, lam, epochs=epochs) for method in methods]
        told = runs[2]
        signed = (told.cos_main_aux, told.cos_aux_ema, told.taken)
        ends = [f"{x:.3g}" for x in (*(r.main for r in runs), *(r.aux for r in runs))]
        table.add_row(name, f"{lam:g}", *(f"{x:+.2f}" for x in signed), *ends)
    return table


def of_rho(epochs: int = EPOCHS) -> Table:
    """Return the table over rho, for the noise on the pixels."""
    heads = ["batch", "rho", "cos(e, whole gradient)", "cos(aux, e)", "lam k", "main", "aux"]
    table = Table(*heads, box=box.MARKDOWN)
    for batch, rho in track(SIZES, "rho", console=Console(stderr=True)):
        # as many steps for every batch size
        length = max(1, epochs * batch // 32)
        run = mean_of(noise, Bloop(0.3, rho), 0.3, epochs=length, batch=batch)
        signed = (run.truth, run.cos_aux_ema, run.taken)
        ends = (f"{run.main:.3f}", f"{run.aux:.2f}")
        table.add_row(str(batch), f"{rho:g}", *(f"{x:+.2f}" for x in signed), *ends)
    return table


TABLES = {"losses": of_losses, "rho": of_rho}

if __name__ == "__main__":
    Console(width=200).print(TABLES[sys.argv[1]]())
