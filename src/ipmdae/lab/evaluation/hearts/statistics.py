"""Statistics of a result of protocol hearts, for its page and its goals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipmdae.lab.evaluation.hearts import arrhythmia, detections, gains
from ipmdae.lab.evaluation.results import Array, Result

ENOUGH_BEATS = 20
"""Least number of beats of a type, over all records, for which a lead is scored."""


def select(
    result: Result,
    measure: str,
    case: str | None = None,
    condition: str | None = None,
    over: str = "value",
) -> Array:
    """Values of a measure, of one case and condition or of all, (rows,).

    Args:
        result: of a method.
        measure, case, condition, over: fields of :class:`~ipmdae.lab.evaluation.hearts.method.Row`.
    """
    rows = result.where(measure=measure, case=case, condition=condition)
    values: Array = rows[over].to_numpy()
    return values


def cases(result: Result, measure: str) -> list[str]:
    """Cases of a measure, in the order of measurement."""
    return list(dict.fromkeys(result.where(measure=measure)["case"]))


def percentile(values: Array, share: float) -> float:
    """Percentile of the known values; NaN without any."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan
    return float(np.median(known) if share == 50 else np.percentile(known, share))


def summarised(
    result: Result,
    components: Sequence[str],
    conditions: Sequence[str],
    share: float = 50,
    over: str = "value",
) -> dict[tuple[str, str], float]:
    """A percentile of the gains over leads, for each measured component and condition."""
    found = {
        (case, condition): percentile(select(result, gains.GAIN, case, condition, over), share)
        for case in components
        for condition in conditions
    }
    return {key: value for key, value in found.items() if not np.isnan(value)}


def least_gain(
    result: Result, components: Sequence[str], conditions: Sequence[str]
) -> tuple[str, float]:
    """Component with the least median gain under some conditions, and that gain."""
    found = summarised(result, components, conditions)
    if not found:
        return "-", np.nan
    case, _ = key = min(found, key=found.__getitem__)
    return case, found[key]


def lost_by_type(
    result: Result, least: int = ENOUGH_BEATS, *, over: str = "value"
) -> dict[tuple[str, str], float]:
    """Share of lost beats by type and number of the lead, for types with enough beats.

    Args:
        result: of a method.
        least: number of beats of a type from which on it is counted.
        over: lost beats that count: ``"good"`` those in seconds graded good.
    """
    found = {}
    for kind in cases(result, arrhythmia.BEATS_OF):
        for lead in ("0", "1"):
            beats, lost = (
                _of_lead(result, measure, kind, lead, field).sum()
                for measure, field in ((arrhythmia.BEATS_OF, "value"), (arrhythmia.LOST, over))
            )
            if beats >= least:
                found[kind, lead] = float(lost / beats)
    return found


def beats_of_type(result: Result, kind: str) -> int:
    """Number of beats of a type in lead 0."""
    return int(_of_lead(result, arrhythmia.BEATS_OF, kind, "0", "value").sum())


def _of_lead(result: Result, measure: str, kind: str, lead: str, over: str) -> Array:
    rows = result.where(measure=measure, case=kind)
    values: Array = rows[over][rows["record"].str.endswith(f" {lead}")].to_numpy()
    return values


def between_beats(result: Result, rhythm: str, over: str = "value") -> dict[str, float]:
    """Median power between beats relative to the Butterworth's, by lead."""
    rows = result.where(measure=arrhythmia.BETWEEN, case=rhythm)
    known = rows[rows[over].notna()]
    return {str(name): float(np.median(lead[over])) for name, lead in known.groupby("record")}


def peak_rates(
    result: Result, detector: str, condition: str, over: str = "value"
) -> tuple[float, float]:
    """Sensitivity and positive predictivity in % over the records of an SNR."""
    counts = [
        float(select(result, measure, detector, condition, over).sum())
        for measure in (detections.HIT, detections.MISSED, detections.FALSE)
    ]
    return detections.rates(*counts)
