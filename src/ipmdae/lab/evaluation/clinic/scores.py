"""Numbers of the page of protocol clinic: means with intervals, and differences."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.lab.evaluation.benchmark import Result, in_common
from ipmdae.lab.evaluation.clinic.scoring import BANDS, MEASURES
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.protocols.clinic_test import CLEAN, CONDITIONS, SNRS

ALL = "all"
"""All kinds of noise at all SNRs."""

BY_SNR = ("snr_improvement", "snr_improvement_above")
"""Measures that need added noise."""

CHANGED = tuple(f"changed_{band}" for band in ("all", *BANDS))
"""Relative AC distortion of a clean segment, in total and per band, %."""


class Case(NamedTuple):
    """A measure under one kind of noise (or :data:`ALL`, or none) at one SNR in dB."""

    measure: str
    kind: str
    snr_in: float


@dataclass(frozen=True, eq=False)
class Score:
    """Mean of a method in each case, and its difference to the method compared with.

    Attributes:
        result: the result that was scored.
        mean: by case.
        difference: by case; NaN if not defined.
    """

    result: Result
    mean: dict[Case, Interval]
    difference: dict[Case, Interval]


def cases() -> list[Case]:
    """All cases, in the order of the page."""
    found = [Case(measure, ALL, np.nan) for measure in MEASURES]
    found += [Case(measure, ALL, float(snr)) for measure in BY_SNR for snr in SNRS]
    for kind, snr in CONDITIONS:
        measures = [m for m in MEASURES if kind != CLEAN or m not in BY_SNR]
        found += [Case(measure, kind, snr) for measure in measures]
    return [*found, *(Case(measure, CLEAN, np.inf) for measure in CHANGED)]


def score(result: Result, anchor: Result | None) -> Score:
    """Compute all means of a method, and its differences to ``anchor`` on the same signals."""
    mean, difference = {}, {}
    for case in cases():
        chosen = _chosen(result, case)
        if result.diverged:
            mean[case] = difference[case] = NOWHERE
        elif case.measure in CHANGED:
            bands = BANDS if case.measure == "changed_all" else [case.measure.split("_")[1]]
            mean[case], difference[case] = over_records(*changed(result, bands)), NOWHERE
        else:
            values = result.values[case.measure]
            mean[case] = over_records(values[chosen], result.record[chosen])
            difference[case] = _difference(result, anchor, case.measure, chosen)
    return Score(result, mean, difference)


def write(scores: Sequence[Score], path: Path) -> None:
    """Write all numbers as CSV: one line per method and case."""
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        fields = ("mean", "low", "high", "difference", "difference_low", "difference_high")
        out.writerow(("method", "version", *Case._fields, *fields))
        for row in scores:
            for case, mean in row.mean.items():
                other = row.difference[case]
                values = (mean.mean, mean.low, mean.high, other.mean, other.low, other.high)
                formatted = ("" if np.isnan(value) else f"{value:.6g}" for value in values)
                out.writerow((row.result.method, row.result.version[:12], *case, *formatted))


def _chosen(result: Result, case: Case) -> NDArray[np.bool_]:
    kind, snr = result.labels["kind"], result.labels["snr_in"]
    chosen: NDArray[np.bool_] = kind != CLEAN if case.kind == ALL else kind == case.kind
    return chosen if np.isnan(case.snr_in) else chosen & (snr == case.snr_in)


def _difference(
    result: Result, anchor: Result | None, measure: str, chosen: NDArray[np.bool_]
) -> Interval:
    if anchor is None or anchor is result:
        return NOWHERE
    ours, theirs = in_common(result, anchor)
    theirs, ours = theirs[chosen[ours]], ours[chosen[ours]]
    apart = result.values[measure][ours] - anchor.values[measure][theirs]
    return over_records(apart, result.record[ours])


def changed(result: Result, bands: Collection[str]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Relative AC distortion of clean segments in some of :data:`BANDS`.

    Returns:
        The share in % of each record, over all of its segments, and the records' names, (records,).
    """
    chosen = result.labels["kind"] == CLEAN
    names, index = np.unique(result.record[chosen], return_inverse=True)
    change, power = (
        np.bincount(index, sum(result.values[f"{of}_{band}"][chosen] for band in bands))
        for of in ("change", "power")
    )
    return 100 * change / power, names
