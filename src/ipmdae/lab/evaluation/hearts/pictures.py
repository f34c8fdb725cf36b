"""Signals to draw: the worst and the median case of each component, and of real arrhythmia.

These are known only after all measurements: the few cases are denoised once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import cudb, mitdb
from ipmdae.lab.evaluation.benchmark import Array
from ipmdae.lab.evaluation.hearts import arrhythmia, components, gains, leads, signals
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest
from ipmdae.lab.evaluation.hearts.rows import Row

SHOWN_UNDER = "bw 5"
"""Condition under which components are drawn."""

WORST, MEDIAN = "worst", "median"
PVCS, VF = "real PVCs", "real VF (cu01)"
_SECONDS = 5.0
_FS = 125.0  # Hz: enough to draw


class Strip(NamedTuple):
    """A few seconds to draw.

    Attributes:
        before, after: (time,) in mV at 125 Hz; of a component, the lead with it.
        wanted: (time,) in mV, clean reference as far as known; NaN elsewhere.
        value: measured value: the gain, or the preserved share of the height.
        record: record and lead.
    """

    before: Array
    after: Array
    wanted: Array
    value: float
    record: str


def examples(
    method: MethodUnderTest, datasets: Path, rows: Sequence[Row]
) -> dict[str, NDArray[Any]]:
    """Strips as arrays, for :func:`strips`."""
    cases: dict[str, list[Row]] = {}
    for row in rows:
        if row.measure == gains.GAIN and row.condition == SHOWN_UNDER:
            cases.setdefault(row.case, []).append(row)
        elif row.measure == arrhythmia.HEIGHT and row.case == "V":
            cases.setdefault(PVCS, []).append(row)
        elif row.measure == arrhythmia.FIBRILLATION:
            cases.setdefault(VF, []).append(row)
    found: dict[str, NDArray[Any]] = {}
    for case, of in cases.items():
        draw: Callable[..., Strip] = {PVCS: _pvc, VF: _fibrillation}.get(case, _component)
        for which, row in _chosen(of).items():
            strip = draw(method, datasets, row, which)
            found |= _arrays(f"{case}|{which}", strip)
    for name, made in signals.SHOWN.items():
        if any(row.measure == signals.SIGNAL for row in rows):
            found |= _arrays(f"{name}|{WORST}", _signal(method, made()))
    return found


def strips(stored: dict[str, NDArray[Any]]) -> dict[str, dict[str, Strip]]:
    """Strips by case and role (worst or median), from a result's examples."""
    found: dict[str, dict[str, Strip]] = {}
    for key in stored:  # noqa: PLC0206 - few are read
        case, which, field = key.split("|")
        if field == "lines":
            before, after, wanted = np.asarray(stored[key], np.float64)
            value, record = float(stored[f"{case}|{which}|value"]), f"{case}|{which}|record"
            strip = Strip(before, after, wanted, value, str(stored[record]))
            found.setdefault(case, {})[which] = strip
    return found


def _chosen(rows: Sequence[Row]) -> dict[str, Row]:
    """The rows of the least and of the median value."""
    order = sorted((row for row in rows if np.isfinite(row.value)), key=lambda row: row.value)
    if not order:
        return {}
    return {WORST: order[0], MEDIAN: order[len(order) // 2]}


def _component(method: MethodUnderTest, datasets: Path, row: Row, which: str) -> Strip:
    lead = leads.read(datasets, row.record)
    pair = components.make(lead)[row.case]
    x = pair.before + pair.component
    noisy = x + leads.noise(datasets, lead, row.condition)
    energy = np.cumsum((pair.component - pair.component.mean()) ** 2 * lead.scored)
    middle = float(np.searchsorted(energy, energy[-1] / 2)) / lead.fs
    cleaned = method.clean(noisy, lead.fs).signal
    return _strip((noisy, cleaned, x), lead.fs, middle, row)


def _pvc(method: MethodUnderTest, datasets: Path, row: Row, which: str) -> Strip:
    """The beat with the least preserved height in the worst lead, or a median one."""
    record, lead = row.record.split()
    recording = mitdb.read(datasets / mitdb.FOLDER, record)
    signal = recording.signal[:, int(lead)]
    cleaned = method.clean(signal, recording.fs).signal
    beats, kept = arrhythmia.ratios(recording, signal, cleaned)
    ectopic = np.isin(beats, leads.beats_of(recording, ("V",)))
    beats, kept = beats[ectopic], kept[ectopic]
    at = np.argsort(kept)[0 if which == WORST else len(kept) // 2]
    shown = row._replace(value=float(kept[at]))
    return _strip((signal, cleaned, None), recording.fs, beats[at] / recording.fs, shown)


def _fibrillation(method: MethodUnderTest, datasets: Path, row: Row, which: str) -> Strip:
    recording = cudb.read(datasets / cudb.FOLDER, row.record.split()[0])
    signal = recording.signal[:, 0]
    cleaned = method.clean(signal, recording.fs).signal
    measured = arrhythmia.fibrillation(method, datasets, row.record.split()[0])
    parts = list(arrhythmia.fibrillating(recording))
    at = int(np.argmin([abs(other.value - row.value) for other in measured]))
    middle = (parts[at].start + parts[at].stop) / 2 / recording.fs
    return _strip((signal, cleaned, None), recording.fs, middle, row)


def _signal(method: MethodUnderTest, x: Array) -> Strip:
    cleaned = method.clean(x, signals.FS).signal
    row = Row(signals.SIGNAL, "", leads.NONE, "", np.nan)
    return _strip((x, cleaned, x), signals.FS, 15.0, row)


def _strip(lines: tuple[Array, Array, Array | None], fs: float, middle: float, row: Row) -> Strip:
    """A few seconds around a time in s, less the medians there, at 125 Hz."""
    count = round(_SECONDS * fs)
    first = min(max(round((middle - _SECONDS / 2) * fs), 0), max(len(lines[0]) - count, 0))
    time = np.arange(round(_SECONDS * _FS)) / _FS

    def drawn(line: Array | None) -> Array:
        if line is None:
            return np.full(len(time), np.nan)
        part = line[first : first + count]
        return np.interp(time, np.arange(len(part)) / fs, part - np.median(part))

    before, after, wanted = (drawn(line) for line in lines)
    return Strip(before, after, wanted, row.value, row.record)


def _arrays(key: str, strip: Strip) -> dict[str, NDArray[Any]]:
    lines = np.stack([strip.before, strip.after, strip.wanted]).astype(np.float32)
    return {
        f"{key}|lines": lines,
        f"{key}|value": np.array(strip.value),
        f"{key}|record": np.array(strip.record),
    }
