"""Labelled real motion: grades of wrist leads compared with labels.

ECGNExT recordings (U.S. Food and Drug Administration; Galeotti and Scully, "A method to extract
realistic artifacts from electrocardiogram recordings for robust algorithm testing", Journal of
Electrocardiology 51, 2018): a wrist lead under motion, and at the same time a lead on the collar
bone that stays clean. The subjects are not used for the noise of any network.

The label of a segment of 2 s is the correlation, from 0.5 to 40 Hz, of the wrist lead with the
subject's own wrist beat at rest, placed at each R peak of the collar-bone lead: good from 0.9 on,
unusable below 0.5, limited between. Motion is used as recorded and amplified three times, by adding
the difference of the wrist lead and these beats twice more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ipmdae.lab.data import ecgnext, splits
from ipmdae.lab.evaluation.beats import Samples, neurokit
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest, Row
from ipmdae.lab.evaluation.results import Array
from ipmdae.methods.filters import Butterworth
from ipmdae.pipeline.resample import resample

PIECE = "piece readable"
GOOD, LIMITED, UNUSABLE = "good", "limited", "unusable"
LEAST_GOOD, LEAST_LIMITED = 0.9, 0.5
STRENGTHS = {"as recorded": 1.0, "motion x 3": 3.0}

SECONDS = 2.0
_FS = 250.0  # Hz: sampling rate for the labels
_BEFORE, _AFTER = 0.24, 0.44  # s around an R peak


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """A recording of one motion.

    Attributes:
        name: e.g. ``"ID640_ArmW"``.
        fs: sampling rate in Hz.
        wrist: (time,) in mV, upright, at ``fs``.
        band: (time,) in mV, the wrist lead from 0.5 to 40 Hz, at 250 Hz.
        r_peaks: samples of the R peaks of the collar-bone lead where it is clean, at 250 Hz.
        clean: intervals in s in which that lead is clean.
    """

    name: str
    fs: float
    wrist: Array
    band: Array
    r_peaks: Samples
    clean: tuple[float, float]

    @property
    def quiet(self) -> bool:
        """True if the subject did not move."""
        return self.name.partition("_")[2] in ecgnext.AT_REST


def present(datasets: Path) -> list[str]:
    """Test subjects with a recording below ``datasets``."""
    folder = datasets / ecgnext.FOLDER
    return [name for name in splits.load("ecgnext", "test") if any(folder.glob(f"{name}_*.hea"))]


def rows(method: MethodUnderTest, datasets: Path, subject: str) -> list[Row]:
    """One row per segment: 1 if all of it is graded readable, else 0.

    The case is the label, the condition the strength of the motion.

    Raises:
        ValueError: none of the subject's recordings is without motion.
    """
    recordings = list(read(datasets / ecgnext.FOLDER, subject))
    beat = quiet_beat(recordings)
    found: list[Row] = []
    for recording in recordings:
        for condition, strength in STRENGTHS.items():
            if strength == 1 or not recording.quiet:
                found += _pieces(method, recording, beat, condition, strength)
    return found


def read(folder: Path, subject: str) -> Iterator[Recorded]:
    """The recordings of a subject."""
    for path in sorted(folder.glob(f"{subject}_*.hea")):
        recording = ecgnext.read(folder, path.stem)
        low = resample(recording.signal, recording.fs, _FS).astype(np.float64)
        reference, band = (Butterworth(0.5, 40.0).denoise(lead, _FS) for lead in low.T)
        where = ecgnext.clean_interval(recording)
        clean = where.start / recording.fs, where.stop / recording.fs
        peaks = neurokit(reference, _FS)
        inside = (peaks >= clean[0] * _FS) & (peaks < clean[1] * _FS)
        yield Recorded(
            name=path.stem,
            fs=recording.fs,
            wrist=recording.signal[:, 1],
            band=band,
            r_peaks=peaks[inside],
            clean=clean,
        )


def quiet_beat(recordings: list[Recorded]) -> Array:
    """The subject's median wrist beat without motion, (time,) in mV at 250 Hz.

    Raises:
        ValueError: none of the recordings is without motion.
    """
    before, after = round(_BEFORE * _FS), round(_AFTER * _FS)
    beats = [
        recording.band[peak - before : peak + after]
        for recording in recordings
        if recording.quiet
        for peak in recording.r_peaks
        if peak >= before and peak + after <= len(recording.band)
    ]
    if not beats:
        raise ValueError(f"of {recordings[0].name} and the like none is without motion")
    middle: Array = np.median(beats, axis=0)
    return middle


def expected(recording: Recorded, beat: Array) -> Array:
    """The wrist lead without motion: the beat at rest at each R peak, (time,) in mV at 250 Hz."""
    before, line = round(_BEFORE * _FS), np.zeros(len(recording.band))
    for peak in recording.r_peaks:
        first, stop = max(peak - before, 0), min(peak - before + len(beat), len(line))
        line[first:stop] = beat[first - peak + before : stop - peak + before]
    return line


def label(correlation: float) -> str:
    """Label of a segment by its quality."""
    if correlation >= LEAST_GOOD:
        return GOOD
    return LIMITED if correlation >= LEAST_LIMITED else UNUSABLE


def _pieces(
    method: MethodUnderTest, recording: Recorded, beat: Array, condition: str, strength: float
) -> Iterator[Row]:
    wanted = expected(recording, beat)
    motion = (strength - 1) * (recording.band - wanted)
    band = recording.band + motion
    wrist = recording.wrist
    if strength != 1:
        at_rate = resample(motion[:, np.newaxis], _FS, recording.fs, len(wrist))[:, 0]
        wrist = wrist + at_rate
    readable = method.clean(wrist, recording.fs).readable
    start, stop = recording.clean
    for first in np.arange(np.ceil(start), min(stop, len(band) / _FS) - SECONDS, SECONDS):
        low = slice(round(first * _FS), round((first + SECONDS) * _FS))
        if not np.ptp(wanted[low]) or not np.ptp(band[low]):
            continue
        correlation = float(np.corrcoef(band[low], wanted[low])[0, 1])
        part = readable[round(first * recording.fs) : round((first + SECONDS) * recording.fs)]
        share = float(part.mean())
        yield Row(
            PIECE, label(correlation), condition, recording.name,
            float(part.all()), correlation, share,
        )  # fmt: skip
