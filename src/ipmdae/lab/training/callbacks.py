"""Callbacks of the training loop: progress, curves, checkpoints."""

from __future__ import annotations

import csv
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import (
    Callback,
    ModelCheckpoint,
    TQDMProgressBar,
    WeightAveraging,
)
from matplotlib.figure import Figure
from torch import Tensor

from ipmdae.files import replacing
from ipmdae.lab.training.recipe import Recipe
from ipmdae.termination import SIGNALS

CURVES = "train_valid_loss_epoch_avg"
_COLUMNS = ("epoch", "train_loss", "valid_loss", "learning_rate", "seconds")


def callbacks(recipe: Recipe, folder: Path, seed: int) -> list[Callback]:
    """The callbacks of a run whose results go to ``folder`` (its ``version_<n>``)."""
    result: list[Callback] = [
        OwnSignals(),
        StepSeed(seed),
        ProgressBar(),
        LossCurves(folder / "results"),
    ]
    if recipe.ema is not None:
        result.append(WeightAveraging(avg_fn=warming_average(recipe.ema)))
    result.append(
        ModelCheckpoint(
            folder / "checkpoints",
            filename="valid_monitor-{epoch:04d}-{valid_loss:.5f}",
            monitor="valid_loss",
            save_last=True,
        )
    )
    return result


def warming_average(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """An exponential moving average whose memory grows with the steps up to ``decay``.

    With full memory from the start, the random initial weights would dominate for epochs.
    """

    def update(average: Tensor, current: Tensor, count: Tensor) -> Tensor:
        steps = float(count)
        return average.lerp(current, 1 - min(decay, (1 + steps) / (10 + steps)))

    return update


class OwnSignals(Callback):
    """Leaves termination signals to the command, so that SIGTERM ends it like Ctrl-C.

    Lightning's handler would wait for the next batch, and exit with 0.
    """

    def __init__(self) -> None:
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._handlers.items():
                signal.signal(number, handler)


class StepSeed(Callback):
    """Seeds the random draws of a network in training (dropout, diffusion) by run seed and step.

    A resumed run thus draws the same numbers as an uninterrupted one.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        state = np.random.SeedSequence((self.seed, trainer.global_step)).generate_state(1)
        torch.manual_seed(int(state[0]))


class ProgressBar(TQDMProgressBar):
    """Progress bar with loss and time left of the epoch, then the time left of the run."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=5)
        self._started: float | None = None
        self._first_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._started, self._first_step = time.monotonic(), trainer.global_step

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        done = trainer.global_step - self._first_step
        if self._started is not None and done > 0:
            left = int(trainer.estimated_stepping_batches) - trainer.global_step
            seconds = (time.monotonic() - self._started) * left / done
            items["run_left"] = str(timedelta(seconds=round(seconds)))
        return items


class LossCurves(Callback):
    """Training and validation loss of each epoch, as data (CSV) and as a figure (PNG).

    They are part of the checkpoint, so that a resumed run continues with them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        self._epoch_started = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_started = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                "valid_loss": float(trainer.callback_metrics["valid_loss"]),
                "learning_rate": float(trainer.optimizers[0].param_groups[0]["lr"]),
                "seconds": round(time.monotonic() - self._epoch_started, 1),
            }
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rows[-1]["train_loss"] = float(trainer.callback_metrics["train_loss_epoch"])
        if trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def _write(self) -> None:
        with (
            replacing(self.folder / f"{CURVES}.csv") as path,
            path.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        with replacing(self.folder / f"{CURVES}.png") as path:
            draw_curves(self.rows).savefig(path, format="png", dpi=120)


def draw_curves(rows: list[dict[str, float]]) -> Figure:
    """Training and validation loss against the epoch, on a logarithmic scale."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    epochs = [row["epoch"] for row in rows]
    for column, label in (("train_loss", "training"), ("valid_loss", "validation")):
        axes.semilogy(epochs, [row[column] for row in rows], marker=".", label=label)
    axes.set(xlabel="epoch", ylabel="mean squared error")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return figure
