"""Tables of the page, as Markdown, and the CSV file of all numbers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ipmdae.files import replacing
from ipmdae.lab.data import nstdb
from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation.benchmark import Array, Result
from ipmdae.lab.evaluation.clinical.peaks import SNRS
from ipmdae.lab.evaluation.hearts import arrhythmia, gains, limbs, motion, pauses, peaks, signals
from ipmdae.lab.evaluation.hearts.components import COMPONENTS, FAST
from ipmdae.lab.evaluation.hearts.goals import between_beats as power_between_beats
from ipmdae.lab.evaluation.hearts.goals import (
    fifth,
    judged,
    lost_by_type,
    median,
    peak_rates,
    summarised,
)
from ipmdae.lab.evaluation.hearts.leads import CONDITIONS, NONE, SINES
from ipmdae.lab.evaluation.hearts.rows import cases, chosen, select
from ipmdae.lab.evaluation.tables import number, table

_SHOWN_TYPES = "NLRAV/FE"
_ALL = (*COMPONENTS, *FAST)


def goals(results: Sequence[Result], raw: Result | None, reference: Result | None) -> str:
    """Table of all goals, one column per method: measured value, and the shortfall."""
    columns = [judged(result, raw, reference) for result in results]
    rows = []
    for same in zip(*columns, strict=True):
        cells = []
        for goal in same:
            known = not np.isnan(goal.value)
            missed = f", {goal.verdict}" if known and not goal.reached else ""
            cells.append(f"{goal.measured if known else '-'}{missed}")
        rows.append([same[0].name, same[0].wanted, *cells])
    return table(["goal", "wanted", *(f"`{result.method}`" for result in results)], rows)


def least_gain(result: Result, conditions: Sequence[str]) -> tuple[str, float]:
    """Component with the least median gain under some conditions, and that gain."""
    found = summarised(result, tuple(COMPONENTS), conditions, median)
    if not found:
        return "-", np.nan
    case, _ = key = min(found, key=found.__getitem__)
    return case, found[key]


def by_condition(result: Result) -> str:
    """Median, 5th percentile and rejected share of all components of one method."""
    rows = []
    for case in _ALL:
        cells = []
        for condition in CONDITIONS:
            values = select(result, gains.GAIN, case, condition)
            readable = select(result, gains.GAIN, case, condition, "readable")
            flagged = 100 * float(1 - readable.mean()) if len(readable) else 0.0
            cell = _pair(values)
            cells.append(f"{cell}, {flagged:.0f} %" if flagged >= 0.5 else cell)
        rows.append([case, *cells])
    return table(["component", *(named(condition) for condition in CONDITIONS)], rows)


def graded_good(result: Result) -> str:
    """Median and 5th percentile of all components where graded good, and the share that is."""
    rows = []
    for case in _ALL:
        cells = []
        for condition in CONDITIONS:
            values, shares = (
                select(result, gains.GAIN, case, condition, field)
                for field in ("good", "graded_good")
            )
            cells.append(f"{_pair(values)}, {100 * _mean(shares):.0f} %")
        rows.append([case, *cells])
    return table(["component", *(named(condition) for condition in CONDITIONS)], rows)


def by_method(results: Sequence[Result], conditions: Sequence[str]) -> str:
    """Median and 5th percentile of all components of all methods under some conditions."""
    rows = [
        [case, *(_pair(_values(result, case, conditions)) for result in results)] for case in _ALL
    ]
    return table(["component", *(f"`{result.method}`" for result in results)], rows)


def beats_lost(results: Sequence[Result]) -> str:
    """Share of beats that lose more than 30 % of their height, by type, lead 0 / lead 1."""
    shares = [lost_by_type(result, 1) for result in results]
    rows = []
    for kind in _SHOWN_TYPES:
        cells = [
            " / ".join(_percent(share.get((kind, lead), np.nan)) for lead in ("0", "1"))
            for share in shares
        ]
        counts = _count(results, kind)
        if counts:
            rows.append([kind, f"{counts:,}", *cells])
    return table(["type", "beats", *(f"`{result.method}`" for result in results)], rows)


def rhythms(results: Sequence[Result]) -> str:
    """Atrial waves between beats by lead, PVCs by lead, and ventricular fibrillation."""
    rows = []
    for rhythm in arrhythmia.RHYTHMS.values():
        by_lead = [power_between_beats(result, rhythm) for result in results]
        for name in by_lead[0] if by_lead else ():
            cells = [number(lead.get(name, np.nan), 2) for lead in by_lead]
            rows.append([f"{rhythm}, {name}: power", *cells])
    for name in _records_of_pvcs(results):
        cells = []
        for result in results:
            rows_of = chosen(result, arrhythmia.HEIGHT, "V") & (result.record == name)
            cells.append(number(_first(result.values["value"][rows_of]), 2))
        rows.append([f"PVCs, {name}: height", *cells])
    cells = [_pair(select(result, arrhythmia.FIBRILLATION)) for result in results]
    rows.append(["VF, cu01: height, median / 5th percentile", *cells])
    flagged = [select(result, arrhythmia.FIBRILLATION, field="trusted") for result in results]
    rows.append(["VF, cu01: rejected (%)", *(_flagged(part) for part in flagged)])
    return table(["rhythm", *(f"`{result.method}`" for result in results)], rows)


def st_steps(results: Sequence[Result]) -> str:
    """Median and 95th percentile of the error of the ST level in µV."""
    rows = []
    for condition in gains.STEPPED:
        cells = []
        for result in results:
            errors = 1000 * np.abs(select(result, gains.STEP, condition=condition))
            known = len(errors) > 0
            values = (np.median(errors), np.percentile(errors, 95)) if known else (np.nan,) * 2
            cells.append(" / ".join(number(float(value), 0) for value in values))
        rows.append([named(condition), *cells])
    return table(["condition", *(f"`{result.method}`" for result in results)], rows)


def r_peaks(results: Sequence[Result], detector: str) -> str:
    """Sensitivity / predictivity in % of complete recordings; in brackets in readable segments."""
    conditions = [f"{snr} dB" for snr in SNRS]
    rows = []
    for result in results:
        cells = []
        for condition in conditions:
            whole = peak_rates(result, detector, condition)
            clear = peak_rates(result, detector, condition, "trusted")
            shares = select(result, peaks.HIT, detector, condition, "readable")
            formatted = " / ".join(number(rate, 1) for rate in whole)
            if len(shares) and shares.mean() < 1:
                formatted += f" ({' / '.join(number(rate, 2) for rate in clear)})"
            cells.append(formatted)
        rows.append([f"`{result.method}`", *cells])
    return table(["method", *conditions], rows)


def limb_leads(results: Sequence[Result]) -> str:
    """Largest rms of each equation over records, µV, after denoising."""
    rows = []
    for condition in limbs.CONDITIONS:
        for equation in limbs.EQUATIONS:
            cells = []
            for result in results:
                values = select(result, limbs.AFTER, equation, condition)
                cells.append(number(1000 * float(values.max()) if len(values) else np.nan, 1))
            rows.append([f"{equation}, {named(condition)}", *cells])
    return table(["equation", *(f"`{result.method}`" for result in results)], rows)


def test_signals(results: Sequence[Result]) -> str:
    """All numbers of the test signals, without and with baseline wander."""
    rows = []
    names = list(dict.fromkeys(case for result in results for case in
                               cases(result, signals.SIGNAL)))  # fmt: skip
    for case in names:
        for condition in (NONE, SINES):
            parts = [select(result, signals.SIGNAL, case, condition) for result in results]
            if any(len(part) for part in parts):
                cells = [number(_first(part), 2) for part in parts]
                rows.append([f"{case}, {named(condition)}", *cells])
    return table(["signal", *(f"`{result.method}`" for result in results)], rows)


def nothing_in(results: Sequence[Result]) -> str:
    """False detections per minute, all and not rejected, and the height left in a pause."""
    rows = []
    for case in (*pauses.PAUSES, pauses.ALONE):
        conditions = nstdb.KINDS if case == pauses.ALONE else pauses.CONDITIONS
        for condition in conditions:
            cells = []
            for result in results:
                beats = [
                    _mean(select(result, pauses.FOUND, case, condition, field))
                    for field in ("value", "trusted")
                ]
                formatted = " / ".join(number(count, 1) for count in beats)
                left = select(result, pauses.LEFT, case, condition)
                cells.append(f"{formatted}; {np.median(left):.2f}" if len(left) else formatted)
            where = TITLES[condition] if case == pauses.ALONE else named(condition)
            rows.append([f"{case}, {where}", *cells])
    return table(["case", *(f"`{result.method}`" for result in results)], rows)


def real_motion(results: Sequence[Result]) -> str:
    """Share in % of segments that are graded readable, by label."""
    rows = []
    for condition in motion.STRENGTHS:
        for label in (motion.GOOD, motion.LIMITED, motion.UNUSABLE):
            parts = [select(result, motion.PIECE, label, condition) for result in results]
            if any(len(part) for part in parts):
                cells = [number(100 * _mean(part), 1) for part in parts]
                rows.append([f"{label}, {condition}", str(len(parts[0])), *cells])
    return table(["label", "segments", *(f"`{result.method}`" for result in results)], rows)


def write_csv(results: Sequence[Result], path: Path) -> None:
    """Write a summary of all numbers as CSV: one line per method, measure, case and condition."""
    names = ("measure", "case", "condition")
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("method", "version", *names, "count", "mean", "median", "p5", "p95",
                      "median_readable", "readable"))  # fmt: skip
        for result in results:
            keys = np.stack([result.labels[name] for name in names])
            groups, index = np.unique(keys, axis=1, return_inverse=True)
            for i, group in enumerate(groups.T):
                of = index.ravel() == i
                numbers = _summary(*(result.values[name][of] for name in
                                     ("value", "trusted", "readable")))  # fmt: skip
                formatted = ["" if np.isnan(value) else f"{value:.5g}" for value in numbers]
                out.writerow((result.method, result.version[:12], *group, of.sum(), *formatted))


def named(condition: str) -> str:
    """Title of a condition."""
    if condition in (NONE, SINES):
        return {NONE: "no noise", SINES: "two sines"}[condition]
    kind, snr = condition.split()
    return f"{kind} {snr} dB"


def _summary(value: Array, trusted: Array, readable: Array) -> tuple[float, ...]:
    known, clear, share = (part[~np.isnan(part)] for part in (value, trusted, readable))
    percentiles = np.percentile(known, (50, 5, 95)) if len(known) else np.full(3, np.nan)
    return (
        _mean(known),
        *(float(percentile) for percentile in percentiles),
        float(np.median(clear)) if len(clear) else np.nan,
        _mean(share),
    )


def _values(result: Result, case: str, conditions: Sequence[str]) -> Array:
    return np.concatenate([select(result, gains.GAIN, case, name) for name in conditions])


def _pair(values: Array) -> str:
    known = values[~np.isnan(values)]
    if not len(known):
        return "-"
    return f"{median(known):.2f} / {fifth(known):.2f}"


def _percent(share: float) -> str:
    return number(100 * share, 1)


def _first(values: Array) -> float:
    return float(values[0]) if len(values) else np.nan


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else np.nan


def _flagged(trusted: Array) -> str:
    return number(100 * _mean(np.isnan(trusted)), 0)


def _count(results: Sequence[Result], kind: str) -> int:
    """Number of beats of a type in lead 0."""
    for result in results:
        rows = chosen(result, arrhythmia.BEATS_OF, kind)
        rows &= np.char.endswith(result.record, " 0")
        return int(result.values["value"][rows].sum())
    return 0


def _records_of_pvcs(results: Sequence[Result]) -> list[str]:
    names: list[str] = []
    for result in results:
        names += result.record[chosen(result, arrhythmia.HEIGHT, "V")].tolist()
    return list(dict.fromkeys(names))
