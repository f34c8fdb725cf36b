"""Training budget and outcome of a finished run of the queue, as ``training.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import ceil, isfinite, nan
from pathlib import Path

from ipmdae.files import replacing

SUMMARY_FILE = "training.json"

_LAST_SHARE = 0.1

MINOR_CHANGE = 0.02
"""Share of the best validation loss; a smaller fall or rise at the end counts as none."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Training budget and outcome of a finished run.

    Attributes:
        method: network and pairs, see :mod:`ipmdae.lab.training.queue`.
        protocol: training protocol.
        parameters: number of its weights.
        epochs: passes over the training windows.
        windows_seen: number of training windows, counted in every epoch.
        batch_size: windows per step.
        fresh_noise: True if pairs were drawn anew in each epoch.
        seed: see :class:`ipmdae.lab.training.queue.Budget`.
        loss: ``own`` for the loss of the network's paper, else the recipe's.
        seconds: duration of training and validation.
        accelerator: ``cpu`` or ``gpu``, of the last part if the run was resumed.
        best_valid_loss: of the checkpoint that is used; ``None`` if no epoch had a finite one.
        best_epoch: counted from 1.
        converged: see :func:`has_converged`.
        diverged: True if the last validation loss is not finite.
    """

    method: str
    protocol: str
    parameters: int
    epochs: int
    windows_seen: int
    batch_size: int
    fresh_noise: bool
    seed: int
    loss: str
    seconds: float
    accelerator: str
    best_valid_loss: float | None
    best_epoch: int | None
    converged: bool
    diverged: bool

    def __str__(self) -> str:
        """Summary in a few words."""
        text = f"{self.epochs} epochs, {self.windows_seen:,} windows, {self.seconds / 60:.0f} min"
        if self.diverged:
            return f"{text}, diverged"
        return f"{text}, {'converged' if self.converged else 'not converged'}"


def write_summary(folder: Path, summary: Summary) -> None:
    """Store a summary in ``folder``, which marks the run as finished."""
    with replacing(folder / SUMMARY_FILE) as path:
        path.write_text(json.dumps(asdict(summary), indent=1) + "\n", encoding="utf-8")


def read_summary(folder: Path) -> Summary:
    """Read the summary of the finished run in ``folder``.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    path = folder / SUMMARY_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Summary(**{field.name: content[field.name] for field in fields(Summary)})
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it and train again") from error


def network_and_pairs(method: str) -> tuple[str, str]:
    """Network and training pairs of a method: ``unet+open`` is ``unet`` and ``open``.

    The pairs are empty where they are those of the protocol itself.
    """
    network, _, pairs = method.partition("+")
    return network, pairs


def has_converged(valid_losses: Sequence[float]) -> bool:
    """True if the last tenth of the epochs (one at least) lowered the best loss by at most 2 %.

    False after a single epoch, or with a non-finite loss in the last tenth; others are ignored.
    """
    return late_fall(valid_losses) <= MINOR_CHANGE


def late_fall(valid_losses: Sequence[float]) -> float:
    """Share by which the last tenth of the epochs (one at least) lowered the best loss.

    Returns:
        Negative if it rose; NaN after a single epoch, or with a non-finite loss in the last tenth.
    """
    last = ceil(_LAST_SHARE * len(valid_losses))
    before = [loss for loss in valid_losses[:-last] if isfinite(loss)]
    after = [loss for loss in valid_losses[-last:] if isfinite(loss)]
    if not before or len(after) < last:
        return nan
    best = min(before)
    return (best - min(after)) / abs(best) if best else 0.0
