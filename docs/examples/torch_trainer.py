"""Hugging Face's Trainer: a small ViT for digits that noise on the pixels should not disturb."""

from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

from bloop_ref import Bloop
from bloop_torch.integrations.transformers import SurgeryTrainerMixin


class RobustTrainer(SurgeryTrainerMixin, Trainer):  # noqa: D101
    def compute_losses(self, model: nn.Module, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:  # noqa: D102
        outputs, x = model(**inputs), inputs["pixel_values"]
        noisy = model(pixel_values=x + 0.3 * torch.randn_like(x))
        return outputs.loss, nn.functional.mse_loss(noisy.logits, outputs.logits)


def train(folder: str, epochs: int = 4) -> float:
    """Return the accuracy; checkpoints are in the folder."""
    pixels, digits = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 16, dtype=torch.float32).view(-1, 1, 8, 8)
    labels = torch.tensor(digits)
    shape: Any = {"image_size": 8, "patch_size": 4, "num_channels": 1, "num_labels": 10}
    size: Any = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64}
    config = ViTConfig(**shape, **size, num_hidden_layers=1, initializer_range=0.1)
    net = ViTForImageClassification(config)
    size = {"per_device_train_batch_size": 64, "gradient_accumulation_steps": 2}
    arguments = TrainingArguments(folder, num_train_epochs=epochs, learning_rate=1e-2, **size)
    trainer = RobustTrainer(
        net,
        arguments,
        train_dataset=[{"pixel_values": x, "labels": y} for x, y in zip(images, labels)],  # noqa: B905
        method=Bloop(lam=0.5, rho=0.03),
    )
    trainer.train()
    return float((net.cpu()(images).logits.argmax(1) == labels).float().mean())
