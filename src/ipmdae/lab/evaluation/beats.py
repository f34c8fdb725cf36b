"""Beats in denoised leads: two independent detectors, noisy records, and noise without ECG.

The detectors have default settings: ``xqrs`` of the WFDB package; ``neurokit`` is the default
pipeline of NeuroKit2, including its own filter (D. Makowski et al., Behavior Research Methods 53,
2021). Neither is tuned.

Real noisy recordings are records 118e* and 119e* of the noise database. Only segments are used
whose noise is from after the first 15 min of ``em`` (:mod:`ipmdae.lab.evaluation.noise_stress`); it
repeats noise of these (docs/nstdb.md). A segment is denoised separately, its first lead only; its
first and last 5 s are not scored, so that start-up effects of method and detector do not count.

Noise without ECG are segments of 30 s of each kind of noise from its test minutes, scaled to the AC
level of a usual lead; detections are counted in the middle 20 s. The detectors are independent of
amplitude, so the output level is measured as well; and for networks with uncertainty, the share of
rejected seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import neurokit2
import numpy as np
from numpy.typing import NDArray
from wfdb.processing import xqrs_detect  # type: ignore[import-untyped]

from ipmdae import formats
from ipmdae.lab.data import nstdb
from ipmdae.lab.data.mitdb import r_peaks
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.noise_stress import noisy_segments
from ipmdae.lab.evaluation.results import Array
from ipmdae.lab.protocols.clinic_test import FS, LENGTH, SCORED, noise_of_test_minutes, piece_of

Samples = NDArray[np.int64]

TOLERANCE = 0.150
"""Largest distance in s of matching beats (ANSI/AAMI EC57)."""


def xqrs(x: Array, fs: float) -> Samples:
    """Beats of a lead (time,) in mV at ``fs`` Hz, as samples."""
    return np.asarray(xqrs_detect(x, fs, verbose=False), np.int64)


def neurokit(x: Array, fs: float) -> Samples:
    """Beats of a lead (time,) in mV at ``fs`` Hz, as samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cleaned = neurokit2.ecg_clean(x, sampling_rate=round(fs))
        found = neurokit2.ecg_findpeaks(cleaned, sampling_rate=round(fs))
    return np.asarray(found["ECG_R_Peaks"], np.int64)


DETECTORS: Mapping[str, Callable[[Array, float], Samples]] = {"xqrs": xqrs, "neurokit": neurokit}


def match(
    reference: Samples, detected: Samples, tolerance: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Match beats with detections one to one, with as many pairs as possible.

    Args:
        reference: beats, ascending.
        detected: detections, ascending.
        tolerance: largest distance of a matching pair, samples.

    Returns:
        Masks of the beats and of the detections with a partner.
    """
    hit, true = np.zeros(len(reference), np.bool_), np.zeros(len(detected), np.bool_)
    i = j = 0
    while i < len(reference) and j < len(detected):
        if abs(reference[i] - detected[j]) <= tolerance:
            hit[i] = true[j] = True
            i, j = i + 1, j + 1
        elif reference[i] < detected[j]:
            i += 1
        else:
            j += 1
    return hit, true


SNRS = (24, 18, 12, 6, 0, -6)

COUNTS = ("hit", "missed", "false")

MEASURES = tuple(f"{detector} {count}" for detector in DETECTORS for count in COUNTS)

_ENDS = 5.0  # s

RECORDS = {
    f"{patient}e{snr:02d}".replace("e-", "e_"): snr for patient in ("118", "119") for snr in SNRS
}
"""The records and the SNR in dB by which they are named."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """A lead (time,) in mV, and the samples of its beats."""

    signal: Array
    fs: float
    beats: Samples


def records_present(folder: Path) -> list[str]:
    """The records that are in ``folder``."""
    return [name for name in RECORDS if (folder / f"{name}.hea").is_file()]


def counts_of_record(
    candidate: Candidate, datasets: Path, record: str
) -> list[tuple[str, str, str, float]]:
    """True positives, misses and false detections of each detector, over all segments.

    Returns:
        Measure (detector and count), condition (SNR), record and value of each.
    """
    counted = count_beats(candidate, list(read(datasets / nstdb.FOLDER, record)))
    values = [float(value) for counts in counted.values() for value in counts]
    return [
        (measure, str(RECORDS[record]), record, value)
        for measure, value in zip(MEASURES, values, strict=True)
    ]


def count_beats(candidate: Candidate, parts: list[Segment]) -> dict[str, Array]:
    """Counts of each of :data:`COUNTS` per detector, (3,); NaN without a signal."""
    totals = {detector: np.zeros(3) for detector in DETECTORS}
    for part in parts:
        cleaned = candidate.clean(part.signal, part.fs)
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


def read(folder: Path, record: str) -> Iterator[Segment]:
    """Segments of a record; empty if it is too short."""
    recording = formats.read(folder / record)
    beats = r_peaks(recording)
    fs = recording.fs
    for start, stop in noisy_segments(recording.duration):
        first, last = round(start * fs), round(stop * fs)
        inside = beats[(beats >= first) & (beats < last)] - first
        yield Segment(signal=recording.signal[first:last, 0], fs=fs, beats=inside)


LEVEL = 0.25
"""AC level of the noise in mV: about the median of the test leads."""

LEFT, FLAGGED = "level", "flagged"

PIECES = 10


def noise_only(
    candidate: Candidate, datasets: Path, kind: str
) -> list[tuple[str, str, str, float]]:
    """False detections per minute of each detector, all and not rejected, and further measures.

    Returns:
        Measure, condition (kind of noise), number of the segment, and value of each.
    """
    noise = noise_of_test_minutes(datasets / nstdb.FOLDER)[nstdb.KINDS.index(kind)]
    found = []
    for place in range(PIECES):
        x = piece_of(noise, place, PIECES, round(LENGTH * FS))
        x = (x - x.mean()) * LEVEL / x.std()
        for measure, value in measure_noise_only(candidate, x).items():
            found.append((measure, kind, str(place), value))
    return found


def measure_noise_only(candidate: Candidate, x: Array) -> dict[str, float]:
    """All measures of a segment of noise (time,) in mV; NaN for those that need uncertainty."""
    if candidate.predicts_uncertainty:
        cleaned, doubtful = candidate.clean_with_unreadable(x, FS)
    else:
        cleaned, doubtful = candidate.clean(x, FS), None
    first, stop = SCORED
    seconds = slice(round(first), round(stop))
    middle = cleaned[round(first * FS) : round(stop * FS)]
    found = {}
    for name, detect in DETECTORS.items():
        beats = detect(cleaned, FS) / FS if np.isfinite(cleaned).all() else np.zeros(0)
        beats = beats[(beats >= first) & (beats < stop)]
        found[f"{name} beats"] = 60 * len(beats) / (stop - first)
        trusted = np.nan
        if doubtful is not None:
            trusted = 60 * float((~doubtful[beats.astype(int)]).sum()) / (stop - first)
        found[f"{name} trusted"] = trusted
    found[LEFT] = float(middle.std())
    found[FLAGGED] = np.nan if doubtful is None else float(doubtful[seconds].mean())
    return found
