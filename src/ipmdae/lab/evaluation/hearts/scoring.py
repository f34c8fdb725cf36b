"""All measurements of a method as one result."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ipmdae.engine import find_model
from ipmdae.lab.data import cudb, mitdb, nstdb, splits
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.evaluation import trained
from ipmdae.lab.evaluation.benchmark import Mapper, Result, label, spread
from ipmdae.lab.evaluation.clinical.peaks import RECORDS
from ipmdae.lab.evaluation.hearts import (
    arrhythmia,
    gains,
    leads,
    limbs,
    motion,
    pauses,
    peaks,
    pictures,
    signals,
)
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest, default_methods
from ipmdae.lab.evaluation.hearts.rows import FIELDS, Row
from ipmdae.lab.evaluation.subjects import describe_model
from ipmdae.lab.protocols.clinic_test import all_records


class Task(NamedTuple):
    """A unit of the benchmark.

    Attributes:
        number: index in the complete test, independent of the available data.
        part: a name of :data:`PARTS`.
        name: name of a lead, a record or a subject.
    """

    number: int
    part: str
    name: str


class Part(NamedTuple):
    """A part of the test.

    Attributes:
        rows: function that measures a lead, a record or a subject.
        names: function that lists all names of the part.
        present: function that selects the names available in a folder of databases.
    """

    rows: Callable[[MethodUnderTest, Path, str], list[Row]]
    names: Callable[[], list[str]]
    present: Callable[[Path], list[str]]


def _records() -> list[str]:
    return [*all_records(), *leads.DEVELOPMENT]


def _records_present(datasets: Path) -> list[str]:
    return list(dict.fromkeys(name.split()[0] for name in leads.present(datasets)))


def _files(folder: str, names: Callable[[], list[str]]) -> Callable[[Path], list[str]]:
    return lambda datasets: [
        name for name in names() if (datasets / folder / f"{name}.hea").is_file()
    ]


def _part(
    rows: Callable[[MethodUnderTest, Path, str], list[Row]], folder: str, names: tuple[str, ...]
) -> Part:
    """A part whose units are records of one database."""
    return Part(rows, lambda: list(names), _files(folder, lambda: list(names)))


PARTS = {
    "gains": Part(gains.rows, leads.names, leads.present),
    "pauses": Part(pauses.rows, leads.names, leads.present),
    "limb leads": Part(limbs.rows, _records, _records_present),
    "arrhythmia": _part(arrhythmia.rows, mitdb.FOLDER, leads.DEVELOPMENT),
    "fibrillation": _part(arrhythmia.fibrillation, cudb.FOLDER, (arrhythmia.FIBRILLATING,)),
    "peaks": _part(peaks.rows, nstdb.FOLDER, tuple(RECORDS)),
    "motion": Part(motion.rows, lambda: splits.load("ecgnext", "test"), motion.present),
    "signals": Part(signals.rows, lambda: ["test signals"], lambda datasets: ["test signals"]),
}

_ROWS = 100_000
"""Upper bound of the rows per unit: items are numbered by unit, then by row."""


@dataclass(frozen=True)
class HeartsBenchmark:
    """Rhythms and waves to preserve.

    See :class:`ipmdae.lab.evaluation.benchmark.Benchmark`.

    Attributes:
        datasets: folder that holds the databases.
        runs: folder of training runs; not used.
    """

    datasets: Path
    runs: Path = trained.RUNS

    unit = "leads, records and subjects"

    @property
    def methods(self) -> list[str]:
        """Identity baseline, classical filters, shipped models, other modes of the default one."""
        return default_methods()

    def version(self, method: str) -> str:
        """SHA-256 of a network's file, empty for a classical method."""
        under_test = MethodUnderTest(method)
        under_test.check()
        return under_test.version

    def size(self, part: int | None) -> int:
        """Number of leads, records and subjects in ``part`` of each kind."""
        return len(self.tasks(part))

    def tasks(self, part: int | None) -> list[Task]:
        """Units to measure: all, or ``part`` evenly spaced units of each kind."""
        tasks: list[Task] = []
        for name in PARTS:
            listed = [task for task in self._listed if task.part == name]
            tasks += [listed[i] for i in spread(len(listed), part)]
        return tasks

    def run(
        self,
        method: str,
        *,
        part: int | None = None,
        mapper: Mapper = map,
        done: Callable[[int], None] = lambda count: None,
    ) -> Result:
        """Measure a method.

        Args:
            method: a method, with options as in ``ipmdae-base+mode=gentle``.
            part: number of evenly spaced units of each part of the test; by default all.
            mapper: ``map`` over units.
            done: called with 1 for each finished unit.
        """
        under_test = MethodUnderTest(method)
        under_test.check()
        tasks = self.tasks(part)
        measured: list[list[Row]] = []
        for rows in mapper(partial(_measure, under_test, self.datasets), tasks):
            measured.append(rows)
            done(1)
        every = [row for rows in measured for row in rows]
        return Result(
            method=label(method),
            version=under_test.version,
            network=describe_model(find_model(under_test.method)) if under_test.version else None,
            total=self.size(None),
            done=len(tasks),
            diverged=sum(_diverged(rows) for rows in measured),
            item=np.concatenate(
                [
                    task.number * _ROWS + np.arange(len(rows))
                    for task, rows in zip(tasks, measured, strict=True)
                ]
            ),
            record=np.array([row.record for row in every], np.str_),
            labels={
                name: np.array([getattr(row, name) for row in every], np.str_)
                for name in ("measure", "case", "condition")
            },
            values={
                name: np.array([getattr(row, name) for row in every], np.float64) for name in FIELDS
            },
            examples=pictures.examples(under_test, self.datasets, every),
        )

    def summary(self, result: Result) -> str:
        """The least median gain of any component without noise and with baseline wander."""
        from ipmdae.lab.evaluation.hearts.tables import least_gain

        phrases = []
        for title, conditions in (("no noise", (leads.NONE,)), ("wander", leads.WANDER)):
            name, gain = least_gain(result, conditions)
            phrases.append(f"{gain:.2f} with {title} ({name})")
        return f"least gain {', '.join(phrases)}"

    @cached_property
    def _listed(self) -> list[Task]:
        """Units for which the folders hold data.

        Raises:
            DatasetNotFoundError: neither database of leads is available.
        """
        tasks = [(part, name) for part in PARTS for name in PARTS[part].names()]
        present = {part: set(of.present(self.datasets)) for part, of in PARTS.items()}
        if not present["gains"]:
            raise DatasetNotFoundError("qtdb", self.datasets)
        for part, of in PARTS.items():
            if missing := len(of.names()) - len(present[part]):
                warnings.warn(
                    f"{missing} of the {len(of.names())} units of part '{part}' are not below "
                    f"{self.datasets}: this is not the whole test",
                    stacklevel=2,
                )
        return [Task(i, *task) for i, task in enumerate(tasks) if task[1] in present[task[0]]]


def _measure(method: MethodUnderTest, datasets: Path, task: Task) -> list[Row]:
    """All numbers of one unit."""
    return list(PARTS[task.part].rows(method, datasets, task.name))


def _diverged(rows: list[Row]) -> bool:
    """True if the method returned a non-finite signal."""
    return any(not np.isfinite(row.value) for row in rows)
