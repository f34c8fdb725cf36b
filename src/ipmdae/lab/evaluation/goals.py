"""Goals of the models that ship, read from ``goals.toml``, and judged by stored results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.cards import COST, NOT_MEASURED, described
from ipmdae.checksums import digest
from ipmdae.engine import model_names, model_path
from ipmdae.lab.evaluation import candidates, clinic, clinical, pages, published, results
from ipmdae.lab.evaluation import robustness as robust
from ipmdae.lab.evaluation.hearts import arrhythmia, detections, gains, limbs, motion, signals
from ipmdae.lab.evaluation.hearts import statistics as hearts
from ipmdae.lab.evaluation.hearts.components import COMPONENTS, FAST
from ipmdae.lab.evaluation.hearts.leads import NONE, WANDER
from ipmdae.lab.evaluation.hearts.method import RAW, REFERENCE
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval
from ipmdae.lab.evaluation.pages import estimate, number, table
from ipmdae.lab.evaluation.results import Result, load, load_all
from ipmdae.lab.evaluation.training_budget import SEED_MARK, groups, pool
from ipmdae.lab.protocols.clinic_test import CLEAN, KINDS, SNRS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Method of each section on single beats.
BEATS = {"published pairs": "ipmdae-beat+augmented", "open training": "ipmdae-beat+open"}

SMALL = "ipmdae-small"

_OURS = "ipmdae-"
_PEAKS_AT = "0 dB"  # of records 118e* and 119e*


@dataclass(frozen=True)
class Measured:
    """A measured value; NaN if not measured.

    Attributes:
        value: the value.
        shown: text to print instead of the value, such as a mean with its interval.
        words: what the name of the goal leaves open.
    """

    value: float
    shown: str = ""
    words: dict[str, str] = field(default_factory=dict)


_MISSING = Measured(np.nan)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on one measured value.

    Attributes:
        name: quantity with its unit.
        sign: of the inequality: ``≤``, ``<``, ``≥`` or ``>``.
        bound: required value.
        digits: decimal places.
        value, shown: see :class:`Measured`.
    """

    name: str
    sign: str = "≤"
    bound: float
    digits: int = 2
    value: float
    shown: str = ""

    @property
    def wanted(self) -> str:
        """Bound as text."""
        return f"{self.sign} {self.bound:,.6g}"

    @property
    def measured(self) -> str:
        """Measured value as text."""
        if np.isnan(self.value):
            return NOT_MEASURED
        return self.shown or number(self.value, self.digits)

    @property
    def reached(self) -> bool:
        """True if measured and within the bound."""
        return self._missing < 0 or (self._missing == 0 and self.sign in "≤≥")

    @property
    def verdict(self) -> str:
        """``reached``, or ``missed by`` the shortfall."""
        if np.isnan(self.value):
            return NOT_MEASURED
        if self.reached:
            return "reached"
        digits = self.digits
        while digits < 6 and self._missing and round(self._missing, digits) == 0:
            digits += 1
        return f"**missed by {number(self._missing, digits)}**"

    @property
    def _missing(self) -> float:
        apart = self.value - self.bound
        return apart if self.sign in "≤<" else -apart


@cache
def _groups() -> list[dict[str, Any]]:
    text = (files("ipmdae.lab.evaluation") / "goals.toml").read_text(encoding="utf-8")
    listed: list[dict[str, Any]] = tomllib.loads(text)["group"]
    return listed


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


def judged(section: str, stored: Stored, method: str) -> list[Goal]:
    """All goals of a section with the measured values of a method.

    Args:
        section: of ``goals.toml``.
        stored: results.
        method: its name.

    Raises:
        ValueError: a result covers part of the test, or belongs to other weights than the shipped.
    """
    found = []
    for group in (group for group in _groups() if group["section"] == section):
        protocol = group.get("protocol", "")
        each = group.get("each", [""])
        titles = each if isinstance(each, dict) else {name: name for name in each}
        for name, title in titles.items():
            for goal in group["goals"]:
                settings = {key: value for key, value in goal.items() if key not in _GOAL}
                if name:
                    settings[group["varied"]] = name
                measured = _MEASURES[goal["measure"]](stored, protocol, method, settings)
                found += _named(goal, measured, title)
    return found


_GOAL = ("name", "sign", "bound", "digits", "measure")


def _named(goal: dict[str, Any], measured: Measured, title: str) -> list[Goal]:
    """The goal with a measured value; none if words of its name are missing."""
    try:
        name = goal["name"].format(each=title, **measured.words)
    except KeyError:
        return []
    bounds = {key: goal[key] for key in ("sign", "bound", "digits")}
    return [Goal(name=name, value=measured.value, shown=measured.shown, **bounds)]


_MEASURES: dict[str, Callable[[Stored, str, str, dict[str, Any]], Measured]] = {}


def _measure(function: Callable[..., Measured]) -> Callable[..., Measured]:
    """Register a measure of a method's result, given all results and the settings of the goal."""

    def measured(stored: Stored, protocol: str, method: str, settings: dict[str, Any]) -> Measured:
        ours = stored.find(protocol, method)
        return _MISSING if ours is None else function(ours, stored, **settings)

    _MEASURES[function.__name__] = measured
    return function


