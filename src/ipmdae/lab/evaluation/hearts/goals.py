"""Goals of protocol hearts: a bound, and its measured value from a stored result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ipmdae.lab.data import nstdb
from ipmdae.lab.evaluation.benchmark import Array, Result
from ipmdae.lab.evaluation.clinical.detectors import DETECTORS
from ipmdae.lab.evaluation.goals.goal import Goal
from ipmdae.lab.evaluation.hearts import arrhythmia, gains, limbs, motion, pauses, peaks, signals
from ipmdae.lab.evaluation.hearts.components import COMPONENTS, FAST
from ipmdae.lab.evaluation.hearts.leads import CONDITIONS, MODERATE, NONE, STRONG, WANDER
from ipmdae.lab.evaluation.hearts.rows import Field, cases, chosen, select

ENOUGH_BEATS = 20
"""Least number of beats of a type, over all records, for which a lead is scored."""

_AT = "0 dB"  # of records 118e* and 119e*


class Measured(NamedTuple):
    """A number with its text; NaN if not measured."""

    value: float
    shown: str = ""


class Wanted(NamedTuple):
    """A goal.

    Attributes:
        name: quantity, with its unit.
        bound: required value.
        at_most: True if lower is better.
        digits: decimal places.
        of: function of a result, given those of the input (``none``) and of the Butterworth.
    """

    name: str
    bound: float
    at_most: bool
    digits: int
    of: Callable[[Result, Result | None, Result | None], Measured]


def judged(result: Result | None, raw: Result | None, reference: Result | None) -> list[Goal]:
    """All goals with the measured values of a method.

    Args:
        result: result of the method; without it nothing is measured.
        raw: result of the identity baseline, if there is one.
        reference: result of the Butterworth band-pass of 0.5 to 40 Hz, if there is one.
    """
    goals = []
    for wanted in WANTED:
        measured = Measured(np.nan) if result is None else wanted.of(result, raw, reference)
        goals.append(
            Goal(
                name=wanted.name,
                bound=wanted.bound,
                value=measured.value,
                at_most=wanted.at_most,
                digits=wanted.digits,
                shown=measured.shown,
            )
        )
    return goals


def summarised(
    result: Result,
    components: Sequence[str],
    conditions: Sequence[str],
    statistic: Callable[[Array], float],
    field: Field = "value",
) -> dict[tuple[str, str], float]:
    """A statistic of the gains over leads, for each measured component and condition."""
    found = {}
    for case in components:
        for condition in conditions:
            values = select(result, gains.GAIN, case, condition, field)
            values = values[~np.isnan(values)]
            if len(values):
                found[case, condition] = statistic(values)
    return found


def median(values: Array) -> float:
    """The median."""
    return float(np.median(values))


def fifth(values: Array) -> float:
    """The 5th percentile."""
    return float(np.percentile(values, 5))


def _ninety_fifth(values: Array) -> float:
    return float(np.percentile(values, 95))


def _extreme(
    components: Sequence[str],
    conditions: Sequence[str],
    statistic: Callable[[Array], float] = median,
    field: Field = "value",
    *,
    largest: bool = False,
) -> Callable[[Result, Result | None, Result | None], Measured]:
    """Least (or largest) gain of all components under some conditions."""

    def of(result: Result, *_: Result | None) -> Measured:
        found = summarised(result, components, conditions, statistic, field)
        if not found:
            measured = chosen(result, gains.GAIN).any()
            return Measured(np.inf, "all rejected") if measured else Measured(np.nan)
        case, condition = (max if largest else min)(found, key=found.__getitem__)
        where = f"{case}, {condition}" if len(conditions) > 1 else case
        return Measured(found[case, condition], f"{found[case, condition]:.2f} ({where})")

    return of


def _beats_lost(field: Field = "value") -> Callable[..., Measured]:
    """Excess of lost beats over the Butterworth in percentage points: worst type and lead."""

    def of(result: Result, _: Result | None, reference: Result | None) -> Measured:
        if reference is None:
            return Measured(np.nan)
        ours, theirs = (lost_by_type(other, field=field) for other in (result, reference))
        apart = {key: 100 * (ours[key] - theirs[key]) for key in ours if key in theirs}
        if not apart:
            return Measured(np.nan)
        kind, lead = key = max(apart, key=apart.__getitem__)
        shown = f"{apart[key]:.1f} ({kind}, lead {lead}: {100 * ours[key]:.1f} %)"
        return Measured(apart[key], shown)

    return of


def lost_by_type(
    result: Result, least: int = ENOUGH_BEATS, *, field: Field = "value"
) -> dict[tuple[str, str], float]:
    """Share of lost beats by type and number of the lead, for types with enough beats.

    Args:
        result: of a method.
        least: number of beats of a type from which on it is counted.
        field: lost beats that count: ``"good"`` those in seconds graded good.
    """
    found = {}
    for kind in cases(result, arrhythmia.BEATS_OF):
        for lead in ("0", "1"):
            of_lead = np.char.endswith(result.record, f" {lead}")
            beats, lost = (
                result.values[name][chosen(result, measure, kind) & of_lead].sum()
                for measure, name in ((arrhythmia.BEATS_OF, "value"), (arrhythmia.LOST, field))
            )
            if beats >= least:
                found[kind, lead] = float(lost / beats)
    return found


def between_beats(result: Result, rhythm: str, field: Field = "value") -> dict[str, float]:
    """Median power between beats relative to the Butterworth's, by lead."""
    rows = chosen(result, arrhythmia.BETWEEN, rhythm)
    values, records = result.values[field][rows], result.record[rows]
    known = ~np.isnan(values)
    return {
        str(name): float(np.median(values[known & (records == name)]))
        for name in np.unique(records[known])
    }


