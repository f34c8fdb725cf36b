"""Tables of the clinical measures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.lab.data import nstdb
from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation.benchmark import Array, Result
from ipmdae.lab.evaluation.clinical import invention, peaks, waves
from ipmdae.lab.evaluation.clinical.detectors import DETECTORS
from ipmdae.lab.evaluation.clinical.rows import select
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, bootstrap, over_records
from ipmdae.lab.evaluation.tables import estimate, number, table

UNIT = "recordings"

_BEATS_TEXT = """\
### Beats

Two detectors on records 118e* and 119e* of the noise database, real ECG with electrode motion at
the SNR in the records' names: lead MLII, only segments whose noise is from after the first 15 min,
2 min each, denoised and searched separately. Beats match within 150 ms (EC57); counts are pooled
over both records (two records are too few for an interval); the first and last 5 s of a segment are
not counted. `xqrs` is that of the WFDB package, `neurokit` the default of NeuroKit2 with its own
filter before it; neither is tuned.
"""

_ST_TEXT = """\
### ST level

Level 60 ms after the expert's end of the QRS complex, relative to the 20 ms before its onset (means
over 20 ms, single beats, lead 0), compared with the signal without noise: median absolute error of
a record in mV, mean over records, and the share of beats within 0.02 mV or 10 %, the tolerance of
devices, both with their 95 % interval over records. Where the annotated part of a record is longer
than the test minutes of a noise, the noise continues backwards and forwards. The column "no noise
added" is the effect of denoising on a clean signal.
"""

_INVENTION_TEXT = """\
### Noise-only input

Noise without ECG, 0.25 mV rms, about the AC level of the test leads: false detections per minute of
`xqrs` / `neurokit` in the output, and its level in mV rms, means over ten segments of each kind
with their 95 % interval over segments. The detectors are independent of amplitude, so that they
search the residual noise as they would an ECG. For networks with uncertainty: the share of seconds
rejected as too uncertain, and false detections per minute outside of these.
"""

_WAVES_TEXT = """\
### Fiducial points

