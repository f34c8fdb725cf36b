"""Figures of accuracy against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

_INK, _FAINT, _OURS = "#16181d", "#7d8594", "#c8553d"
_MARGIN = 0.15  # of the axis, on both sides
_AXES = {"multiply_accumulates": "multiply-accumulates", "parameters": "parameters"}


@dataclass(frozen=True, kw_only=True)
class Point:
    """A network with its cost and its measures.

    Attributes:
        name: label of the point.
        parameters: number of weights.
        multiply_accumulates: for one window.
        measures: by name.
        published: True for numbers from a paper.
        remark: ``not converged``, ``diverged``, or empty.
    """

    name: str
    parameters: float
    multiply_accumulates: float
    measures: Mapping[str, float]
    published: bool = False
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A row of the figure, one measure.

    Attributes:
        name: in :attr:`Point.measures`.
        title: of its axis.
        log: True for a logarithmic axis.
        levels: values of other methods, by name: dashed lines.
    """

    name: str
    title: str
    log: bool = False
    levels: Mapping[str, float] = field(default_factory=dict)


def draw(points: Sequence[Point], measures: Sequence[Measure], unit: str) -> Figure:
    """One row per measure, against multiply-accumulates for a ``unit`` and against parameters."""
    figure = Figure(figsize=(9.5, 3.4 * len(measures)), layout="constrained")
    grid = figure.subplots(len(measures), len(_AXES), sharex="col", sharey="row", squeeze=False)
    for row, measure in zip(grid, measures, strict=True):
        for axes, cost in zip(row, _AXES, strict=True):
            _panel(axes, points, measure, cost)
        row[0].set_ylabel(measure.title)
        if measure.log:
            row[0].set_yscale("log")
    for axes, (cost, title) in zip(grid[-1], _AXES.items(), strict=True):
        axes.set_xlabel(f"{title} per {unit}" if cost == "multiply_accumulates" else title)
    crosses = "grey crosses: published; " if any(point.published for point in points) else ""
    figure.suptitle(
        f"red: measured here, hollow where training has not converged; {crosses}dashed: no network",
        fontsize=8,
    )
    return figure


def _panel(axes: Axes, points: Sequence[Point], measure: Measure, cost: str) -> None:
    costs = [getattr(point, cost) for point in points]
    middle = (min(costs, default=1) * max(costs, default=1)) ** 0.5
    for point in points:
        place = (getattr(point, cost), point.measures[measure.name])
        colour = _FAINT if point.published else _OURS
        axes.plot(
            *place, "x" if point.published else "o", color=colour, markersize=5,
            markerfacecolor="none" if point.remark else colour,
        )  # fmt: skip
        left = place[0] > middle
        axes.annotate(
            point.name, place, (-4 if left else 4, 3), textcoords="offset points", fontsize=7,
            ha="right" if left else "left", color=_FAINT if point.published else _INK,
        )  # fmt: skip
    for name, level in measure.levels.items():
        axes.axhline(level, color=_FAINT, linewidth=0.8, linestyle="--")
        axes.annotate(
            name, (0, level), (2, 2), xycoords=("axes fraction", "data"),
            textcoords="offset points", fontsize=7, color=_FAINT,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=_MARGIN)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
