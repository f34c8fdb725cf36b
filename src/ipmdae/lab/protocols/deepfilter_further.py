"""Beats of further databases in the form of protocol deepfilter, for training.

The QT Database has 91 training records. The MIT-BIH Arrhythmia Database and the CinC Challenge
2017 add more than a thousand people. Neither has marks of P onsets, so that beats are cut at a time
before the R peak that is constant in a lead. CinC 2017 was recorded with a band of 0.5 to 40 Hz.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.inspection.heart_rate import detect_beats
from ipmdae.lab.data import cinc2017, mitdb, splits
from ipmdae.lab.protocols.deepfilter import FS, PADDING, WINDOW, frame
from ipmdae.pipeline.resample import resample

Array = NDArray[np.float64]

_BEFORE_R = (0.20, 0.32)  # s: 90 % of the training records, from 40 ms before the P onset
_SHORTEST = 100  # samples
_FLAT = 5  # samples, averaged on either side of a beat's ends
_WANDER = 0.1  # of the peak-to-peak value, largest difference of a beat's ends
_EVERY = 3  # beat of the long recordings, which have many alike


@cache
def beats(mitdb_folder: Path | str | None, cinc2017_folder: Path | str | None) -> Array:
    """Clean beats of training recordings, (beats, 512) in mV at 360 Hz.

    A beat whose ends are apart by more than a tenth of its peak-to-peak value has baseline wander
    and is left out.

    Args:
        mitdb_folder: of the MIT-BIH Arrhythmia Database, if any.
        cinc2017_folder: of the CinC Challenge 2017, if any; normal and other rhythms, without
            atrial fibrillation, which has no P wave to cut at.

    Raises:
        DatasetNotFoundError: a folder has no such recordings.
    """
    rng = np.random.default_rng(0)
    found: list[Array] = []
    if cinc2017_folder is not None:
        for lead, peaks in _cinc2017(Path(cinc2017_folder)):
            found += _cut(lead, peaks, rng)
    if mitdb_folder is not None:
        for lead, peaks in _mitdb(Path(mitdb_folder)):
            found += _cut(lead, peaks, rng)[::_EVERY]
    return np.array(found).reshape(-1, WINDOW)


def _cinc2017(folder: Path) -> Iterator[tuple[Array, NDArray[np.int64]]]:
    """Each lead at 360 Hz with its detected R peaks."""
    held_back = set(splits.load("cinc2017", "held_back"))
    for name, rhythm in cinc2017.rhythms(folder).items():
        if name not in held_back and rhythm in "NO":
            recording = cinc2017.read(folder, name)
            lead = resample(recording.signal, recording.fs, FS)[:, 0].astype(np.float64)
            yield lead, detect_beats(lead, FS)


def _mitdb(folder: Path) -> Iterator[tuple[Array, NDArray[np.int64]]]:
    """Each lead, at 360 Hz, with its annotated R peaks."""
    training = set(splits.load("mitdb", "train"))
    for name in mitdb.record_names(folder):
        if name in training:
            recording = mitdb.read(folder, name)
            peaks = mitdb.r_peaks(recording).astype(np.int64)
            for lead in recording.signal.T:
                yield lead.astype(np.float64), peaks


def _cut(lead: Array, peaks: NDArray[np.int64], rng: np.random.Generator) -> list[Array]:
    """Beats of a lead without much baseline wander, (512,) each."""
    starts = peaks - round(FS * rng.uniform(*_BEFORE_R))
    starts = starts[(starts >= _FLAT) & (starts <= len(lead) - _FLAT)]
    levels = [lead[start - _FLAT : start + _FLAT].mean() for start in starts]
    return [
        frame(lead[start:stop])
        for start, stop, level, next_level in zip(
            starts, starts[1:], levels, levels[1:], strict=False
        )
        if _SHORTEST <= stop - start <= WINDOW - PADDING
        and abs(next_level - level) <= _WANDER * np.ptp(lead[start:stop])
    ]
