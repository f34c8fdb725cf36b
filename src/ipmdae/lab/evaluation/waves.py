"""Fiducial points by a delineator and ST levels, compared with an expert's annotations.

The first lead of each test record around the beats that the expert annotated (q1c), without added
noise and with noise of the test minutes. The delineator is NeuroKit2's ``prominence`` (Emrich et
al., "Physiology-informed ECG delineation based on peak prominence", EUSIPCO 2024) with its own
settings. It gets the R peaks (q1c, and pu1 between the expert's beats) as input, so that nothing
but the delineation is measured. On these recordings it is closer to the expert than NeuroKit2's
``dwt``: the onset of QRS deviates by 8 ms within a record instead of 19, and the end of T is missed
in 1 % of the beats instead of 25 %.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import neurokit2
import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation.beats import TOLERANCE, Samples
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.results import Array
from ipmdae.lab.protocols.clinic_test import (
    CLEAN,
    add_noise,
    all_records,
    noise_of_test_minutes,
    piece_of,
)

FS = qtdb.FS

POINTS = {
    "P onset": "ECG_P_Onsets",
    "P offset": "ECG_P_Offsets",
    "QRS onset": "ECG_R_Onsets",
    "QRS offset": "ECG_R_Offsets",
    "T onset": "ECG_T_Onsets",
    "T offset": "ECG_T_Offsets",
}
"""Fiducial points, and their names in the delineator."""

QT, ST, ST_KEPT = "QT", "ST", "ST kept"

DELINEATED = (CLEAN, "em 5", "em 0")

LEVELLED = (CLEAN, "bw 5", "em 5", "ma 5")
"""Noise and SNR in dB for delineation, and for ST levels."""

ST_ERROR, ST_SHARE = 0.02, 0.10
"""Tolerance of devices: the ST level within 0.02 mV or 10 %, whichever is more."""

_MARGIN = 10.0  # s on both sides of the annotated beats

_EDGE = 1.0  # s at both ends without R peaks for the delineator

_J_PLUS = 0.060  # s

_AVERAGED = 5  # samples: 20 ms

_WAVES = {"p": "P", "N": "QRS", "t": "T"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Marked:
    """A lead with the expert's annotations.

    Attributes:
        signal: (time,) in mV.
        r_peaks: samples of all R peaks.
        points: samples of each of :data:`POINTS` in the beats that the expert marked, (beats,); NaN
            where not marked.
    """

    signal: Array
    r_peaks: Samples
    points: dict[str, Array]


def rows(candidate: Candidate, datasets: Path, record: str) -> list[tuple[str, str, str, float]]:
    """Errors of all points and of the QT interval in ms, and of the ST level in mV.

    Returns:
        Measure, condition, record and value of each.
    """
    marked = read(datasets / qtdb.FOLDER, record)
    noise = noise_of_test_minutes(datasets / nstdb.FOLDER)
    listed = all_records()
    found: list[tuple[str, str, str, float]] = []
    for condition in dict.fromkeys((*DELINEATED, *LEVELLED)):
        noisy = marked.signal
        if condition != CLEAN:
            kind, snr = condition.split()
            pieces = at_least(noise[nstdb.KINDS.index(kind)], len(noisy))
            piece = piece_of(pieces, listed.index(record), len(listed), len(noisy))
            noisy = add_noise(noisy, piece, float(snr))
        cleaned = candidate.clean(noisy, FS)
        if condition in DELINEATED:
            found += _rows(condition, record, point_errors(marked, cleaned))
        if condition in LEVELLED:
            found += _rows(condition, record, st_errors(marked, cleaned))
    return found


def at_least(noise: Array, length: int) -> Array:
    """Noise (time, channels) of at least so many samples, continued backwards and forwards."""
    missing = max(length - len(noise), 0)
    return np.pad(noise, ((0, missing), (0, 0)), mode="reflect")


def point_errors(marked: Marked, cleaned: Array) -> dict[str, Array]:
    """Differences of delineator and expert, ms; NaN without a match within 150 ms.

    An expert's point is compared with the nearest of its kind, of whatever beat.
    Only annotated points count. The QT interval is from QRS onset to T offset.
    """
    delineated = delineate(cleaned, marked.r_peaks)
    errors = {}
    for point, samples in marked.points.items():
        error = _nearest(delineated[point], samples) / FS
        errors[point] = 1000 * np.where(np.abs(error) <= TOLERANCE, error, np.nan)
    errors[QT] = errors["T offset"] - errors["QRS onset"]
    there = {point: ~np.isnan(samples) for point, samples in marked.points.items()}
    there[QT] = there["T offset"] & there["QRS onset"]
    return {point: error[there[point]] for point, error in errors.items()}


def st_errors(marked: Marked, cleaned: Array) -> dict[str, Array]:
    """Error of the ST level in mV of each annotated beat, and True if within the tolerance.

    The level is taken 60 ms after the expert's end of the QRS complex, relative to the 20 ms before
    its onset, in the clean and in the denoised signal.
    """
    onset, offset = (marked.points[f"QRS {end}"] for end in ("onset", "offset"))
    there = ~np.isnan(onset) & (offset + FS * _J_PLUS + _AVERAGED < len(cleaned))
    isoelectric = onset[there].astype(int) - _AVERAGED // 2
    after = offset[there].astype(int) + round(_J_PLUS * FS)
    before, now = (
        _around(signal, after) - _around(signal, isoelectric) for signal in (marked.signal, cleaned)
    )
    error = now - before
    promised = np.maximum(ST_ERROR, ST_SHARE * np.abs(before))
    return {ST: error, ST_KEPT: (np.abs(error) <= promised).astype(float)}


def delineate(x: Array, r_peaks: Samples) -> dict[str, Array]:
    """Samples of each of :data:`POINTS` in a lead (time,) with such R peaks, ascending."""
    if not np.isfinite(x).all():
        return dict.fromkeys(POINTS, np.zeros(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, waves = neurokit2.ecg_delineate(x, r_peaks, sampling_rate=round(FS), method="prominence")
    found = {point: np.asarray(waves[name], np.float64) for point, name in POINTS.items()}
    return {point: np.sort(samples[~np.isnan(samples)]) for point, samples in found.items()}


def read(folder: Path, record: str) -> Marked:
    """The first lead of a record around the beats of annotator q1c."""
    marks = qtdb.read_marks(folder, record, "q1c")
    automatic = qtdb.read_marks(folder, record, "pu1")
    lead = qtdb.read_centred(folder, record)[:, 0].astype(np.float64)
    margin = round(_MARGIN * FS)
    first = max(int(marks.sample[0]) - margin, 0)
    stop = min(int(marks.sample[-1]) + margin, len(lead))
    by_beat = beats_of(marks.sample - first, marks.symbol)
    expert = np.array([beat["R"] for beat in by_beat], np.int64)
    others = automatic.sample[np.array(automatic.symbol) == "N"] - first
    apart = np.abs(others[:, np.newaxis] - expert).min(axis=1) > TOLERANCE * FS
    r_peaks = np.sort(np.concatenate([expert, others[apart]]))
    inside = (r_peaks >= _EDGE * FS) & (r_peaks < stop - first - _EDGE * FS)
    return Marked(
        signal=lead[first:stop],
        r_peaks=r_peaks[inside],
        points={point: np.array([beat.get(point, np.nan) for beat in by_beat]) for point in POINTS},
    )


def beats_of(sample: Samples, symbol: tuple[str, ...]) -> list[dict[str, int]]:
    """The expert's beats: samples of ``R`` and of the annotated ones of :data:`POINTS`.

    A ``(`` directly before a peak is its onset, a ``)`` directly after it its offset. A P wave
    belongs to the next QRS complex, a T wave to the previous one.
    """
    beats: list[dict[str, int]] = []
    wave_before: dict[str, int] = {}
    for i, kind in enumerate(symbol):
        if kind not in _WAVES:
            continue
        wave = _WAVES[kind]
        ends = {}
        if i > 0 and symbol[i - 1] == "(":
            ends[f"{wave} onset"] = int(sample[i - 1])
        if i + 1 < len(symbol) and symbol[i + 1] == ")":
            ends[f"{wave} offset"] = int(sample[i + 1])
        if kind == "p":
            wave_before = ends
        elif kind == "N":
            beats.append({"R": int(sample[i]), **wave_before, **ends})
            wave_before = {}
        elif beats and f"{wave} offset" not in beats[-1]:
            beats[-1] |= ends
    return beats


def _nearest(found: Array, wanted: Array) -> Array:
    """Distance of each sample to the nearest found one (ascending), NaN without any."""
    if len(found) == 0:
        return np.full(len(wanted), np.nan)
    after = np.clip(np.searchsorted(found, wanted), 1, max(len(found) - 1, 1))
    candidates = np.stack([found[after - 1], found[np.minimum(after, len(found) - 1)]]) - wanted
    nearest = np.abs(candidates).argmin(axis=0)
    distance: Array = candidates[nearest, np.arange(len(wanted))]
    return distance


def _around(x: Array, middle: NDArray[np.intp]) -> Array:
    """Means over 20 ms around some samples, (samples,)."""
    offsets = np.arange(_AVERAGED) - _AVERAGED // 2
    means: Array = x[middle[:, np.newaxis] + offsets].mean(axis=1)
    return means


def _rows(
    condition: str, record: str, errors: dict[str, Array]
) -> list[tuple[str, str, str, float]]:
    return [
        (measure, condition, record, float(value))
        for measure, values in errors.items()
        for value in values
    ]
