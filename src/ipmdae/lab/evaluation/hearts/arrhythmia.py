"""Real arrhythmia without added noise: beats, atrial fibrillation and flutter, VF.

Records of the MIT-BIH Arrhythmia Database that no network is trained on, and record cu01 of the CU
Ventricular Tachyarrhythmia Database. Heights of beats are compared with those before denoising;
waves between beats and fibrillation with the output of a Butterworth band-pass (0.5 to 40 Hz), as
the recording has baseline wander itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ipmdae.lab.data import cudb, mitdb
from ipmdae.lab.data.mitdb import BEATS
from ipmdae.lab.evaluation.beats import Samples
from ipmdae.lab.evaluation.hearts.leads import heights
from ipmdae.lab.evaluation.hearts.method import REFERENCE, Cleaned, MethodUnderTest, Row
from ipmdae.lab.evaluation.results import Array
from ipmdae.recording import Recording

FIBRILLATING = "cu01"

BEATS_OF, LOST, HEIGHT = "beats", "beats lost", "height kept"
BETWEEN, FIBRILLATION = "power between beats", "VF height"
RHYTHMS = {"(AFIB": "atrial fibrillation", "(AFL": "atrial flutter"}
AS_RECORDED = "as recorded"
FILTER = MethodUnderTest(REFERENCE)

LOST_BELOW = 0.7
"""Share of the height below which a beat counts as lost."""

_BANDS = {"(AFIB": (4.0, 9.0), "(AFL": (3.3, 15.0)}  # Hz
_SEGMENT = {"(AFIB": 10.0, "(AFL": 5.0}  # s
_AFTER, _BEFORE = 0.30, 0.10  # s after and before a beat that are not between beats
_SHORTEST = 1.0  # s of a segment that must lie between beats
_PIECE = 2.0  # s of ventricular fibrillation


def rows(method: MethodUnderTest, datasets: Path, record: str) -> list[Row]:
    """Beats lost and waves between beats in both leads of a record."""
    recording = mitdb.read(datasets / mitdb.FOLDER, record)
    cleaned = method.clean(recording.signal, recording.fs)
    reference = FILTER.clean(recording.signal, recording.fs)
    found: list[Row] = []
    for lead in range(recording.signal.shape[1]):
        ours, theirs = (part.lead(lead) for part in (cleaned, reference))
        name = f"{record} {lead}"
        found += _beats(name, recording, recording.signal[:, lead], ours)
        for rhythm in RHYTHMS:
            for segment in segments(recording, rhythm):
                found += _between(name, recording, rhythm, segment, ours, theirs)
    return found


def ratios(recording: Recording, signal: Array, cleaned: Array) -> tuple[Samples, Array]:
    """Beats of a recording, and the preserved share of the height of each in a lead (time,)."""
    beats = mitdb.r_peaks(recording)
    before, after = (heights(x, beats, recording.fs) for x in (signal, cleaned))
    known = np.isfinite(before) & np.isfinite(after) & (before > 0)
    return beats[known], after[known] / before[known]


def segments(recording: Recording, rhythm: str) -> Iterator[slice]:
    """Segments of a rhythm, from its annotation to that of the next."""
    marks = recording.annotations["atr"]
    changes = [i for i, symbol in enumerate(marks.symbol) if symbol == "+"]
    starts = [int(marks.sample[i]) for i in changes]
    ends = [*starts[1:], recording.samples]
    length = round(_SEGMENT[rhythm] * recording.fs)
    for i, start, end in zip(changes, starts, ends, strict=True):
        if marks.note[i].rstrip("\0") == rhythm:
            for first in range(start, end - length + 1, length):
                yield slice(first, first + length)


def between_beats(recording: Recording, part: slice) -> NDArray[np.bool_]:
    """Mask of the samples between beats in a segment of a recording, (time,)."""
    clear = np.ones(part.stop - part.start, np.bool_)
    for beat in mitdb.r_peaks(recording) - part.start:
        first = max(beat - round(_BEFORE * recording.fs), 0)
        clear[first : max(beat + round(_AFTER * recording.fs), 0)] = False
    return clear


def fibrillation(method: MethodUnderTest, datasets: Path, record: str) -> list[Row]:
    """Height of each segment of ventricular fibrillation, relative to the Butterworth's."""
    recording = cudb.read(datasets / cudb.FOLDER, record)
    cleaned = method.clean(recording.signal[:, 0], recording.fs)
    reference = FILTER.clean(recording.signal[:, 0], recording.fs)
    found = []
    for part in fibrillating(recording):
        ours, theirs = (_height(x.signal[part]) for x in (cleaned, reference))
        kept = ours / theirs
        found.append(
            Row(FIBRILLATION, "ventricular fibrillation", AS_RECORDED, f"{record} 0",
                kept, *_graded(kept, cleaned, part))
        )  # fmt: skip
    return found


