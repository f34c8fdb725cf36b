"""Protocol reference: windows with common and with independent noise scored; its page.

As published, both leads of a window have the same noise, so that a network may subtract one lead
from the other. The same windows with independent noise on each lead show how much that matters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipmdae.lab.data import mixing, nstdb, qtdb, splits
from ipmdae.lab.evaluation import candidates, metrics, pages
from ipmdae.lab.evaluation.benchmarks import Mapper, in_chunks
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.evaluation.pages import estimate, grid
from ipmdae.lab.evaluation.results import (
    Array,
    Result,
    anchor_of,
    evenly_spaced,
    load_all,
    name_of,
)
from ipmdae.lab.evaluation.training_budget import Network, budgets_section
from ipmdae.lab.protocols import Pairs, stack
from ipmdae.lab.protocols.reference import Reference
from ipmdae.methods import classical

if TYPE_CHECKING:
    from ipmdae.lab.evaluation.trained_network import TrainedNetwork

UNIT = "windows"

_TITLES = {"snr": "SNR (dB)", "rmse": "RMSE", "cosine": "CosSim", "prd": "PRD (%)"}

COMMON, INDEPENDENT = "common", "independent"

NOISES = (COMMON, INDEPENDENT)

METRICS = {
    "snr": metrics.snr,
    "rmse": metrics.rmse,
    "cosine": metrics.cosine_similarity,
    "prd": metrics.prd,
}

MEASURES = (*METRICS, *(f"{name}_centred" for name in METRICS))
"""Metrics by the public implementation's formulas, and without each lead's mean."""

_CHUNK = 64


@dataclass(frozen=True)
class ReferenceBenchmark:
    """Classical methods and trained networks on the test windows of protocol reference.

    See :class:`ipmdae.lab.evaluation.benchmarks.Benchmark`. The records are those of the sorted
    split. A network goes by its name, which means its newest run of ``ipmdae benchmark train`` with
    the lowest seed, or by the folder of a run of the paper's commands.

    Attributes:
        datasets: folder that holds both databases.
        runs: folder of all these runs.
    """

    datasets: Path
    runs: Path = candidates.RUNS

    unit = UNIT

    @property
    def methods(self) -> list[str]:
        """Quick classical methods that need no fitting, trained networks, and runs to be tested."""
        runs = sorted(path.parent for path in self.runs.glob("*/version_*/run.json"))
        usable = [str(run) for run in runs if not self._objection(run)]
        quick = [name for name in _classical() if name in classical.quick()]
        return [*quick, *candidates.trained_names(Reference.name, self.runs), *usable]

    def protocol(self, noise: str) -> Reference:
        """The protocol with one of :data:`NOISES`; with all but one record where few are there."""
        folder = self.datasets / qtdb.FOLDER
        training = min(splits.PUBLISHED_TRAINING_RECORDS, len(qtdb.record_names(folder)) - 1)
        return Reference(
            qtdb_folder=folder,
            nstdb_folder=self.datasets / nstdb.FOLDER,
            split_idx=training,
            common_noise=noise == COMMON,
        )

    def version(self, method: str) -> str:
        """SHA-256 of a network's best weights.

        Raises:
            ValueError: there is no such method, or its training saw the test.
            FileNotFoundError: a network is not trained; the message names the command.
        """
        network = self._network(method)
        return "" if network is None else network.version

    def size(self, part: int | None) -> int:
        """Windows of all records with both noises."""
        return len(NOISES) * len(self._chosen(part))

    def run(
        self,
        method: str,
        *,
        part: int | None = None,
        mapper: Mapper = map,
        done: Callable[[int], None] = lambda windows: None,
    ) -> Result:
        """Clean the windows with both noises and score them.

        Args:
            method: name of a method, or the folder of a training run.
            part: number of evenly spaced windows of each record; by default all.
            mapper: ``map`` over chunks of windows.
            done: called with the number of windows whenever some more are done.
        """
        network, chosen = self._network(method), self._chosen(part)
        clean_chunk = partial(_clean, method) if network is None else partial(_run, network)
        values: dict[str, list[Array]] = {name: [] for name in MEASURES}
        for noise in NOISES:
            noisy, clean = stack(self._pairs[noise], chosen.tolist())
            cleaned = in_chunks(clean_chunk, noisy, _CHUNK, mapper, done)
            for name, scores in _score(clean, cleaned).items():
                values[name].append(scores)
        total = len(self._record)
        joined = {name: np.concatenate(scores) for name, scores in values.items()}
        return Result(
            method=name_of(method),
            version="" if network is None else network.version,
            network=None if network is None else self._described(network),
            total=len(NOISES) * total,
            done=len(NOISES) * len(chosen),
            diverged=int(np.isnan(joined["snr"]).sum()),
            table=pd.DataFrame(
                {
                    "item": np.concatenate([chosen, total + chosen]),
                    "record": np.tile(self._record[chosen], len(NOISES)),
                    "noise": np.repeat(NOISES, len(chosen)),
                    **joined,
                }
            ),
        )

    def summary(self, result: Result) -> str:
        """Mean SNR without the mean, with either noise."""
        means = [float(result["snr_centred"][result["noise"] == noise].mean()) for noise in NOISES]
        return f"SNR without DC {means[0]:.2f} dB, {means[1]:.2f} dB with independent noise"

    @cached_property
    def _pairs(self) -> dict[str, Pairs]:
        return {noise: self.protocol(noise).validation() for noise in NOISES}

    @cached_property
    def _record(self) -> NDArray[np.str_]:
        """The record of each window."""
        protocol = self.protocol(COMMON)
        folder, names = Path(protocol.qtdb_folder), protocol.records[1]
        counts = [
            len(mixing.cut(qtdb.read_centred(folder, name), protocol.window)) for name in names
        ]
        return np.repeat(names, counts)

    def _chosen(self, part: int | None) -> NDArray[np.int64]:
        by_record = [np.flatnonzero(self._record == name) for name in dict.fromkeys(self._record)]
        return np.concatenate([windows[evenly_spaced(len(windows), part)] for windows in by_record])

    def _network(self, method: str) -> TrainedNetwork | None:
        """The network of this name or run; none where it is a classical method."""
        if method in _classical():
            return None
        if candidates.is_trainable(method):
            (network,) = candidates.trained(method, Reference.name, self.runs)
        elif (Path(method) / "run.json").is_file():
            network = candidates.of_run(_settings(Path(method))["model"], Path(method))
        else:
            known = ", ".join([*_classical(), *candidates.NETWORKS])
            raise ValueError(
                f"unknown method {method!r}; there are: {known}, and the folder of any training run"
            )
        if objection := self._objection(network.run_folder):
            raise ValueError(f"{method} {objection}")
        return network

    def _described(self, network: TrainedNetwork) -> Network:
        return candidates.describe_networks(
            [network], self.protocol(COMMON).window, Reference.leads
        )

    def _objection(self, run: Path) -> str:
        """Reason why a run cannot be tested; empty if it can."""
        settings = _settings(run)
        if settings["protocol"] != Reference.name:
            return f"was trained on protocol {settings['protocol']}, on windows of another scale"
        seen = set(settings["split"]["training"]) & set(self.protocol(COMMON).records[1])
        return f"was trained on {len(seen)} of the test records" if seen else ""


def _classical() -> list[str]:
    return [name for name in classical.names() if name not in classical.LEARNERS]


def _clean(method: str, noisy: NDArray[np.float32]) -> Array:
    """Clean windows (windows, time, leads) lead by lead, each around its median."""
    lead_method = candidates.get(method)
    cleaned = np.empty(noisy.shape)
    with np.errstate(all="ignore"):
        for at in np.ndindex(noisy.shape[0], noisy.shape[2]):
            x = noisy[at[0], :, at[1]].astype(np.float64)
            middle = float(np.median(x))
            cleaned[at[0], :, at[1]] = lead_method.denoise(x - middle, qtdb.FS) + middle
    cleaned[~np.isfinite(cleaned).all(axis=(1, 2))] = np.nan
    return cleaned


def _run(network: TrainedNetwork, noisy: NDArray[np.float32]) -> Array:
    """Clean windows (windows, time, leads); one whose result is not finite becomes NaN."""
    cleaned = network.denoise_windows(noisy.astype(np.float64), qtdb.FS)
    cleaned[~np.isfinite(cleaned).all(axis=(1, 2))] = np.nan
    return cleaned


def _settings(run: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return settings


def _score(clean: NDArray[np.float32], cleaned: Array) -> dict[str, Array]:
    plain = {name: metric(clean, cleaned) for name, metric in METRICS.items()}
    centred = {
        f"{name}_centred": metric(clean, cleaned, centred=True) for name, metric in METRICS.items()
    }
    return plain | centred


def write(results: Path, output: Path, *, against: str | None = None) -> list[Path]:
    """Write ``reference.md``; see :class:`ipmdae.lab.evaluation.benchmarks.Reporter`.

    Raises:
        ValueError: nothing is stored of the method ``against``.
    """
    stored = load_all(results / "reference", candidates.ORDER)
    if not stored:
        return []
    anchor = anchor_of(stored, against, "none")
    return [pages.write(markdown(stored, anchor), output / "reference.md")]


def markdown(results: Sequence[Result], anchor: Result | None) -> str:
    """Format all tables as Markdown, with differences to ``anchor`` if given."""
    by_title = {result.title(UNIT): result for result in results}
    others = {title: result for title, result in by_title.items() if result is not anchor}
    plain, centred = (
        {title: f"{name}{variant}" for name, title in _TITLES.items()}
        for variant in ("", "_centred")
    )
    noises = {"common noise (dB)": COMMON, "independent noise (dB)": INDEPENDENT, "difference": ""}

    def mean(result: Result, measure: str) -> str:
        return estimate(result.mean(measure, noise=COMMON))

    def difference(result: Result, measure: str) -> str:
        return estimate(result.mean_less(anchor, measure, noise=COMMON)) if anchor else ""

    return pages.render(
        "reference.md.j2",
        plain=grid("method", by_title, plain, mean),
        centred=grid("method", by_title, centred, mean),
        anchor=anchor.method if anchor is not None and len(results) > 1 else None,
        differences=grid("method", others, centred, difference),
        leak=grid("method", by_title, noises, lambda *of: estimate(_by_noise(*of))),
        budgets=budgets_section(results, "window of two leads"),
    )


def _by_noise(result: Result, noise: str) -> Interval:
    """SNR without DC with a kind of noise; for none, its decrease by independent noise."""
    if noise:
        return result.mean("snr_centred", noise=noise)
    if result.diverged:
        return NOWHERE
    common, independent = (result.where(noise=name) for name in NOISES)
    worth = common["snr_centred"].to_numpy() - independent["snr_centred"].to_numpy()
    return over_records(worth, common["record"])
