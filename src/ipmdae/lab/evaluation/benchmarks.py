"""Benchmarks: their interface, their registry, and the frame of those that go unit by unit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import candidates
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.results import Result, evenly_spaced
from ipmdae.lab.evaluation.training_budget import Network
from ipmdae.lab.protocols.clinic_test import PIECES, ClinicTest, Piece

Unit = TypeVar("Unit")
Method = TypeVar("Method", bound="UnderTest")

#: Module and class of each benchmark, and module that writes its page.
_BENCHMARKS = {
    "deepfilter": ("deepfilter", "DeepFilterBenchmark", "deepfilter_page"),
    "clinic": ("clinic", "ClinicBenchmark", "clinic_page"),
    "clinical": ("clinical", "ClinicalBenchmark", "clinic_page"),
    "robustness": ("robustness", "RobustnessBenchmark", "robustness"),
    "hearts": ("hearts.benchmark", "HeartsBenchmark", "hearts.page"),
    "reference": ("reference", "ReferenceBenchmark", "reference"),
    "fgdae": ("windows", "FGDAEBenchmark", "windows"),
    "tfcdiff": ("windows", "TFCDiffBenchmark", "windows"),
}

NAMES = tuple(_BENCHMARKS)
"""Names of all benchmarks."""

WITH_SEEDS = ("deepfilter",)
"""Benchmarks that distinguish the training seeds of a network."""


class Mapper(Protocol):
    """``map``, also of a pool of processes: results in the order of the items."""

    def __call__(
        self, function: Callable[[Any], Any], items: Iterable[Any], /
    ) -> Iterator[Any]: ...


class Benchmark(Protocol):
    """Interface of a benchmark.

    Attributes:
        unit: unit of the counts, e.g. ``"beats"``.
    """

    unit: str

    @property
    def methods(self) -> list[str]:
        """Methods that are run by default."""
        ...

    def version(self, method: str) -> str:
        """SHA-256 of a network's weights: :attr:`Result.version`; empty for a classical method.

        Raises:
            ValueError: the method is unknown; the message lists the known ones.
        """
        ...

    def size(self, part: int | None) -> int:
        """Number of beats, segments, … in ``part``."""
        ...

    def run(
        self,
        method: str,
        *,
        part: int | None = None,
        mapper: Mapper = map,
        done: Callable[[int], None] = lambda count: None,
    ) -> Result:
        """Score a method; the result does not depend on the processes of ``mapper``.

        Args:
            method: its name or, where the benchmark takes networks, a model file or
                ``name@seed``.
            part: size of an evenly spaced part of the test; by default all.
            done: called with the number of beats, segments, … that were finished since.
        """
        ...

    def summary(self, result: Result) -> str:
        """Result in a few words."""
        ...


class Reporter(Protocol):
    """Writer of the page of a benchmark from stored results; benchmarks may share a page."""

    def write(self, results: Path, output: Path, *, against: str | None) -> list[Path]:
        """Write tables and figures.

        Args:
            results: folder with one folder of stored results per benchmark.
            output: folder of the page; figures go to ``figures`` below it.
            against: method to compare the others with; each page has a default.

        Returns:
            Paths of the written files; empty without stored results.

        Raises:
            ValueError: nothing is stored of the method ``against``.
        """
        ...


def open_benchmark(name: str, datasets: Path, runs: Path) -> Benchmark:
    """Open the benchmark ``name`` on the databases in ``datasets`` for the training ``runs``."""
    module, kind, _ = _BENCHMARKS[name]
    made: Callable[[Path, Path], Benchmark] = getattr(_import(module), kind)
    return made(datasets, runs)


def open_reporter(name: str) -> Reporter:
    """Writer of the page of the benchmark ``name``."""
    reporter: Reporter = _import(_BENCHMARKS[name][2])
    return reporter


def _import(module: str) -> Any:
    return import_module(f"ipmdae.lab.evaluation.{module}")


def in_chunks(
    clean: Callable[[NDArray[Any]], NDArray[np.float64]],
    noisy: NDArray[Any],
    size: int,
    mapper: Mapper,
    done: Callable[[int], None],
) -> NDArray[np.float64]:
    """Signals (signals, …) denoised in chunks, which do not depend on ``mapper``'s processes."""
    cleaned = []
    for chunk in mapper(clean, np.split(noisy, range(size, len(noisy), size))):
        cleaned.append(chunk)
        done(len(chunk))
    return np.concatenate(cleaned)


