"""Protocol tfcdiff: 10-s windows of filtered leads with random mixtures of three kinds of noise.

Li et al., "TFCDiff: Robust ECG Denoising via Time-Frequency Complementary Diffusion", arXiv
2511.16627v2, and the scripts in its public repository (Miroircivil/TFCDiff). Targets, both leads:
band-pass 0.5-40 Hz (Butterworth of order 5, forwards and backwards), moving average of 9 samples,
a straight line subtracted from each segment between midpoints of neighbouring beats (``N`` of
annotator pu0 for lead 0, pu1 for lead 1), segments joined by a cubic, resampled to 360 Hz, first
and last sample dropped; in mV. Of each lead, all consecutive windows of 3600 samples and 90 from
random places. Noise is a1 bw + (100 - a1) (a2 em + (100 - a2) ma) from random places, a1 and a2
from 0 to 100, in units as stored: bw weighs at most a hundredth of the others' scale, unless
a1 is near 100. It is scaled to a peak-to-peak value of ``factor`` times the window's, factor from
0.2 to 1.99. Version 1 is the one that the repository evaluates.

Twelve of deepfilter's test records test. sele0121 and sel32 train here (a later revision of the
repository tests on them too: 5,012 windows instead of 4,296), and neighbours overlap within a side;
noise repeats between sides (docs/nstdb.md). Published, mean over test windows: TFCDiff-10 SSD
21.522, MAD 0.308, PRD 28.202, CosSim 0.957, SNR 14.10 dB.

Differences from the scripts: records are in alphabetical order instead of that of a directory
listing, so that random places and factors are not bit for bit theirs. Assumed: the script that
prepares targets is the same as its copy for an ablation, which alone was available; the random
numbers follow seed 1234 from its first crop on, as in a run without stored intermediates; a join
keeps within its segment where one is shorter than 12 samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline
from scipy.signal import butter, detrend, filtfilt, resample_poly

from ipmdae.lab.data import nstdb, qtdb, splits
from ipmdae.lab.protocols.deepfilter import FACTORS, NoisyBeats, Part, add_noise

Array = NDArray[np.float64]

FS = 360.0
WINDOW = 3600
KINDS = ("bw", "em", "ma")

#: The published metrics, by their names in ipmdae.lab.evaluation.metrics.
METRICS = ("ssd", "mad", "prd_deepfilter", "cosine_similarity", "snr")

#: Of deepfilter's test records, those that train here.
TRAINED = ("sele0121", "sel32")

_CROPS = 90
_SEED = 1234
#: Channel and half (0 or 1) of the noise of training and of test, by version.
_NOISE: dict[int, dict[Part, tuple[int, int]]] = {
    1: {"train": (0, 0), "test": (1, 1)},
    2: {"train": (1, 0), "test": (0, 1)},
    3: {"train": (1, 1), "test": (0, 0)},
    4: {"train": (0, 1), "test": (1, 0)},
}


@dataclass(frozen=True, kw_only=True)
class TFCDiff:
    """The protocol; records and noise are read on first use. Training takes 1 GB for each array.

    Attributes:
        qtdb_folder: folder of the QT Database's records.
        nstdb_folder: folder of the noise database's records.
        version: channels and halves of the noise, 1 to 4.
    """

    qtdb_folder: Path | str
    nstdb_folder: Path | str
    version: int = 1

    name = "tfcdiff"
    fs = FS

    def __post_init__(self) -> None:
        if self.version not in _NOISE:
            raise ValueError(f"the noise has versions 1 to 4, not {self.version}")

    def windows(self, part: Part) -> NoisyBeats:
        """Noisy and clean windows of one side, (windows, 3600) in mV, in the order of records.

        Raises:
            DatasetNotFoundError: a database is not in its folder.
            ValueError: the folder has no record of this side, or one is shorter than a window.
        """
        names = self._records[part]
        if not names:
            raise ValueError(f"{self.qtdb_folder} has no {part} record of protocol {self.name}")
        clean = np.concatenate([self._cut(name) for name in names])
        factor, mixtures = self._drawn[1][part]
        kinds = self._noise(part)
        noise = np.stack([mixture.of(kinds) for mixture in mixtures])
        record = np.repeat(names, [self._count(name) for name in names])
        return NoisyBeats(clean, record, add_noise(clean, noise, factor), factor)

    @cached_property
    def _records(self) -> dict[Part, list[str]]:
        present = qtdb.record_names(Path(self.qtdb_folder))
        test = set(splits.load("deepfilter", "test")).difference(TRAINED)
        return {
            "train": [name for name in present if name not in test],
            "test": [name for name in present if name in test],
        }

    @cached_property
    def _lengths(self) -> dict[str, int]:
        """Samples of the target leads of each record."""
        folder = Path(self.qtdb_folder)
        names = sorted(self._records["train"] + self._records["test"])
        lengths = {name: len(qtdb.read(folder, name).signal) for name in names}
        return {name: -(-length * 36 // 25) - 2 for name, length in lengths.items()}

    def _count(self, name: str) -> int:
        return 2 * (self._lengths[name] // WINDOW + _CROPS)

    def _cut(self, name: str) -> Array:
        """The windows of one record, (windows, 3600): of lead 0, then of lead 1."""
        folder = Path(self.qtdb_folder)
        signal, starts = qtdb.read(folder, name).signal, self._drawn[0][name]
        cut = []
        for lead in (0, 1):
            marks = qtdb.read_marks(folder, name, f"pu{lead}")
            beats = marks.sample[np.array(marks.symbol) == "N"]
            target = target_lead(signal[:, lead], beats)
            cut.append(target[starts[lead][:, np.newaxis] + np.arange(WINDOW)])
        return np.concatenate(cut)

    @cached_property
    def _drawn(
        self,
    ) -> tuple[dict[str, list[NDArray[np.int64]]], dict[Part, tuple[Array, list[Mixture]]]]:
        """All that is random, from one stream: starts first, then the training side, then test."""
        stream, starts = np.random.RandomState(_SEED), {}
        for name, length in self._lengths.items():
            if length < WINDOW:
                raise ValueError(f"record {name} in {self.qtdb_folder} is shorter than 10 s")
            even = np.arange(length // WINDOW) * WINDOW
            crops = [stream.randint(0, length - WINDOW + 1, size=_CROPS) for _ in range(2)]
            starts[name] = [np.concatenate([even, random]) for random in crops]
        draws: dict[Part, tuple[Array, list[Mixture]]] = {}
        sides: tuple[Part, Part] = ("train", "test")
        for part in sides:
            count = sum(self._count(name) for name in self._records[part])
            factor = stream.randint(*FACTORS, size=count) / 100
            length = self._noise(part).shape[1]
            draws[part] = factor, [Mixture.drawn(stream, length) for _ in range(count)]
        return starts, draws

    def _noise(self, part: Part) -> Array:
        """One channel of one half of each kind as stored, (kinds, time)."""
        channel, half = _NOISE[self.version][part]
        folder = Path(self.nstdb_folder)
        signals = np.stack([nstdb.read(folder, kind).signal[:, channel] for kind in KINDS])
        middle = signals.shape[1] // 2
        return signals[:, middle:-1] if half else signals[:, :middle]


@dataclass(frozen=True)
class Mixture:
    """Starts of a window's noise in bw, em and ma, and its two weights in percent."""

    starts: tuple[int, int, int]
    a1: int
    a2: int

    @classmethod
    def drawn(cls, stream: np.random.RandomState, length: int) -> Mixture:
        """The next mixture of a stream, of noise (time,) that is ``length`` long."""
        bw, em, ma = (stream.randint(0, length - WINDOW + 1) for _ in KINDS)
        return cls((bw, em, ma), stream.randint(0, 101), stream.randint(0, 101))

    def of(self, kinds: Array) -> Array:
        """The noise of a window (3600,) from all of it (kinds, time)."""
        bw, em, ma = (
            kind[start : start + WINDOW] for kind, start in zip(kinds, self.starts, strict=True)
        )
        mixed: Array = self.a1 * bw + (100 - self.a1) * (self.a2 * em + (100 - self.a2) * ma)
        return mixed / 100


