"""Measured values of the goals: one function for each measure of ``goals.toml``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.cards import COST, described
from ipmdae.checksums import digest
from ipmdae.engine import model_names, model_path
from ipmdae.lab.evaluation import candidates, clinic, clinical, pages, results
from ipmdae.lab.evaluation import robustness as robust
from ipmdae.lab.evaluation.hearts import arrhythmia, detections, gains, limbs, motion, signals
from ipmdae.lab.evaluation.hearts import statistics as hearts
from ipmdae.lab.evaluation.hearts.components import COMPONENTS, FAST
from ipmdae.lab.evaluation.hearts.leads import NONE, WANDER
from ipmdae.lab.evaluation.hearts.method import RAW, REFERENCE
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, bootstrap
from ipmdae.lab.evaluation.pages import estimate
from ipmdae.lab.evaluation.results import Result, load, load_all
from ipmdae.lab.evaluation.training_budget import SEED_MARK, groups, pool
from ipmdae.lab.protocols.clinic_test import CLEAN, KINDS, SNRS

_OURS = "ipmdae-"
_PEAKS_AT = "0 dB"  # of records 118e* and 119e*


@dataclass(frozen=True)
class Measured:
    """A measured value; NaN if not measured.

    Attributes:
        value: the value.
        shown: text to print instead of the value, such as a mean with its interval.
        words: values of the placeholders in the name of the goal, e.g. ``{other}``.
    """

    value: float
    shown: str = ""
    words: dict[str, str] = field(default_factory=dict)


_MISSING = Measured(np.nan)


class Stored:
    """Results by protocol and method: complete, and of the weights that ship.

    Args:
        folder: of the stored results, with one folder per benchmark.
        given: results to take instead, of one protocol.
    """

    def __init__(self, folder: Path | None = None, given: Sequence[Result] = ()) -> None:
        self._folder = folder
        self._found = {("", result.method): result for result in given}

    def find(self, protocol: str, method: str) -> Result | None:
        """Result of a method, if there is one.

        Raises:
            ValueError: it covers part of the test, or belongs to other weights than the shipped.
        """
        if self._folder is None:
            return self._found.get(("", method))
        if (protocol, method) not in self._found:
            version = digest(model_path(method)) if method in model_names() else ""
            found = results.find(self._folder, protocol, method, version)
            if found is None:
                return None
            self._found[protocol, method] = found
        return self._found[protocol, method]

    def by_seed(self, protocol: str, method: str) -> list[Result]:
        """Results of a network over training seeds, ascending."""
        one = self.find(protocol, method)
        if one is None or self._folder is None:
            return []
        further = sorted((self._folder / protocol).glob(f"{method}{SEED_MARK}*.npz"))
        return groups([one, *map(load, further)])[0]

    @cached_property
    def others(self) -> tuple[list[Result], list[str]]:
        """Complete results of other authors' methods in protocol clinic, and names without one."""
        stored = load_all(self._folder / "clinic", candidates.names()) if self._folder else []
        theirs = [result for result in stored if not result.method.startswith(_OURS)]
        whole = [r for r in theirs if r.done == r.total and not r.diverged]
        return whole, [r.method for r in theirs if r not in whole]


MEASURES: dict[str, Callable[[Stored, str, str, dict[str, Any]], Measured]] = {}
"""Each measure by its name: (results, protocol, method, settings of the goal) -> value."""


def _measure(function: Callable[..., Measured]) -> Callable[..., Measured]:
    """Register a measure of a method's result, given all results and the settings of the goal."""

    def measured(stored: Stored, protocol: str, method: str, settings: dict[str, Any]) -> Measured:
        ours = stored.find(protocol, method)
        return _MISSING if ours is None else function(ours, stored, **settings)

    MEASURES[function.__name__] = measured
    return function


def _with_interval(interval: Interval, digits: int) -> Measured:
    return Measured(interval.mean, estimate(interval, digits))


