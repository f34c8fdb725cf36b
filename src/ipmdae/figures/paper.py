"""ECG paper: 25 mm are one second and 10 mm are one millivolt.

The fine grid is 1 mm, the bold one 5 mm, and a calibration pulse of 1 mV and 200 ms stands before
each row. Figures have that size when printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

MM_PER_S, MM_PER_MV = 25.0, 10.0

INK, FAINT_INK, RED_INK = "#16181d", "#7d8594", "#b3402e"
_PAPER, _FINE, _BOLD = "#fffbf9", "#f8d9d4", "#eeaaa2"
_BAND, _SHADE = "#3d6fb4", "#5b6472"
_LEFT, _RIGHT, _TOP, _BOTTOM, _ROOM = 25.0, 5.0, 10.0, 10.0, 5.0
_MIN_LOW, _MIN_HIGH, _MAX = -5.0, 10.0, 60.0
_INCH = 25.4


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One line on the paper.

    Attributes:
        values: (time,) in mV; NaN is a missing sample.
        fs: sampling rate in Hz.
        colour: of the ink.
        spread: (time,) in mV, half the height of a band around it.
    """

    values: NDArray[np.float64]
    fs: float
    colour: str = INK
    spread: NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A part of a row that shows one lead.

    Attributes:
        label: name of the lead.
        traces: drawn over each other; the median of the last is the zero of all.
        remark: below the label.
        begin: where it begins on the row, in s.
        shaded: stretches (from, to) in s from its begin that cannot be read.
    """

    label: str
    traces: tuple[Trace, ...]
    remark: str = ""
    begin: float = 0.0
    shaded: tuple[tuple[float, float], ...] = ()

    @property
    def middle(self) -> float:
        """The voltage in mV that lies on the row's zero line: the isoelectric line."""
        values = self.traces[-1].values
        return float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0

    @property
    def seconds(self) -> float:
        """How long it is."""
        return max(len(trace.values) / trace.fs for trace in self.traces)

    @property
    def span(self) -> tuple[float, float]:
        """Lowest and highest mm around zero that it needs, in whole squares of 5 mm."""
        values = np.concatenate([trace.values for trace in self.traces])
        finite = values[np.isfinite(values)]
        centred = (finite - self.middle) * MM_PER_MV if len(finite) else np.zeros(1)
        low = 5 * np.floor(min(float(centred.min()), _MIN_LOW) / 5)
        high = 5 * np.ceil(max(float(centred.max()), _MIN_HIGH) / 5)
        return max(float(low), -_MAX), min(float(high), _MAX)


