"""Common parts of benchmarks of whole leads: methods under test, signals, collected results.

A benchmark consists of units (a segment of a lead, a recording) that are measured one by one, each
by any process; a subclass lists the units and measures one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import subjects, trained
from ipmdae.lab.evaluation.benchmark import Array, Labels, Mapper, Result, spread
from ipmdae.lab.evaluation.subjects import Subject
from ipmdae.lab.protocols.clinic_test import PIECES, ClinicTest, Piece

Unit = TypeVar("Unit")


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Scores of a method on one unit.

    Attributes:
        item, record, labels, values: as of a :class:`~ipmdae.lab.evaluation.benchmark.Result`, the
            items of this unit.
        diverged: whether the method gave no finite signal.
    """

    item: NDArray[np.int64]
    record: NDArray[np.str_]
    labels: Labels
    values: dict[str, Array]
    diverged: bool


@dataclass(frozen=True)
class SubjectBenchmark(ABC, Generic[Unit]):
    """A test of :mod:`subjects <ipmdae.lab.evaluation.subjects>`; see
    :class:`ipmdae.lab.evaluation.benchmark.Benchmark`.

    Attributes:
        datasets: folder that holds both databases.
        runs: folder of the training runs of networks.
    """

    datasets: Path
    runs: Path = trained.RUNS

    @property
    def methods(self) -> list[str]:
        """Classical methods, the models that ship, and the networks of others that are trained."""
        return subjects.ready(self.runs)

    @cached_property
    def test(self) -> ClinicTest:
        """Source of signals and noise."""
        return ClinicTest(
            qtdb_folder=self.datasets / qtdb.FOLDER, nstdb_folder=self.datasets / nstdb.FOLDER
        )

    def version(self, method: str) -> str:
        """SHA-256 of a network's file or weights."""
        return subjects.find(method, self.runs).version

    @abstractmethod
    def size(self, part: int | None) -> int:
        """Number of units in ``part``."""

    @abstractmethod
    def units(self, part: int | None) -> Sequence[Unit]:
        """The units of a part, or of the whole."""

    @abstractmethod
    def scorer(self, subject: Subject) -> Callable[[Unit], Scores]:
        """Create a function that measures a unit; it is sent to other processes."""

    def examples(self, subject: Subject, units: Sequence[Unit]) -> dict[str, NDArray[Any]]:
        """Signals for figures, by default none."""
        return {}

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
            method: name of a classical method or of a model, or a model file.
            part: number of evenly spaced segments of each lead, or records of each database; by
                default all.
            mapper: ``map`` over units.
            done: called with 1 whenever a unit is done.
        """
        subject = subjects.fitted(subjects.find(method, self.runs), self.datasets)
        units = self.units(part)
        scores: list[Scores] = []
        for score in mapper(self.scorer(subject), units):
            scores.append(score)
            done(1)
        return Result(
            method=subject.name,
            version=subject.version,
            network=subject.network,
            total=self.size(None),
            done=len(units),
            diverged=sum(score.diverged for score in scores),
            item=np.concatenate([score.item for score in scores]),
            record=np.concatenate([score.record for score in scores]),
            labels=_joined([score.labels for score in scores]),
            values=_joined([score.values for score in scores]),
            examples=self.examples(subject, units),
        )


@dataclass(frozen=True)
class PieceBenchmark(SubjectBenchmark[Piece]):
    """A test on the segments of protocol clinic under several conditions; an item is a signal.

    Attributes:
        most: segments of each lead that are used.
    """

    most: ClassVar[int] = PIECES

    unit = "segments"

    def size(self, part: int | None) -> int:
        """Segments of all leads."""
        return len(self.test) // PIECES * min(part or self.most, self.most)

    def units(self, part: int | None) -> list[Piece]:
        """The segments, record by record and lead by lead."""
        return list(self.test.pieces(spread(PIECES, min(part or self.most, self.most))))


def of_piece(piece: Piece, labels: Labels, values: dict[str, Array], *, diverged: bool) -> Scores:
    """Scores of a segment whose labels and values are (conditions,) each."""
    (count,) = {len(column) for column in (*labels.values(), *values.values())}
    return Scores(
        item=piece.number * count + np.arange(count),
        record=np.repeat(piece.record, count),
        labels=labels,
        values=values,
        diverged=diverged,
    )


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Columns of the same names, one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
