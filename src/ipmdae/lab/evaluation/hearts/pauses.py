"""False detections in pauses, in asystole, and in noise-only input.

A lead loses its beats for 3 s or for 10 s and keeps its noise; or the input is noise without ECG.
Measured are detections of ``xqrs`` of the WFDB package per minute, in total and in readable
segments; and the output's height in a pause relative to the lead's beats.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ipmdae.lab.data import nstdb
from ipmdae.lab.evaluation.benchmark import Array
from ipmdae.lab.evaluation.clinical.detectors import xqrs
from ipmdae.lab.evaluation.hearts import leads
from ipmdae.lab.evaluation.hearts.components import without_beats
from ipmdae.lab.evaluation.hearts.leads import NONE, WANDER, Lead
from ipmdae.lab.evaluation.hearts.method import Cleaned, MethodUnderTest
from ipmdae.lab.evaluation.hearts.rows import Row

FOUND, LEFT = "beats found a minute", "height left"
ALONE = "noise alone"
PAUSES = {"pause of 3 s": 3.0, "asystole of 10 s": 10.0}  # s
CONDITIONS = (NONE, *WANDER, "em 5", "ma 5")

LEVEL = 0.25
"""Root mean square in mV of noise-only input: about that of a usual lead."""

_START, _MARGIN = 11.0, 0.5  # s: start of a pause, and margin at its ends


def rows(method: MethodUnderTest, datasets: Path, name: str) -> list[Row]:
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
