"""Protocol deepfilter: single beats with baseline wander, the field's common benchmark.

Romero, Castro Piñol and Vázquez-Seisdedos, "DeepFilter: an ECG baseline wander removal filter using
deep learning techniques", Biomedical Signal Processing and Control 70, 2021; later works
(DeScoD-ECG, MECG-E) report on the same beats. Lead 0 of the QT Database is cut at the P onsets of
the automatic annotator ``pu1``, each beat is resampled to 360 Hz and zero-padded to 512, in mV.
Baseline wander of the noise database is added so that its peak-to-peak value is ``r`` times the
beat's, r drawn from 0.2 to 1.99. Version 1 trains on the noise of channel 0, first half, and tests
on channel 1, second half; version 2 exchanges the channels; the results of both are pooled.

Its weaknesses are part of it: the position of the beat is known, zeros fill the window, and one
patient (sele0121, sele0122) is in both sets. Difference from the published scripts: records
are taken in alphabetical order instead of the order of a directory listing.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin, resample_poly

from ipmdae.lab.data import nstdb, qtdb, splits

Array = NDArray[np.float64]
Part = Literal["train", "test"]
Version = Literal[1, 2]

FS = 360.0
WINDOW = 512
VERSIONS: tuple[Version, ...] = (1, 2)

_UP, _DOWN = 36, 25
_BEFORE_P = 10  # samples at 250 Hz
PADDING = 16
_SEED = 1234
FACTORS = (20, 200)  # hundredths, the upper end excluded


@dataclass(frozen=True)
class Beats:
    """Clean beats, in the order of their records.

    Attributes:
        clean: (beats, 512) in mV, float64.
        record: name of the record of each beat, (beats,).
    """

    clean: Array
    record: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.clean)


@dataclass(frozen=True)
class NoisyBeats(Beats):
    """Beats with noise.

    Attributes:
        noisy: (beats, 512) in mV, float64.
        factor: peak-to-peak value of the noise over that of the beat, (beats,).
    """

    noisy: Array
    factor: Array


@dataclass(frozen=True, kw_only=True)
class DeepFilter:
    """The protocol; beats and noise are read on first use.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
    """

    qtdb_folder: Path | str
    nstdb_folder: Path | str

    name = "deepfilter"
    fs = FS

    @cached_property
    def records(self) -> dict[Part, list[str]]:
        """Names of the training and of the test records that are in the folder, sorted.

        Raises:
            DatasetNotFoundError: there is no QT Database in the folder.
        """
        present = set(qtdb.record_names(Path(self.qtdb_folder)))
        listed: dict[Part, list[str]] = {
            "train": splits.load(self.name, "train"),
            "test": splits.load(self.name, "test"),
        }
        missing = sum(name not in present for names in listed.values() for name in names)
        if missing:
            warnings.warn(
                f"{missing} of the 105 records are not in {self.qtdb_folder}: what follows are "
                "neither the beats nor the noise factors of the published protocol",
                stacklevel=2,
            )
        return {part: sorted(present.intersection(names)) for part, names in listed.items()}

    def beats(self, part: Part, lead: int = 0) -> Beats:
        """The clean beats of one side; the published ones are of lead 0.

        Raises:
            ValueError: the folder has no record of this side.
        """
        names = self.records[part]
        if not names:
            raise ValueError(f"{self.qtdb_folder} has no {part} record of protocol {self.name}")
        by_record = [self._cut(name, lead) for name in names]
        return Beats(np.concatenate(by_record), np.repeat(names, [len(b) for b in by_record]))

    def noisy_beats(self, part: Part, version: Version, *, fresh: bool = False) -> NoisyBeats:
        """The beats of one side with the noise of one version.

        The published noise of a side has only 634 distinct segments. With ``fresh`` each beat gets
        its own segment, from a random position of the same noise, for training.
        """
        beats = self._train if part == "train" else self._test
        factor = self.factors[part]
        cut = random_pieces if fresh else pieces
        noise = cut(self.noise(part, version), len(beats))
        return NoisyBeats(beats.clean, beats.record, add_noise(beats.clean, noise, factor), factor)

    @cached_property
    def factors(self) -> dict[Part, Array]:
        """Noise factors: all of the training beats are drawn before those of the test."""
        generator = np.random.RandomState(_SEED)
        return {
            part: generator.randint(*FACTORS, size=self._count(part)) / 100
            for part in ("train", "test")
        }

    @cached_property
    def _train(self) -> Beats:
        return self.beats("train")

    @cached_property
    def _test(self) -> Beats:
        return self.beats("test")

    def _cut(self, name: str, lead: int) -> Array:
        """The clean beats of one record, (beats, 512)."""
        signal = qtdb.read(Path(self.qtdb_folder), name).signal[:, lead]
        cut = [frame(resample_beat(signal[start:stop])) for start, stop in self._bounds(name)]
        return np.array(cut).reshape(-1, WINDOW)

    def _count(self, part: Part) -> int:
        return sum(len(self._bounds(name)) for name in self.records[part])

    def _bounds(self, name: str) -> NDArray[np.int64]:
        marks = qtdb.read_marks(Path(self.qtdb_folder), name, "pu1")
        return beat_bounds(marks.sample, np.array(marks.symbol))

    def noise(self, part: Part, version: Version) -> Array:
        """One channel of one half of bw, as stored (its scale is irrelevant)."""
        noise = nstdb.read(Path(self.nstdb_folder), "bw").signal
        first, half = (version == 1) == (part == "train"), len(noise) // 2
        channel = noise[:, 0 if first else 1]
        return channel[:half] if part == "train" else channel[half:]


def beat_bounds(
    sample: NDArray[np.int64], symbol: NDArray[np.str_], *, longest: float = WINDOW - PADDING
) -> NDArray[np.int64]:
    """Start and end of beats, (beats, 2), in samples at 250 Hz.

    A beat goes from 10 samples before a P onset, the last ``(`` before a ``p``, to the next such
    point. Those with two or more ``N`` inside are left out, and those that would be longer than
    ``longest`` samples at 360 Hz.
    """
    onsets, waves, normal = (sample[symbol == kind] for kind in "(pN")
    at = np.searchsorted(onsets, waves) - 1
    starts = onsets[at[at >= 0]] - _BEFORE_P
    bounds = np.stack([starts[:-1], starts[1:]], axis=1)
    inside = np.searchsorted(normal, bounds[:, 1]) - np.searchsorted(normal, bounds[:, 0], "right")
    length = np.ceil(np.diff(bounds)[:, 0] * _UP / _DOWN)
    return bounds[(inside < 2) & (length <= longest) & (bounds[:, 0] >= 0)]


def resample_beat(beat: Array) -> Array:
    """Resample a beat (n,) from 250 to 360 Hz, (ceil(36 n / 25),), mirrored at both ends.

    As in the published scripts, the middle part is taken one sample early.
    """
    length = math.ceil(len(beat) * _UP / _DOWN)
    mirrored = np.concatenate([beat[::-1], beat, beat[::-1]])
    # The stubs of SciPy do not know that it takes taps.
    resampled: Array = resample_poly(mirrored, _UP, _DOWN, window=_antialiasing())  # type: ignore[call-overload]
    return resampled[length - 1 : 2 * length - 1]


@cache
def _antialiasing() -> Array:
    """Filter that :func:`scipy.signal.resample_poly` would design anew for each beat."""
    taps: Array = firwin(20 * _UP + 1, 1 / _UP, window=("kaiser", 5.0))
    return taps


def frame(beat: Array) -> Array:
    """A beat (n,) from index 16 of 512 zeros on, the mean of its first and last sample at zero."""
    window = np.zeros(WINDOW)
    window[PADDING : PADDING + len(beat)] = beat - (beat[0] + beat[-1]) / 2
    return window


def pieces(noise: Array, count: int) -> Array:
    """Consecutive segments of noise, (count, 512), restarting at its beginning at the end."""
    whole = len(noise) // WINDOW
    if whole == 0:
        raise ValueError(f"noise of {len(noise)} samples is shorter than one window of {WINDOW}")
    return noise[: whole * WINDOW].reshape(whole, WINDOW)[np.arange(count) % whole]


def random_pieces(noise: Array, count: int) -> Array:
    """Segments of noise from random positions, (count, 512), with a fixed seed."""
    starts = np.random.default_rng(_SEED).integers(len(noise) - WINDOW + 1, size=count)
    drawn: Array = noise[starts[:, np.newaxis] + np.arange(WINDOW)]
    return drawn


def add_noise(clean: Array, noise: Array, factor: Array) -> Array:
    """Add noise to beats, both (beats, 512), with a peak-to-peak value of ``factor`` beats'."""
    scale = factor * np.ptp(clean, axis=1) / np.ptp(noise, axis=1)
    noisy: Array = clean + scale[:, np.newaxis] * noise
    return noisy
