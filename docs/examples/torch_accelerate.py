"""Hugging Face Accelerate: the same digits, two micro-batches a step."""

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bloop_torch import Bloop


def train(epochs: int = 16, lam: float = 0.5, rho: float = 0.03) -> float:
    """Return the accuracy."""
    torch.manual_seed(0)
    pixels, digits = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits)
    data = DataLoader(TensorDataset(images, labels), batch_size=64, shuffle=True, drop_last=True)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    accelerator = Accelerator(cpu=True)
    adam = torch.optim.Adam(net.parameters(), lr=3e-3)
    model, optimizer, loader = accelerator.prepare(net, adam, data)
    bloop = Bloop(model.named_parameters(), lam=lam, rho=rho)
    for _ in range(epochs):
        for i, (x, y) in enumerate(loader):
            with bloop.main_gradient():
                accelerator.backward(nn.functional.cross_entropy(model(x), y) / 2)
            with bloop.aux_gradient():
                noisy = model(x + 0.3 * torch.randn_like(x))
                accelerator.backward(nn.functional.mse_loss(noisy, model(x)) / 2)
            if i % 2:  # one direction, and one update of the average, per step of the optimiser
                bloop.combine()
                optimizer.step()
    return float((net(images).argmax(1) == labels).float().mean())


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
