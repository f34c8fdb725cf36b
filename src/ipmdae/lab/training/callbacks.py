"""Callbacks of the training loop: progress, curves, checkpoints."""

from __future__ import annotations

import csv
import os
import re
import signal
import threading
import time
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
from ipmdae.lab.training.module import DenoisingModule
from ipmdae.lab.training.recipe import Recipe
from ipmdae.termination import SIGNALS

CURVES = "train_valid_loss_epoch_avg"
LAST_CHECKPOINT = Path("checkpoints", "last.ckpt")

SAVE_EVERY = 120.0
"""Seconds after which a checkpoint is saved within an epoch."""

_REFRESH = 0.5
"""Seconds between updates of the progress bar, each of which waits for the device."""

_COLUMNS = ("epoch", "train_loss", "valid_loss", "learning_rate", "seconds")


def callbacks(
    recipe: Recipe,
    folder: Path,
    seed: int,
    deadline: float | None = None,
    *,
    progress_bar: bool = True,
) -> list[Callback]:
    """The callbacks of a run whose results go to ``folder`` (its ``version_<n>``).

    Args:
        deadline: time since the epoch in s at which the run ends by :class:`OutOfTimeError`.
    """
    result: list[Callback] = [OwnSignals(), StepSeed(seed), LossCurves(folder / "results")]
    if progress_bar:
        result.append(ProgressBar())
    if recipe.ema is not None:
        result.append(MovingAverage(recipe.ema))
    best = ModelCheckpoint(
        folder / "checkpoints",
        filename="valid_monitor-{epoch:04d}-{valid_loss:.5f}",
        monitor="valid_loss",
        save_last=True,
        enable_version_counter=False,  # within an epoch, last.ckpt is written by WithinEpochs
    )
    return [*result, WithinEpochs(folder / LAST_CHECKPOINT, deadline), best]


class MovingAverage(WeightAveraging):
    """An exponential moving average of the weights whose memory grows with the steps.

    It grows up to ``decay``: with full memory from the start, the random initial weights would
    dominate for epochs. All weights are updated at once, by a factor that the host knows;
    Lightning's own update reads a counter back from the device in each step.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        average, steps = self._average_model, trainer.global_step - 1
        assert average is not None
        averages: list[Tensor] = list(average.module.parameters())
        currents: list[Tensor] = list(pl_module.parameters())
        with torch.no_grad():
            if steps == 0:
                torch._foreach_copy_(averages, currents)
            else:
                share = 1 - min(self.decay, (1 + steps) / (10 + steps))
                torch._foreach_lerp_(averages, currents, share)
            for mine, theirs in zip(average.module.buffers(), pl_module.buffers(), strict=True):
                mine.copy_(theirs)
            average.n_averaged += 1
        self._latest_update_step = trainer.global_step


class OutOfTimeError(RuntimeError):
    """The time of a run is over; its checkpoint is saved."""


class WithinEpochs(Callback):
    """Saves ``last.ckpt`` within long epochs too, and ends the run at a deadline.

    Args:
        path: the checkpoint.
        deadline: time since the epoch in s; ``None`` for none.
    """

    def __init__(self, path: Path, deadline: float | None) -> None:
        self.path, self.deadline = path, deadline
        self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._saved = time.monotonic()  # by ModelCheckpoint, after validation
            return
        over = self.deadline is not None and time.time() >= self.deadline
        if over or time.monotonic() - self._saved >= SAVE_EVERY:
            trainer.save_checkpoint(self.path)
            self._saved = time.monotonic()
        if over:
            raise OutOfTimeError(f"out of time after {trainer.global_step} steps")

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Let the best checkpoint be found where the folder of the run is now."""
        folder = os.path.realpath(self.path.parent)

        def here(path: str) -> str:
            return os.path.join(folder, re.split(r"[/\\]", path)[-1]) if path else path

        for state in checkpoint["callbacks"].values():
            if "dirpath" in state:
                best = {here(path): score for path, score in state["best_k_models"].items()}
                paths = ("best_model_path", "kth_best_model_path", "last_model_path")
                state |= {key: here(state[key]) for key in paths}
                state |= {"dirpath": folder, "best_k_models": best}


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
        super().__init__()
        self._started: float | None = None
        self._first_step = 0
        self._refreshed = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        if self._is_due(trainer.fit_loop.epoch_loop.batch_progress.is_last_batch):
            super().on_train_batch_end(trainer, pl_module, *args, **kwargs)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        if self._is_due(False):
            super().on_validation_batch_end(trainer, pl_module, *args, **kwargs)

    def _is_due(self, last: bool) -> bool:
        due = last or time.monotonic() - self._refreshed >= _REFRESH
        if due:
            self._refreshed = time.monotonic()
        return due

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._started, self._first_step = time.monotonic(), trainer.global_step

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        if isinstance(pl_module, DenoisingModule):
            items["train_loss"] = pl_module.train_loss
        done = trainer.global_step - self._first_step
        if self._started is not None and done > 0:
            left = int(trainer.estimated_stepping_batches) - trainer.global_step
            seconds = (time.monotonic() - self._started) * left / done
            items["run_left"] = str(timedelta(seconds=round(seconds)))
        return items


class LossCurves(Callback):
    """Training and validation loss of each epoch, as data (CSV) and as a figure (PNG).

    They are part of the checkpoint, so that a resumed run continues with them. The figure, which
    takes longer than a short epoch, is drawn at the end of the run.
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
        assert isinstance(pl_module, DenoisingModule)
        self.rows[-1]["train_loss"] = pl_module.train_loss
        if trainer.is_global_zero:
            self._write()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero and self.rows:
            with replacing(self.folder / f"{CURVES}.png") as path:
                draw_curves(self.rows).savefig(path, format="png", dpi=120)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "elapsed": time.monotonic() - self._epoch_started}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])
        self._epoch_started = time.monotonic() - state_dict.get("elapsed", 0.0)

    def _write(self) -> None:
        with (
            replacing(self.folder / f"{CURVES}.csv") as path,
            path.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)


def draw_curves(rows: list[dict[str, float]]) -> Figure:
    """Training and validation loss against the epoch, on a logarithmic scale."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    epochs = [row["epoch"] for row in rows]
    for column, label in (("train_loss", "training"), ("valid_loss", "validation")):
        axes.semilogy(epochs, [row[column] for row in rows], marker=".", label=label)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    return figure
