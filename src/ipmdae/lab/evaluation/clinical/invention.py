"""Noise-only input: false detections before and after denoising.

Segments of 30 s of each kind of noise of the test half, scaled to the AC level of a usual lead.
Beats are counted in the middle 20 s. The detectors are independent of amplitude, so the output
level is measured as well; and for networks with uncertainty, the share of rejected seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ipmdae.lab.data import nstdb
from ipmdae.lab.evaluation.benchmark import Array
from ipmdae.lab.evaluation.clinical.detectors import DETECTORS
from ipmdae.lab.evaluation.clinical.noise import load_test_noise
from ipmdae.lab.evaluation.clinical.rows import Row
from ipmdae.lab.evaluation.subjects import Subject
from ipmdae.lab.protocols.clinic_test import FS, LENGTH, SCORED, piece_of

LEVEL = 0.25
"""AC level of the noise in mV: about the median of the test leads."""

LEFT, FLAGGED = "level", "flagged"
PIECES = 10


def rows(subject: Subject, datasets: Path, kind: str) -> list[Row]:
    """False detections per minute of each detector, all and not rejected, and further measures.

    The condition of a row is the kind of noise, its record the number of the segment.
    """
    noise = load_test_noise(datasets / nstdb.FOLDER)[nstdb.KINDS.index(kind)]
    found = []
    for place in range(PIECES):
        x = piece_of(noise, place, PIECES, round(LENGTH * FS))
        x = (x - x.mean()) * LEVEL / x.std()
        for measure, value in measures(subject, x).items():
            found.append(Row(measure, kind, str(place), value))
    return found


def measures(subject: Subject, x: Array) -> dict[str, float]:
    """All measures of a segment of noise (time,) in mV; NaN for those that need uncertainty."""
    if subject.tells_doubt:
        cleaned, doubtful = subject.clean_with_doubt(x, FS)
    else:
        cleaned, doubtful = subject.clean(x, FS), None
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
