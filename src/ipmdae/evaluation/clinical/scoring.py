"""All clinical measures of a method as one result."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from ipmdae.data import nstdb
from ipmdae.evaluation.benchmark import Mapper, Result, spread
from ipmdae.evaluation.clinical import invention, peaks, waves
from ipmdae.evaluation.clinical.rows import Row
from ipmdae.evaluation.subject_benchmark import SubjectBenchmark
from ipmdae.evaluation.subjects import Subject
from ipmdae.protocols.clinic_test import all_records

Task = tuple[str, str]

_ROOMS = {"peaks": peaks.rows, "waves": waves.rows, "invention": invention.rows}

_ALWAYS = (*peaks.MEASURES, waves.ST, invention.LEFT)
"""Measures that have a number wherever the cleaned signal is finite."""

_ROWS = 1_000_000
"""More than a recording has: items are numbered by recording, then by row."""


@dataclass(frozen=True)
class ClinicalBenchmark(SubjectBenchmark):
    """Beats, waves, ST levels and noise alone."""

    unit = "recordings"

    def size(self, part: int | None) -> int:
        """Recordings of both databases, and kinds of noise."""
        return len(self._tasks(part))

    def run(
        self,
        method: str,
        *,
        part: int | None = None,
        mapper: Mapper = map,
        done: Callable[[int], None] = lambda recordings: None,
    ) -> Result:
        """Measure all; an item is a number, whatever it is of.

        Args:
            method: name of a classical method or of a model, or a model file.
            part: how many records of each database; by default all.
            mapper: what applies a function to recordings.
            done: called with the number of recordings whenever some more are done.
        """
        subject = self.subject(method)
        tasks = self._tasks(part)
        found: list[Row] = []
        items: list[int] = []
        diverged = 0
        measured = mapper(partial(_measure, subject, self.datasets), list(tasks.values()))
        for number, rows in zip(tasks, measured, strict=True):
            found += rows
            items += [number * _ROWS + i for i in range(len(rows))]
            diverged += any(np.isnan(row.value) for row in rows if row.measure in _ALWAYS)
            done(1)
        measure, condition, record, value = zip(*found, strict=True)
        return Result(
            method=subject.name,
            version=subject.version,
            network=subject.network,
            total=len(self._tasks(None)),
            done=len(tasks),
            diverged=diverged,
            item=np.array(items),
            record=np.array(record),
            labels={"measure": np.array(measure), "condition": np.array(condition)},
            values={"value": np.array(value)},
        )

    def summary(self, result: Result) -> str:
        """The delineator's error at the end of the T wave, and its misses, with noise at 5 dB."""
        chosen = (result.labels["measure"] == "T offset") & (result.labels["condition"] == "em 5")
        errors = result.values["value"][chosen]
        missed = float(np.isnan(errors).mean())
        return f"T offset with em at 5 dB: {np.nanstd(errors):.0f} ms sd, {missed:.0%} missed"

    @cached_property
    def _listed(self) -> dict[int, Task]:
        """What there is to measure that is in the folders, by its number in the whole test."""
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
        return {i: task for i, task in enumerate(tasks) if task[1] in present}

    def _tasks(self, part: int | None) -> dict[int, Task]:
        tasks: dict[int, Task] = {}
        for room in _ROOMS:
            numbers = [i for i, task in self._listed.items() if task[0] == room]
            tasks |= {numbers[i]: self._listed[numbers[i]] for i in spread(len(numbers), part)}
        return tasks


def _measure(subject: Subject, datasets: Path, task: Task) -> list[Row]:
    """The rows of one recording."""
    room, name = task
    return _ROOMS[room](subject, datasets, name)
