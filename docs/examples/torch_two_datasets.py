"""Two data sets, a phase each: few digits with labels, and many whose noise should not matter."""

from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bloop_torch import Bloop


def forever(loader: DataLoader[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    """Yield batches, epoch after epoch."""
    while True:
        yield from loader


def train(steps: int = 150, lam: float = 0.5, rho: float = 0.03) -> float:
    """Return the accuracy."""
    torch.manual_seed(0)
    pixels, digits = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits)
    labelled = TensorDataset(images[:600], labels[:600])
    few = forever(DataLoader(labelled, batch_size=64, shuffle=True))
    many = forever(DataLoader(TensorDataset(images), batch_size=256, shuffle=True))
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    bloop = Bloop(model.named_parameters(), lam=lam, rho=rho)
    for _, (x, y), (u,) in zip(range(steps), few, many):  # noqa: B905
        with bloop.main_gradient():  # its graph is gone when the phase ends
            torch.autograd.backward(nn.functional.cross_entropy(model(x), y))
        with bloop.aux_gradient():
            noisy = model(u + 0.3 * torch.randn_like(u))
            torch.autograd.backward(nn.functional.mse_loss(noisy, model(u)))
        bloop.combine()
        optimizer.step()
    return float((model(images).argmax(1) == labels).float().mean())
