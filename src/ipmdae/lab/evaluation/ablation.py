"""Ablation study: variants of one network, trained equally and scored on one validation set.

Runs are stored in ``results/<variant>/version_<n>`` by the training queue: finished runs are
skipped, killed runs continue. Scores are measured on the records and the noise of protocol clinic's
validation, drawn once and without augmentation; the test set is not used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from math import nan
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import bartlett
from torch import nn

from ipmdae.files import replacing
from ipmdae.lab.data import cinc2017, ecgnext, mitdb, nstdb, qtdb
from ipmdae.lab.evaluation import clinic, metrics, network
from ipmdae.lab.nn import checkpoints
from ipmdae.lab.protocols import Pair, stack
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.training import losses, queue, run
from ipmdae.lab.training.queue import Job
from ipmdae.lab.training.recipe import HEARTS, RELEASE
from ipmdae.lab.training.run import Machine, Settings
from ipmdae.lab.training.variants import BASE, Variant

SCORE_FILE = "ablation.json"

RECIPE = replace(RELEASE, name="ablation", loss=HEARTS.loss)
"""Recipe of the base: a training from random weights, with the loss of networks that ship."""

MEASURES = {
    "improvement": "SNR improvement (dB)",
    "above": "above 0.5 Hz (dB)",
    "rhythms": "above 0.5 Hz, other rhythms (dB)",
}
"""Measures by which variants are compared with the base, with their titles."""

_PROTOCOL = "clinic"
#: Above the highest SNR of the protocol's noise, far below that of windows without any.
_CLEAN_FROM = 40.0
_LEVEL, _SIGNIFICANT = 0.95, 0.05


@dataclass(frozen=True, kw_only=True)
class Score:
    """Scores of a trained variant on the validation set.

    Attributes:
        loss: the base's, without the uncertainty's part, also for variants with another loss.
        improvement: of the SNR by AC power, mean over the windows with noise, dB.
        above: the same above :data:`ipmdae.lab.evaluation.clinic.EDGE` Hz, where baseline wander of
            the targets does not count.
        rhythms: the same as ``above``, with a synthetic rhythm in every target.
        kept: SNR of output and input, mean over the windows without noise, dB.
    """

    loss: float
    improvement: float
    above: float
    rhythms: float
    kept: float


_LISTING = {
    "qtdb": qtdb.record_names,
    "mitdb": mitdb.record_names,
    "cinc2017": cinc2017.rhythms,
    "ecgnext": ecgnext.record_names,
}
"""Functions that list the recordings of a database, with an error where it is missing."""


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
    batch_size: int = RECIPE.batch_size

    def job(self, variant: Variant, seed: int) -> Job:
        """The run of a variant."""
        recipe = replace(RECIPE, epochs=self.epochs, steps=self.steps, batch_size=self.batch_size)
        own = variant.protocol(self.datasets) if variant.protocol else {}
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
                protocol_settings={**folders, "augment": True, "seed": seed, **own},
                recipe=replace(recipe, **variant.recipe),
                seed=seed,
            ),
            log_dir=self.results / variant.name,
            build=variant.build,
        )

    def check_databases(self, variant: Variant) -> None:
        """Check that the databases of a variant are there.

        Raises:
            FileNotFoundError: one is missing; the message says how to get it.
        """
        settings = self.job(variant, seed=0).settings.protocol_settings
        for name, database in _LISTING.items():
            if f"{name}_folder" in settings:
                database(Path(settings[f"{name}_folder"]))

    def work(
        self, variant: Variant, seed: int, machine: Machine, deadline: float | None = None
    ) -> tuple[Score, bool]:
        """Train and score a variant unless done; the score is NaN if it diverged.

        Returns:
            Its score, and True if it was not already done.

        Raises:
            OutOfTimeError: the deadline (time since the epoch in s) has come; the same call
                continues.
        """
        job = self.job(variant, seed)
        stored = self.stored(variant, seed)
        if stored is not None:
            return stored, False
        summary, _ = queue.work(job, machine, deadline)
        folder = queue.finished_folder(job)
        result = Score(loss=nan, improvement=nan, above=nan, rhythms=nan, kept=nan)
        trained = variant.build(self.model, Clinic.leads)
        if summary.best_epoch is not None:
            checkpoints.load_weights(trained, run.checkpoint_path(folder, "best"))
            result = score(trained, *self.validation)
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
    def validation(self) -> tuple[Pair, Pair]:
        """Noisy and clean windows, (windows, time, 1) each, the same for every variant.

        Those of the records as they are, and those with a synthetic rhythm in each.
        """
        settings = self.job(BASE, seed=0).settings.protocol_settings | {"augment": False}
        recorded, rhythms = (
            stack(Clinic(**settings, rhythms=share).validation()) for share in (0.0, 1.0)
        )
        return recorded, rhythms


def score(trained: nn.Module, recorded: Pair, rhythms: Pair) -> Score:
    """Denoise the validation windows and score them; NaN for non-finite output."""
    (noisy, clean), cleaned = recorded, _denoised(trained, recorded)
    noise = _with_noise(recorded)
    loss = losses.LOSSES[RECIPE.loss](torch.from_numpy(cleaned), torch.from_numpy(clean))
    before, after = (metrics.snr(clean, x, centred=True) for x in (noisy, cleaned))
    return Score(
        loss=float(loss),
        improvement=_mean((after - before)[noise]),
        above=_improvement_above(recorded, cleaned),
        rhythms=_improvement_above(rhythms, _denoised(trained, rhythms)),
        kept=_mean(after[~noise]),
    )


def _denoised(trained: nn.Module, pair: Pair) -> NDArray[np.float32]:
    """The network's output, (windows, time, 1), without the uncertainty."""
    noisy, clean = pair
    return network.run(trained, noisy)[..., : clean.shape[2]]