def _with_interval(interval: Interval, digits: int) -> Measured:
    return Measured(interval.mean, estimate(interval, digits))


@_measure
def mean_over_seeds(ours: Result, stored: Stored, of: str) -> Measured:
    """Mean over training seeds, with their standard deviation."""
    means = [float(result[of].mean()) for result in stored.by_seed("deepfilter", ours.method)]
    shown = pages.mean_and_deviation(means) if len(means) > 1 else ""
    return Measured(float(np.mean(means)), shown)


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
def conditions_won(ours: Result, stored: Stored) -> Measured:
    """Number of conditions in which the method is superior to all others."""
    theirs, _ = stored.others
    if not theirs:
        return _MISSING
    return Measured(len(KINDS) * len(SNRS) - len(not_superior(ours, theirs)))


@_measure
def over_next_best(ours: Result, stored: Stored) -> Measured:
    """Advantage in SNR improvement over the best other method."""
    theirs, _ = stored.others
    if not theirs:
        return _MISSING
    best = max(theirs, key=lambda result: clinic.mean(result, "snr_improvement").mean)
    apart = clinic.mean_less(ours, best, "snr_improvement")
    return Measured(apart.mean, estimate(apart, 2), {"other": best.method})


def not_superior(ours: Result, theirs: Sequence[Result]) -> list[tuple[str, int, str, Interval]]:
    """Conditions where superiority is not established, each with the closest competitor.

    Returns:
        Kind of noise, SNR, name of the competitor, and the advantage over it in SNR improvement,
        dB.
    """
    cells = []
    for kind in KINDS:
        for snr in SNRS:
            apart = {
                other.method: clinic.mean_less(ours, other, "snr_improvement", kind, snr)
                for other in theirs
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


_MEASURES["model_cost"] = _of_model(COST, 1e6 / 2)  # of two leads
_MEASURES["model_parameters"] = _of_model("parameters", 1)


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
    return _with_interval(clinic.mean(ours, of, CLEAN), 1 if of == "snr" else 2)


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
        rejected = len(ours.where(measure=gains.GAIN)) > 0
        return Measured(np.inf, "all rejected") if rejected else _MISSING
    case, condition = key = (max if extreme == "largest" else min)(found, key=found.__getitem__)
    where = f"{case}, {condition}" if len(conditions) > 1 else case
    return Measured(found[key], f"{found[key]:.2f} ({where})")


@_measure
def beats_lost(ours: Result, stored: Stored, over: str = "value") -> Measured:
    """Excess of lost beats over the Butterworth in percentage points: worst type and lead."""
    reference = stored.find("hearts", REFERENCE)
    if reference is None:
        return _MISSING
    lost, theirs = (hearts.lost_by_type(other, over=over) for other in (ours, reference))
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
    """Sensitivity or predictivity in readable segments."""
    return Measured(_peak_rate(ours, detector, which, "trusted"))


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


def goal_table(goals: Sequence[Goal]) -> str:
    """Table of goals with the measured values."""
    return table(
        ["goal", "wanted", "measured", ""],
        [[goal.name, goal.wanted, goal.measured, goal.verdict] for goal in goals],
    )


def write(folder: Path, output: Path) -> Path:
    """Write ``goals.md``.

    Args:
        folder: of the stored results, with one folder per benchmark.
        output: folder of the page.

    Raises:
        ValueError: a result belongs to other weights than the shipped model, or covers part of a
            test.
    """
    return pages.write(markdown(folder), output / "goals.md")


def markdown(folder: Path) -> str:
    """Format the page."""
    stored, names = Stored(folder), model_names()
    measured = [result for name in names if (result := stored.find("clinic", name))]
    best = max(measured, key=lambda r: clinic.mean(r, "snr_improvement").mean, default=None)
    theirs, left_out = stored.others
    ahead = not_superior(best, theirs) if best and theirs else []

    def tables(section: str, method: str = "") -> str:
        return goal_table(judged(section, stored, method))

    return pages.render(
        "goals.md.j2",
        beats={
            name: (tables(section, name), len(stored.by_seed("deepfilter", name)))
            for section, name in BEATS.items()
        },
        published=next(row for row in published.ROWS if row.method == "mecg-e"),
        best_published=min(published.ROWS, key=lambda row: row.values[0]),
        best=best.method if best else names[0],
        others=len(theirs) if best else 0,
        leads=tables("leads", best.method if best else ""),
        not_superior=ahead
        and table(
            ["noise", "input SNR", "method", "difference"],
            [[kind, f"{snr} dB", f"`{other}`", estimate(apart, 2)]
             for kind, snr, other, apart in ahead],
        ),
        left_out=left_out,
        sizes=goal_table(
            [
                *judged("sizes", stored, ""),
                *judged("small", stored, SMALL),
                *judged("small, equal training", stored, f"{SMALL}+augmented"),
            ]
        ),
        hearts={name: tables("hearts", name) for name in names},
        safety={name: tables("safety", name) for name in names},
        classical=robust.CLASSICAL,
        robustness=tables("robustness", best.method if best else names[0]),
    )  # fmt: skip