def _atrial_fibrillation(result: Result, *_: Result | None) -> Measured:
    by_lead = between_beats(result, arrhythmia.RHYTHMS["(AFIB"])
    if not by_lead:
        return Measured(np.nan)
    middle, least = float(np.median([*by_lead.values()])), min(by_lead.values())
    return Measured(middle, f"{middle:.2f} (least {least:.2f})")


def _atrial_flutter(result: Result, *_: Result | None) -> Measured:
    rhythm = arrhythmia.RHYTHMS["(AFL"]
    if not chosen(result, arrhythmia.BETWEEN, rhythm).any():
        return Measured(np.nan)
    by_lead = between_beats(result, rhythm, "trusted")
    if not by_lead:
        return Measured(np.inf, "all rejected")
    heights = [np.sqrt(power) for power in by_lead.values()]
    return Measured(min(heights), f"{min(heights):.2f} to {max(heights):.2f}")


def _fibrillation(result: Result, *_: Result | None) -> Measured:
    rows = chosen(result, arrhythmia.FIBRILLATION)
    if not rows.any():
        return Measured(np.nan)
    trusted = result.values["trusted"][rows]
    flagged = float(np.isnan(trusted).mean())
    if flagged == 1:
        return Measured(np.inf, "all rejected")
    middle = float(np.nanmedian(trusted))
    return Measured(middle, f"{middle:.2f} ({flagged:.0%} rejected)")


def _st(statistic: Callable[[Array], float], field: Field = "value") -> Callable[..., Measured]:
    def of(result: Result, *_: Result | None) -> Measured:
        parts = [select(result, gains.STEP, condition=name, field=field) for name in WANDER]
        errors = np.abs(np.concatenate(parts))
        errors = errors[~np.isnan(errors)]
        return Measured(statistic(errors) if len(errors) else np.nan)

    return of


def peak_rates(
    result: Result, detector: str, condition: str, field: Field = "value"
) -> tuple[float, float]:
    """Sensitivity and positive predictivity in % over the records of an SNR."""
    counts = [
        float(select(result, measure, detector, condition, field).sum())
        for measure in (peaks.HIT, peaks.MISSED, peaks.FALSE)
    ]
    return peaks.rates(*counts)


def _peaks_over_raw(detector: str, which: int) -> Callable[..., Measured]:
    def of(result: Result, raw: Result | None, _: Result | None) -> Measured:
        if raw is None:
            return Measured(np.nan)
        ours, theirs = (peak_rates(other, detector, _AT)[which] for other in (result, raw))
        return Measured(ours - theirs, f"{ours - theirs:+.1f} ({ours:.1f})")

    return of


def _peaks_readable(detector: str, which: int) -> Callable[..., Measured]:
    def of(result: Result, *_: Result | None) -> Measured:
        return Measured(peak_rates(result, detector, _AT, "trusted")[which])

    return of


def _limb_leads(result: Result, *_: Result | None) -> Measured:
    before, after = (select(result, measure) for measure in (limbs.BEFORE, limbs.AFTER))
    return Measured(float((after - before).max()) * 1000 if len(after) else np.nan)


def _signal(case: str) -> Callable[..., Measured]:
    def of(result: Result, *_: Result | None) -> Measured:
        values = select(result, signals.SIGNAL, case, NONE)
        return Measured(float(values[0]) if len(values) else np.nan)

    return of


def _found(of_cases: Sequence[str], conditions: Sequence[str]) -> Callable[..., Measured]:
    """False detections per minute in readable segments: the maximum over the cases."""

    def of(result: Result, *_: Result | None) -> Measured:
        found = {
            (case, condition): float(values.mean())
            for case in of_cases
            for condition in conditions
            if len(values := select(result, pauses.FOUND, case, condition, "trusted"))
        }
        if not found:
            return Measured(np.nan)
        key = max(found, key=found.__getitem__)
        return Measured(found[key], f"{found[key]:.1f} ({', '.join(key)})" if found[key] else "0")

    return of