def _with_noise(pair: Pair) -> NDArray[np.bool_]:
    """Mask of the windows to which noise was added, (windows,)."""
    noisy, clean = pair
    mask: NDArray[np.bool_] = metrics.snr(clean, noisy, centred=True) <= _CLEAN_FROM
    return mask


def _improvement_above(pair: Pair, cleaned: NDArray[np.float32]) -> float:
    """Mean SNR improvement above 0.5 Hz of the windows with noise, dB."""
    noisy, clean = pair
    high = (clinic.high_pass(x) for x in (clean, noisy, cleaned))
    return _mean(metrics.snr_improvement(*high)[_with_noise(pair)])


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of a measure; NaN without such windows, as in a small excerpt."""
    return float(values.mean()) if len(values) else nan


@dataclass(frozen=True)
class Comparison:
    """A variant compared with the base by one measure.

    Attributes:
        differences: variant less base, by seed, dB.
        error: standard error of their mean; NaN if all variants have a single seed.
        freedom: degrees of freedom of the error.
    """

    differences: NDArray[np.float64]
    error: float
    freedom: int

    @property
    def mean(self) -> float:
        """Mean difference, dB."""
        return float(self.differences.mean())

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval of the mean difference, dB, by Student's t distribution."""
        return float(stdtrit(self.freedom, (1 + _LEVEL) / 2)) * self.error

    @property
    def verdict(self) -> str:
        """Sign of the difference if the interval has one sign, else the interval."""
        if np.isnan(self.mean):
            return "diverged"
        if np.isnan(self.error):
            return "one seed: open"
        if abs(self.mean) > self.half_width:
            return "helps" if self.mean > 0 else "hurts"
        low, high = self.mean - self.half_width, self.mean + self.half_width
        return f"undecided, {low:+.2f} to {high:+.2f} dB"


def compare(base: Mapping[int, float], variants: Sequence[Mapping[int, float]]) -> list[Comparison]:
    """Compare variants with the base, run by run of the same seed.

    Two or three seeds give a poor estimate of one variant's variance, which is therefore pooled: it
    is the residual variance of an additive model of variant and seed over all runs (randomised
    blocks; Montgomery, "Design and Analysis of Experiments", 4.1). That of a difference of two runs
    is twice as large. Where the variances differ (see :func:`equality_of_variances`), each
    variant's error is that of its own differences.

    Args:
        base: a measure by seed.
        variants: the same of each variant, for seeds that the base has.
    """
    apart = [np.array([value - base[seed] for seed, value in runs.items()]) for runs in variants]
    if equality_of_variances(apart) < _SIGNIFICANT:
        return [Comparison(values, _standard_error(values), len(values) - 1) for values in apart]
    finite = [runs for runs in (base, *variants) if np.isfinite(list(runs.values())).all()]
    deviation, freedom = _residual(finite) if finite else (nan, 0)
    return [
        Comparison(values, float(deviation * np.sqrt(2 / len(values))), freedom) for values in apart
    ]


def equality_of_variances(differences: Sequence[NDArray[np.float64]]) -> float:
    """P value of Bartlett's test: small where the variants' differences vary unequally.

    Args:
        differences: of each variant from the base, by seed.

    Returns:
        NaN with fewer than two variants of several seeds.
    """
    several = [x for x in differences if len(x) > 1 and np.isfinite(x).all() and np.ptp(x) > 0]
    return float(bartlett(*several).pvalue) if len(several) > 1 else nan


def _standard_error(values: NDArray[np.float64]) -> float:
    """Standard error of the mean; NaN for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else nan


def _residual(runs: Sequence[Mapping[int, float]]) -> tuple[float, int]:
    """Residual standard deviation of ``variant + seed``, and its degrees of freedom."""
    cells = [(row, seed, value) for row, by in enumerate(runs) for seed, value in by.items()]
    rows, seeds, values = (np.array(column) for column in zip(*cells, strict=True))
    design = np.hstack([column[:, None] == np.unique(column) for column in (rows, seeds)])
    fit, _, rank, _ = np.linalg.lstsq(design.astype(np.float64), values)
    freedom = len(values) - int(rank)
    squares = float(((values - design @ fit) ** 2).sum())
    return (np.sqrt(squares / freedom) if freedom else nan), freedom
