"""All measurements of a method as one result of protocol hearts."""

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

from ipmdae.lab.data import cudb, mitdb, nstdb, splits
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.evaluation.beats import RECORDS
from ipmdae.lab.evaluation.benchmarks import UnitBenchmark
from ipmdae.lab.evaluation.hearts import (
    arrhythmia,
    detections,
    gains,
    leads,
    limbs,
    motion,
    pictures,
    signals,
    statistics,
)
from ipmdae.lab.evaluation.hearts.components import COMPONENTS
from ipmdae.lab.evaluation.hearts.method import MethodUnderTest, Row, default_methods, to_table
from ipmdae.lab.evaluation.results import Result, evenly_spaced
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
    "pauses": Part(detections.false_detections, leads.names, leads.present),
    "limb leads": Part(limbs.rows, _records, _records_present),
    "arrhythmia": _part(arrhythmia.rows, mitdb.FOLDER, leads.DEVELOPMENT),
    "fibrillation": _part(arrhythmia.fibrillation, cudb.FOLDER, (arrhythmia.FIBRILLATING,)),
    "peaks": _part(detections.r_peaks, nstdb.FOLDER, tuple(RECORDS)),
    "motion": Part(motion.rows, lambda: splits.load("ecgnext", "test"), motion.present),
    "signals": Part(signals.rows, lambda: ["test signals"], lambda datasets: ["test signals"]),
}

_ROWS = 100_000
"""Upper bound of the rows per unit: items are numbered by unit, then by row."""


@dataclass(frozen=True)
class HeartsBenchmark(UnitBenchmark[MethodUnderTest, Task]):
    """Rhythms and waves to preserve."""

    unit = "leads, records and subjects"

    @property
    def methods(self) -> list[str]:
        """Identity baseline, classical filters, shipped models, other modes of the default one."""
        return default_methods()

    def open(self, method: str) -> MethodUnderTest:
        """A method, with options as in ``ipmdae-base+mode=gentle``."""
        under_test = MethodUnderTest(method)
        under_test.check()
        return under_test

    def units(self, part: int | None) -> list[Task]:
        """Units to measure: all, or ``part`` evenly spaced units of each kind."""
        tasks: list[Task] = []
        for name in PARTS:
            listed = [task for task in self._listed if task.part == name]
            tasks += [listed[i] for i in evenly_spaced(len(listed), part)]
        return tasks

    def scorer(self, method: MethodUnderTest) -> Callable[[Task], pd.DataFrame]:
        """Create a function that measures a unit."""
        return partial(_measure, method, self.datasets)

    def diverged(self, scores: pd.DataFrame) -> bool:
        """True if the method returned a non-finite signal."""
        return not np.isfinite(scores["value"]).all()

    def examples(
        self, method: MethodUnderTest, units: Sequence[Task], scores: pd.DataFrame
    ) -> dict[str, NDArray[Any]]:
        """The worst and the median case of each component, and of real arrhythmia."""
        return pictures.examples(method, self.datasets, scores)

    def summary(self, result: Result) -> str:
        """The least median gain of any component without noise and with baseline wander."""
        phrases = []
        for title, conditions in (("no noise", (leads.NONE,)), ("wander", leads.WANDER)):
            name, gain = statistics.least_gain(result, tuple(COMPONENTS), conditions)
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


def _measure(method: MethodUnderTest, datasets: Path, task: Task) -> pd.DataFrame:
    """All numbers of one unit."""
    rows = to_table(list(PARTS[task.part].rows(method, datasets, task.name)))
    rows.insert(0, "item", task.number * _ROWS + np.arange(len(rows)))
    return rows
