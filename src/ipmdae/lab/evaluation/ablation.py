"""Ablation study: variants of one network, trained equally and scored on one validation set.

Runs are stored in ``results/<variant>/version_<n>`` by the training queue: finished runs are
skipped, killed runs continue. Scores are measured on the records and the noise of protocol clinic's
validation, drawn once and without augmentation; the test set is not used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from math import nan
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmdae.files import replacing
from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import metrics, network
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.protocols import Pair, stack
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.training import losses, queue, run
from ipmdae.lab.training.queue import Job
from ipmdae.lab.training.recipe import RELEASE
from ipmdae.lab.training.run import Machine, Settings
from ipmdae.lab.training.variants import Variant

SCORE_FILE = "ablation.json"

_PROTOCOL = "clinic"
#: Above the highest SNR of the protocol's noise, far below that of windows without any.
_CLEAN_FROM = 40.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """Scores of a trained variant on the validation set.

    Attributes:
        loss: by the base's recipe, also for variants with another loss.
        improvement: of the SNR by AC power, mean over the windows with noise, dB.
        kept: SNR of output and input, mean over the windows without noise, dB.
    """

    loss: float
    improvement: float
    kept: float


@dataclass(frozen=True, kw_only=True)
class Study:
    """Common settings of all runs of a study.

    Attributes:
        datasets: folder of the databases.
        results: folder of the runs.
        model: name of the base in :mod:`ipmdae.lab.networks.registry`.
        epochs: epochs per run.
        steps: largest number of steps per epoch.
        batch_size: windows per step.
    """

    datasets: Path
    results: Path
    model: str = "ipmdae-small"
    epochs: int = 2
    steps: int = 154
    batch_size: int = RELEASE.batch_size

    def job(self, variant: Variant, seed: int) -> Job:
        """The run of a variant."""
        recipe = replace(RELEASE, epochs=self.epochs, steps=self.steps, batch_size=self.batch_size)
        folders = {
            "qtdb_folder": str(self.datasets / qtdb.FOLDER),
            "nstdb_folder": str(self.datasets / nstdb.FOLDER),
        }
        return Job(
            method=variant.name,
            model=f"seed {seed}",
            settings=Settings(
                model=self.model,
                protocol=_PROTOCOL,
                protocol_settings={**folders, "augment": True, "seed": seed, **variant.protocol},
                recipe=replace(recipe, **variant.recipe),
                seed=seed,
            ),
            log_dir=self.results / variant.name,
            build=variant.build,
        )

    def work(self, variant: Variant, seed: int, machine: Machine) -> tuple[Score, bool]:
        """Train and score a variant unless done; the score is NaN if it diverged.

        Returns:
            Its score, and True if it was not already done.
        """
        job = self.job(variant, seed)
        stored = self.stored(variant, seed)
        if stored is not None:
            return stored, False
        summary, _ = queue.work(job, machine)
        folder = queue.finished_folder(job)
        result = Score(loss=nan, improvement=nan, kept=nan)
        trained = variant.build(self.model, Clinic.leads)
        if summary.best_epoch is not None:
            checkpoints.load_weights(trained, run.checkpoint_path(folder, "best"))
            result = score(trained, self.validation)
        content = {"architecture": trained.architecture.to_json(), **asdict(result)}
        with replacing(folder / SCORE_FILE) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return result, True

    def stored(self, variant: Variant, seed: int) -> Score | None:
        """Stored score of a variant.

        Raises:
            ValueError: the stored score is damaged, or belongs to another network than the
                registry's.
        """
        try:
            path = queue.finished_folder(self.job(variant, seed)) / SCORE_FILE
            content = json.loads(path.read_text(encoding="utf-8"))
            result = Score(**{field.name: float(content[field.name]) for field in fields(Score)})
            architecture = content["architecture"]
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error}): remove it and run again") from error
        if architecture != variant.build(self.model, Clinic.leads).architecture.to_json():
            raise ValueError(
                f"{path.parent} is of another network than {self.model} is by now: remove it"
            )
        return result

    @cached_property
    def validation(self) -> Pair:
        """Noisy and clean windows, (windows, time, 1) each, the same for every variant."""
        settings = self.job(Variant(name="", change=""), seed=0).settings.protocol_settings
        return stack(Clinic(**settings | {"augment": False}).validation())


def score(trained: nn.Module, validation: Pair) -> Score:
    """Denoise the validation windows and score them; NaN for non-finite output."""
    noisy, clean = validation
    output = network.run(trained, noisy)
    loss = losses.LOSSES[RELEASE.loss](torch.from_numpy(output), torch.from_numpy(clean))
    cleaned = output[..., : clean.shape[2]]
    before, after = (metrics.snr(clean, x, centred=True) for x in (noisy, cleaned))
    given = before > _CLEAN_FROM
    return Score(
        loss=float(loss),
        improvement=_mean((after - before)[~given]),
        kept=_mean(after[given]),
    )


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of a measure; NaN without such windows, as in a small excerpt."""
    return float(values.mean()) if len(values) else nan


@dataclass(frozen=True)
class Comparison:
    """SNR improvement of a variant compared with the base.

    Attributes:
        differences: variant less base, by seed, dB.
        error: standard error of their mean; NaN for a single seed.
    """

    differences: NDArray[np.float64]
    error: float

    @property
    def mean(self) -> float:
        """Mean difference, dB."""
        return float(self.differences.mean())

    @property
    def verdict(self) -> str:
        """``helped`` or ``hurt`` if the mean is more than twice its error from zero."""
        if np.isnan(self.mean):
            return "diverged"
        if np.isnan(self.error):
            return "one seed: open"
        if abs(self.mean) <= 2 * self.error:
            return "not significant"
        return "helped" if self.mean > 0 else "hurt"


def compare(differences: Sequence[Sequence[float]]) -> list[Comparison]:
    """Judge the differences of all variants by a pooled standard deviation.

    Two or three seeds give a poor estimate of one variant's variance. That of a difference is about
    the same for all of them, so their variances are pooled (as a t-test after an analysis of
    variance does).

    Args:
        differences: for each variant, variant less base on each seed that both have.
    """
    arrays = [np.asarray(values, np.float64) for values in differences]
    finite = [values for values in arrays if np.isfinite(values).all()]
    freedom = sum(len(values) - 1 for values in finite)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in finite)
    deviation = np.sqrt(squares / freedom) if freedom else np.nan
    return [Comparison(values, float(deviation / np.sqrt(len(values)))) for values in arrays]
