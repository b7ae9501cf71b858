"""PyTorch Lightning, manual optimisation: digits that noise on the pixels should not disturb."""

import lightning
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bloop_ref import Bloop
from bloop_torch.integrations.lightning import SurgeryModuleMixin


class Digits(SurgeryModuleMixin, lightning.LightningModule):  # noqa: D101
    automatic_optimization, method = False, Bloop(lam=0.5, rho=0.03)

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))

    def training_step(self, batch: list[Tensor], _: int) -> None:  # noqa: D102
        outputs, noisy = self.net(batch[0]), self.net(batch[0] + 0.3 * torch.randn_like(batch[0]))
        with self.surgery.gradient(0):
            self.manual_backward(nn.functional.cross_entropy(outputs, batch[1]), retain_graph=True)
        with self.surgery.gradient(1):
            self.manual_backward(nn.functional.mse_loss(noisy, outputs))
        if found := self.surgery.combine(diagnostics=True):
            self.log("cos_main_aux", found.cos_main_aux, prog_bar=True)
        self.optimizers().step()  # type: ignore[union-attr]

    def configure_optimizers(self) -> torch.optim.Optimizer:  # noqa: D102
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def train(epochs: int = 8) -> float:
    """Return the accuracy."""
    x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
    model, loader = Digits(), DataLoader(TensorDataset(x.float() / 16, y), 128, shuffle=True)
    lightning.Trainer(max_epochs=epochs, accelerator="cpu", logger=False).fit(model, loader)
    return float((model.net(x.float() / 16).argmax(1) == y).float().mean())