class UnderTest(Protocol):
    """A method with what its results state of it."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def network(self) -> Network | None: ...


@dataclass(frozen=True)
class UnitBenchmark(ABC, Generic[Method, Unit]):
    """A test of units (segments, leads or recordings), each measured by any process.

    Attributes:
        datasets: folder that holds the databases.
        runs: folder of the training runs of networks.
    """

    datasets: Path
    runs: Path = candidates.RUNS

    @abstractmethod
    def open(self, method: str) -> Method:
        """A method by its name.

        Raises:
            ValueError: there is no such method.
        """

    @abstractmethod
    def units(self, part: int | None) -> Sequence[Unit]:
        """The units of a part, or of the whole."""

    @abstractmethod
    def scorer(self, method: Method) -> Callable[[Unit], pd.DataFrame]:
        """Create a function that measures a unit, for use in other processes.

        It returns rows of :attr:`Result.table`.
        """

    @abstractmethod
    def diverged(self, scores: pd.DataFrame) -> bool:
        """True if the method gave no finite signal for the unit of these rows."""

    def version(self, method: str) -> str:
        """SHA-256 of a network's file or weights, empty for a classical method."""
        return self.open(method).version

    def size(self, part: int | None) -> int:
        """Number of units in ``part``."""
        return len(self.units(part))

    def prepared(self, method: Method) -> Method:
        """The method, fitted if it learns."""
        return method

    def examples(
        self, method: Method, units: Sequence[Unit], scores: pd.DataFrame
    ) -> dict[str, NDArray[Any]]:
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
        """Measure a method; see :class:`Benchmark`."""
        under_test = self.prepared(self.open(method))
        units = self.units(part)
        scores: list[pd.DataFrame] = []
        for rows in mapper(self.scorer(under_test), units):
            scores.append(rows)
            done(1)
        table = pd.concat(scores, ignore_index=True)
        return Result(
            method=under_test.name,
            version=under_test.version,
            network=under_test.network,
            total=self.size(None),
            done=len(units),
            diverged=sum(self.diverged(rows) for rows in scores),
            table=table,
            examples=self.examples(under_test, units, table),
        )


@dataclass(frozen=True)
class LeadBenchmark(UnitBenchmark[Candidate, Unit]):
    """A test of methods that denoise single leads."""

    @property
    def methods(self) -> list[str]:
        """Classical methods, the models that ship, and the networks of others that are trained."""
        return candidates.ready(self.runs)

    @cached_property
    def test(self) -> ClinicTest:
        """Source of signals and noise."""
        return ClinicTest(
            qtdb_folder=self.datasets / qtdb.FOLDER, nstdb_folder=self.datasets / nstdb.FOLDER
        )

    def open(self, method: str) -> Candidate:
        """A method by its name, or a model file."""
        return candidates.find(method, self.runs)

    def prepared(self, method: Candidate) -> Candidate:
        """The method, fitted on training windows of protocol clinic if it learns."""
        return candidates.fitted(method, self.datasets)


@dataclass(frozen=True)
class PieceBenchmark(LeadBenchmark[Piece]):
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
        return list(self.test.pieces(evenly_spaced(PIECES, min(part or self.most, self.most))))


def of_piece(piece: Piece, columns: dict[str, Any]) -> pd.DataFrame:
    """Rows of a segment whose columns are (conditions,) each."""
    rows = pd.DataFrame(columns)
    rows.insert(0, "item", piece.number * len(rows) + np.arange(len(rows)))
    rows.insert(1, "record", piece.record)
    return rows
