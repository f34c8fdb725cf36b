"""Figures: ECG paper as in a clinic, before and after, and plain strips of any signal.

On ECG paper 25 mm are one second and 10 mm are one millivolt; the fine grid is 1 mm, the bold one
5 mm, and a calibration pulse of 1 mV and 200 ms stands before each trace. Figures have that size
when printed. They are made without pyplot, so that no screen and no global state is touched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.recording import Recording

MM_PER_S, MM_PER_MV = 25.0, 10.0

_PAPER, _FINE, _BOLD = "#fffbf9", "#f8d9d4", "#eeaaa2"
_INK, _FAINT_INK = "#16181d", "#7d8594"
_LEFT, _RIGHT, _TOP, _BOTTOM, _ROOM = 25.0, 5.0, 10.0, 10.0, 5.0
_MIN_LOW, _MIN_HIGH, _MAX = -5.0, 10.0, 60.0
_INCH = 25.4


@dataclass(frozen=True)
class _Trace:
    """One trace on the paper: values (time,) in mV, at ``fs`` Hz."""

    label: str
    remark: str
    values: NDArray[np.float64]
    fs: float
    colour: str


def before_after(
    noisy: Recording,
    cleaned: Recording,
    start: float = 0.0,
    seconds: float = 10.0,
    leads: Sequence[str] | None = None,
) -> Figure:
    """Each lead on ECG paper as it came, in grey, and below it as it was cleaned, in black.

    Args:
        noisy: as recorded.
        cleaned: the same leads, cleaned.
        start: first second to show.
        seconds: how much to show; what the recording does not have is left out.
        leads: names of the leads to show, by default all that are voltages.

    Raises:
        ValueError: the two are no twins, a lead is unknown, or nothing was recorded there.
    """
    if noisy.leads != cleaned.leads or noisy.signal.shape != cleaned.signal.shape:
        raise ValueError("the noisy and the cleaned recording must have the same leads and samples")
    before, after = (
        _traces(recording, start, seconds, leads, remark, colour)
        for recording, remark, colour in (
            (noisy, "noisy", _FAINT_INK),
            (cleaned, "cleaned", _INK),
        )
    )
    return _paper([trace for pair in zip(before, after, strict=True) for trace in pair], start)


def ecg_paper(
    recording: Recording,
    start: float = 0.0,
    seconds: float = 10.0,
    leads: Sequence[str] | None = None,
) -> Figure:
    """A recording on ECG paper, one lead below the other; arguments as :func:`before_after`."""
    return _paper(_traces(recording, start, seconds, leads, "", _INK), start)


def strip(
    traces: Mapping[str, NDArray[np.floating[Any]]],
    fs: float,
    *,
    unit: str = "mV",
    title: str = "",
    start: float = 0.0,
) -> Figure:
    """Plain strips below each other, for signals that are no ECG or have no calibration.

    Args:
        traces: what to draw, (time,) each, by label.
        fs: sampling rate in Hz.
        unit: of all traces.
        title: above the strips.
        start: time in s of the first samples.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not traces:
        raise ValueError("there are no traces to draw")
    figure = Figure(figsize=(10, 0.9 + 1.15 * len(traces)), layout="constrained")
    rows = figure.subplots(len(traces), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, values) in zip(rows, traces.items(), strict=True):
        axes.plot(start + np.arange(len(values)) / fs, values, color=_INK, linewidth=0.7)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontweight="bold")
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(axis="x", length=0)
        axes.tick_params(labelsize=8, colors=_FAINT_INK)
        axes.grid(axis="x", color="#e6e8ec", linewidth=0.6)
        axes.margins(x=0, y=0.12)
    figure.align_ylabels(rows)
    rows[-1].set_xlabel(f"time / s (traces in {unit})", fontsize=9, color=_FAINT_INK)
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def save(figure: Figure, path: str | os.PathLike[str], dpi: float = 150) -> None:
    """Write a figure as PNG, SVG or PDF by the suffix; the file appears when it is complete.

    Raises:
        ValueError: the suffix is none that matplotlib writes.
        OSError: the file cannot be written.
    """
    with replacing(path) as aside:
        figure.savefig(aside, dpi=dpi)


