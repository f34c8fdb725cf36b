"""Registry of the benchmarks, imported on request."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ipmdae.lab.evaluation.benchmark import Benchmark

#: Module and class that score, and module that reports, by benchmark.
_ROOMS = {
    "deepfilter": ("deepfilter.scoring.DeepFilterBenchmark", "deepfilter.report"),
    "clinic": ("clinic.scoring.ClinicBenchmark", "clinic.report"),
    "clinical": ("clinical.scoring.ClinicalBenchmark", "clinic.report"),
    "robustness": ("robustness.scoring.RobustnessBenchmark", "robustness.report"),
    "hearts": ("hearts.scoring.HeartsBenchmark", "hearts.report"),
    "reference": ("reference.scoring.ReferenceBenchmark", "reference.report"),
}

NAMES = tuple(_ROOMS)
"""Names of all benchmarks."""

WITH_SEEDS = ("deepfilter",)
"""Benchmarks that distinguish the training seeds of a network."""


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
    """Open the benchmark ``name`` on the databases below ``datasets``, for the training runs in
    ``runs``.
    """
    module, _, kind = _ROOMS[name][0].rpartition(".")
    made: Callable[[Path, Path], Benchmark] = getattr(_room(module), kind)
    return made(datasets, runs)


def open_reporter(name: str) -> Reporter:
    """Writer of the page of the benchmark ``name``."""
    reporter: Reporter = _room(_ROOMS[name][1])
    return reporter


def _room(module: str) -> Any:
    return import_module(f"ipmdae.lab.evaluation.{module}")
