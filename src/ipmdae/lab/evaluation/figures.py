"""Figures of the pages: gain and error by noise, against cost, and examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ipmdae import figures
from ipmdae.lab.evaluation.published import BY_FACTOR, COUNTS, FACTOR_EDGES, ROWS
from ipmdae.lab.evaluation.results import Result

_INK, _FAINT, _OURS, _NOISE = "#16181d", "#7d8594", "#c8553d", "#c8553d"
_SHOWN = 3

_LEAST, _MOST = 0.01, 200.0  # %

_GAIN_FLOOR = -6.0  # dB

_BINS = np.arange(0.2, 2.01, 0.15)

_TINY = 1e-6  # mV²

_MARGIN = 0.15  # of the axis, on both sides

_AXES = {"multiply_accumulates": "multiply-accumulates", "parameters": "parameters"}


def save_all(drawn: Mapping[str, Figure], output: Path, dpi: int = 80) -> list[Path]:
    """Write figures to the folder ``figures`` of a page; their paths."""
    paths = [output / "figures" / name for name in drawn]
    for figure, path in zip(drawn.values(), paths, strict=True):
        figures.save(figure, path, dpi=dpi)
    return paths


def gain_by_noise(
    gains: Mapping[str, Mapping[str, Sequence[float]]], snrs: Sequence[float]
) -> Figure:
    """Mean SNR improvement of each method against the input SNR, one panel per kind of noise.

    Args:
        gains: in dB, (SNRs,) by title of the kind of noise and method.
        snrs: of the input, dB.
    """
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    colours = colormaps["tab20"].colors  # type: ignore[attr-defined]
    for axes, (title, by_method) in zip(grid.flat, gains.items(), strict=True):
        for at, (method, means) in enumerate(by_method.items()):
            axes.plot(
                snrs, means, ("-", "--", ":")[at // 10 % 3], marker=".", color=colours[at % 20],
                linewidth=1.3, label=method if axes is grid[0, 0] else None,
            )  # fmt: skip
        axes.set_title(title, fontsize=9)
        axes.set_xticks(snrs)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(bottom=max(axes.get_ylim()[0], _GAIN_FLOOR))
    for axes in grid[1]:
        axes.set_xlabel("SNR of the noisy segment / dB")
    for axes in grid[:, 0]:
        axes.set_ylabel("SNR improvement / dB")
    figure.legend(loc="outside right upper", fontsize=7, frameon=False)
    return figure


def gain_and_distortion(
    results: Sequence[Result], gains: Mapping[str, float], changes: Mapping[str, float]
) -> Figure:
    """Mean gain over all noise against the distortion of clean leads between 0.67 and 40 Hz.

    Args:
        results: of all methods.
        gains: in dB, by method.
        changes: changed power in %, by method.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for result in results:
        changed, gained = changes[result.method], gains[result.method]
        if np.isnan(changed) or np.isnan(gained):
            continue
        x, y = float(np.clip(changed, _LEAST, _MOST)), max(gained, _GAIN_FLOOR)
        axes.plot(x, y, "o", color=_NOISE if result.version else _INK, markersize=4)
        axes.annotate(
            result.method, (x, y), (4, 3), textcoords="offset points", fontsize=7, color=_INK
        )
    axes.set_xscale("log")
    axes.set_xlabel(f"changed power of clean leads, 0.67-40 Hz / % ({_LEAST:g} and less at left)")
    axes.set_ylabel("mean SNR improvement / dB")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def gain_by_cost(results: Sequence[Result], gains: Mapping[str, float]) -> Figure:
    """Mean gain over all noise of all networks against their cost, with the best other method."""
    usable = [result for result in results if not result.diverged]
    points = _points(usable, lambda result: {"gain": gains[result.method]})
    others = [result.method for result in usable if result.network is None]
    levels = {name: gains[name] for name in sorted(others, key=lambda name: -gains[name])[:1]}
    gain = Measure(name="gain", title="mean SNR improvement / dB", levels=levels)
    return against_cost(points, [gain], "5 s of a lead")


