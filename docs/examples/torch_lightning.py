"""PyTorch Lightning, manual optimisation: digits that noise on the pixels should not disturb."""

import lightning
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bloop_torch import Bloop


class Digits(lightning.LightningModule):  # noqa: D101
    def __init__(self, lam: float = 0.5, rho: float = 0.03) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        self.bloop = Bloop(self.net.named_parameters(), lam=lam, rho=rho)

    def training_step(self, batch: list[Tensor], _: int) -> None:  # noqa: D102
        x, y = batch
        outputs, noisy = self.net(x), self.net(x + 0.3 * torch.randn_like(x))
        with self.bloop.main_gradient():
            self.manual_backward(nn.functional.cross_entropy(outputs, y), retain_graph=True)
        with self.bloop.aux_gradient():
            self.manual_backward(nn.functional.mse_loss(noisy, outputs))
        self.bloop.combine()
        self.optimizers().step()  # type: ignore[union-attr]

    def configure_optimizers(self) -> torch.optim.Optimizer:  # noqa: D102
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def train(epochs: int = 8) -> float:
    """Return the accuracy."""
    x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
    model, data = Digits(), TensorDataset(x.float() / 16, y)
    loader = DataLoader(data, batch_size=128, shuffle=True)
    lightning.Trainer(max_epochs=epochs, accelerator="cpu", logger=False).fit(model, loader)
    return float((model.net(x.float() / 16).argmax(1) == y).float().mean())
