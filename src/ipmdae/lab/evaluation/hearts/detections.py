"""Detected beats: R peaks in complete noisy recordings, false detections in pauses and noise.

R peaks: the first lead of each of the records 118e* and 119e* of the noise database is denoised and
searched completely by two detectors. As in EC57 the first 5 min, which are free of noise, are not
counted. Beats are counted once over all of the rest, clean and noisy minutes alike, and once over
readable segments.

False detections: a lead loses its beats for 3 s or for 10 s and keeps its noise; or the input is
noise without ECG. Measured are detections of ``xqrs`` of the WFDB package per minute, in total and
in readable segments; and the output's height in a pause relative to the lead's beats.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ipmdae import formats
from ipmdae.lab.data import mitdb, nstdb
from ipmdae.lab.evaluation.beats import DETECTORS, LEVEL, RECORDS, TOLERANCE, match, xqrs
from ipmdae.lab.evaluation.hearts import leads
from ipmdae.lab.evaluation.hearts.components import without_beats
from ipmdae.lab.evaluation.hearts.leads import NONE, WANDER, Lead
from ipmdae.lab.evaluation.hearts.method import Cleaned, MethodUnderTest, Row
from ipmdae.lab.evaluation.results import Array

HIT, MISSED, FALSE = "hit", "missed", "false"

_LEARNING, _ENDS = 300.0, 5.0  # s

FOUND, LEFT = "beats found a minute", "height left"

ALONE = "noise alone"

PAUSES = {"pause of 3 s": 3.0, "asystole of 10 s": 10.0}  # s

CONDITIONS = (NONE, *WANDER, "em 5", "ma 5")

_START, _MARGIN = 11.0, 0.5  # s: start of a pause, and margin at its ends


def r_peaks(method: MethodUnderTest, datasets: Path, record: str) -> list[Row]:
    """True positives, misses and false detections of each detector."""
    recording = formats.read(datasets / nstdb.FOLDER / record)
    fs, beats = recording.fs, mitdb.r_peaks(recording)
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


def false_detections(method: MethodUnderTest, datasets: Path, name: str) -> list[Row]:
    """Pauses in one lead, and noise-only input."""
    lead = leads.read(datasets, name)
    found = [row for case in PAUSES for row in _pause(method, datasets, lead, case)]
    return [*found, *_alone(method, datasets, lead)]


def _pause(method: MethodUnderTest, datasets: Path, lead: Lead, case: str) -> Iterator[Row]:
    start, stop = _START, _START + PAUSES[case]
    gone = (lead.beats >= start * lead.fs) & (lead.beats < stop * lead.fs)
    silent = without_beats(lead, gone)
    marks = lead.beats / lead.fs
    first = max(marks[marks < start], default=start) + _MARGIN
    last = min(marks[marks >= stop], default=stop) - _MARGIN
    part = slice(round(max(first, start) * lead.fs), round(min(last, stop) * lead.fs))
    for condition in CONDITIONS:
        noise = leads.noise(datasets, lead, condition)
        cleaned = method.clean(silent + noise, lead.fs)
        yield _found(case, condition, lead, cleaned, part)
        left = float(np.ptp(cleaned.signal[part])) / lead.height
        share = float(cleaned.readable[part].mean())
        trusted = left if share > 0.5 else np.nan
        yield Row(LEFT, case, condition, lead.name, left, trusted, share)


def _alone(method: MethodUnderTest, datasets: Path, lead: Lead) -> Iterator[Row]:
    part = slice(*(round(second * lead.fs) for second in leads.SCORED))
    for i, kind in enumerate(nstdb.KINDS):
        noise = leads.real_noise(datasets, kind, lead.fs, lead.signal, 0.0, lead.random(2000, i))
        scaled: Array = noise * LEVEL / noise.std()
        yield _found(ALONE, kind, lead, method.clean(scaled, lead.fs), part)


def _found(case: str, condition: str, lead: Lead, cleaned: Cleaned, part: slice) -> Row:
    """Detections per minute in a part of a lead."""
    if not np.isfinite(cleaned.signal).all():
        return Row(FOUND, case, condition, lead.name, np.nan)
    marks = xqrs(cleaned.signal, lead.fs) if np.ptp(cleaned.signal) > 0 else np.zeros(0, np.int64)
    marks = marks[(marks >= part.start) & (marks < part.stop)]
    minutes = (part.stop - part.start) / lead.fs / 60
    share = float(cleaned.readable[part].mean())
    trusted = float(cleaned.readable[marks].sum()) / minutes
    return Row(FOUND, case, condition, lead.name, len(marks) / minutes, trusted, share)
