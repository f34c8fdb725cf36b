"""Protocol reference: that of the paper's public implementation.

Both leads of the QT Database in consecutive windows, each window and lead scaled to [0, 1] by the
clean signal's own minimum and maximum; bw + em + ma of the noise database with equal weight, the
same on both leads, at an exact SNR whose powers include the mean. Training noise is channel 0 of
the first 15 min, validation noise channel 1 of the last 15 min.

It serves for comparison with that implementation only. Its weaknesses are part of it: the scaling
needs the clean signal, the common noise of the leads lets a network subtract one from the other,
and validation is also the test. Differences from it: records are taken in a fixed order instead
of the order of a directory listing, everything is seeded, and the noise is resampled by soxr.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import mixing, nstdb, qtdb, splits
from ipmdae.lab.protocols import Pair

Array = NDArray[np.float32]
_RANGE_FLOOR = 1e-9


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The protocol with its settings; windows are read on first use.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
        split: name of the order of records, see :mod:`ipmdae.lab.data.splits`.
        split_idx: number of training records in that order; the rest validate.
        time_win: length of a window in s.
        snr: of the noisy windows, in dB.
        common_noise: the same noise on both leads, as published, or independent noise; lead 0 has
            the same noise in both cases.
        seed: seed of all noise.
    """

    qtdb_folder: Path | str
    nstdb_folder: Path | str
    split: str = "sorted"
    split_idx: int = splits.PUBLISHED_TRAINING_RECORDS
    time_win: float = 5
    snr: float = 0.0
    common_noise: bool = True
    seed: int = 0

    name = "reference"
    fs = qtdb.FS
    leads = 2

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.time_win * self.fs)

    @cached_property
    def records(self) -> tuple[list[str], list[str]]:
        """Names of the training and of the validation records.

        Raises:
            DatasetNotFoundError: there is no QT Database in the folder.
            ValueError: ``split_idx`` leaves one of the sides empty.
        """
        present = set(qtdb.record_names(Path(self.qtdb_folder)))
        order = splits.load(self.name, self.split)
        missing = [name for name in order if name not in present]
        if missing:
            warnings.warn(
                f"{len(missing)} of the {len(order)} records of split {self.split!r} are not in "
                f"{self.qtdb_folder}; going on with the {len(order) - len(missing)} that are",
                stacklevel=2,
            )
        order = [name for name in order if name in present]
        if not 0 < self.split_idx < len(order):
            raise ValueError(
                f"split_idx {self.split_idx} leaves nothing to train or to validate on: "
                f"{len(order)} records are there, so it must lie in 1 … {len(order) - 1}"
            )
        return order[: self.split_idx], order[self.split_idx :]

    def training(self, *, fresh: bool) -> StaticPairs | FreshPairs:
        """The training pairs, with noise drawn once (as published) or anew in each epoch."""
        noise = self._noise("train")
        signals = [qtdb.read_centred(Path(self.qtdb_folder), name) for name in self.records[0]]
        if fresh:
            return FreshPairs(signals, noise, self.window, self.snr, self.seed, self.common_noise)
        return self._static(signals, noise)

    def validation(self) -> StaticPairs:
        """Validation pairs, which are also the published test set."""
        signals = [qtdb.read_centred(Path(self.qtdb_folder), name) for name in self.records[1]]
        return self._static(signals, self._noise("test"))

    def _noise(self, part: nstdb.Part) -> Array:
        """(kinds, time, 1): channel 0 for training, channel 1 for the test."""
        noise = nstdb.load(Path(self.nstdb_folder), self.fs).part(part)
        return noise[..., :1] if part == "train" else noise[..., 1:2]

    def _static(self, signals: list[Array], noise: Array) -> StaticPairs:
        clean = scale_to_unit_range(
            np.concatenate([mixing.cut(signal, self.window) for signal in signals])
        )
        pieces = mixing.cut(noise, self.window)
        seeds = [[self.seed]] if self.common_noise else [[self.seed], [self.seed, 1]]
        total = np.zeros((len(clean), self.window, len(seeds)), np.float32)
        for lead, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            for kind in pieces:
                total[..., lead] += kind[rng.integers(0, len(kind), len(clean)), :, 0]
        return StaticPairs(add_noise(clean, total, self.snr), clean)


@dataclass(frozen=True)
class StaticPairs:
    """Pairs drawn once: ``noisy`` and ``clean`` (windows, time, leads)."""

    noisy: Array
    clean: Array

    def __len__(self) -> int:
        return len(self.clean)

    def draw(self, index: int, epoch: int = 0) -> Pair:
        return self.noisy[index], self.clean[index]


@dataclass(frozen=True)
class FreshPairs:
    """Pairs drawn anew in each epoch.

    The windows shift by up to half a window, and the noise comes from random places, in a random
    direction and with a random sign.
    """

    signals: list[Array]
    noise: Array
    window: int
    snr: float
    seed: int
    common_noise: bool = True

    @cached_property
    def _starts(self) -> list[tuple[int, int]]:
        return [
            (record, start)
            for record, signal in enumerate(self.signals)
            for start in range(0, len(signal) - self.window + 1, self.window)
        ]

    def __len__(self) -> int:
        return len(self._starts)

    def draw(self, index: int, epoch: int = 0) -> Pair:
        rng = np.random.default_rng((self.seed, epoch, index))
        record, start = self._starts[index]
        signal = self.signals[record]
        start += int(rng.integers(-(self.window // 2), self.window // 2 + 1))
        start = min(max(start, 0), len(signal) - self.window)
        clean = scale_to_unit_range(signal[start : start + self.window])
        total = np.concatenate(
            [
                mixing.draw_pieces(self.noise, self.window, rng).sum(axis=0)
                for _ in range(1 if self.common_noise else signal.shape[1])
            ],
            axis=1,
        )
        return add_noise(clean, total, self.snr), clean


def scale_to_unit_range(windows: Array) -> Array:
    """Scale each window (..., time, leads) and lead to [0, 1] by its own extremes."""
    low = windows.min(axis=-2, keepdims=True)
    high = windows.max(axis=-2, keepdims=True)
    scaled: Array = (windows - low) / (high - low + _RANGE_FLOOR)
    return scaled


def add_noise(clean: Array, noise: Array, snr: float) -> Array:
    """Add noise (..., time, 1 or leads), one to all leads or each its own, to windows.

    Powers include the mean and all leads, which are scaled by one factor.
    """
    noise = np.broadcast_to(noise, clean.shape)
    return mixing.mix(clean, noise, snr, of="total", per_lead=False)