def target_lead(lead: Array, beats: NDArray[np.int64]) -> Array:
    """Clean signal of a lead (time,) at 250 Hz with beats at these samples, at 360 Hz, in mV."""
    b, a = butter(5, (0.5, 40), "bandpass", fs=qtdb.FS)
    smooth = np.convolve(filtfilt(b, a, lead), np.ones(9) / 9, mode="same")
    resampled: Array = resample_poly(_level(smooth, (beats[:-1] + beats[1:]) // 2), 36, 25)
    return resampled[1:-1]


def _level(lead: Array, bounds: NDArray[np.int64]) -> Array:
    """A lead whose segments between bounds lost their linear trends and are joined, (time,)."""
    parts = [detrend(part) for part in np.split(lead, bounds) if len(part)]
    for left, right in pairwise(parts):
        _join(left, right)
    return np.concatenate(parts)


def _join(left: Array, right: Array) -> None:
    """Replace the end of one segment or the beginning of the next by a cubic, in place.

    It spans the shorter of the ways back to where the left one had the right one's first value, and
    on to where the right one gets the left one's last value; without either, a fifth of each.
    """
    back, on = _crossing(left[::-1], right[0]), _crossing(right, left[-1])
    if back is None and on is None:
        back, on = max(len(left) // 5 - 1, 0), min(len(left) // 5, len(right) - 1)
    elif on is None or (back is not None and back + 1 < on):
        on = 0
    else:
        back = 0
    first, last = len(left) - 1 - (back or 0), on or 0
    span = len(left) - first + last
    slopes = (
        0.05 * (left[first] - left[max(first - 11, 0)]) / 10 if first > 0 else 0.0,
        0.05 * (right[min(last + 11, len(right) - 1)] - right[last]) / 10,
    )
    cubic = CubicHermiteSpline([0, span], [left[first], right[last]], slopes)(np.arange(span + 1))
    left[first:], right[: last + 1] = cubic[: len(left) - first], cubic[len(left) - first :]


def _crossing(values: Array, level: float) -> int | None:
    """Index of the first value within two fifths after which a level is reached or crossed."""
    above = values - level
    search = min(int(2 * len(values) / 5), len(values) - 1)
    found = np.flatnonzero((above[:search] == 0) | (above[:search] * above[1 : search + 1] < 0))
    return int(found[0]) if len(found) else None
