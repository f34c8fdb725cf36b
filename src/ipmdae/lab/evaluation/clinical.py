"""Clinical measures after denoising: beats, fiducial points, ST level; and noise-only input.

An item is one number of a recording, with the name of its measure, its condition (noise and SNR,
e.g. ``"em 5"``), and NaN if nothing was found; every method gives the same rows in the same order.
The detectors and the delineator are those of well-kept packages, with their own settings.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipmdae.lab.data import nstdb
from ipmdae.lab.data.nstdb import TITLES
from ipmdae.lab.evaluation import beats, pages, waves
from ipmdae.lab.evaluation.beats import DETECTORS
from ipmdae.lab.evaluation.benchmarks import LeadBenchmark
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, bootstrap, over_records
from ipmdae.lab.evaluation.pages import brief, estimate, grid, number
from ipmdae.lab.evaluation.results import Array, Result, evenly_spaced
from ipmdae.lab.protocols.clinic_test import all_records

UNIT = "recordings"

COLUMNS = ["measure", "condition", "record", "value"]


class Task(NamedTuple):
    """A unit of the benchmark.

    Attributes:
        number: index in the complete test, independent of the available data.
        measure: a name of :data:`_MEASURES`.
        name: name of a record or of a kind of noise.
    """

    number: int
    measure: str
    name: str


_MEASURES = {"peaks": beats.counts_of_record, "waves": waves.rows, "invention": beats.noise_only}

_ALWAYS = (*beats.MEASURES, waves.ST, beats.LEFT)
"""Measures that are always defined if the denoised signal is finite."""

_ROWS = 1_000_000
"""Upper bound of the rows per recording: items are numbered by recording, then by row."""


@dataclass(frozen=True)
class ClinicalBenchmark(LeadBenchmark[Task]):
    """Beats, fiducial points, ST levels and noise-only input; an item is one number."""

    unit = "recordings"

    def units(self, part: int | None) -> list[Task]:
        """Recordings to measure, one measure after the other."""
        tasks: list[Task] = []
        for measure in _MEASURES:
            listed = [task for task in self._listed if task.measure == measure]
            tasks += [listed[i] for i in evenly_spaced(len(listed), part)]
        return tasks

    def scorer(self, candidate: Candidate) -> Callable[[Task], pd.DataFrame]:
        """Create a function that measures a recording."""
        return partial(_measure, candidate, self.datasets)

    def diverged(self, scores: pd.DataFrame) -> bool:
        """True if a measure that is always defined is not."""
        return bool(scores["value"][scores["measure"].isin(_ALWAYS)].isna().any())

    def summary(self, result: Result) -> str:
        """Delineation error at the end of the T wave, and its misses, with noise at 5 dB."""
        errors, _ = select(result, "T offset", "em 5")
        missed = float(np.isnan(errors).mean())
        return f"T offset with em at 5 dB: {np.nanstd(errors):.0f} ms sd, {missed:.0%} missed"

    @cached_property
    def _listed(self) -> list[Task]:
        """Tasks for which the folders hold data."""
        folder = self.test.nstdb_folder
        present = {*beats.records_present(folder), *self.test.records, *nstdb.KINDS}
        if missing := [name for name in beats.RECORDS if name not in present]:
            warnings.warn(
                f"{len(missing)} of the {len(beats.RECORDS)} records 118e* and 119e* are not in "
                f"{folder}: this is not the whole test",
                stacklevel=2,
            )
        tasks = [
            *(("peaks", name) for name in beats.RECORDS),
            *(("waves", name) for name in all_records()),
            *(("invention", kind) for kind in nstdb.KINDS),
        ]
        return [Task(i, *task) for i, task in enumerate(tasks) if task[1] in present]


def _measure(candidate: Candidate, datasets: Path, task: Task) -> pd.DataFrame:
    """All numbers of one recording."""
    rows = pd.DataFrame(_MEASURES[task.measure](candidate, datasets, task.name), columns=COLUMNS)
    rows.insert(0, "item", task.number * _ROWS + np.arange(len(rows)))
    return rows


def select(result: Result, measure: str, condition: str) -> tuple[Array, NDArray[Any]]:
    """The values of a measure under a condition, and the record of each, (values,) both."""
    rows = result.where(measure=measure, condition=condition)
    return rows["value"].to_numpy(), rows["record"].to_numpy()


def st_error(result: Result, condition: str) -> Interval:
    """Error of the ST level in mV: median per record, mean over records."""
    rows = result.where(measure=waves.ST, condition=condition)
    medians = rows.groupby("record")["value"].agg(lambda x: np.median(np.abs(x.to_numpy())))
    return _over(medians.to_numpy(), medians.index.to_numpy())


def qt_error(result: Result, condition: str) -> Interval:
    """Absolute error of the QT interval in ms of the beats whose ends were found."""
    errors, records = select(result, waves.QT, condition)
    return over_records(np.abs(errors), records)


def qt_error_less(result: Result, other: Result, condition: str) -> Interval:
    """Excess over the error of another method in ms, in beats that both found."""
    (ours, records), (theirs, _) = (select(r, waves.QT, condition) for r in (result, other))
    return over_records(np.abs(ours) - np.abs(theirs), records)


def false_detections(result: Result, kind: str, *, trusted: bool) -> float:
    """False detections per minute in noise-only input, of the detector that finds more.

    Args:
        result: of a method.
        kind: kind of noise.
        trusted: count only outside of rejected seconds; NaN for a method without uncertainty.
    """
    which = "trusted" if trusted else "beats"
    found = [select(result, f"{detector} {which}", kind)[0] for detector in DETECTORS]
    return float(max(np.mean(values) if len(values) else np.nan for values in found))


def section(results: Sequence[Result]) -> str:
    """All tables with their headings as Markdown."""
    by_title = {result.title(UNIT): result for result in results}
    snrs = {f"{snr} dB": str(snr) for snr in beats.SNRS}
    points = {point: point for point in (*waves.POINTS, waves.QT)}
    kinds: dict[str, str | None] = {TITLES[kind]: kind for kind in nstdb.KINDS}
    return pages.render(
        "clinical.md.j2",
        beats={
            detector: grid("method", by_title, snrs, partial(_rates, detector))
            for detector in DETECTORS
        },
        waves={
            condition_title(condition): grid("method", by_title, points, partial(_error, condition))
            for condition in waves.DELINEATED
        },
        st=grid("method", by_title, {condition_title(name): name for name in waves.LEVELLED}, _st),
        noise_only=grid(
            "method",
            by_title,
            {**kinds, "rejected (%)": beats.FLAGGED, "not rejected": None},
            _noise_only,
        ),
    )


def write_csv(results: Sequence[Result], path: Path) -> Path:
    """Write all numbers as CSV: one line per method, measure, condition and record."""
    header = ("method", "version", "measure", "condition", "record", "count", "found",
              "mean", "sd", "median_absolute")  # fmt: skip
    lines = []
    for result in results:
        for key, group in result.table.groupby(["measure", "condition", "record"]):
            values = group["value"].to_numpy()
            known = values[~np.isnan(values)]
            written = ["", "", ""]
            if len(known):
                numbers = (known.mean(), known.std(), np.median(np.abs(known)))
                written = [brief(value, 6) for value in numbers]
            counts = len(values), len(known)
            lines.append((result.method, result.version[:12], *key, *counts, *written))
    return pages.write_csv(header, lines, path)


def _rates(detector: str, result: Result, snr: str) -> str:
    """Sensitivity / positive predictivity in %."""
    hit, missed, false = (
        select(result, f"{detector} {count}", snr)[0].sum() for count in beats.COUNTS
    )
    return f"{_percent(hit, missed)} / {_percent(hit, false)}"


def _st(result: Result, condition: str) -> str:
    """Error of the ST level, and the share of beats within the tolerance."""
    kept, records = select(result, waves.ST_KEPT, condition)
    within = estimate(_over(100 * kept, records), 0)
    return f"{estimate(st_error(result, condition))}; {within} %"


def _noise_only(result: Result, column: str | None) -> str:
    """False detections and level for a kind of noise; rejected seconds; detections elsewhere."""
    if column == beats.FLAGGED:
        rejected, pieces = _over_kinds(result, beats.FLAGGED)
        return estimate(_over(100 * rejected, pieces), 0)
    if column is None:
        trusted = [_over_kinds(result, f"{name} trusted") for name in DETECTORS]
        return " / ".join(estimate(_over(*values), 0) for values in trusted)
    found = [estimate(_over(*select(result, f"{name} beats", column)), 0) for name in DETECTORS]
    return f"{' / '.join(found)}; {estimate(_over(*select(result, beats.LEFT, column)), 2)}"


def _over_kinds(result: Result, measure: str) -> tuple[Array, NDArray[Any]]:
    """Values of a measure over all kinds of noise, and the segment (kind, number) of each."""
    rows = result.where(measure=measure)
    return rows["value"].to_numpy(), (rows["condition"] + " " + rows["record"]).to_numpy()


def _error(condition: str, result: Result, point: str) -> str:
    """``mean [low, high] ± sd (missed)``, averaged over records as delineators are."""
    errors, records = select(result, point, condition)
    parts = [errors[records == name] for name in np.unique(records)]
    found = [part[~np.isnan(part)] for part in parts if not np.isnan(part).all()]
    if not found:
        return "-"
    sd = np.mean([np.std(part) for part in found])
    missed = 100 * np.mean([np.isnan(part).mean() for part in parts])
    return f"{estimate(over_records(errors, records), 0)} ± {sd:.0f} ({missed:.0f} %)"


def _percent(hit: float, other: float) -> str:
    return number(100 * hit / (hit + other) if hit + other > 0 else np.nan, 1)


def _over(values: Array, records: NDArray[Any]) -> Interval:
    """Mean over all values, resampled by record or segment; NaN without values."""
    if len(values) == 0 or np.isnan(values).any():
        return NOWHERE
    return bootstrap(values, records)


def condition_title(condition: str) -> str:
    """Title of a condition."""
    kind, _, snr = condition.partition(" ")
    return f"{TITLES[kind]}, {snr} dB" if snr else "no noise added"
