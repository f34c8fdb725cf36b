"""All clinical measures of a method as one result."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ipmdae.lab.data import nstdb
from ipmdae.lab.evaluation.benchmark import Result, spread
from ipmdae.lab.evaluation.clinical import invention, peaks, waves
from ipmdae.lab.evaluation.subject_benchmark import Scores, SubjectBenchmark
from ipmdae.lab.evaluation.subjects import Subject
from ipmdae.lab.protocols.clinic_test import all_records


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


_MEASURES = {"peaks": peaks.rows, "waves": waves.rows, "invention": invention.rows}

_ALWAYS = (*peaks.MEASURES, waves.ST, invention.LEFT)
"""Measures that are always defined if the denoised signal is finite."""

_ROWS = 1_000_000
"""Upper bound of the rows per recording: items are numbered by recording, then by row."""


@dataclass(frozen=True)
class ClinicalBenchmark(SubjectBenchmark[Task]):
    """Beats, fiducial points, ST levels and noise-only input; an item is one number."""

    unit = "recordings"

    def size(self, part: int | None) -> int:
        """Recordings of both databases, and kinds of noise."""
        return len(self.units(part))

    def units(self, part: int | None) -> list[Task]:
        """Names of the measures, one group after the other."""
        tasks: list[Task] = []
        for measure in _MEASURES:
            listed = [task for task in self._listed if task.measure == measure]
            tasks += [listed[i] for i in spread(len(listed), part)]
        return tasks

    def scorer(self, subject: Subject) -> Callable[[Task], Scores]:
        """Create a function that measures a recording."""
        return partial(_measure, subject, self.datasets)

    def summary(self, result: Result) -> str:
        """Delineation error at the end of the T wave, and its misses, with noise at 5 dB."""
        chosen = (result.labels["measure"] == "T offset") & (result.labels["condition"] == "em 5")
        errors = result.values["value"][chosen]
        missed = float(np.isnan(errors).mean())
        return f"T offset with em at 5 dB: {np.nanstd(errors):.0f} ms sd, {missed:.0%} missed"

    @cached_property
    def _listed(self) -> list[Task]:
        """Tasks for which the folders hold data."""
        folder = self.test.nstdb_folder
        present = {*peaks.present(folder), *self.test.records, *nstdb.KINDS}
        if missing := [name for name in peaks.RECORDS if name not in present]:
            warnings.warn(
                f"{len(missing)} of the {len(peaks.RECORDS)} records 118e* and 119e* are not in "
                f"{folder}: this is not the whole test",
                stacklevel=2,
            )
        tasks = [
            *(("peaks", name) for name in peaks.RECORDS),
            *(("waves", name) for name in all_records()),
            *(("invention", kind) for kind in nstdb.KINDS),
        ]
        return [Task(i, *task) for i, task in enumerate(tasks) if task[1] in present]


def _measure(subject: Subject, datasets: Path, task: Task) -> Scores:
    """All numbers of one recording."""
    rows = _MEASURES[task.measure](subject, datasets, task.name)
    return Scores(
        item=task.number * _ROWS + np.arange(len(rows)),
        record=np.array([row.record for row in rows], np.str_),
        labels={
            "measure": np.array([row.measure for row in rows], np.str_),
            "condition": np.array([row.condition for row in rows], np.str_),
        },
        values={"value": np.array([row.value for row in rows], np.float64)},
        diverged=any(np.isnan(row.value) for row in rows if row.measure in _ALWAYS),
    )
