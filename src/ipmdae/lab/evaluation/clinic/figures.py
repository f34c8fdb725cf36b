"""Figures of protocol clinic: gain by noise and SNR, gain against distortion, and examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation import cost
from ipmdae.lab.evaluation.clinic.scores import ALL, Case, Score
from ipmdae.lab.evaluation.cost import Measure, Point
from ipmdae.lab.protocols.clinic_test import CLEAN, FS, KINDS, MIXTURE, SNRS

_INK, _FAINT, _NOISE = "#16181d", "#7d8594", "#c8553d"
_SHOWN = 3
_LEAST, _MOST = 0.01, 200.0  # %
_GAIN_FLOOR = -6.0  # dB

KIND_TITLES = {**TITLES, MIXTURE: "all three"}


def gain(scores: Sequence[Score]) -> Figure:
    """Mean SNR improvement of each method against the input SNR, one panel per kind of noise."""
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    colours = colormaps["tab20"].colors  # type: ignore[attr-defined]
    for axes, kind in zip(grid.flat, KINDS, strict=True):
        for at, score in enumerate(scores):
            means = [score.mean[Case("snr_improvement", kind, snr)].mean for snr in SNRS]
            axes.plot(
                SNRS, means, ("-", "--", ":")[at // 10 % 3], marker=".", color=colours[at % 20],
                linewidth=1.3, label=score.result.method if kind == KINDS[0] else None,
            )  # fmt: skip
        axes.set_title(KIND_TITLES[kind], fontsize=9)
        axes.set_xticks(SNRS)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(bottom=max(axes.get_ylim()[0], _GAIN_FLOOR))
    for axes in grid[1]:
        axes.set_xlabel("SNR of the noisy segment / dB")
    for axes in grid[:, 0]:
        axes.set_ylabel("SNR improvement / dB")
    figure.legend(loc="outside right upper", fontsize=7, frameon=False)
    return figure


def harm(scores: Sequence[Score]) -> Figure:
    """Mean gain over all noise against the distortion of clean leads between 0.67 and 40 Hz."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for score in scores:
        changed = score.mean[Case("changed_middle", CLEAN, np.inf)].mean
        gained = score.mean[Case("snr_improvement", ALL, np.nan)].mean
        if np.isnan(changed) or np.isnan(gained):
            continue
        x, y = float(np.clip(changed, _LEAST, _MOST)), max(gained, _GAIN_FLOOR)
        axes.plot(x, y, "o", color=_NOISE if score.result.version else _INK, markersize=4)
        axes.annotate(
            score.result.method, (x, y), (4, 3), textcoords="offset points", fontsize=7,
            color=_INK,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel(f"changed power of clean leads, 0.67-40 Hz / % ({_LEAST:g} and less at left)")
    axes.set_ylabel("mean SNR improvement / dB")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def by_cost(scores: Sequence[Score]) -> Figure:
    """Mean gain over all noise of all networks against their cost, with the best other method."""
    case = Case("snr_improvement", ALL, np.nan)
    gains = {score.result.method: score.mean[case].mean for score in scores}
    usable = [score for score in scores if not score.result.diverged]
    points = [
        Point(
            name=score.result.method,
            parameters=score.result.network.parameters,
            multiply_accumulates=score.result.network.multiply_accumulates,
            measures={"gain": gains[score.result.method]},
            remark=score.result.network.remark,
        )
        for score in usable
        if score.result.network is not None
    ]
    others = [score.result.method for score in usable if score.result.network is None]
    best = sorted(others, key=lambda name: -gains[name])[:1]
    levels = {name: gains[name] for name in best}
    gain = Measure(name="gain", title="mean SNR improvement / dB", levels=levels)
    return cost.draw(points, [gain], "5 s of a lead")


def examples(scores: Sequence[Score]) -> Figure:
    """One column per kind of noise, one row for each of the methods with the highest gain."""
    usable = [score for score in scores if not score.result.diverged]
    case = Case("snr_improvement", ALL, np.nan)
    best = sorted(usable, key=lambda score: -score.mean[case].mean)[:_SHOWN]
    first = scores[0].result.examples
    figure = Figure(figsize=(9.5, 1.25 * (1 + len(best))), layout="constrained")
    grid = figure.subplots(1 + len(best), len(first["kind"]), sharex=True, squeeze=False)
    time = np.arange(first["clean"].shape[1]) / FS
    for column, kind in enumerate(first["kind"]):
        grid[0, column].plot(time, first["noisy"][column], color=_NOISE, linewidth=0.7)
        grid[0, column].set_title(KIND_TITLES[str(kind)], fontsize=9)
        for axes, score in zip(grid[1:, column], best, strict=True):
            cleaned = score.result.examples["cleaned"][column]
            axes.plot(time, cleaned, color=_INK, linewidth=0.7)
        for axes in grid[:, column]:
            axes.plot(time, first["clean"][column], color=_FAINT, linewidth=0.6, zorder=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7, colors=_FAINT)
        grid[-1, column].set_xlabel("time / s", fontsize=8)
    names = ("noisy, 0 dB", *(score.result.method for score in best))
    for axes, label in zip(grid[:, 0], names, strict=True):
        axes.set_ylabel(f"{label}\nmV", fontsize=8)
    figure.suptitle("grey: clean; red: noisy; black: cleaned", fontsize=9)
    return figure
