"""Plain PyTorch: digits classified by a network that noise on the pixels should not disturb."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from bloop_torch import Bloop


def losses(model: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the main loss, cross-entropy, and how far noise moves the outputs."""
    outputs, noisy = model(x), model(x + 0.3 * torch.randn_like(x))
    return nn.functional.cross_entropy(outputs, y), nn.functional.mse_loss(noisy, outputs)


def train(steps: int = 100, lam: float = 0.5, rho: float = 0.03) -> float:
    """Return the accuracy."""
    torch.manual_seed(0)
    pixels, digits = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    bloop = Bloop(model.named_parameters(), lam=lam, rho=rho)
    for _ in range(steps):
        rows = torch.randint(len(labels), (128,))
        bloop.backward(*losses(model, images[rows], labels[rows]))
        optimizer.step()
    return float((model(images).argmax(1) == labels).float().mean())


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