def _passing(label: str) -> Callable[..., Measured]:
    def of(result: Result, *_: Result | None) -> Measured:
        passed = select(result, motion.PIECE, label)
        if not len(passed):
            return Measured(np.nan)
        return Measured(100 * passed.mean(), f"{100 * passed.mean():.1f} (of {len(passed)})")

    return of


_ALL, _RATES = tuple(COMPONENTS), tuple(FAST)
_EMPTY = (NONE, *WANDER)


WANTED = (
    Wanted("components, no noise: least median gain", 0.95, False, 2, _extreme(_ALL, (NONE,))),
    Wanted("components, no noise: largest median gain", 1.05, True, 2,
           _extreme(_ALL, (NONE,), largest=True)),
    Wanted("components, no noise: least 5th percentile", 0.85, False, 2,
           _extreme(_ALL, (NONE,), fifth)),
    Wanted("components, baseline wander: least median gain", 0.90, False, 2,
           _extreme(_ALL, WANDER)),
    Wanted("components, baseline wander: least 5th percentile", 0.75, False, 2,
           _extreme(_ALL, WANDER, fifth)),
    Wanted("components, all noise, graded good: least 5th percentile", 0.75, False, 2,
           _extreme(_ALL, CONDITIONS, fifth, "good")),
    Wanted("components, em or ma at 10 dB, not rejected: least median gain", 0.75, False, 2,
           _extreme(_ALL, MODERATE, field="trusted")),
    Wanted("components, em or ma at 5 dB, not rejected: least median gain", 0.5, False, 2,
           _extreme(_ALL, STRONG, field="trusted")),
    Wanted("QRS at 150 to 300/min, no noise or baseline wander, not rejected: least median gain",
           0.95, False, 2, _extreme(_RATES, _EMPTY, field="trusted")),
    Wanted("beats that lose > 30 % of their height, no noise added, excess over the Butterworth: "
           "worst type and lead (percentage points)", 0.5, True, 1, _beats_lost()),
    Wanted("the same, of beats in seconds graded good", 0.5, True, 1, _beats_lost("good")),
    Wanted("AF: power at 4-9 Hz between beats, relative to the Butterworth, median lead", 0.9,
           False, 2, _atrial_fibrillation),
    Wanted("atrial flutter: height between beats, not rejected, least lead", 0.9, False, 2,
           _atrial_flutter),
    Wanted("VF (cu01): height preserved, not rejected, median", 0.9, False, 2, _fibrillation),
    Wanted("ST steps of 0.1 and 0.2 mV with baseline wander: median error (mV)", 0.02, True, 3,
           _st(median)),
    Wanted("ST steps of 0.1 and 0.2 mV with baseline wander: 95th percentile (mV)", 0.02, True, 3,
           _st(_ninety_fifth)),
    Wanted("ST steps with baseline wander, graded good: 95th percentile (mV)", 0.02, True, 3,
           _st(_ninety_fifth, "good")),
    *(
        Wanted(f"R peaks at 0 dB, `{detector}`: {name} less that of the input (points)", bound,
               False, 1, _peaks_over_raw(detector, which))
        for detector in DETECTORS
        for which, (name, bound) in enumerate((("sensitivity", -0.5), ("predictivity", 10.0)))
    ),
    *(
        Wanted(f"R peaks at 0 dB, `{detector}`, readable segments: {name} (%)", 99.9, False, 2,
               _peaks_readable(detector, which))
        for detector in DETECTORS
        for which, name in enumerate(("sensitivity", "predictivity"))
    ),
    Wanted("limb leads: rms of Einthoven's and Goldberger's equations, after less before (µV)", 1.0,
           True, 1, _limb_leads),
    Wanted("triangle of 1.5 mV and 20 ms: peak kept", 0.9, False, 2,
           _signal(signals.TRIANGLE)),
    Wanted("pulse of 3 mV and 100 ms: offset behind it (mV)", 0.1, True, 2,
           _signal(signals.OFFSET)),
    Wanted("pulse of 3 mV and 100 ms: slope behind it (mV/s)", 0.3, True, 2,
           _signal(signals.SLOPE)),
    Wanted("false detections per minute in pauses and asystole, not rejected", 0.0, True, 1,
           _found(tuple(pauses.PAUSES), pauses.CONDITIONS)),
    Wanted("false detections per minute in noise-only input, not rejected", 5.0, True, 1,
           _found((pauses.ALONE,), nstdb.KINDS)),
    Wanted("real motion: unusable segments graded readable (%)", 10.0, True, 1,
           _passing(motion.UNUSABLE)),
    Wanted("real motion: good segments graded readable (%)", 98.0, False, 1, _passing(motion.GOOD)),
)  # fmt: skip
"""All goals, in the order of the page."""
