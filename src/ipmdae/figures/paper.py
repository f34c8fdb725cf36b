"""ECG paper: 25 mm are one second and 10 mm are one millivolt.

The fine grid is 1 mm, the bold one 5 mm, and a calibration pulse of 1 mV and 200 ms is drawn before
each row. Figures have that size when printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ipmdae.text import visible

MM_PER_S, MM_PER_MV = 25.0, 10.0

INK, FAINT_INK, RED_INK = "#16181d", "#7d8594", "#b3402e"
_PAPER, _FINE, _BOLD = "#fffbf9", "#f8d9d4", "#eeaaa2"
_BAND, _SHADE = "#3d6fb4", "#5b6472"
_LEFT, _RIGHT, _TOP, _BOTTOM = 25.0, 5.0, 10.0, 10.0
_SPACING = 5.0  # mm between rows, for the names of leads that begin within a row
_MIN_LOW, _MIN_HIGH, _MAX = -5.0, 10.0, 60.0
_INCH = 25.4


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One line on the paper.

    Attributes:
        values: (time,) in mV; NaN is a missing sample.
        fs: sampling rate in Hz.
        colour: of the ink.
        sd: (time,) in mV, half the height of a band around it.
    """

    values: NDArray[np.float64]
    fs: float
    colour: str = INK
    sd: NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A part of a row that shows one lead.

    Attributes:
        label: name of the lead.
        traces: drawn over each other; the median of the last is the zero of all.
        remark: below the label.
        begin: start on the row, in s.
        shaded: unreadable segments (from, to) in s after its begin.
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
        """Duration in s."""
        return max(len(trace.values) / trace.fs for trace in self.traces)

    def span(self, gain: float) -> tuple[float, float]:
        """Lowest and highest mm around zero that it needs, in whole squares of 5 mm."""
        values = np.concatenate([trace.values for trace in self.traces])
        finite = values[np.isfinite(values)]
        centred = (finite - self.middle) * gain if len(finite) else np.zeros(1)
        low = 5 * np.floor(min(float(centred.min()), _MIN_LOW) / 5)
        high = 5 * np.ceil(max(float(centred.max()), _MIN_HIGH) / 5)
        return max(float(low), -_MAX), min(float(high), _MAX)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Layout of a sheet of paper.

    Attributes:
        title: above the traces: whose, when, how recorded and filtered.
        note: below them, beside the scale.
        gain: mm per mV.
        pitch: mm from row to row; by default each row is as high as its traces are. With it, the
            last traces may reach over two rows beside them, as on a recorder's paper.
        whole: s from the beginning to the end of the recording, by which times are labelled.
    """

    title: str = ""
    note: str = ""
    gain: float = MM_PER_MV
    pitch: float | None = None
    whole: float = 0.0


System = tuple[float, Sequence[Sequence[Cell]]]
"""Time in s of the left edge, and the rows that share it, from top to bottom."""


def paper(systems: Sequence[System], sheet: Sheet) -> Figure:
    """Draw rows of cells below each other on paper of the size that they need.

    Args:
        systems: groups of rows that follow each other in time; the label of a row's first cell
            stands in the margin, those of the others between the rows.
        sheet: layout of the sheet.

    Returns:
        A figure whose only axes cover it, in mm from its lower left corner.
    """
    spans = [[_span(row, sheet) for row in rows] for _, rows in systems]
    seconds = max(c.begin + c.seconds for _, rows in systems for row in rows for c in row)
    width = 5 * np.ceil((_LEFT + seconds * MM_PER_S + _RIGHT) / 5)
    top = _TOP + (5.0 if sheet.title else 0.0)
    spacing = 0.0 if sheet.pitch else _SPACING
    heights = [sum(high - low + spacing for low, high in each) for each in spans]
    height = top + sum(heights) + _BOTTOM * len(systems)
    figure = Figure(figsize=(width / _INCH, height / _INCH), facecolor=_PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    _grid(axes, width, height)
    if sheet.title:
        write(axes, 2, height - 6, fitting(sheet.title, width), fontsize=8, color=INK)
    at = height - top
    for (start, rows), limits in zip(systems, spans, strict=True):
        for row, (low, high) in zip(rows, limits, strict=True):
            _row(axes, row, zero=at - high, low=low, high=high, sheet=sheet)
            at -= high - low + spacing
        _times(axes, at, start, max(c.begin + c.seconds for row in rows for c in row), sheet.whole)
        at -= _BOTTOM
    scale = f"{MM_PER_S:g} mm/s    {sheet.gain:g} mm/mV"
    write(axes, 2, 2, "    ".join(filter(None, [scale, sheet.note])), fontsize=7.5, color=INK)
    return figure


def _span(row: Sequence[Cell], sheet: Sheet) -> tuple[float, float]:
    if sheet.pitch:
        return -sheet.pitch / 2, sheet.pitch / 2
    spans = [cell.span(sheet.gain) for cell in row]
    return min(low for low, _ in spans), max(high for _, high in spans)


def fitting(text: str, width: float) -> str:
    """A line that fits ``width`` mm: cut in its middle where it is longer."""
    most = max(int(width / 1.6), 12)
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"


def clock(second: float, whole: float) -> str:
    """A time in s as one of a recording of ``whole`` s: ``"7 s"``, ``"1:07"`` or ``"2:01:07"``."""
    if whole <= 60:
        return f"{second:g} s"
    minutes, rest = divmod(round(second, 2 if whole < 3600 else 0), 60)
    hours, minutes = divmod(int(minutes), 60)
    if whole < 3600:
        return f"{minutes}:{rest:02.0f}" if rest == int(rest) else f"{minutes}:{rest:05.2f}"
    return f"{hours}:{minutes:02d}:{rest:02.0f}"


def _grid(axes: Axes, width: float, height: float) -> None:
    for step, colour, line in ((1, _FINE, 0.35), (5, _BOLD, 0.6)):
        axes.vlines(np.arange(0, width + 1, step), 0, height, colour, linewidth=line)
        axes.hlines(np.arange(0, height + 1, step), 0, width, colour, linewidth=line)


def _row(
    axes: Axes, row: Sequence[Cell], zero: float, low: float, high: float, sheet: Sheet
) -> None:
    """One row around its isoelectric line at ``zero`` mm, cut where it would reach too far."""
    pulse = np.array([[-8, 0], [-6, 0], [-6, 1], [-1, 1], [-1, 0], [0, 0]])
    axes.plot(
        _LEFT - 2 + pulse[:, 0],
        zero + pulse[:, 1] * sheet.gain,
        color=row[0].traces[-1].colour,
        linewidth=0.8,
    )
    for cell in row:
        left = _LEFT + cell.begin * MM_PER_S
        _shade(axes, cell, left, zero + low, zero + high)
        for trace in cell.traces:
            # A QRS complex of 2 rows is drawn whole in the last trace, noise below it is cut.
            reach = (4.0 if trace is cell.traces[-1] else 1.5) if sheet.pitch else 1.0
            limits = zero + reach * low, zero + reach * high
            _draw(axes, trace, cell.middle, left, zero, limits, sheet.gain)
        if cell.begin:
            name = shortened(cell.label, 12)
            axes.vlines(left, zero - 3, zero + 3, INK, linewidth=0.8)
            style: dict[str, Any] = {"fontsize": 9, "fontweight": "bold", "color": INK}
            write(axes, left + 1, zero + high + 1, name, **style)
        else:
            lines = wrap(cell.label, 8, max_lines=3, placeholder="...")
            size = 10 if len(cell.label) <= 6 else 7
            for i, line in enumerate(reversed(lines)):
                y = zero + 2.5 + 3 * i
                write(axes, 2, y, line, fontsize=size, fontweight="bold", color=INK)
    write(axes, 2, zero - 2.5, row[0].remark, fontsize=8, color=row[0].traces[-1].colour)


def shortened(text: str, most: int) -> str:
    """A name of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _draw(
    axes: Axes,
    trace: Trace,
    middle: float,
    left: float,
    zero: float,
    limits: tuple[float, float],
    gain: float,
) -> None:
    x = left + np.arange(len(trace.values)) / trace.fs * MM_PER_S
    y = zero + (trace.values - middle) * gain
    if trace.sd is not None:
        edge = trace.sd * gain
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


def _times(axes: Axes, bottom: float, start: float, seconds: float, whole: float) -> None:
    """Seconds below the rows of a system that ends at ``bottom`` mm."""
    for second in range(int(seconds) + 1):
        x = _LEFT + second * MM_PER_S
        text = clock(start + second, max(whole, start + seconds))
        write(axes, x, bottom - 4, text, fontsize=7, color=FAINT_INK, ha="center")


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text that stays readable on the grid; a dollar in a name is not interpreted as a formula."""
    axes.text(
        x,
        y,
        visible(text),
        path_effects=[withStroke(linewidth=2.5, foreground=_PAPER)],
        parse_math=False,
        **style,
    )
