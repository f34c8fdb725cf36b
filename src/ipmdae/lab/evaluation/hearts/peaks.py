"""R peaks in complete noisy recordings: records 118e* and 119e* of the noise database.

The first lead of each is denoised and searched completely by two detectors. As in EC57 the
first 5 min, which are free of noise, are not counted. Beats are counted once over all of the rest,
clean and noisy minutes alike, and once over readable segments.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipmdae import formats
from ipmdae.lab.data import nstdb
from ipmdae.lab.evaluation.clinical.detectors import DETECTORS, TOLERANCE, match
from ipmdae.lab.evaluation.clinical.peaks import RECORDS
from ipmdae.lab.evaluation.hearts.leads import beats_of
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest
from ipmdae.lab.evaluation.hearts.rows import Row

HIT, MISSED, FALSE = "hit", "missed", "false"

PUBLISHED = (93.26, 90.53)
"""Sensitivity and positive predictivity in % that the maker of a cleared commercial product
publishes for the noise database."""

_LEARNING, _ENDS = 300.0, 5.0  # s


def rows(method: MethodUnderTest, datasets: Path, record: str) -> list[Row]:
    """True positives, misses and false detections of each detector."""
    recording = formats.read(datasets / nstdb.FOLDER / record)
    fs, beats = recording.fs, beats_of(recording)
    cleaned = method.clean(recording.signal[:, 0], fs)
    start = _LEARNING if recording.duration > 2 * _LEARNING else _ENDS
    low, high = start * fs, recording.samples - _ENDS * fs
    condition = f"{RECORDS[record]} dB"
    share = float(cleaned.readable[round(low) : round(high)].mean())
    found = []
    for detector, find in DETECTORS.items():
        if not np.isfinite(cleaned.signal).all():
            found += [
                Row(measure, detector, condition, record, np.nan)
                for measure in (HIT, MISSED, FALSE)
            ]
            continue
        marks = find(cleaned.signal, fs)
        hit, true = match(beats, marks, TOLERANCE * fs)
        for measure, samples, which in (
            (HIT, beats, hit), (MISSED, beats, ~hit), (FALSE, marks, ~true)
        ):  # fmt: skip
            counted = samples[which & (samples >= low) & (samples < high)]
            trusted = float(cleaned.readable[counted].sum())
            found.append(
                Row(measure, detector, condition, record, float(len(counted)), trusted, share)
            )
    return found


def rates(hit: float, missed: float, false: float) -> tuple[float, float]:
    """Sensitivity and positive predictivity in %; NaN without beats."""
    parts = (hit, hit + missed), (hit, hit + false)
    sensitivity, predictivity = (100 * a / b if b > 0 else np.nan for a, b in parts)
    return sensitivity, predictivity
