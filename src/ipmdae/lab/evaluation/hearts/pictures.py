"""Signals to draw: the worst and the median case of each component, and of real arrhythmia.

These are known only after all measurements: the few cases are denoised once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ipmdae.lab.data import cudb, mitdb
from ipmdae.lab.evaluation.hearts import arrhythmia, components, gains, leads, signals
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest
from ipmdae.lab.evaluation.results import Array, Result

SHOWN_UNDER = "bw 5"
"""Condition under which components are drawn."""

WORST, MEDIAN = "worst", "median"
PVCS, VF = "real PVCs", "real VF (cu01)"
_SECONDS = 5.0
_FS = 125.0  # Hz: enough to draw

_INK, _NOISE, _WANTED = "#16181d", "#c9a49a", "#3d6fb4"


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
    method: MethodUnderTest, datasets: Path, scores: pd.DataFrame
) -> dict[str, NDArray[Any]]:
    """Strips as arrays, for :func:`strips`; their cases are found in the rows of a result."""
    measure, case = scores["measure"], scores["case"]
    shown = scores[(measure == gains.GAIN) & (scores["condition"] == SHOWN_UNDER)]
    cases = {name: shown[shown["case"] == name] for name in shown["case"].unique()}
    cases[PVCS] = scores[(measure == arrhythmia.HEIGHT) & (case == "V")]
    cases[VF] = scores[measure == arrhythmia.FIBRILLATION]
    found: dict[str, NDArray[Any]] = {}
    for name, rows in cases.items():
        draw: Callable[..., Strip] = {PVCS: _pvc, VF: _fibrillation}.get(name, _component)
        for which, row in _chosen(rows).items():
            found |= _arrays(f"{name}|{which}", draw(method, datasets, row, which))
    for name, made in signals.SHOWN.items():
        if (measure == signals.SIGNAL).any():
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


def _chosen(rows: pd.DataFrame) -> dict[str, Any]:
    """The rows of the least and of the median value."""
    finite = rows[np.isfinite(rows["value"])]
    order = list(finite.sort_values("value", kind="stable").itertuples(index=False))
    return {WORST: order[0], MEDIAN: order[len(order) // 2]} if order else {}


def _component(method: MethodUnderTest, datasets: Path, row: Any, which: str) -> Strip:
    lead = leads.read(datasets, row.record)
    pair = components.make(lead)[row.case]
    x = pair.before + pair.component
    noisy = x + leads.noise(datasets, lead, row.condition)
    energy = np.cumsum((pair.component - pair.component.mean()) ** 2 * lead.scored)
    middle = float(np.searchsorted(energy, energy[-1] / 2)) / lead.fs
    cleaned = method.clean(noisy, lead.fs).signal
    return _strip((noisy, cleaned, x), lead.fs, middle, row.value, row.record)


def _pvc(method: MethodUnderTest, datasets: Path, row: Any, which: str) -> Strip:
    """The beat with the least preserved height in the worst lead, or a median one."""
    record, lead = row.record.split()
    recording = mitdb.read(datasets / mitdb.FOLDER, record)
    signal = recording.signal[:, int(lead)]
    cleaned = method.clean(signal, recording.fs).signal
    beats, kept = arrhythmia.ratios(recording, signal, cleaned)
    ectopic = np.isin(beats, mitdb.r_peaks(recording, "V"))
    beats, kept = beats[ectopic], kept[ectopic]
    at = np.argsort(kept)[0 if which == WORST else len(kept) // 2]
    at_beat = beats[at] / recording.fs
    return _strip((signal, cleaned, None), recording.fs, at_beat, float(kept[at]), row.record)


def _fibrillation(method: MethodUnderTest, datasets: Path, row: Any, which: str) -> Strip:
    recording = cudb.read(datasets / cudb.FOLDER, row.record.split()[0])
    signal = recording.signal[:, 0]
    cleaned = method.clean(signal, recording.fs).signal
    measured = arrhythmia.fibrillation(method, datasets, row.record.split()[0])
    parts = list(arrhythmia.fibrillating(recording))
    at = int(np.argmin([abs(other.value - row.value) for other in measured]))
    middle = (parts[at].start + parts[at].stop) / 2 / recording.fs
    return _strip((signal, cleaned, None), recording.fs, middle, row.value, row.record)


def _signal(method: MethodUnderTest, x: Array) -> Strip:
    cleaned = method.clean(x, signals.FS).signal
    return _strip((x, cleaned, x), signals.FS, 15.0, np.nan, "")


def _strip(
    lines: tuple[Array, Array, Array | None], fs: float, middle: float, value: float, record: str
) -> Strip:
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
    return Strip(before, after, wanted, value, record)


def _arrays(key: str, strip: Strip) -> dict[str, NDArray[Any]]:
    lines = np.stack([strip.before, strip.after, strip.wanted]).astype(np.float32)
    return {
        f"{key}|lines": lines,
        f"{key}|value": np.array(strip.value),
        f"{key}|record": np.array(strip.record),
    }


def figure_of_components(result: Result) -> Figure | None:
    """One row per component with baseline wander: the worst lead left, the median lead right."""
    return _sheet(result, [*components.COMPONENTS, *components.FAST], (WORST, MEDIAN))


def figure_of_arrhythmia(result: Result) -> Figure | None:
    """Real PVCs and ventricular fibrillation, worst and median."""
    return _sheet(result, [PVCS, VF], (WORST, MEDIAN))


def figure_of_signals(result: Result) -> Figure | None:
    """The test signals."""
    return _sheet(result, list(signals.SHOWN), (WORST,))


def _sheet(result: Result, cases: Sequence[str], columns: Sequence[str]) -> Figure | None:
    drawn = strips(result.examples)
    present = [case for case in cases if case in drawn]
    if not present:
        return None
    figure = Figure(figsize=(5 * len(columns), 1.25 * len(present)), layout="constrained")
    grid = figure.subplots(len(present), len(columns), squeeze=False)
    for row, case in zip(grid, present, strict=True):
        for axes, which in zip(row, columns, strict=True):
            _draw(axes, case, which, drawn[case].get(which))
    return figure


def _draw(axes: Axes, case: str, which: str, strip: Strip | None) -> None:
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    axes.tick_params(labelsize=6)
    axes.set_xticks([])
    if strip is None:
        return
    time = np.arange(len(strip.before)) / _FS
    axes.plot(time, strip.before, color=_NOISE, linewidth=0.7)
    axes.plot(time, strip.wanted, color=_WANTED, linewidth=0.7)
    axes.plot(time, strip.after, color=_INK, linewidth=0.7)
    title = case if np.isnan(strip.value) else f"{case}: {which} {strip.value:.2f}, {strip.record}"
    axes.set_title(title, fontsize=7, loc="left", pad=2)
