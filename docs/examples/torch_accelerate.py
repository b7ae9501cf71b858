"""Hugging Face Accelerate: the same digits, two micro-batches a step, any number of processes."""

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bloop_torch import Bloop


def train(epochs: int = 16, micro_batches: int = 2) -> float:
    """Return the accuracy."""
    torch.manual_seed(0)
    x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
    images = x.float() / 16
    data = DataLoader(TensorDataset(images, y), batch_size=64, shuffle=True)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=micro_batches)
    adam = torch.optim.Adam(net.parameters(), lr=3e-3)
    model, optimizer, loader = accelerator.prepare(net, adam, data)
    group = torch.distributed.group.WORLD if accelerator.num_processes > 1 else None
    bloop = Bloop(model.named_parameters(), lam=0.5, rho=0.03, average_over=group)
    accelerator.register_for_checkpointing(bloop)  # save_state and load_state take it along
    for x, y in (batch for _ in range(epochs) for batch in loader):
        with accelerator.accumulate(), accelerator.no_sync(model):  # averaged by bloop, not by DDP
            outputs, noisy = model(x), model(x + 0.3 * torch.randn_like(x))
            losses = nn.functional.cross_entropy(outputs, y), nn.functional.mse_loss(noisy, outputs)
            scaler = accelerator.scaler  # None, but with mixed_precision="fp16"
            bloop.accumulate(*(loss / micro_batches for loss in losses), scaler=scaler)
            if accelerator.sync_gradients:  # the last micro-batch of a step
                bloop.combine(scaler=scaler)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
    return float((net(images).argmax(1) == torch.tensor(load_digits().target)).float().mean())


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
