"""Protocol deepfilter: single beats denoised and scored one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import candidates, metrics
from ipmdae.lab.evaluation.benchmarks import Mapper, in_chunks
from ipmdae.lab.evaluation.results import Array, Result, evenly_spaced
from ipmdae.lab.protocols.deepfilter import VERSIONS, WINDOW, DeepFilter, NoisyBeats, Version
from ipmdae.methods import classical

if TYPE_CHECKING:
    from ipmdae.lab.evaluation.trained_network import TrainedNetwork

UNIT = "beats"
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

    See :class:`ipmdae.lab.evaluation.benchmarks.Benchmark`.

    Attributes:
        datasets: folder that holds both databases.
        runs: folder of the training runs of networks.
    """

    datasets: Path
    runs: Path = candidates.RUNS

    unit = UNIT

    @property
    def methods(self) -> list[str]:
        """All fast classical methods, and the networks that are trained for both versions."""
        return [*classical.quick(), *candidates.trained_names(_NAME, self.runs)]

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
        return candidates.joint_version(networks) if networks else ""

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
            lead_method = (
                networks[at] if networks else self._fitted(candidates.get(method), version)
            )
            test = self.protocol.noisy_beats("test", version)
            chosen = evenly_spaced(len(test), part)
            clean = partial(_clean, lead_method, fs)
            cleaned = in_chunks(clean, test.noisy[chosen], _CHUNK, mapper, done)
            examples = examples or _examples(lead_method, test, fs)
            scores.append(_score(test, chosen, cleaned))
            items.append(total + chosen)
            records.append(test.record[chosen])
            factors.append(test.factor[chosen])
            total += len(test)
        values = {name: np.concatenate([score[name] for score in scores]) for name in MEASURES}
        return Result(
            method=method,
            version=candidates.joint_version(networks) if networks else "",
            network=candidates.describe_networks(networks, WINDOW) if networks else None,
            total=total,
            done=len(values["ssd"]),
            diverged=int(np.isnan(values["ssd"]).sum()),
            table=pd.DataFrame(
                {
                    "item": np.concatenate(items),
                    "record": np.concatenate(records),
                    "factor": np.concatenate(factors),
                    **values,
                }
            ),
            examples=examples,
        )

    def _networks(self, method: str) -> list[TrainedNetwork]:
        """Models of a network, one per version; empty for a classical method."""
        if method in classical.names():
            return []
        return candidates.trained(method, _NAME, self.runs, _MODELS)

    def _fitted(self, lead_method: classical.LeadMethod, version: Version) -> classical.LeadMethod:
        if isinstance(lead_method, classical.Learner):
            training = self.protocol.noisy_beats("train", version, fresh=lead_method.fresh_noise)
            lead_method.fit(training.noisy, training.clean, self.protocol.fs)
        return lead_method

    def summary(self, result: Result) -> str:
        """Means of two published measures."""
        ssd, cosine = (float(result[name].mean()) for name in ("ssd", "cosine"))
        return f"SSD {ssd:.3f}, CosSim {cosine:.3f}"


def _clean(lead_method: classical.LeadMethod, fs: float, noisy: Array) -> Array:
    """Denoise beats (beats, 512), batched by a network, else one by one.

    Non-finite results become NaN.
    """
    with np.errstate(all="ignore"):
        if candidates.is_network(lead_method):
            cleaned = lead_method.denoise_batch(noisy, fs)
        else:
            cleaned = np.stack([lead_method.denoise(beat, fs) for beat in noisy])
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


def _examples(lead_method: classical.LeadMethod, test: NoisyBeats, fs: float) -> dict[str, Array]:
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
        "cleaned": _clean(lead_method, fs, test.noisy[shown]),
    }
