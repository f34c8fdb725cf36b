"""Detection of beats in real noisy recordings: records 118e* and 119e* of the noise database.

Only segments are used whose noise is from after the first 15 min of ``em``
(:mod:`ipmdae.lab.evaluation.noise_stress`); it repeats noise of these (docs/nstdb.md). A
segment is denoised separately, its first lead only; its first and last 5 s are not scored, so that
start-up effects of method and detector do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipmdae import formats
from ipmdae.lab.data import nstdb
from ipmdae.lab.evaluation.benchmark import Array
from ipmdae.lab.evaluation.clinical.detectors import BEATS, DETECTORS, TOLERANCE, Samples, match
from ipmdae.lab.evaluation.clinical.rows import Row
from ipmdae.lab.evaluation.noise_stress import stretches
from ipmdae.lab.evaluation.subjects import Subject

SNRS = (24, 18, 12, 6, 0, -6)
COUNTS = ("hit", "missed", "false")
MEASURES = tuple(f"{detector} {count}" for detector in DETECTORS for count in COUNTS)
_ENDS = 5.0  # s

RECORDS = {
    f"{patient}e{snr:02d}".replace("e-", "e_"): snr for patient in ("118", "119") for snr in SNRS
}
"""The records and the SNR in dB by which they are named."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """A lead (time,) in mV, and the samples of its beats."""

    signal: Array
    fs: float
    beats: Samples


def present(folder: Path) -> list[str]:
    """The records that are in ``folder``."""
    return [name for name in RECORDS if (folder / f"{name}.hea").is_file()]


def rows(subject: Subject, datasets: Path, record: str) -> list[Row]:
    """True positives, misses and false detections of each detector, over all segments.

    The measure of a row is detector and count, its condition the SNR.
    """
    counted = count(subject, list(read(datasets / nstdb.FOLDER, record)))
    values = [float(value) for counts in counted.values() for value in counts]
    return [
        Row(measure, str(RECORDS[record]), record, value)
        for measure, value in zip(MEASURES, values, strict=True)
    ]


def count(subject: Subject, parts: list[Stretch]) -> dict[str, Array]:
    """Counts of each of :data:`COUNTS` per detector, (3,); NaN without a signal."""
    totals = {detector: np.zeros(3) for detector in DETECTORS}
    for part in parts:
        cleaned = subject.clean(part.signal, part.fs)
        if not np.isfinite(cleaned).all():
            return {detector: np.full(3, np.nan) for detector in DETECTORS}
        for detector, find in DETECTORS.items():
            found = find(cleaned, part.fs)
            hit, true = match(part.beats, found, TOLERANCE * part.fs)
            low, high = _ENDS * part.fs, len(cleaned) - _ENDS * part.fs
            of_beats = hit[(part.beats >= low) & (part.beats < high)]
            of_found = true[(found >= low) & (found < high)]
            totals[detector] += (of_beats.sum(), (~of_beats).sum(), (~of_found).sum())
    return totals


def read(folder: Path, record: str) -> Iterator[Stretch]:
    """Segments of a record; empty if it is too short."""
    recording = formats.read(folder / record)
    marks = recording.annotations["atr"]
    beats = marks.sample[np.isin(marks.symbol, list(BEATS))]
    fs = recording.fs
    for start, stop in stretches(recording.duration):
        first, last = round(start * fs), round(stop * fs)
        inside = beats[(beats >= first) & (beats < last)] - first
        yield Stretch(signal=recording.signal[first:last, 0], fs=fs, beats=inside)