@_measure
def mean_over_seeds(ours: Result, stored: Stored, of: str) -> Measured:
    """Mean over training seeds with their standard deviation, and its interval over records."""
    by_seed = stored.by_seed("deepfilter", ours.method)
    means = [float(result[of].mean()) for result in by_seed]
    every = pool(by_seed)
    over_records = pages.limits(bootstrap(every[of], every["record"]))
    return Measured(float(np.mean(means)), f"{pages.mean_and_deviation(means)} {over_records}")


@_measure
def seeds(ours: Result, stored: Stored) -> Measured:
    """Number of training seeds."""
    network = pool(stored.by_seed("deepfilter", ours.method)).network
    return Measured(len(network.seeds) if network and network.seeds else np.nan)


@_measure
def cost(ours: Result, stored: Stored) -> Measured:
    """Multiply-accumulates, 10^9."""
    return Measured(ours.network.multiply_accumulates / 1e9 if ours.network else np.nan)


@_measure
def conditions_won(ours: Result, stored: Stored, of: str) -> Measured:
    """Number of conditions in which the method is superior to all others by a measure."""
    theirs, _ = stored.others
    if not theirs:
        return _MISSING
    return Measured(len(KINDS) * len(SNRS) - len(not_superior(ours, theirs, of)))


@_measure
def over_next_best(ours: Result, stored: Stored) -> Measured:
    """Advantage in SNR improvement over the best method that is not the project's."""
    theirs, _ = stored.others
    if not theirs:
        return _MISSING
    best = max(theirs, key=lambda result: clinic.mean(result, "snr_improvement").mean)
    apart = clinic.mean_less(ours, best, "snr_improvement")
    return Measured(apart.mean, estimate(apart, 2), {"other": best.method})


def not_superior(
    ours: Result, theirs: Sequence[Result], measure: str
) -> list[tuple[str, int, str, Interval]]:
    """Conditions where superiority is not established, each with the closest competitor.

    Returns:
        Kind of noise, SNR, name of the competitor, and the advantage over it in the measure, dB.
    """
    cells = []
    for kind in KINDS:
        for snr in SNRS:
            apart = {
                other.method: clinic.mean_less(ours, other, measure, kind, snr) for other in theirs
            }
            nearest = min(apart, key=lambda name: apart[name].low)
            if not apart[nearest].low > 0:
                cells.append((kind, snr, nearest, apart[nearest]))
    return cells


def _of_model(key: str, unit: float) -> Callable[[Stored, str, str, dict[str, Any]], Measured]:
    """A measure of a model file by its card."""

    def measured(stored: Stored, protocol: str, method: str, settings: dict[str, Any]) -> Measured:
        if settings["model"] not in model_names():
            return _MISSING
        return Measured(float(described(model_path(settings["model"]))[key]) / unit)

    return measured


MEASURES["model_cost"] = _of_model(COST, 1e6 / 2)  # of two leads
MEASURES["model_parameters"] = _of_model("parameters", 1)


@_measure
def gain_over(ours: Result, stored: Stored, other: str) -> Measured:
    """Low end of the interval of the advantage in SNR improvement over another method."""
    theirs = stored.find("clinic", other)
    if theirs is None:
        return _MISSING
    apart = clinic.mean_less(ours, theirs, "snr_improvement")
    return Measured(apart.low, estimate(apart, 2))


@_measure
def clean_leads(ours: Result, stored: Stored, of: str) -> Measured:
    """A measure of leads without added noise."""
    return _with_interval(clinic.mean(ours, of, CLEAN), 1 if of.startswith("snr") else 2)


@_measure
def st_error(ours: Result, stored: Stored, condition: str) -> Measured:
    """Error of the ST level."""
    return Measured(clinical.st_error(ours, condition).mean)


@_measure
def qt_error(ours: Result, stored: Stored, condition: str) -> Measured:
    """Error of the QT interval, less that before denoising."""
    none = stored.find("clinical", "none")
    apart = NOWHERE if none is None else clinical.qt_error_less(ours, none, condition)
    return _with_interval(apart, 1)


