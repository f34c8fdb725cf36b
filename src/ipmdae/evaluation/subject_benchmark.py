"""What the benchmarks of whole leads share: their subjects, and where the signals come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ipmdae.data import nstdb, qtdb
from ipmdae.evaluation import subjects, trained
from ipmdae.evaluation.subjects import Subject
from ipmdae.protocols.clinic_test import ClinicTest


@dataclass(frozen=True)
class SubjectBenchmark:
    """A test of :mod:`subjects <ipmdae.evaluation.subjects>`; see
    :class:`ipmdae.evaluation.benchmark.Benchmark`.

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
        """Where the signals and the noise come from."""
        return ClinicTest(
            qtdb_folder=self.datasets / qtdb.FOLDER, nstdb_folder=self.datasets / nstdb.FOLDER
        )

    def version(self, method: str) -> str:
        """SHA-256 of a network's file or weights."""
        return subjects.find(method, self.runs).version

    def subject(self, method: str) -> Subject:
        """The subject, ready to clean."""
        return subjects.fitted(subjects.find(method, self.runs), self.datasets)
