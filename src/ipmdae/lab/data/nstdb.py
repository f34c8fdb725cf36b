"""The MIT-BIH Noise Stress Test Database: half an hour of each kind of ambulatory noise.

Moody, Muldrow and Mark, "A noise stress test for arrhythmia detectors", Computers in Cardiology
11, 1984; PhysioNet version 1.0.0. The noise records are not calibrated (gain 0 in the header), so
their unit is arbitrary: users of the noise rescale it.

bw and em are loops: about ten minutes of noise that the half hour repeats (docs/nstdb.md). A split
by time, as the literature has it (:meth:`Noise.part`), therefore tests on copies of the training
noise; :meth:`Noise.segments` divides each minute of noise once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import uncalibrated
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.pipeline.resample import resample
from ipmdae.recording import Recording

FOLDER = "mit-bih-noise-stress-test-database-1.0.0"
FS = 360.0
KINDS = ("bw", "em", "ma")
TITLES = {"bw": "baseline wander", "em": "electrode motion", "ma": "muscle artefact"}

Part = Literal["train", "test"]
SegmentPart = Literal["train", "validation", "test"]
_HALF_MINUTES = 15
_HALF_HOUR = 1800.0  # s; the records are 5.6 s longer

#: Intervals in s of the noise in each part of :meth:`Noise.segments`. They lie in the segments
#: that hold each noise for the first time (bw 0-627, em 6-289 and 326-588, ma throughout), at least
#: 5 s from each other, the seams of the loops included. em differs before and after 5 min, so that
#: both segments train.
INTERVALS: dict[str, dict[SegmentPart, tuple[tuple[float, float], ...]]] = {
    "bw": {"train": ((0, 330),), "validation": ((335, 420),), "test": ((425, 622),)},
    "em": {
        "train": ((6, 190), (331, 430)),
        "validation": ((195, 279),),
        "test": ((435, 588),),
    },
    "ma": {"train": ((0, 600),), "validation": ((605, 1200),), "test": ((1205, 1805),)},
}


@dataclass(frozen=True)
class Noise:
    """The three kinds of noise, z-scored per channel over the whole record.

    Attributes:
        signals: for each of :data:`KINDS`, (time, 2 channels), float32, mean 0 and deviation 1.
        fs: sampling rate in Hz.
    """

    signals: dict[str, NDArray[np.float32]]
    fs: float

    def part(self, part: Part) -> NDArray[np.float32]:
        """The first 15 min (``train``) or the last 15 min (``test``), (kinds, time, channels).

        The half hour is some seconds longer, which leaves a gap between the parts; shorter
        records (an excerpt) are halved.
        """
        stacked = np.stack([self.signals[kind] for kind in KINDS])
        samples = min(round(_HALF_MINUTES * 60 * self.fs), stacked.shape[1] // 2)
        return stacked[:, :samples] if part == "train" else stacked[:, -samples:]

    def segments(self, part: SegmentPart) -> dict[str, list[NDArray[np.float32]]]:
        """Noise of one part that no other part has, nor a repetition of it.

        For each of :data:`KINDS` its segments, (time, 2 channels) each, at :data:`INTERVALS`.
        Records shorter than half an hour (an excerpt) are divided in the same proportions, from 0 s
        to the end of the test part.
        """
        return {kind: self._segments(kind, part) for kind in KINDS}

    def _segments(self, kind: str, part: SegmentPart) -> list[NDArray[np.float32]]:
        signal = self.signals[kind]
        scale = self.fs
        if len(signal) < _HALF_HOUR * self.fs:
            scale = len(signal) / INTERVALS[kind]["test"][-1][1]
        return [
            signal[round(first * scale) : round(last * scale)]
            for first, last in INTERVALS[kind][part]
        ]


def read(folder: Path, kind: str) -> Recording:
    """One noise record as it is on disk: uncalibrated, though its unit is called mV.

    Raises:
        DatasetNotFoundError: it is not in ``folder``.
    """
    if not (folder / f"{kind}.hea").is_file():
        raise DatasetNotFoundError("nstdb", folder)
    return uncalibrated.read(folder / kind)


def load(folder: Path, fs: float = FS) -> Noise:
    """Read bw, em and ma from ``folder``, resampled to ``fs`` Hz and z-scored per channel.

    Raises:
        DatasetNotFoundError: one of the noise records is not there.
        ValueError: a channel is flat or has missing samples, so that it cannot be scaled.
    """
    signals = {}
    for kind in KINDS:
        recording = read(folder, kind)
        signal = resample(recording.signal, recording.fs, fs)
        deviation = signal.std(axis=0)
        if not np.all(deviation > 0):  # NaN is not
            raise ValueError(f"noise {kind} in {folder}: a channel is flat or has missing samples")
        signal = (signal - signal.mean(axis=0)) / deviation
        signals[kind] = signal.astype(np.float32)
    length = min(len(signal) for signal in signals.values())
    return Noise({kind: signal[:length] for kind, signal in signals.items()}, fs)
