"""Page of protocol hearts, its tables and the CSV file of all numbers, from stored results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ipmdae.lab.data import nstdb
from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation import candidates, figures, goals, pages
from ipmdae.lab.evaluation.beats import DETECTORS, SNRS
from ipmdae.lab.evaluation.goal_measures import Stored
from ipmdae.lab.evaluation.hearts import (
    arrhythmia,
    detections,
    gains,
    leads,
    limbs,
    motion,
    pictures,
    signals,
)
from ipmdae.lab.evaluation.hearts.components import COMPONENTS, FAST
from ipmdae.lab.evaluation.hearts.leads import CONDITIONS, NONE, SINES
from ipmdae.lab.evaluation.hearts.method import CLASSICAL, RAW, default_methods
from ipmdae.lab.evaluation.hearts.statistics import (
    beats_of_type,
    between_beats,
    cases,
    lost_by_type,
    peak_rates,
    percentile,
    select,
)
from ipmdae.lab.evaluation.pages import brief, grid, number, table
from ipmdae.lab.evaluation.results import Array, Result, anchor_of, load_all
from ipmdae.methods.network import DEFAULT_MODEL

_SHOWN_TYPES = "NLRAV/FE"
_ALL = {case: case for case in (*COMPONENTS, *FAST)}

Cell = Callable[[Result], str]


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``hearts.md``, ``hearts.csv`` and figures.

    See :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / "hearts", default_methods())
    if not stored:
        return []
    candidates.warn_of_outdated(stored)
    anchor = anchor_of(stored, against, DEFAULT_MODEL) or stored[-1]
    drawn = {
        "hearts_components.png": pictures.figure_of_components(anchor),
        "hearts_real.png": pictures.figure_of_arrhythmia(anchor),
        "hearts_constructed.png": pictures.figure_of_signals(anchor),
    }
    shown = {name: figure for name, figure in drawn.items() if figure is not None}
    return [
        pages.write(markdown(stored, anchor, list(shown)), output / "hearts.md"),
        write_csv(stored, output / "hearts.csv"),
        *figures.save_all(shown, output),
    ]


def markdown(results: Sequence[Result], anchor: Result, shown: Sequence[str] = ()) -> str:
    """Format the page.

    Args:
        results: of all methods.
        anchor: the method with the full table.
        shown: names of the figures.
    """
    methods = [result for result in results if result.method != RAW]
    methods.sort(key=lambda result: result.method in CLASSICAL)  # filters behind
    stored = Stored(given=results)
    conditions = {condition_title(condition): condition for condition in CONDITIONS}
    every = {f"`{result.method}`": result for result in results}
    snrs = {f"{snr} dB": f"{snr} dB" for snr in SNRS}
    incomplete = any(result.done < result.total or result.diverged for result in results)
    return pages.render(
        "hearts.md.j2",
        incomplete=incomplete and ", ".join(result.title("units") for result in results),
        goals=_goals(methods or results, stored),
        leads=len(leads.names()),
        anchor=anchor.method,
        by_condition=grid("component", _ALL, conditions, partial(_with_rejected, anchor)),
        graded_good=grid("component", _ALL, conditions, partial(_graded_good, anchor)),
        no_noise=_by_method("component", _components((NONE,)), methods),
        wander=_by_method("component", _components(leads.WANDER), methods),
        beats_lost=_beats_lost(methods),
        rhythms=_by_method("rhythm", _rhythms(methods), methods),
        st_steps=_by_method("condition", _st_steps(), methods),
        r_peaks={
            detector: grid("method", every, snrs, partial(_r_peaks, detector))
            for detector in DETECTORS
        },
        limb_leads=_by_method("equation", _limb_leads(), methods),
        signals=_by_method("signal", _signals(methods), methods),
        pauses=_by_method("case", _pauses(), results),
        motion=_motion(methods),
        shown=shown,
    )


def write_csv(results: Sequence[Result], path: Path) -> Path:
    """Write a summary of all numbers as CSV: one line per method, measure, case and condition."""
    names = ["measure", "case", "condition"]
    header = ("method", "version", *names, "count", "mean", "median", "p5", "p95",
              "median_readable", "readable")  # fmt: skip
    lines = []
    for result in results:
        for key, rows in result.table.groupby(names):
            value, trusted, share = (
                rows[name].to_numpy() for name in ("value", "trusted", "readable")
            )
            numbers = (
                _mean(value[~np.isnan(value)]),
                *(percentile(value, part) for part in (50, 5, 95)),
                percentile(trusted, 50),
                _mean(share[~np.isnan(share)]),
            )
            written = (brief(number, 5) for number in numbers)
            lines.append((result.method, result.version[:12], *key, len(rows), *written))
    return pages.write_csv(header, lines, path)


def condition_title(condition: str) -> str:
    """Title of a condition."""
    if condition in (NONE, SINES):
        return {NONE: "no noise", SINES: "two sines"}[condition]
    kind, snr = condition.split()
    return f"{kind} {snr} dB"


def _by_method(corner: str, rows: dict[str, Cell], results: Sequence[Result]) -> str:
    """A table with a column for each method."""
    columns = {f"`{result.method}`": result for result in results}
    return grid(corner, rows, columns, lambda cell, result: cell(result))


def _goals(results: Sequence[Result], stored: Stored) -> str:
    """Table of all goals, one column per method: measured value, and the shortfall."""
    columns = [goals.judged("hearts", stored, result.method) for result in results]
    rows = []
    for same in zip(*columns, strict=True):
        cells = []
        for goal in same:
            known = not np.isnan(goal.value)
            missed = f", {goal.verdict}" if known and not goal.reached else ""
            cells.append(f"{goal.measured if known else '-'}{missed}")
        rows.append([same[0].name, same[0].wanted, *cells])
    return table(["goal", "wanted", *(f"`{result.method}`" for result in results)], rows)


def _with_rejected(result: Result, case: str, condition: str) -> str:
    """Median, 5th percentile and rejected share of a component."""
    values, readable = (
        select(result, gains.GAIN, case, condition, over) for over in ("value", "readable")
    )
    rejected = 100 * float(1 - readable.mean()) if len(readable) else 0.0
    return f"{_pair(values)}, {rejected:.0f} %" if rejected >= 0.5 else _pair(values)


def _graded_good(result: Result, case: str, condition: str) -> str:
    """Median and 5th percentile of a component where graded good, and the share that is."""
    values, shares = (
        select(result, gains.GAIN, case, condition, over) for over in ("good", "graded_good")
    )
    return f"{_pair(values)}, {100 * _mean(shares):.0f} %"


def _components(conditions: Sequence[str]) -> dict[str, Cell]:
    """Median and 5th percentile of all components under some conditions."""

    def cell(case: str, result: Result) -> str:
        return _pair(
            np.concatenate([select(result, gains.GAIN, case, name) for name in conditions])
        )

    return {case: partial(cell, case) for case in _ALL}


def _beats_lost(results: Sequence[Result]) -> str:
    """Share of beats that lose more than 30 % of their height, by type, lead 0 / lead 1."""
    shares = [lost_by_type(result, 1) for result in results]
    rows = []
    for kind in _SHOWN_TYPES:
        cells = [
            " / ".join(number(100 * share.get((kind, lead), np.nan), 1) for lead in ("0", "1"))
            for share in shares
        ]
        count = beats_of_type(results[0], kind) if results else 0
        if count:
            rows.append([kind, f"{count:,}", *cells])
    return table(["type", "beats", *(f"`{result.method}`" for result in results)], rows)


def _rhythms(results: Sequence[Result]) -> dict[str, Cell]:
    """Atrial waves between beats by lead, PVCs by lead, and ventricular fibrillation."""

    def power(rhythm: str, name: str, result: Result) -> str:
        return number(between_beats(result, rhythm).get(name, np.nan), 2)

    def height(name: str, result: Result) -> str:
        rows = result.where(measure=arrhythmia.HEIGHT, case="V", record=name)
        return number(_first(rows["value"].to_numpy()), 2)

    def rejected(result: Result) -> str:
        trusted = select(result, arrhythmia.FIBRILLATION, over="trusted")
        return number(100 * _mean(np.isnan(trusted)), 0)

    cells: dict[str, Cell] = {}
    for rhythm in arrhythmia.RHYTHMS.values():
        for name in between_beats(results[0], rhythm) if results else ():
            cells[f"{rhythm}, {name}: power"] = partial(power, rhythm, name)
    for result in results:
        for name in result.where(measure=arrhythmia.HEIGHT, case="V")["record"]:
            cells[f"PVCs, {name}: height"] = partial(height, name)
    cells["VF, cu01: height, median / 5th percentile"] = lambda result: _pair(
        select(result, arrhythmia.FIBRILLATION)
    )
    cells["VF, cu01: rejected (%)"] = rejected
    return cells


def _st_steps() -> dict[str, Cell]:
    """Median and 95th percentile of the error of the ST level in µV."""

    def cell(condition: str, result: Result) -> str:
        errors = 1000 * np.abs(select(result, gains.STEP, condition=condition))
        values = (np.median(errors), np.percentile(errors, 95)) if len(errors) else (np.nan,) * 2
        return " / ".join(number(float(value), 0) for value in values)

    return {condition_title(condition): partial(cell, condition) for condition in gains.STEPPED}


def _r_peaks(detector: str, result: Result, condition: str) -> str:
    """Sensitivity / predictivity in % of complete recordings; in brackets those readable."""
    shares = select(result, detections.HIT, detector, condition, "readable")
    cell = " / ".join(number(rate, 1) for rate in peak_rates(result, detector, condition))
    if len(shares) and shares.mean() < 1:
        clear = peak_rates(result, detector, condition, "trusted")
        cell += f" ({shares.mean():.0%}: {' / '.join(number(rate, 2) for rate in clear)})"
    return cell


def _limb_leads() -> dict[str, Cell]:
    """Largest rms of each equation over records, µV, after denoising."""

    def cell(equation: str, condition: str, result: Result) -> str:
        values = select(result, limbs.AFTER, equation, condition)
        return number(1000 * float(values.max()) if len(values) else np.nan, 1)

    return {
        f"{equation}, {condition_title(condition)}": partial(cell, equation, condition)
        for condition in limbs.CONDITIONS
        for equation in limbs.EQUATIONS
    }


def _signals(results: Sequence[Result]) -> dict[str, Cell]:
    """All numbers of the test signals, without and with baseline wander."""

    def cell(case: str, condition: str, result: Result) -> str:
        return number(_first(select(result, signals.SIGNAL, case, condition)), 2)

    return {
        f"{case}, {condition_title(condition)}": partial(cell, case, condition)
        for case in dict.fromkeys(case for r in results for case in cases(r, signals.SIGNAL))
        for condition in (NONE, SINES)
        if any(len(select(result, signals.SIGNAL, case, condition)) for result in results)
    }


def _pauses() -> dict[str, Cell]:
    """False detections per minute, all and not rejected, and the height left in a pause."""

    def cell(case: str, condition: str, result: Result) -> str:
        found = " / ".join(
            number(_mean(select(result, detections.FOUND, case, condition, over)), 1)
            for over in ("value", "trusted")
        )
        left = select(result, detections.LEFT, case, condition)
        return f"{found}; {np.median(left):.2f}" if len(left) else found

    pauses: dict[str, Cell] = {
        f"{case}, {condition_title(condition)}": partial(cell, case, condition)
        for case in detections.PAUSES
        for condition in detections.CONDITIONS
    }
    alone = detections.ALONE
    return pauses | {f"{alone}, {TITLES[kind]}": partial(cell, alone, kind) for kind in nstdb.KINDS}


def _motion(results: Sequence[Result]) -> str:
    """Share in % of segments that are graded readable, by label."""
    rows = []
    for condition in motion.STRENGTHS:
        for label in (motion.GOOD, motion.LIMITED, motion.UNUSABLE):
            parts = [select(result, motion.PIECE, label, condition) for result in results]
            if any(len(part) for part in parts):
                cells = [number(100 * _mean(part), 1) for part in parts]
                rows.append([f"{label}, {condition}", str(len(parts[0])), *cells])
    return table(["label", "segments", *(f"`{result.method}`" for result in results)], rows)


def _pair(values: Array) -> str:
    """``median / 5th percentile``."""
    if np.isnan(values).all():
        return "-"
    return f"{percentile(values, 50):.2f} / {percentile(values, 5):.2f}"


def _first(values: Array) -> float:
    return float(values[0]) if len(values) else np.nan


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else np.nan
