"""Pictures of the worst and the median case of each component, and of real arrhythmia."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ipmdae.lab.evaluation.benchmark import Result
from ipmdae.lab.evaluation.hearts import pictures, signals
from ipmdae.lab.evaluation.hearts.components import COMPONENTS, FAST
from ipmdae.lab.evaluation.hearts.pictures import MEDIAN, WORST, Strip

_INK, _NOISE, _WANTED = "#16181d", "#c9a49a", "#3d6fb4"


def components(result: Result) -> Figure | None:
    """One row per component with baseline wander: the worst lead left, the median lead right."""
    return _sheet(result, [*COMPONENTS, *FAST], (WORST, MEDIAN))


def real(result: Result) -> Figure | None:
    """Real PVCs and ventricular fibrillation, worst and median."""
    return _sheet(result, [pictures.PVCS, pictures.VF], (WORST, MEDIAN))


def constructed(result: Result) -> Figure | None:
    """The test signals."""
    return _sheet(result, list(signals.SHOWN), (WORST,))


def _sheet(result: Result, cases: Sequence[str], columns: Sequence[str]) -> Figure | None:
    strips = pictures.strips(result.examples)
    present = [case for case in cases if case in strips]
    if not present:
        return None
    figure = Figure(figsize=(5 * len(columns), 1.25 * len(present)), layout="constrained")
    grid = figure.subplots(len(present), len(columns), squeeze=False)
    for row, case in zip(grid, present, strict=True):
        for axes, which in zip(row, columns, strict=True):
            _draw(axes, case, which, strips[case].get(which))
    return figure


def _draw(axes: Axes, case: str, which: str, strip: Strip | None) -> None:
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    axes.tick_params(labelsize=6)
    axes.set_xticks([])
    if strip is None:
        return
    time = np.arange(len(strip.before)) / 125
    axes.plot(time, strip.before, color=_NOISE, linewidth=0.7)
    axes.plot(time, strip.wanted, color=_WANTED, linewidth=0.7)
    axes.plot(time, strip.after, color=_INK, linewidth=0.7)
    title = case if np.isnan(strip.value) else f"{case}: {which} {strip.value:.2f}, {strip.record}"
    axes.set_title(title, fontsize=7, loc="left", pad=2)
