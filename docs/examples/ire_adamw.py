"""IRE around AdamW in PyTorch: digits classified by a small network."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from bloop_torch.ire import IRE


def train(steps: int = 150, kappa: float = 2.0, fraction: float = 0.8) -> float:
    """Return the accuracy."""
    torch.manual_seed(0)
    pixels, digits = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    ire = IRE(optimizer, kappa=kappa, fraction=fraction, interval=10, warmup=20)
    for _ in range(steps):
        rows = torch.randint(len(labels), (128,))
        outputs = model(images[rows])
        if ire.due:  # labels drawn from the model's own prediction, not those of the data
            drawn = torch.multinomial(outputs.detach().softmax(1), 1).flatten()
            with ire.fisher_gradient(batch_size=len(rows)):
                torch.autograd.backward(cross_entropy(outputs, drawn), retain_graph=True)
        optimizer.zero_grad()
        torch.autograd.backward(cross_entropy(outputs, labels[rows]))
        optimizer.step()
    return float((model(images).argmax(1) == labels).float().mean())


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
