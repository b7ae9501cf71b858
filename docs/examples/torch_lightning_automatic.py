"""PyTorch Lightning, automatic optimisation: the same digits, two micro-batches a step."""

from typing import Any

import lightning
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bloop_ref import Bloop
from bloop_torch.integrations.lightning import SurgeryModuleMixin


class Digits(SurgeryModuleMixin, lightning.LightningModule):  # noqa: D101
    method = Bloop(lam=0.5, rho=0.03)

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def training_step(self, batch: list[Tensor], _: int) -> Any:  # noqa: D102
        x, y = batch
        outputs, noisy = self.net(x), self.net(x + 0.3 * torch.randn_like(x))
        aux = nn.functional.mse_loss(noisy, outputs)
        return self.surgery_loss(nn.functional.cross_entropy(outputs, y), aux)

    def configure_optimizers(self) -> torch.optim.Optimizer:  # noqa: D102
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def train(epochs: int = 8) -> float:
    """Return the accuracy."""
    x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
    model = Digits()
    loader = DataLoader(TensorDataset(x.float() / 16, y), batch_size=64, shuffle=True)
    options: Any = {"accelerator": "cpu", "logger": False, "gradient_clip_val": 1.0}
    lightning.Trainer(max_epochs=epochs, accumulate_grad_batches=2, **options).fit(model, loader)
    return float((model.net(x.float() / 16).argmax(1) == y).float().mean())
