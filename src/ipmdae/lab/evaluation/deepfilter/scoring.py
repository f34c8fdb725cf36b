"""The beats of protocol deepfilter denoised by a method and scored individually."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import metrics, rivals, trained
from ipmdae.lab.evaluation.benchmark import Array, Mapper, Result, spread
from ipmdae.lab.protocols.deepfilter import VERSIONS, WINDOW, DeepFilter, NoisyBeats, Version
from ipmdae.methods import classical

if TYPE_CHECKING:
    from ipmdae.lab.evaluation.trained_network import TrainedNetwork

#: Measures, in the order of the published table, then further ones.
MEASURES = (
    "ssd",
    "mad",
    "prd_deepfilter",
    "cosine",
    "prd",
    "snr_improvement",
    "cosine_centred",
    "rmse",
)

_NAME = "deepfilter"
_MODELS = tuple(f"noise-{version}" for version in VERSIONS)
_CHUNK = 128
_EXAMPLE_FACTORS = (0.3, 0.8, 1.25, 1.75)


@dataclass(frozen=True)
class DeepFilterBenchmark:
    """Classical methods and trained networks on the test beats of both versions.

    See :class:`ipmdae.lab.evaluation.benchmark.Benchmark`.

    Attributes:
        datasets: folder that holds both databases.
        runs: folder of the training runs of networks.
    """

    datasets: Path
    runs: Path = trained.RUNS

    unit = "beats"

    @property
    def methods(self) -> list[str]:
        """All fast classical methods, and the networks that are trained for both versions."""
        return [*classical.quick(), *trained.names(_NAME, self.runs)]

    @cached_property
    def protocol(self) -> DeepFilter:
        """Source of the beats."""
        return DeepFilter(
            qtdb_folder=self.datasets / qtdb.FOLDER, nstdb_folder=self.datasets / nstdb.FOLDER
        )

    def version(self, method: str) -> str:
        """SHA-256 of a network's two models, which have the same seed.

        Raises:
            ValueError: there is no such method.
            FileNotFoundError: a network is not trained; the message names the command.
        """
        networks = self._networks(method)
        return trained.version(networks) if networks else ""

    def size(self, part: int | None) -> int:
        """Beats of both versions."""
        available = len(self.protocol.noisy_beats("test", 1))
        return len(VERSIONS) * min(part or available, available)

    def run(
        self,
        method: str,
        *,
        part: int | None = None,
        mapper: Mapper = map,
        done: Callable[[int], None] = lambda beats: None,
    ) -> Result:
        """Denoise the test beats of both versions and score them.

        A method that is fitted is fitted for each version on its training beats; a network has one
        model for each. Beats are denoised in chunks that do not depend on the processes of
        ``mapper``.

        Args:
            method: name of a method; of a network also ``name@seed``.
            part: number of beats of each version.
            mapper: ``map`` over chunks of beats.
            done: called with the number of beats finished since.
        """
        networks, fs = self._networks(method), self.protocol.fs
        items, records, factors, scores, total = [], [], [], [], 0
        examples: dict[str, Array] = {}
        for at, version in enumerate(VERSIONS):
            rival = networks[at] if networks else self._fitted(rivals.get(method), version)
            test = self.protocol.noisy_beats("test", version)
            chosen = spread(len(test), part)
            chunks = np.split(test.noisy[chosen], range(_CHUNK, len(chosen), _CHUNK))
            cleaned = []
            for chunk in mapper(partial(_clean, rival, fs), chunks):
                cleaned.append(chunk)
                done(len(chunk))
            examples = examples or _examples(rival, test, fs)
            scores.append(_score(test, chosen, np.concatenate(cleaned)))
            items.append(total + chosen)
            records.append(test.record[chosen])
            factors.append(test.factor[chosen])
            total += len(test)
        values = {name: np.concatenate([score[name] for score in scores]) for name in MEASURES}
        return Result(
            method=method,
            version=trained.version(networks) if networks else "",
            network=trained.describe(networks, WINDOW) if networks else None,
            total=total,
            done=len(values["ssd"]),
            diverged=int(np.isnan(values["ssd"]).sum()),
            item=np.concatenate(items),
            record=np.concatenate(records),
            labels={"factor": np.concatenate(factors)},
            values=values,
            examples=examples,
        )

    def _networks(self, method: str) -> list[TrainedNetwork]:
        """Models of a network, one per version; empty for a classical method."""
        if method in classical.names():
            return []
        return trained.find(method, _NAME, self.runs, _MODELS)

    def _fitted(self, rival: classical.LeadMethod, version: Version) -> classical.LeadMethod:
        if isinstance(rival, classical.Learner):
            training = self.protocol.noisy_beats("train", version, fresh=rival.fresh_noise)
            rival.fit(training.noisy, training.clean, self.protocol.fs)
        return rival

    def summary(self, result: Result) -> str:
        """Means of two published measures."""
        ssd, cosine = (float(result.values[name].mean()) for name in ("ssd", "cosine"))
        return f"SSD {ssd:.3f}, CosSim {cosine:.3f}"


def _clean(rival: classical.LeadMethod, fs: float, noisy: Array) -> Array:
    """Denoise beats (beats, 512), batched by a network, else one by one; non-finite results
    become NaN.
    """
    with np.errstate(all="ignore"):
        if isinstance(rival, rivals.Trained):
            cleaned = rival.denoise_batch(noisy, fs)
        else:
            cleaned = np.stack([rival.denoise(beat, fs) for beat in noisy])
    cleaned[~np.isfinite(cleaned).all(axis=1)] = np.nan
    return cleaned


def _score(test: NoisyBeats, chosen: NDArray[np.int64], cleaned: Array) -> dict[str, Array]:
    x, noisy, y = (
        beats[..., np.newaxis] for beats in (test.clean[chosen], test.noisy[chosen], cleaned)
    )
    return {
        "ssd": metrics.ssd(x, y),
        "mad": metrics.mad(x, y),
        "prd_deepfilter": metrics.prd_deepfilter(x, y, float(test.clean.mean())),
        "cosine": metrics.cosine_similarity(x, y),
        "prd": metrics.prd(x, y),
        "snr_improvement": metrics.snr_improvement(x, noisy, y),
        "cosine_centred": metrics.cosine_similarity(x, y, centred=True),
        "rmse": metrics.rmse(x, y),
    }


def _examples(rival: classical.LeadMethod, test: NoisyBeats, fs: float) -> dict[str, Array]:
    """Beats of the first record: for each factor of the figure the first with the nearest one.

    Returns:
        ``factor`` (examples,); ``clean``, ``noisy``, ``cleaned`` (examples, 512) in mV.
    """
    factors = test.factor[test.record == test.record[0]]
    shown = [int(np.abs(factors - wanted).argmin()) for wanted in _EXAMPLE_FACTORS]
    return {
        "factor": test.factor[shown],
        "clean": test.clean[shown],
        "noisy": test.noisy[shown],
        "cleaned": _clean(rival, fs, test.noisy[shown]),
    }