Onsets and offsets of the waves by NeuroKit2's delineator `prominence`, compared with the expert's
annotations in the 14 test records (lead 0): mean of the records' mean errors with its 95 % interval
over records, ± mean of their standard deviations, in ms, and the share of annotations without a
match within 150 ms. QT is from QRS onset to T offset. Only five of the records have onsets of T.
The identity baseline `none` shows the error of the delineator itself.
"""


def sections(results: Sequence[Result]) -> list[str]:
    """Format all tables with their headings as Markdown."""
    return [
        _BEATS_TEXT,
        *(part for detector in DETECTORS for part in _beats(results, detector)),
        _WAVES_TEXT,
        *(part for condition in waves.DELINEATED for part in _waves(results, condition)),
        _ST_TEXT,
        _st(results),
        _INVENTION_TEXT,
        _invention(results),
    ]


def write(results: Sequence[Result], path: Path) -> None:
    """Write all numbers as CSV: one line per method, measure, condition and record."""
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("method", "version", "measure", "condition", "record", "count", "found",
                      "mean", "sd", "median_absolute"))  # fmt: skip
        for result in results:
            for (measure, condition, record), values in _groups(result).items():
                known = values[~np.isnan(values)]
                formatted = ["", "", ""]
                if len(known):
                    numbers = (known.mean(), known.std(), np.median(np.abs(known)))
                    formatted = [f"{value:.6g}" for value in numbers]
                out.writerow((result.method, result.version[:12], measure, condition, record,
                              len(values), len(known), *formatted))  # fmt: skip


def _beats(results: Sequence[Result], detector: str) -> list[str]:
    rows = []
    for result in results:
        cells = []
        for snr in peaks.SNRS:
            hit, missed, false = (
                select(result, f"{detector} {count}", str(snr))[0].sum() for count in peaks.COUNTS
            )
            cells.append(f"{_percent(hit, missed)} / {_percent(hit, false)}")
        rows.append([result.title(UNIT), *cells])
    header = ["method", *(f"{snr} dB" for snr in peaks.SNRS)]
    title = f"Detector `{detector}`, sensitivity / positive predictivity in %:\n"
    return [title, table(header, rows)]


def _waves(results: Sequence[Result], condition: str) -> list[str]:
    points = (*waves.POINTS, waves.QT)
    rows = [
        [
            result.title(UNIT),
            *(_error(*select(result, point, condition)) for point in points),
        ]
        for result in results
    ]
    return [f"{_named(condition)}:\n", table(["method", *points], rows)]


def _st(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        cells = [result.title(UNIT)]
        for condition in waves.LEVELLED:
            errors, records = select(result, waves.ST, condition)
            names = np.unique(records)
            medians = [np.median(np.abs(errors[records == name])) for name in names]
            kept = select(result, waves.ST_KEPT, condition)
            level = estimate(_mean(np.array(medians), names))
            cells.append(f"{level}; {estimate(_mean(100 * kept[0], kept[1]), 0)} %")
        rows.append(cells)
    return table(["method", *(_named(condition) for condition in waves.LEVELLED)], rows)


def _invention(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        cells = [result.title(UNIT)]
        for kind in nstdb.KINDS:
            beats = [
                estimate(_mean(*select(result, f"{name} beats", kind)), 0) for name in DETECTORS
            ]
            level = estimate(_mean(*select(result, invention.LEFT, kind)), 2)
            cells.append(f"{' / '.join(beats)}; {level}")
        flagged, pieces = _over_kinds(result, invention.FLAGGED)
        cells.append(estimate(_mean(100 * flagged, pieces), 0))
        trusted = [_over_kinds(result, f"{name} trusted") for name in DETECTORS]
        cells.append(" / ".join(estimate(_mean(*values), 0) for values in trusted))
        rows.append(cells)
    header = ["method", *(TITLES[kind] for kind in nstdb.KINDS), "rejected (%)", "not rejected"]
    return table(header, rows)


def _groups(result: Result) -> dict[tuple[str, str, str], Array]:
    """Values by measure, condition and record."""
    keys = np.stack([result.labels["measure"], result.labels["condition"], result.record])
    names, index = np.unique(keys, axis=1, return_inverse=True)
    order = np.argsort(index.ravel(), kind="stable")
    counts = np.bincount(index.ravel())
    parts = np.split(result.values["value"][order], np.cumsum(counts)[:-1])
    return {(str(a), str(b), str(c)): part for (a, b, c), part in zip(names.T, parts, strict=True)}


def _over_kinds(result: Result, measure: str) -> tuple[Array, NDArray[np.str_]]:
    """Values of a measure over all kinds of noise, and the segment (kind, number) of each."""
    chosen = result.labels["measure"] == measure
    pieces = [f"{a} {b}" for a, b in zip(result.labels["condition"], result.record, strict=True)]
    return result.values["value"][chosen], np.array(pieces)[chosen]


def _error(errors: Array, records: NDArray[np.str_]) -> str:
    """``mean [low, high] ± sd (missed)``, averaged over records as delineators are."""
    parts = [errors[records == name] for name in np.unique(records)]
    found = [part[~np.isnan(part)] for part in parts if not np.isnan(part).all()]
    if not found:
        return "-"
    sd = np.mean([np.std(part) for part in found])
    missed = 100 * np.mean([np.isnan(part).mean() for part in parts])
    return f"{estimate(over_records(errors, records), 0)} ± {sd:.0f} ({missed:.0f} %)"


def _percent(hit: float, other: float) -> str:
    return number(100 * hit / (hit + other) if hit + other > 0 else np.nan, 1)


def _mean(values: Array, records: NDArray[np.str_]) -> Interval:
    """Mean over all values, resampled by record or segment; NaN without values."""
    if len(values) == 0 or np.isnan(values).any():
        return NOWHERE
    return bootstrap(values, records)


def _named(condition: str) -> str:
    """Title of a condition."""
    kind, _, snr = condition.partition(" ")
    return f"{TITLES[kind]}, {snr} dB" if snr else "no noise added"