def fibrillating(recording: Recording) -> Iterator[slice]:
    """Segments of 2 s of the episodes of ventricular fibrillation."""
    length = round(_PIECE * recording.fs)
    for start, stop in cudb.fibrillation(recording):
        begin, end = round(start * recording.fs), round(stop * recording.fs)
        for first in range(begin, end - length + 1, length):
            yield slice(first, first + length)


def _beats(name: str, recording: Recording, signal: Array, cleaned: Cleaned) -> Iterator[Row]:
    """Per type of beat: number, number lost, and the median preserved height."""
    beats, kept = ratios(recording, signal, cleaned.signal)
    marks = recording.annotations["atr"]
    types = dict(zip(marks.sample.tolist(), marks.symbol, strict=True))
    symbols = np.array([types[beat] for beat in beats.tolist()])
    readable, good = cleaned.readable[beats], cleaned.good[beats]
    lost = kept < LOST_BELOW
    for kind in sorted(BEATS):
        of = symbols == kind
        if not of.any():
            continue
        masks = of, of & readable, of & good
        shares = float(readable[of].mean()), float(good[of].mean())
        rows_of = {
            BEATS_OF: [float(mask.sum()) for mask in masks],
            LOST: [float(lost[mask].sum()) for mask in masks],
            HEIGHT: [float(np.median(kept[mask])) if mask.any() else np.nan for mask in masks],
        }
        for measure, (value, trusted, of_good) in rows_of.items():
            yield Row(measure, kind, AS_RECORDED, name, value, trusted, shares[0], of_good,
                      shares[1])  # fmt: skip


def _between(
    name: str, recording: Recording, rhythm: str, part: slice, ours: Cleaned, theirs: Cleaned
) -> Iterator[Row]:
    """Power of the band of atrial waves between beats, relative to the Butterworth's."""
    clear = between_beats(recording, part)
    if clear.sum() < _SHORTEST * recording.fs:
        return
    powers = [
        float(np.mean(band(x.signal[part], rhythm, recording.fs)[clear] ** 2))
        for x in (ours, theirs)
    ]
    kept = powers[0] / powers[1] if powers[1] > 0 else np.nan
    yield Row(BETWEEN, RHYTHMS[rhythm], AS_RECORDED, name, kept, *_graded(kept, ours, part))


def _graded(kept: float, cleaned: Cleaned, part: slice) -> list[float]:
    """The value where most of a segment is readable, that share, and both for the grade good."""
    found = []
    for mask in (cleaned.readable, cleaned.good):
        share = float(mask[part].mean())
        found += [kept if share > 0.5 else np.nan, share]
    return found


def band(x: Array, rhythm: str, fs: float) -> Array:
    """The band of a rhythm's atrial waves of a signal (time,)."""
    sections = butter(2, _BANDS[rhythm], "bandpass", fs=fs, output="sos")
    passed: Array = sosfiltfilt(sections, x)
    return passed


def _height(x: Array) -> float:
    low, high = np.percentile(x, (1, 99))
    return float(high - low)
