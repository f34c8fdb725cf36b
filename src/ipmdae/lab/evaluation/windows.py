"""Protocols fgdae and tfcdiff as benchmarks: windows scored one by one, and their page.

The targets have a mean of zero (fgdae), or nearly (tfcdiff), while a recording keeps its offset.
Each output therefore loses its own mean before it is scored, that of ``none`` too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import candidates, cells, metrics, pages
from ipmdae.lab.evaluation.benchmarks import LeadBenchmark
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.pages import grid
from ipmdae.lab.evaluation.published import FACTOR_EDGES
from ipmdae.lab.evaluation.results import Array, Result, anchor_of, evenly_spaced, load_all
from ipmdae.lab.evaluation.training_budget import PAPER, equally_trained
from ipmdae.lab.protocols import fgdae, tfcdiff
from ipmdae.lab.protocols.deepfilter import VERSIONS, NoisyBeats

UNIT = "windows"

_TITLES = {
    "rmse": "RMSE (mV)",
    "ssd": "SSD (mV²)",
    "mad": "MAD (mV)",
    "prd_deepfilter": "PRD (%)",
    "cosine_similarity": "CosSim",
    "snr": "SNR (dB)",
}

_BINNED = ("ssd", "cosine_similarity")

_EXACT = 1e-9  # mV: an error that is rounding


@dataclass(frozen=True)
class Window:
    """A test window, clean and noisy (time,) in mV; ``mean`` is that of all clean windows."""

    number: int
    record: str
    factor: float
    clean: Array
    noisy: Array
    mean: float


class WindowBenchmark(LeadBenchmark[Window]):
    """Methods that work on recordings, on the windows of a protocol.

    See :class:`ipmdae.lab.evaluation.benchmarks.Benchmark`.
    """

    fs: ClassVar[float]
    measures: ClassVar[tuple[str, ...]]

    unit = UNIT

    @property
    @abstractmethod
    def versions(self) -> list[NoisyBeats]:
        """The test windows of each version of the noise."""

    def size(self, part: int | None) -> int:
        """Windows of all versions."""
        return sum(min(part or len(test), len(test)) for test in self.versions)

    def units(self, part: int | None) -> list[Window]:
        """The windows, version by version and record by record."""
        return list(self._windows(part))

    def _windows(self, part: int | None) -> Iterator[Window]:
        before = 0
        for test in self.versions:
            mean = float(test.clean.mean())
            for at in evenly_spaced(len(test), part).tolist():
                of = str(test.record[at]), float(test.factor[at]), test.clean[at], test.noisy[at]
                yield Window(before + at, *of, mean)
            before += len(test)

    def scorer(self, method: Candidate) -> Callable[[Window], pd.DataFrame]:
        """Create a function that scores a window."""
        return partial(_score, method, self.fs, self.measures)

    def diverged(self, scores: pd.DataFrame) -> bool:
        """True if the method gave no finite signal."""
        return bool(scores["ssd"].isna().any())

    def summary(self, result: Result) -> str:
        """Means of two published measures."""
        ssd, cosine = (float(result[name].mean()) for name in ("ssd", "cosine_similarity"))
        return f"SSD {ssd:.3f}, CosSim {cosine:.3f}"


class FGDAEBenchmark(WindowBenchmark):
    """The test windows of protocol fgdae."""

    fs, measures = fgdae.FGDAE.fs, fgdae.METRICS

    @cached_property
    def versions(self) -> list[NoisyBeats]:
        """The windows of both versions of the noise."""
        protocol = fgdae.FGDAE(
            qtdb_folder=self.datasets / qtdb.FOLDER, nstdb_folder=self.datasets / nstdb.FOLDER
        )
        return [protocol.windows("test", version) for version in VERSIONS]


class TFCDiffBenchmark(WindowBenchmark):
    """The test windows of protocol tfcdiff."""

    fs, measures = tfcdiff.TFCDiff.fs, tfcdiff.METRICS

    @cached_property
    def versions(self) -> list[NoisyBeats]:
        """The windows of the version that the public repository evaluates."""
        protocol = tfcdiff.TFCDiff(
            qtdb_folder=self.datasets / qtdb.FOLDER, nstdb_folder=self.datasets / nstdb.FOLDER
        )
        return [protocol.windows("test")]


def _score(method: Candidate, fs: float, names: Sequence[str], window: Window) -> pd.DataFrame:
    """A row of measures of a window."""
    values = measure(window.clean, method.clean(window.noisy, fs), window.mean, names)
    labels = {"item": window.number, "record": window.record, "factor": window.factor}
    return pd.DataFrame([labels | values])


def measure(clean: Array, cleaned: Array, mean: float, names: Sequence[str]) -> dict[str, float]:
    """Measures of an output less its mean, both (time,) in mV; an exact one has infinite SNR."""
    x, y = (part[np.newaxis, :, np.newaxis] for part in (clean, cleaned - cleaned.mean()))
    further = {"prd_deepfilter": {"mean": mean}}
    values = {name: getattr(metrics, name)(x, y, **further.get(name, {}))[0] for name in names}
    if np.abs(y - x).max() < _EXACT:
        values["snr"] = np.inf
    return values


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``windows.md``; see :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = {
        kind: load_all(results / kind, candidates.ORDER)
        for kind in (fgdae.FGDAE.name, tfcdiff.TFCDiff.name)
    }
    if not any(stored.values()):
        return []
    for found in stored.values():
        candidates.warn_of_outdated(found)
    anchors = {
        kind: anchor_of(found, against, "ipmdae-base") for kind, found in stored.items() if found
    }
    return [pages.write(markdown(stored, anchors), output / "windows.md")]


def markdown(stored: dict[str, list[Result]], anchors: dict[str, Result | None]) -> str:
    """Format all tables as Markdown, with differences to the anchor of each protocol if given."""
    return pages.render(
        "windows.md.j2",
        paper=PAPER,
        partial=any(result.done < result.total for found in stored.values() for result in found),
        fgdae=_tables(stored["fgdae"], FGDAEBenchmark, anchors.get("fgdae")),
        tfcdiff=_tables(stored["tfcdiff"], TFCDiffBenchmark, anchors.get("tfcdiff")),
    )


def _tables(
    results: Sequence[Result], benchmark: type[WindowBenchmark], anchor: Result | None
) -> dict[str, str]:
    """Tables of a protocol by name; empty without results."""
    if not results:
        return {}
    rows = {result.title(UNIT): result for result in results}
    others = {title: result for title, result in rows.items() if result is not anchor}
    names = {_TITLES[name]: name for name in benchmark.measures}
    differences = {f"{title.split(' (')[0]} difference": name for title, name in names.items()}
    tables = {
        "all": grid("method", rows, names, cells.measured),
        "factors": grid("method", rows, _bins(results), partial(cells.in_bin, _BINNED)),
        "anchor": "",
        "alike": "",
    }
    if anchor and others:
        tables["anchor"] = anchor.method
        tables["paired"] = grid("method", others, differences, partial(cells.less, anchor))
        ahead = [
            f"`{result.method}`"
            for result in others.values()
            if cells.difference(anchor, result, "ssd").high < 0
        ]
        tables["ahead"] = ", ".join(ahead) or "no other row"
    alike = equally_trained(results)
    paper = alike.pop(PAPER, None)
    if paper and alike:
        titled = {result.title(UNIT): result for result in alike.values()}
        tables["alike"] = grid("method", titled, differences, partial(cells.less, paper))
    return tables


def _bins(results: Sequence[Result]) -> dict[str, tuple[float, float]]:
    """Edges of the bins of the noise factor, that of windows without noise first if there are."""
    bins = cells.bins(FACTOR_EDGES)
    clean = any((result["factor"] == 0).any() for result in results)
    return {"no noise": (0.0, FACTOR_EDGES[0])} | bins if clean else bins
