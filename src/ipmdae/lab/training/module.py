"""A network in training: loss, optimiser and schedule of a recipe, as a Lightning module."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork
from ipmdae.lab.training import losses
from ipmdae.lab.training.recipe import Recipe


class DenoisingModule(pl.LightningModule):
    """Trains ``network``: noisy (batch, time, leads) -> clean, of the same shape.

    Published networks are trained by their own loss, the project's by the recipe's.
    Logs ``train_loss`` and ``valid_loss`` (mean over windows) once an epoch.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.model = network
        self.recipe = recipe
        self.loss = losses.LOSSES[recipe.loss]

    def forward(self, noisy: Tensor) -> Tensor:
        cleaned: Tensor = self.model(noisy)
        return cleaned

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        noisy, clean = batch
        loss = self._loss(noisy, clean)
        self._log("train_loss", loss, len(noisy), on_step=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        noisy, clean = batch
        self._log("valid_loss", self._loss(noisy, clean), len(noisy))

    def _loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        if isinstance(self.model, LeadNetwork):
            return self.model.loss(noisy, clean)
        return self.loss(self(noisy), clean)

    def _log(self, name: str, value: Tensor, windows: int, on_step: bool = False) -> None:
        self.log(
            name,
            value,
            on_step=on_step,
            on_epoch=True,
            prog_bar=True,
            batch_size=windows,
            sync_dist=not on_step,
        )

    def configure_optimizers(self) -> OptimizerLRScheduler:
        recipe = self.recipe
        if recipe.optimizer == "adam":
            optimizer: torch.optim.Optimizer = torch.optim.Adam(
                self.model.parameters(), lr=recipe.learning_rate
            )
        else:
            optimizer = torch.optim.AdamW(self.parameter_groups(), lr=recipe.learning_rate)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: learning_rate_factor(step, total, recipe)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters with weight decay, then those without (biases, norms, scales, A_log, D)."""
        decaying: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.model.named_parameters():
            decays = parameter.ndim >= 2 and "A_log" not in name
            (decaying if decays else others).append(parameter)
        return [
            {"params": decaying, "weight_decay": self.recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]


def learning_rate_factor(step: int, total: int, recipe: Recipe) -> float:
    """Linear warm-up, then half a cosine from 1 down to ``final_rate`` at the last step."""
    warmup = round(recipe.warmup * total)
    if step < warmup:
        return (step + 1) / warmup
    progress = min((step - warmup) / max(total - warmup, 1), 1.0)
    return recipe.final_rate + (1 - recipe.final_rate) * (1 + math.cos(math.pi * progress)) / 2
