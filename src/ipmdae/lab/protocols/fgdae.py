"""Protocol fgdae: windows over several beats with random mixtures of all three kinds of noise.

Shaheen et al., "Fully-Gated Denoising Auto-Encoder for Artifact Reduction in ECG Signals", Sensors
25, 801, 2025, and the generator in its public repository
(AhmedAShaheen/fully_gated_DAE). The beats of lead 0 as protocol deepfilter cuts them, but of any
length and with their offset, are put end to end, record by record; windows of 512 samples (360 Hz,
mV) overlap by half, each with its mean at zero. A fair coin for each of bw, ma and em decides
whether it is in a window's noise; the sum, in units as stored, is scaled to a peak-to-peak value of
``factor`` times the window's, factor drawn from 0.2 to 1.99. A window with no kind stays clean.
Records, halves and channels of noise are those of deepfilter, and so are its weaknesses: a patient
in both sets, and noise that repeats (docs/nstdb.md).

Difference from the published script: records are in alphabetical order instead of that of a
directory listing. Assumed: the script that cuts beats is not among the stored files of the
repository; that of DeepFilter is taken, by whose name the generator imports it. The paper's tables
could not be looked up: neither its counts nor its rows are checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.protocols.deepfilter import (
    FACTORS,
    FS,
    WINDOW,
    DeepFilter,
    NoisyBeats,
    Part,
    Version,
    add_noise,
    beat_bounds,
    pieces,
    resample_beat,
)

Array = NDArray[np.float64]

KINDS = ("bw", "ma", "em")  # in the order of the mask

#: The published metrics, by their names in ipmdae.lab.evaluation.metrics.
METRICS = ("rmse", "ssd", "mad", "prd_deepfilter", "cosine_similarity", "snr")

_HOP = WINDOW // 2
_SEED = 1234


@dataclass(frozen=True, kw_only=True)
class FGDAE:
    """The protocol; records and noise are read on first use.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
    """

    qtdb_folder: Path | str
    nstdb_folder: Path | str

    name = "fgdae"
    fs = FS

    def windows(self, part: Part, version: Version) -> NoisyBeats:
        """Noisy and clean windows of one side, (windows, 512) in mV, in the order of records.

        Raises:
            DatasetNotFoundError: a database is not in its folder.
            ValueError: the folder has no record of this side.
        """
        clean, record = self._clean[part]
        factor, mask = self._draws[part]
        noise = pieces_of_each(self._noise(part, version), mask)
        noisy = clean.copy()
        some = mask.any(axis=1)
        noisy[some] = add_noise(clean[some], noise[some], factor[some])
        return NoisyBeats(clean, record, noisy, np.where(some, factor, 0))

    @cached_property
    def _clean(self) -> dict[Part, tuple[Array, NDArray[np.str_]]]:
        records = DeepFilter(qtdb_folder=self.qtdb_folder, nstdb_folder=self.nstdb_folder).records
        sides: dict[Part, tuple[Array, NDArray[np.str_]]] = {}
        for part, names in records.items():
            if not names:
                raise ValueError(f"{self.qtdb_folder} has no {part} record of protocol {self.name}")
            cut = [self._cut(name) for name in names]
            sides[part] = np.concatenate(cut), np.repeat(names, [len(windows) for windows in cut])
        return sides

    def _cut(self, name: str) -> Array:
        """The windows of one record, (windows, 512)."""
        folder = Path(self.qtdb_folder)
        signal = qtdb.read(folder, name).signal[:, 0]
        marks = qtdb.read_marks(folder, name, "pu1")
        bounds = beat_bounds(marks.sample, np.array(marks.symbol), longest=np.inf)
        beats = [resample_beat(signal[start:stop]) for start, stop in bounds]
        return overlapping(np.concatenate([np.empty(0), *beats]))

    @cached_property
    def _draws(self) -> dict[Part, tuple[Array, NDArray[np.bool_]]]:
        """Factors (windows,) and masks (windows, 3) from one stream, the factors of both first."""
        generator, counts = np.random.RandomState(_SEED), {}
        sides: tuple[Part, Part] = ("train", "test")
        for part in sides:
            counts[part] = len(self._clean[part][0])
        factors = [generator.randint(*FACTORS, size=counts[part]) / 100 for part in sides]
        masks = [generator.randint(0, 2, size=(counts[part], 3)) > 0 for part in sides]
        return dict(zip(sides, zip(factors, masks, strict=True), strict=True))

    def _noise(self, part: Part, version: Version) -> Array:
        """One channel of one half of each kind as stored, (kinds, time)."""
        folder, channel = Path(self.nstdb_folder), int((version == 1) != (part == "train"))
        signals = np.stack([nstdb.read(folder, kind).signal[:, channel] for kind in KINDS])
        half = signals.shape[1] // 2
        return signals[:, :half] if part == "train" else signals[:, half:-1]


def overlapping(signal: Array) -> Array:
    """Windows (n, 512) of a signal (time,) that overlap by half, each with its mean at zero."""
    if len(signal) < WINDOW:
        return np.empty((0, WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::_HOP]
    centred: Array = windows - windows.mean(axis=1, keepdims=True)
    return centred


def pieces_of_each(noise: Array, mask: NDArray[np.bool_]) -> Array:
    """Consecutive segments of the kinds (kinds, time) that a mask (count, kinds) picks, summed."""
    total: Array = sum(mask[:, [kind]] * pieces(one, len(mask)) for kind, one in enumerate(noise))  # type: ignore[assignment]
    return total
