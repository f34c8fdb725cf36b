"""A network in training: loss, optimiser and schedule of a recipe, as a Lightning module."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from ipmdae.lab.networks.base import LeadNetwork
from ipmdae.lab.training import losses
from ipmdae.lab.training.captured import CapturedStep
from ipmdae.lab.training.recipe import Recipe


class DenoisingModule(pl.LightningModule):
    """Trains ``network``: noisy (batch, time, leads) -> clean, of the same shape.

    A network that comes with a loss (:attr:`LeadNetwork.has_own_loss`) is trained by it, any other
    by the recipe's. Losses (means over windows) stay on the device until the end of the epoch.

    Args:
        captured: compute a step by :class:`~ipmdae.lab.training.captured.CapturedStep`, on one
            device and in float32; otherwise Lightning makes its parts.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, *, captured: bool = False) -> None:
        super().__init__()
        self.model = network
        self.recipe = recipe
        self.loss = losses.LOSSES[recipe.loss]
        self.captured = captured
        self._step: CapturedStep | None = None
        self._sum: Tensor | float = 0.0
        self._windows = 0

    def forward(self, noisy: Tensor) -> Tensor:
        cleaned: Tensor = self.model(noisy)
        return cleaned

    @property
    def train_loss(self) -> float:
        """Mean loss of the training windows of this epoch so far."""
        return float(self._sum / self._windows) if self._windows else math.nan

    def on_train_start(self) -> None:
        if self.captured:
            optimizer = self.optimizers(use_pl_optimizer=False)
            assert isinstance(optimizer, Optimizer)
            self._step = CapturedStep(self._loss, optimizer, self.recipe.clip_norm)

    def on_train_epoch_start(self) -> None:
        self._sum, self._windows = 0.0, 0

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = (self._step or self._loss)(*batch)
        self._sum = self._sum + loss.detach() * len(batch[0])
        self._windows += len(batch[0])
        return loss

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        if self._step is None:
            super().backward(loss, *args, **kwargs)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        if self._step is None:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        if self._step is None:
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        else:  # the training step updates the weights itself
            assert optimizer_closure is not None
            optimizer_closure()

    def on_train_epoch_end(self) -> None:
        self.log("train_loss_epoch", self.train_loss)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        noisy, clean = batch
        self.log(
            "valid_loss",
            self._loss(noisy, clean),
            on_epoch=True,
            prog_bar=True,
            batch_size=len(noisy),
            sync_dist=True,
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["train_loss"] = {"sum": float(self._sum), "windows": self._windows}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        kept = checkpoint.get("train_loss", {"sum": 0.0, "windows": 0})
        self._sum, self._windows = kept["sum"], kept["windows"]
        for state in checkpoint["optimizer_states"]:  # perhaps of another device
            for group in state["param_groups"]:
                group |= self._kernels()

    def _loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        if isinstance(self.model, LeadNetwork) and self.model.has_own_loss:
            return self.model.loss(noisy, clean)
        return self.loss(self(noisy), clean)

    def _kernels(self) -> dict[str, Any]:
        """Options of Adam for a step that is recorded as a CUDA graph; elsewhere its defaults."""
        recorded = self.captured and self.device.type == "cuda"
        return {"fused": recorded or None, "capturable": recorded}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        recipe = self.recipe
        if recipe.optimizer == "adam":
            optimizer: Optimizer = torch.optim.Adam(
                self.model.parameters(), lr=recipe.learning_rate, **self._kernels()
            )
        else:
            optimizer = torch.optim.AdamW(
                self.parameter_groups(), lr=recipe.learning_rate, **self._kernels()
            )
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
