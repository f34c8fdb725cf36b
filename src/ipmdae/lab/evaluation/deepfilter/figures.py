"""Figures of protocol deepfilter: denoised beats, and the error by noise factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from ipmdae.lab.evaluation import cost
from ipmdae.lab.evaluation.benchmark import Result
from ipmdae.lab.evaluation.cost import Measure, Point
from ipmdae.lab.evaluation.deepfilter.published import COUNTS, FACTOR_EDGES, MECGE_BY_FACTOR, ROWS
from ipmdae.lab.protocols.deepfilter import FS

_INK, _FAINT, _NOISE = "#16181d", "#7d8594", "#c8553d"
_SHOWN = 3
_BINS = np.arange(0.2, 2.01, 0.15)
_TINY = 1e-6  # mV²


def examples(results: Sequence[Result]) -> Figure:
    """One column per noise factor, one row for each of the methods with the highest similarity."""
    usable = [result for result in results if not result.diverged]
    best = sorted(usable, key=lambda result: -float(result.values["cosine"].mean()))[:_SHOWN]
    first = results[0].examples
    rows, columns = 1 + len(best), len(first["factor"])
    figure = Figure(figsize=(10, 1.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
    time = np.arange(first["clean"].shape[1]) / FS
    for column in range(columns):
        clean = first["clean"][column]
        noisy = first["noisy"][column]
        # The baseline wander is centred on the beat: its offset alone would hide its shape.
        grid[0, column].plot(time, noisy - np.median(noisy - clean), color=_NOISE, linewidth=0.8)
        grid[0, column].set_title(f"r = {first['factor'][column]:g}", fontsize=9)
        for axes, result in zip(grid[1:, column], best, strict=True):
            axes.plot(time, result.examples["cleaned"][column], color=_INK, linewidth=0.9)
        for axes in grid[:, column]:
            axes.plot(time, clean, color=_FAINT, linewidth=0.7, zorder=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7, colors=_FAINT)
        grid[-1, column].set_xlabel("time / s", fontsize=8)
    for axes, label in zip(grid[:, 0], ("noisy", *(r.method for r in best)), strict=True):
        axes.set_ylabel(f"{label}\nmV", fontsize=8)
    figure.suptitle("grey: clean; red: noisy, less its offset; black: cleaned", fontsize=9)
    return figure


def by_factor(results: Sequence[Result]) -> Figure:
    """Mean SSD of each method against the noise factor, with the best published network."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["tab20"].colors  # type: ignore[attr-defined]
    for at, result in enumerate(results):
        index = np.digitize(result.labels["factor"], _BINS)
        present = np.unique(index)
        middles = [result.labels["factor"][index == i].mean() for i in present]
        means = [max(float(result.values["ssd"][index == i].mean()), _TINY) for i in present]
        style = ("-", "--", ":")[at // 10 % 3]
        axes.plot(middles, means, style, color=colours[at % 20], linewidth=1.3, label=result.method)
    edges = np.array(FACTOR_EDGES)
    published = [ssd for ssd, _ in MECGE_BY_FACTOR]
    axes.plot(
        (edges[:-1] + edges[1:]) / 2, published, "o", color=_INK, markersize=4,
        label="MECG-E, published",
    )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlabel("noise factor r")
    axes.set_ylabel("mean SSD / mV²")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", fontsize=7, frameon=False)
    return figure


def by_cost(results: Sequence[Result]) -> Figure:
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
    points += [
        Point(
            name=result.method,
            parameters=result.network.parameters,
            multiply_accumulates=result.network.multiply_accumulates,
            measures={name: float(result.values[name].mean()) for name in ("ssd", "cosine")},
            remark=result.network.remark,
        )
        for result in usable
        if result.network is not None
    ]
    best = {name: _best(classical, name, sign) for name, sign in (("ssd", 1), ("cosine", -1))}
    measures = [
        Measure(name="ssd", title="mean SSD / mV²", log=True, levels=best["ssd"]),
        Measure(name="cosine", title="mean CosSim", levels=best["cosine"]),
    ]
    return cost.draw(points, measures, "beat")


def _best(results: Sequence[Result], measure: str, sign: int) -> dict[str, float]:
    means = {result.method: float(result.values[measure].mean()) for result in results}
    return dict(sorted(means.items(), key=lambda item: sign * item[1])[:1])