def _traces(
    recording: Recording,
    start: float,
    seconds: float,
    leads: Sequence[str] | None,
    remark: str,
    colour: str,
) -> list[_Trace]:
    shown = recording.excerpt(start, seconds)
    voltages = [name for name, unit in zip(shown.leads, shown.units, strict=True) if unit == "mV"]
    unknown = sorted(set(leads or ()) - set(voltages))
    if unknown or not voltages:
        raise ValueError(
            f"no lead in mV is called {', '.join(unknown) or 'anything'}; "
            f"there are {', '.join(voltages) or 'none'}"
        )
    return [
        _Trace(name, remark, shown.signal[:, shown.leads.index(name)], shown.fs, colour)
        for name in (leads or voltages)
    ]


def _paper(traces: list[_Trace], start: float) -> Figure:
    """Draw traces below each other on paper of the size that they need, in mm from its corner."""
    spans = [_span(trace.values) for trace in traces]
    seconds = max(len(trace.values) / trace.fs for trace in traces)
    width = 5 * np.ceil((_LEFT + seconds * MM_PER_S + _RIGHT) / 5)
    height = _TOP + sum(high - low + _ROOM for low, high in spans) + _BOTTOM
    figure = Figure(figsize=(width / _INCH, height / _INCH), facecolor=_PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    _grid(axes, width, height)
    top = height - _TOP
    for trace, (low, high) in zip(traces, spans, strict=True):
        _draw(axes, trace, zero=top - high, top=top, bottom=top - (high - low))
        top -= high - low + _ROOM
    _legend(axes, start, seconds)
    return figure


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    """Lowest and highest mm around zero that a trace needs, in whole squares of 5 mm."""
    finite = values[np.isfinite(values)]
    centred = (finite - np.median(finite)) * MM_PER_MV if len(finite) else np.zeros(1)
    low = 5 * np.floor(min(float(centred.min()), _MIN_LOW) / 5)
    high = 5 * np.ceil(max(float(centred.max()), _MIN_HIGH) / 5)
    return max(float(low), -_MAX), min(float(high), _MAX)


def _grid(axes: Axes, width: float, height: float) -> None:
    for step, colour, line in ((1, _FINE, 0.35), (5, _BOLD, 0.6)):
        axes.vlines(np.arange(0, width + 1, step), 0, height, colour, linewidth=line)
        axes.hlines(np.arange(0, height + 1, step), 0, width, colour, linewidth=line)


def _draw(axes: Axes, trace: _Trace, zero: float, top: float, bottom: float) -> None:
    """One trace, its isoelectric line (median) at ``zero`` mm, cut at its strip's edges."""
    pulse = np.array([[-8, 0], [-6, 0], [-6, 1], [-1, 1], [-1, 0], [0, 0]])
    axes.plot(
        _LEFT - 2 + pulse[:, 0], zero + pulse[:, 1] * MM_PER_MV, color=trace.colour, linewidth=0.8
    )
    middle = np.nanmedian(trace.values) if np.isfinite(trace.values).any() else 0.0
    x = _LEFT + np.arange(len(trace.values)) / trace.fs * MM_PER_S
    y = zero + (trace.values - middle) * MM_PER_MV
    axes.plot(
        x,
        np.clip(y, bottom - _ROOM / 2, top + _ROOM / 2),
        color=trace.colour,
        linewidth=0.8,
        solid_joinstyle="round",
    )
    _write(axes, 2, zero + 2.5, trace.label, fontsize=10, fontweight="bold", color=_INK)
    _write(axes, 2, zero - 2.5, trace.remark, fontsize=8, color=trace.colour)


def _legend(axes: Axes, start: float, seconds: float) -> None:
    """Seconds below the traces, and the scale, as printed on every ECG."""
    for second in range(int(seconds) + 1):
        x = _LEFT + second * MM_PER_S
        _write(axes, x, 6, f"{start + second:g} s", fontsize=7, color=_FAINT_INK, ha="center")
    _write(axes, 2, 2, f"{MM_PER_S:g} mm/s    {MM_PER_MV:g} mm/mV", fontsize=7.5, color=_INK)


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text that stays readable upon the grid."""
    axes.text(x, y, text, path_effects=[withStroke(linewidth=2.5, foreground=_PAPER)], **style)
