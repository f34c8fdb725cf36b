"""Protocols: training and test data of a denoiser, one module each.

A protocol turns the two databases into pairs of windows (noisy, clean). Training, validation and
evaluation all draw their pairs here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class Pairs(Protocol):
    """Pairs of windows (noisy, clean), each (time, leads), float32.

    A pair depends on the index, the epoch and the source's seed only, so that neither the number of
    workers nor a restart changes a digit.
    """

    def __len__(self) -> int: ...

    def draw(self, index: int, epoch: int = 0) -> Pair:
        """Pair number ``index`` of ``epoch``."""
        ...


def stack(pairs: Pairs, indices: Sequence[int] | None = None) -> Pair:
    """All pairs (or those of ``indices``) of epoch 0 as two arrays (windows, time, leads)."""
    drawn = [pairs.draw(index) for index in (range(len(pairs)) if indices is None else indices)]
    noisy, clean = zip(*drawn, strict=True)
    return np.stack(noisy), np.stack(clean)


class TrainingProtocol(Protocol):
    """Interface of a protocol for the training loop."""

    fs: float
    leads: int

    @property
    def window(self) -> int:
        """Samples of a window."""
        ...

    @property
    def records(self) -> tuple[list[str], list[str]]:
        """Names of the training and of the validation records."""
        ...

    def training(self, *, fresh: bool) -> Pairs:
        """Pairs to train on, drawn once or anew in each epoch."""
        ...

    def validation(self) -> Pairs:
        """Pairs to validate on, always the same."""
        ...