@_measure
def noise_only(ours: Result, stored: Stored, kind: str) -> Measured:
    """False detections, outside of rejected seconds where the model has uncertainty."""
    every = clinical.false_detections(ours, kind, trusted=False)
    trusted = clinical.false_detections(ours, kind, trusted=True)
    found = every if np.isnan(trusted) else trusted
    return Measured(found, f"{found:.1f} (all: {every:.1f})")


@_measure
def coverage(ours: Result, stored: Stored) -> Measured:
    """Distance of the coverage of the predicted 95 % band from 95 %."""
    covered = clinic.coverage(ours).mean
    return Measured(abs(covered - 95), f"{abs(covered - 95):.1f} (within: {covered:.1f})")


@_measure
def improvement(ours: Result, stored: Stored, condition: str) -> Measured:
    """SNR improvement under a condition, and the loss by it."""
    gained = robust.improvement(ours, condition)
    shown = estimate(gained, 2)
    if condition != robust.AS_IT_IS:
        shown += f"; loss {robust.loss(ours, condition).mean:.2f}"
    return Measured(gained.mean, shown)


@_measure
def over_best_classical(ours: Result, stored: Stored, condition: str) -> Measured:
    """Advantage in output SNR over the best classical method under a condition."""
    found = (stored.find("robustness", method) for method in robust.CLASSICAL)
    apart = {
        other.method: robust.difference(ours, other, condition)
        for other in found
        if other is not None
    }
    if not apart:
        return _MISSING
    best = min(apart, key=lambda method: np.nan_to_num(apart[method].mean, nan=np.inf))
    return Measured(apart[best].mean, f"{estimate(apart[best], 2)} over `{best}`")


@_measure
def gain(
    ours: Result,
    stored: Stored,
    conditions: Sequence[str],
    components: str = "added",
    percentile: float = 50,
    over: str = "value",
    extreme: str = "least",
) -> Measured:
    """Least or largest gain of all components under some conditions."""
    names = tuple(FAST if components == "fast" else COMPONENTS)
    found = hearts.summarised(ours, names, conditions, percentile, over)
    if not found:
        left = "none graded good" if over == "good" else "all rejected"
        return Measured(np.inf, left) if len(ours.where(measure=gains.GAIN)) else _MISSING
    case, condition = key = (max if extreme == "largest" else min)(found, key=found.__getitem__)
    where = f"{case}, {condition}" if len(conditions) > 1 else case
    return Measured(found[key], f"{found[key]:.2f} ({where})")


@_measure
def beats_lost(ours: Result, stored: Stored, over: str = "value") -> Measured:
    """Excess of lost beats over the Butterworth in percentage points: worst type and lead.

    The Butterworth's are those of all seconds, since a filter's are never graded good.
    """
    reference = stored.find("hearts", REFERENCE)
    if reference is None:
        return _MISSING
    lost, theirs = hearts.lost_by_type(ours, over=over), hearts.lost_by_type(reference)
    apart = {key: 100 * (lost[key] - theirs[key]) for key in lost if key in theirs}
    if not apart:
        return _MISSING
    kind, lead = key = max(apart, key=apart.__getitem__)
    return Measured(apart[key], f"{apart[key]:.1f} ({kind}, lead {lead}: {100 * lost[key]:.1f} %)")


@_measure
def atrial_fibrillation(ours: Result, stored: Stored) -> Measured:
    """Power between beats, median lead."""
    by_lead = hearts.between_beats(ours, arrhythmia.RHYTHMS["(AFIB"])
    if not by_lead:
        return _MISSING
    middle, least = float(np.median([*by_lead.values()])), min(by_lead.values())
    return Measured(middle, f"{middle:.2f} (least {least:.2f})")


