"""Figures without ECG paper: strips of any signal, spectra, and overviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
from numpy.typing import NDArray

from ipmdae.figures.paper import FAINT_INK, INK, RED_INK, clock

_LINES = "#e6e8ec"
_STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 604800)  # s


def strip(
    traces: Mapping[str, NDArray[np.floating[Any]]],
    fs: float,
    *,
    unit: str = "mV",
    title: str = "",
    start: float = 0.0,
) -> Figure:
    """Plain strips below each other, for signals that are not ECGs or have no calibration.

    Args:
        traces: signals to draw, (time,) each, by label.
        fs: sampling rate in Hz.
        unit: of all traces.
        title: above the strips.
        start: time in s of the first samples.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not traces:
        raise ValueError("there are no traces to draw")
    figure, rows = _rows(len(traces))
    for axes, (label, values) in zip(rows, traces.items(), strict=True):
        axes.plot(start + np.arange(len(values)) / fs, values, color=INK, linewidth=0.7)
        _plain(axes, label)
        axes.margins(x=0, y=0.12)
    figure.align_ylabels(rows)
    rows[-1].set_xlabel(f"time / s (traces in {unit})", fontsize=9, color=FAINT_INK)
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def spectrum(
    frequencies: NDArray[np.float64],
    densities: Mapping[str, Mapping[str, NDArray[np.float64]]],
) -> Figure:
    """Power spectra, a row for each lead, over a logarithmic axis.

    Args:
        frequencies: (bins,) in Hz, ascending; that of 0 Hz is not drawn.
        densities: by lead, and by what was measured (such as ``"recorded"``), (bins,) in mV²/Hz.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not densities:
        raise ValueError("there are no spectra to draw")
    figure, rows = _rows(len(densities), 1.5)
    colours = (FAINT_INK, INK, RED_INK)
    shown = slice(1, None)
    for axes, (lead, curves) in zip(rows, densities.items(), strict=True):
        for colour, (label, density) in zip(colours, curves.items(), strict=False):
            decibels = 10 * np.log10(np.maximum(density[shown], 1e-10))
            axes.plot(frequencies[shown], decibels, color=colour, linewidth=0.9, label=label)
        _plain(axes, lead)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.margins(x=0, y=0.08)
    _legend(figure, rows[0])
    rows[-1].set_xlabel("frequency / Hz (density in dB re 1 mV²/Hz)", fontsize=9, color=FAINT_INK)
    return figure


def timeline(
    times: NDArray[np.float64],
    rows: Mapping[str, Sequence[tuple[str, NDArray[np.float64], NDArray[np.float64]]]],
    *,
    shaded: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    unit: str = "mV",
) -> Figure:
    """Overview of a whole recording: bands between a low and a high value, row by row.

    Args:
        times: (points,) in s.
        rows: by label, the bands (their label, low, high), low and high (points,); a band whose
            two are the same array is drawn as a line with points.
        shaded: unreadable segments (from, to) in s, by label of the row.
        unit: of all bands.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not rows:
        raise ValueError("there is nothing to draw over time")
    figure, panels = _rows(len(rows))
    for axes, (label, bands) in zip(panels, rows.items(), strict=True):
        for colour, (name, low, high) in zip((FAINT_INK, INK), bands, strict=False):
            if low is high:
                axes.plot(times, low, color=colour, label=name, linewidth=0.9, marker=".")
            else:
                axes.fill_between(times, low, high, color=colour, label=name, alpha=0.6, lw=0)
        for begin, end in (shaded or {}).get(label, ()):
            axes.axvspan(begin, end, color=RED_INK, alpha=0.25, linewidth=0)
        _plain(axes, label)
        axes.margins(x=0, y=0.12)
    whole = float(times[-1]) if len(times) else 0.0
    step = next((s for s in _STEPS if whole / s <= 9), _STEPS[-1])
    panels[-1].xaxis.set_major_locator(MultipleLocator(step))
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value, whole)))
    _legend(figure, panels[0])
    panels[-1].set_xlabel(f"time (values in {unit})", fontsize=9, color=FAINT_INK)
    return figure


def _rows(count: int, height: float = 1.15) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(10, 0.9 + height * count), layout="constrained")
    return figure, list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])


def _plain(axes: Axes, label: str) -> None:
    """A row with its label next to it, with few lines."""
    axes.set_ylabel(label, rotation=0, ha="right", va="center", fontweight="bold", parse_math=False)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.tick_params(labelsize=8, colors=FAINT_INK)
    axes.grid(axis="x", color=_LINES, linewidth=0.6)


def _legend(figure: Figure, row: Axes) -> None:
    """Legend of the colours above all rows."""
    handles, labels = row.get_legend_handles_labels()
    figure.legend(
        handles, labels, ncols=len(labels), frameon=False, fontsize=8, loc="outside upper right"
    )
