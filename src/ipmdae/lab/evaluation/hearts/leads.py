"""Real leads to which components are added, and the added noise.

The two leads of the 14 test records of protocol clinic (QT Database) and of the records of the
MIT-BIH Arrhythmia Database that no network is trained on; of each lead the quietest of ten segments
of 30 s. Noise is from the test minutes of the noise database, at an SNR by the segment's AC power.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import mitdb, nstdb, qtdb, splits
from ipmdae.lab.data.mitdb import BEATS
from ipmdae.lab.evaluation.beats import Samples
from ipmdae.lab.evaluation.results import Array
from ipmdae.lab.protocols.clinic_test import all_records, noise_of_test_minutes

DEVELOPMENT = tuple(splits.load("mitdb", "development"))
"""Records of the MIT-BIH Arrhythmia Database that no network is trained on."""

LENGTH, SCORED = 30.0, (5.0, 25.0)  # s

NONE, SINES = "none", "sines"
WANDER = (SINES, "bw 5")
MODERATE, STRONG = ("em 10", "ma 10"), ("em 5", "ma 5")
CONDITIONS = (NONE, *WANDER, *MODERATE, *STRONG)
"""Noise by name: kind and SNR in dB, or :data:`SINES`."""

_SINES = ((0.3, 0.25), (0.15, 0.4))  # mV, Hz
_PIECES = 10
_AROUND = (0.10, 0.16)  # s before and after a beat's mark: its height is taken there
_LEADS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Lead:
    """A segment of a lead.

    Attributes:
        name: record and number of the lead, e.g. ``"sel123 0"``.
        number: index among all leads, independent of the available data: the random seed.
        start: first sample in the recording.
        fs: sampling rate in Hz.
        signal: (time,) in mV.
        beats: samples of its beats, ascending.
    """

    name: str
    number: int
    start: int
    fs: float
    signal: Array
    beats: Samples

    @cached_property
    def size(self) -> float:
        """Span of the ECG in mV without its outermost samples."""
        low, high = np.percentile(self.signal, (0.5, 99.5))
        return float(high - low)

    @cached_property
    def height(self) -> float:
        """Median height of its beats in mV."""
        return float(np.nanmedian(heights(self.signal, self.beats, self.fs)))

    @property
    def time(self) -> Array:
        """(time,) in s."""
        return np.arange(len(self.signal)) / self.fs

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(time,), mask of the middle, without edge effects of filters."""
        return (self.time >= SCORED[0]) & (self.time < SCORED[1])

    def random(self, *what: int) -> np.random.Generator:
        """Random generator that depends on the lead and the purpose only."""
        return np.random.default_rng((self.number, *what))


def names() -> list[str]:
    """All leads by name."""
    return [
        f"{record} {lead}" for record in (*all_records(), *DEVELOPMENT) for lead in range(_LEADS)
    ]


def present(datasets: Path) -> list[str]:
    """Leads whose record is below ``datasets``."""
    return [name for name in names() if _folder(datasets, name).is_file()]


def read(datasets: Path, name: str) -> Lead:
    """The quietest segment of a lead.

    Raises:
        ValueError: the recording is shorter than a segment, or has no marked beats.
    """
    record, lead = name.split()
    signal, _, fs = _record(datasets, record)
    length = round(LENGTH * fs)
    if len(signal) < length:
        raise ValueError(f"record {record} is shorter than {LENGTH:g} s")
    starts = np.rint(np.linspace(0, len(signal) - length, _PIECES)).astype(int)
    pieces = [_piece(datasets, record, int(lead), int(start)) for start in starts]
    pieces = [piece for piece in pieces if len(piece.beats) >= _PIECES]
    if not pieces:
        raise ValueError(f"record {record}: no piece of {LENGTH:g} s has {_PIECES} marked beats")
    return min(pieces, key=lambda piece: float(np.ptp(piece.signal)) / piece.height)


def read_both(datasets: Path, record: str) -> tuple[Lead, Lead]:
    """The quietest segment of the first lead of a record, and the second at the same time."""
    first = read(datasets, f"{record} 0")
    return first, _piece(datasets, record, 1, first.start)


def _piece(datasets: Path, record: str, lead: int, start: int) -> Lead:
    """A segment from a given sample on."""
    signal, beats, fs = _record(datasets, record)
    stop = start + round(LENGTH * fs)
    name = f"{record} {lead}"
    return Lead(
        name=name,
        number=names().index(name),
        start=start,
        fs=fs,
        signal=signal[start:stop, lead],
        beats=beats[(beats >= start) & (beats < stop)] - start,
    )


def noise(datasets: Path, lead: Lead, condition: str) -> Array:
    """Noise added to a segment under one of :data:`CONDITIONS`, (time,) in mV."""
    rng = lead.random(1000, CONDITIONS.index(condition))
    if condition == NONE:
        return np.zeros(len(lead.signal))
    if condition == SINES:
        return sines(lead.time, rng)
    kind, snr = condition.split()
    return real_noise(datasets, kind, lead.fs, lead.signal, float(snr), rng)


def real_noise(
    datasets: Path, kind: str, fs: float, signal: Array, snr: float, rng: np.random.Generator
) -> Array:
    """Noise from a random position of the test part, at an SNR in dB of the signal's AC power.

    Raises:
        ValueError: the noise is shorter than the signal.
    """
    source = noise_of_test_minutes(datasets / nstdb.FOLDER, fs)[nstdb.KINDS.index(kind)]
    if len(source) < len(signal):
        raise ValueError(f"noise {kind} of the test part is shorter than {len(signal) / fs:g} s")
    start = rng.integers(len(source) - len(signal) + 1)
    piece = source[start : start + len(signal), rng.integers(source.shape[1])]
    piece = piece - piece.mean()
    scaled: Array = piece * signal.std() / piece.std() / 10 ** (snr / 20)
    return scaled


def sines(time: Array, rng: np.random.Generator) -> Array:
    """Slow baseline wander of two sines, (time,) in mV."""
    parts = [height * np.sin(2 * np.pi * (hertz * time + rng.random())) for height, hertz in _SINES]
    total: Array = np.sum(parts, axis=0)
    return total


def heights(x: Array, beats: Samples, fs: float) -> Array:
    """Height in mV of each beat: the span around its mark; NaN if cut off."""
    before, after = (round(side * fs) for side in _AROUND)
    found = np.full(len(beats), np.nan)
    inside = (beats >= before) & (beats + after < len(x))
    around = x[beats[inside, np.newaxis] + np.arange(-before, after + 1)]
    found[inside] = np.ptp(around, axis=1)
    return found


def _folder(datasets: Path, name: str) -> Path:
    record = name.split(maxsplit=1)[0]
    folder = mitdb.FOLDER if record in DEVELOPMENT else qtdb.FOLDER
    return datasets / folder / f"{record}.hea"


@lru_cache(maxsize=2)
def _record(datasets: Path, record: str) -> tuple[Array, Samples, float]:
    """Signal (time, 2) in mV, its beats, and the sampling rate in Hz."""
    if record in DEVELOPMENT:
        recording = mitdb.read(datasets / mitdb.FOLDER, record)
        return recording.signal, mitdb.r_peaks(recording), recording.fs
    marks = qtdb.read_marks(datasets / qtdb.FOLDER, record, "pu1")
    beats = np.asarray(marks.sample[np.isin(marks.symbol, list(BEATS))], np.int64)
    signal = qtdb.read_centred(datasets / qtdb.FOLDER, record).astype(np.float64)
    return signal, beats, qtdb.FS