def paper(rows: Sequence[Sequence[Cell]], start: float, note: str = "") -> Figure:
    """Draw rows of cells below each other on paper of the size that they need.

    Args:
        rows: from top to bottom; the label of a row's first cell stands in the margin, those of
            the others upon the paper.
        start: time in s of the left edge, for the labels below.
        note: stands beside the scale.

    Returns:
        A figure whose only axes cover it, in mm from its lower left corner.
    """
    spans = [(min(cell.span[0] for cell in row), max(cell.span[1] for cell in row)) for row in rows]
    seconds = max(cell.begin + cell.seconds for row in rows for cell in row)
    width = 5 * np.ceil((_LEFT + seconds * MM_PER_S + _RIGHT) / 5)
    height = _TOP + sum(high - low + _ROOM for low, high in spans) + _BOTTOM
    figure = Figure(figsize=(width / _INCH, height / _INCH), facecolor=_PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    _grid(axes, width, height)
    top = height - _TOP
    for row, (low, high) in zip(rows, spans, strict=True):
        _row(axes, row, zero=top - high, top=top, bottom=top - (high - low))
        top -= high - low + _ROOM
    _legend(axes, start, seconds, note)
    return figure


def clock(second: float, whole: float) -> str:
    """A time in s as one of a recording of ``whole`` s: ``"7 s"``, ``"1:07"`` or ``"2:01:07"``."""
    if whole <= 60:
        return f"{second:g} s"
    minutes, rest = divmod(second, 60)
    hours, minutes = divmod(int(minutes), 60)
    if whole < 3600:
        return f"{minutes}:{rest:02.0f}" if rest == int(rest) else f"{minutes}:{rest:05.2f}"
    return f"{hours}:{minutes:02d}:{rest:02.0f}"


def _grid(axes: Axes, width: float, height: float) -> None:
    for step, colour, line in ((1, _FINE, 0.35), (5, _BOLD, 0.6)):
        axes.vlines(np.arange(0, width + 1, step), 0, height, colour, linewidth=line)
        axes.hlines(np.arange(0, height + 1, step), 0, width, colour, linewidth=line)


def _row(axes: Axes, row: Sequence[Cell], zero: float, top: float, bottom: float) -> None:
    """One row, its isoelectric line at ``zero`` mm, cut at its strip's edges."""
    pulse = np.array([[-8, 0], [-6, 0], [-6, 1], [-1, 1], [-1, 0], [0, 0]])
    axes.plot(
        _LEFT - 2 + pulse[:, 0],
        zero + pulse[:, 1] * MM_PER_MV,
        color=row[0].traces[-1].colour,
        linewidth=0.8,
    )
    for cell in row:
        left = _LEFT + cell.begin * MM_PER_S
        _shade(axes, cell, left, bottom, top)
        for trace in cell.traces:
            _draw(axes, trace, cell.middle, left, zero, (bottom - _ROOM / 2, top + _ROOM / 2))
        if cell.begin:
            axes.vlines(left, zero - 3, zero + 3, INK, linewidth=0.8)
            write(axes, left + 1, zero + 7, cell.label, fontsize=9, fontweight="bold", color=INK)
        else:
            write(axes, 2, zero + 2.5, cell.label, fontsize=10, fontweight="bold", color=INK)
    write(axes, 2, zero - 2.5, row[0].remark, fontsize=8, color=row[0].traces[-1].colour)


def _draw(
    axes: Axes,
    trace: Trace,
    middle: float,
    left: float,
    zero: float,
    limits: tuple[float, float],
) -> None:
    x = left + np.arange(len(trace.values)) / trace.fs * MM_PER_S
    y = zero + (trace.values - middle) * MM_PER_MV
    if trace.spread is not None:
        edge = trace.spread * MM_PER_MV
        axes.fill_between(
            x,
            np.clip(y - edge, *limits),
            np.clip(y + edge, *limits),
            color=_BAND,
            alpha=0.3,
            linewidth=0,
        )
    axes.plot(
        x,
        np.clip(y, *limits),
        color=trace.colour,
        linewidth=0.8,
        solid_joinstyle="round",
    )


def _shade(axes: Axes, cell: Cell, left: float, bottom: float, top: float) -> None:
    for begin, end in cell.shaded:
        axes.add_patch(
            Rectangle(
                (left + begin * MM_PER_S, bottom),
                (end - begin) * MM_PER_S,
                top - bottom,
                facecolor=_SHADE,
                alpha=0.2,
                linewidth=0,
            )
        )


def _legend(axes: Axes, start: float, seconds: float, note: str) -> None:
    """Seconds below the traces, and the scale, as printed on every ECG."""
    for second in range(int(seconds) + 1):
        x = _LEFT + second * MM_PER_S
        text = clock(start + second, start + seconds)
        write(axes, x, 6, text, fontsize=7, color=FAINT_INK, ha="center")
    scale = f"{MM_PER_S:g} mm/s    {MM_PER_MV:g} mm/mV"
    write(axes, 2, 2, "    ".join(filter(None, [scale, note])), fontsize=7.5, color=INK)


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text that stays readable upon the grid; a dollar in the name of a lead is no formula."""
    axes.text(
        x,
        y,
        text,
        path_effects=[withStroke(linewidth=2.5, foreground=_PAPER)],
        parse_math=False,
        **style,
    )