def examples(
    results: Sequence[Result],
    scores: Mapping[str, float],
    titles: Sequence[str],
    fs: float,
    *,
    noisy: str = "noisy",
    height: float = 1.25,
    centred: bool = False,
) -> Figure:
    """One column per example, one row for each of the methods with the highest score.

    Args:
        results: of all methods.
        scores: by method.
        titles: of the columns.
        fs: sampling rate in Hz.
        noisy: title of the row of noisy signals.
        height: of a row, inches.
        centred: draw noisy signals less the median of their noise, whose offset alone would hide
            the shape.
    """
    usable = [result for result in results if not result.diverged]
    best = sorted(usable, key=lambda result: -scores[result.method])[:_SHOWN]
    first = results[0].examples
    wide, faint = (0.9, 0.7) if centred else (0.7, 0.6)
    figure = Figure(
        figsize=(10 if centred else 9.5, height * (1 + len(best))), layout="constrained"
    )
    grid = figure.subplots(1 + len(best), len(titles), sharex=True, squeeze=False)
    time = np.arange(first["clean"].shape[1]) / fs
    for column, title in enumerate(titles):
        clean, line = first["clean"][column], first["noisy"][column]
        offset = np.median(line - clean) if centred else 0
        grid[0, column].plot(time, line - offset, color=_NOISE, linewidth=0.8 if centred else 0.7)
        grid[0, column].set_title(title, fontsize=9)
        for axes, result in zip(grid[1:, column], best, strict=True):
            axes.plot(time, result.examples["cleaned"][column], color=_INK, linewidth=wide)
        for axes in grid[:, column]:
            axes.plot(time, clean, color=_FAINT, linewidth=faint, zorder=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7, colors=_FAINT)
        grid[-1, column].set_xlabel("time / s", fontsize=8)
    for axes, label in zip(grid[:, 0], (noisy, *(r.method for r in best)), strict=True):
        axes.set_ylabel(f"{label}\nmV", fontsize=8)
    legend = "noisy, less its offset" if centred else "noisy"
    figure.suptitle(f"grey: clean; red: {legend}; black: cleaned", fontsize=9)
    return figure


def error_by_factor(results: Sequence[Result]) -> Figure:
    """Mean SSD of each method against the noise factor, with published results."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["tab20"].colors  # type: ignore[attr-defined]
    for at, result in enumerate(results):
        index = np.digitize(result["factor"], _BINS)
        present = np.unique(index)
        middles = [result["factor"][index == i].mean() for i in present]
        means = [max(float(result["ssd"][index == i].mean()), _TINY) for i in present]
        style = ("-", "--", ":")[at // 10 % 3]
        axes.plot(middles, means, style, color=colours[at % 20], linewidth=1.3, label=result.method)
    edges = np.array(FACTOR_EDGES)
    for (title, bins), mark in zip(BY_FACTOR.items(), "ox", strict=True):
        published = [ssd for ssd, *_ in bins]
        axes.plot(
            (edges[:-1] + edges[1:]) / 2, published, mark, color=_INK, markersize=4, label=title
        )
    axes.set_yscale("log")
    axes.set_xlabel("noise factor r")
    axes.set_ylabel("mean SSD / mV²")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", fontsize=7, frameon=False)
    return figure


def _points(
    results: Sequence[Result], measures: Callable[[Result], dict[str, float]]
) -> list[Point]:
    """The networks among some results."""
    return [
        Point(
            name=result.method,
            parameters=result.network.parameters,
            multiply_accumulates=result.network.multiply_accumulates,
            measures=measures(result),
            remark=result.network.remark,
        )
        for result in results
        if result.network is not None
    ]


def error_by_cost(results: Sequence[Result]) -> Figure:
    """SSD and cosine similarity of all networks against their cost, with published results.

    Dashed lines are the best methods without a network.
    """
    usable = [result for result in results if not result.diverged]
    classical = [result for result in usable if result.network is None]
    points = [
        Point(
            name=row.title,
            parameters=COUNTS[row.method].parameters,
            multiply_accumulates=COUNTS[row.method].multiply_accumulates,
            measures={"ssd": row.ssd, "cosine": row.cosine},
            published=True,
        )
        for row in ROWS
        if row.method in COUNTS
    ]
    points += _points(
        usable, lambda result: {name: float(result[name].mean()) for name in ("ssd", "cosine")}
    )
    best = {name: _best(classical, name, sign) for name, sign in (("ssd", 1), ("cosine", -1))}
    measures = [
        Measure(name="ssd", title="mean SSD / mV²", log=True, levels=best["ssd"]),
        Measure(name="cosine", title="mean CosSim", levels=best["cosine"]),
    ]
    return against_cost(points, measures, "beat")


def _best(results: Sequence[Result], measure: str, sign: int) -> dict[str, float]:
    means = {result.method: float(result[measure].mean()) for result in results}
    return dict(sorted(means.items(), key=lambda item: sign * item[1])[:1])


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


def against_cost(points: Sequence[Point], measures: Sequence[Measure], unit: str) -> Figure:
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