@_measure
def atrial_flutter(ours: Result, stored: Stored) -> Measured:
    """Height between beats where readable, least lead."""
    rhythm = arrhythmia.RHYTHMS["(AFL"]
    if not len(hearts.select(ours, arrhythmia.BETWEEN, rhythm)):
        return _MISSING
    by_lead = hearts.between_beats(ours, rhythm, "trusted")
    if not by_lead:
        return Measured(np.inf, "all rejected")
    heights = [np.sqrt(power) for power in by_lead.values()]
    return Measured(min(heights), f"{min(heights):.2f} to {max(heights):.2f}")


@_measure
def ventricular_fibrillation(ours: Result, stored: Stored) -> Measured:
    """Height where readable, median."""
    trusted = hearts.select(ours, arrhythmia.FIBRILLATION, over="trusted")
    if not len(trusted):
        return _MISSING
    rejected = float(np.isnan(trusted).mean())
    if rejected == 1:
        return Measured(np.inf, "all rejected")
    middle = float(np.nanmedian(trusted))
    return Measured(middle, f"{middle:.2f} ({rejected:.0%} rejected)")


@_measure
def st_steps(ours: Result, stored: Stored, percentile: float = 50, over: str = "value") -> Measured:
    """Error of ST steps with baseline wander."""
    parts = [hearts.select(ours, gains.STEP, condition=name, over=over) for name in WANDER]
    errors = np.abs(np.concatenate(parts))
    return Measured(hearts.percentile(errors[~np.isnan(errors)], percentile))


@_measure
def r_peaks_over_input(ours: Result, stored: Stored, detector: str, which: str) -> Measured:
    """Sensitivity or predictivity less that of the input."""
    raw = stored.find("hearts", RAW)
    if raw is None:
        return _MISSING
    rates, theirs = (_peak_rate(other, detector, which) for other in (ours, raw))
    return Measured(rates - theirs, f"{rates - theirs:+.1f} ({rates:.1f})")


@_measure
def r_peaks(ours: Result, stored: Stored, detector: str, which: str) -> Measured:
    """Sensitivity or predictivity in readable segments, and their share of the time."""
    rate = _peak_rate(ours, detector, which, "trusted")
    readable = hearts.select(ours, detections.HIT, detector, _PEAKS_AT, "readable")
    share = f" (in {readable.mean():.0%} of the time)" if len(readable) else ""
    return Measured(rate, f"{rate:.2f}{share}")


def _peak_rate(result: Result, detector: str, which: str, over: str = "value") -> float:
    rates = hearts.peak_rates(result, detector, _PEAKS_AT, over)
    return rates[("sensitivity", "predictivity").index(which)]


@_measure
def limb_leads(ours: Result, stored: Stored) -> Measured:
    """Largest deviation from the equations of the limb leads, after less before."""
    before, after = (hearts.select(ours, measure) for measure in (limbs.BEFORE, limbs.AFTER))
    return Measured(float((after - before).max()) * 1000 if len(after) else np.nan)


@_measure
def test_signal(ours: Result, stored: Stored, case: str) -> Measured:
    """A number of the test signals."""
    values = hearts.select(ours, signals.SIGNAL, case, NONE)
    return Measured(float(values[0]) if len(values) else np.nan)


@_measure
def false_detections(
    ours: Result, stored: Stored, cases: Sequence[str], conditions: Sequence[str]
) -> Measured:
    """False detections per minute in readable segments: the maximum over the cases."""
    found = {
        (case, condition): float(values.mean())
        for case in cases
        for condition in conditions
        if len(values := hearts.select(ours, detections.FOUND, case, condition, "trusted"))
    }
    if not found:
        return _MISSING
    key = max(found, key=found.__getitem__)
    return Measured(found[key], f"{found[key]:.1f} ({', '.join(key)})" if found[key] else "0")


@_measure
def graded_readable(ours: Result, stored: Stored, label: str) -> Measured:
    """Share of segments with real motion of some label that are graded readable."""
    passed = hearts.select(ours, motion.PIECE, label)
    if not len(passed):
        return _MISSING
    return Measured(100 * passed.mean(), f"{100 * passed.mean():.1f} (of {len(passed)})")
