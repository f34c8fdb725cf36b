"""Queue of training runs: every method on a protocol, in one loop and with one budget.

A method is a network, or a network and the pairs it is trained on: ``unet+open``, see
:data:`PAIRS`. Finished runs are skipped and killed runs continue, so that the same command can be
given until all is done.

Runs are stored in ``results/<protocol>/<method>/version_<n>``; protocol deepfilter needs one model
per version of its noise, in ``results/deepfilter/<method>/noise-<v>/version_<n>``. A finished run
has ``training.json`` with its budget and outcome.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.networks import registry
from ipmdae.lab.networks.base import LeadNetwork
from ipmdae.lab.protocols.clinic import WIDE, rhythm_settings
from ipmdae.lab.training import run
from ipmdae.lab.training.callbacks import CURVES, LAST_CHECKPOINT, OutOfTimeError
from ipmdae.lab.training.recipe import RIVAL, Recipe
from ipmdae.lab.training.run import Machine, Settings
from ipmdae.lab.training.summary import (
    SUMMARY_FILE,
    Summary,
    has_converged,
    network_and_pairs,
    read_summary,
    write_summary,
)

#: Settings of the models of each protocol, by folder.
_MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "deepfilter": {"noise-1": {"version": 1}, "noise-2": {"version": 2}},
    "clinic": {"": {}},
    "reference": {"": {}},
}


class Drawing(NamedTuple):
    """Drawing of the pairs.

    Attributes:
        fresh: anew in each epoch.
        settings: of the protocol, from the folder of the databases.
    """

    fresh: bool
    settings: Callable[[Path], dict[str, Any]] = lambda datasets: {}


PAIRS: dict[str, dict[str, Drawing]] = {
    "deepfilter": {
        "": Drawing(fresh=False),
        "augmented": Drawing(True, lambda datasets: {"augmented": True}),
        "open": Drawing(fresh=True),
    },
    "clinic": {
        "": Drawing(fresh=True),
        "augmented": Drawing(True, lambda datasets: WIDE | rhythm_settings(datasets)),
    },
    "reference": {"": Drawing(fresh=False), "open": Drawing(fresh=True)},
}
"""Pairs of each protocol that networks can be trained on, by the suffix of the method's name."""

PROTOCOLS = tuple(_MODELS)
"""Names of the protocols that can be trained on."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Training budget of every method.

    Attributes:
        epochs: passes over the training windows.
        seed: seed of the weights, the order of the windows and the random draws.
        batch_size: windows per step.
        recipe: all other settings of the training.
        precision: ``32-true`` or ``bf16-mixed``, see :class:`ipmdae.lab.training.run.Settings`.
    """

    epochs: int = RIVAL.epochs
    seed: int = 0
    batch_size: int = RIVAL.batch_size
    recipe: Recipe = RIVAL
    precision: str = "32-true"


@dataclass(frozen=True)
class Job:
    """One run of the queue.

    Attributes:
        method: network and pairs.
        model: folder of the model if a protocol needs several, else empty.
        settings: settings of the run.
        log_dir: folder of the versions of the run.
        build: builds the network, if it is not the registry's; does not distinguish runs.
    """

    method: str
    model: str
    settings: Settings
    log_dir: Path
    build: run.Build | None = None

    @property
    def name(self) -> str:
        """Method and model."""
        return f"{self.method} {self.model}".strip()


def plan(
    protocol: str, methods: Sequence[str], budget: Budget, datasets: Path, results: Path
) -> list[Job]:
    """Runs that train these methods on a protocol.

    Raises:
        ValueError: the protocol or a method is unknown; the message lists the known ones.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}; there are: {', '.join(PROTOCOLS)}")
    for method in methods:
        network, pairs = network_and_pairs(method)
        if network not in registry.names():
            raise ValueError(
                f"unknown network {network!r}; there are: {', '.join(registry.names())}"
            )
        if pairs not in PAIRS[protocol]:
            known = ", ".join(suffix for suffix in PAIRS[protocol] if suffix) or "none"
            raise ValueError(f"unknown pairs {pairs!r}; protocol {protocol} has: {known}")
    return [
        Job(
            method=method,
            model=model,
            settings=_settings(protocol, method, own, budget, datasets),
            log_dir=log_dir(results, protocol, method, model),
        )
        for method in methods
        for model, own in _MODELS[protocol].items()
    ]


def _settings(
    protocol: str, method: str, own: dict[str, Any], budget: Budget, datasets: Path
) -> Settings:
    network, pairs = network_and_pairs(method)
    drawing = PAIRS[protocol][pairs]
    return Settings(
        model=network,
        protocol=protocol,
        protocol_settings={
            "qtdb_folder": str(datasets / qtdb.FOLDER),
            "nstdb_folder": str(datasets / nstdb.FOLDER),
            "seed": budget.seed,
            **own,
            **drawing.settings(datasets),
        },
        recipe=replace(
            budget.recipe,
            epochs=budget.epochs,
            batch_size=budget.batch_size,
            fresh_noise=drawing.fresh,
        ),
        seed=budget.seed,
        precision=budget.precision,
    )


def models(protocol: str) -> list[str]:
    """Folders of the models of a method on a protocol; one empty name where it has one model."""
    return list(_MODELS[protocol])


def log_dir(results: Path, protocol: str, method: str, model: str = "") -> Path:
    """Folder of the versions of a run; ``model`` is e.g. ``noise-1`` of protocol deepfilter."""
    return results / protocol / method / model


def work(job: Job, machine: Machine, deadline: float | None = None) -> tuple[Summary, bool]:
    """Finish a run: do nothing, continue, or begin.

    Returns:
        The summary, and True if it was not already finished.

    Raises:
        OutOfTimeError: the deadline (time since the epoch in s) has come; the run can be continued.
    """
    version, finished = _version_of(job)
    if finished is not None:
        return finished, False
    if deadline is not None and time.time() >= deadline:
        raise OutOfTimeError(f"no time left for {job.name}")
    folder = run.train(
        job.settings, job.log_dir, machine, resume=version, build=job.build, deadline=deadline
    )
    summary = _summarise(job, folder, machine)
    write_summary(folder, summary)
    return summary, True


def progress(job: Job) -> str:
    """Progress of a run, in a few words."""
    folder = next(_of_job(job), None)
    if folder is None or not (folder / LAST_CHECKPOINT).is_file():
        return f"{job.name} (not begun)"
    done = len(read_curves(folder)) if (folder / "results" / f"{CURVES}.csv").is_file() else 0
    return f"{job.name} ({done} of {job.settings.recipe.epochs} epochs)"


def folders(jobs: Sequence[Job]) -> list[Path]:
    """Newest folder of each run that has begun."""
    return [folder for job in jobs for folder in [next(_of_job(job), None)] if folder is not None]


def finished_folder(job: Job) -> Path:
    """Folder of the finished run of this job.

    Raises:
        FileNotFoundError: there is no such run.
    """
    for folder in _of_job(job):
        if (folder / SUMMARY_FILE).is_file():
            return folder
    raise FileNotFoundError(f"{job.name} is not trained yet: nothing finished in {job.log_dir}")


def _version_of(job: Job) -> tuple[int | None, Summary | None]:
    """Existing run of this job: its number if it can be resumed, its summary if it is finished."""
    for folder in _of_job(job):
        if (folder / SUMMARY_FILE).is_file():
            return None, read_summary(folder)
        if (folder / LAST_CHECKPOINT).is_file():
            return int(folder.name.removeprefix("version_")), None
    return None, None


def _of_job(job: Job) -> Iterator[Path]:
    """Folders of this job's runs, newest first."""
    for folder in _versions(job.log_dir):
        settings = folder / run.SETTINGS_FILE
        if settings.is_file() and run.same(run.read_settings(folder), job.settings):
            yield folder


def _versions(log_dir: Path) -> Iterator[Path]:
    """Folders of all versions, newest first."""
    return (log_dir / f"version_{number}" for number in run.versions(log_dir))


def finished_run(
    results: Path, protocol: str, method: str, model: str = "", seed: int | None = None
) -> Path:
    """Newest finished run of a method with a seed, whatever its budget.

    Args:
        model: name of the model, if the protocol needs several.
        seed: by default the lowest one for which all models of the method are finished, so that
            all have the same seed.

    Raises:
        FileNotFoundError: there is no such run; the message names the command that makes one.
    """
    there = seeds(results, protocol, method)
    train = f"ipmdae benchmark train --protocol {protocol} --methods {method}"
    if not there:
        raise FileNotFoundError(
            f"{method} is not trained on protocol {protocol} yet (no seed is finished in "
            f"{log_dir(results, protocol, method)}): {train}"
        )
    wanted = there[0] if seed is None else seed
    if wanted not in there:
        raise FileNotFoundError(
            f"{method} is trained on protocol {protocol} with seed {', '.join(map(str, there))}, "
            f"not with {seed}: {train} --seed {seed}"
        )
    return _by_seed(log_dir(results, protocol, method, model))[wanted]


def seeds(results: Path, protocol: str, method: str) -> list[int]:
    """Seeds for which all models of a method are finished, ascending."""
    finished = [
        set(_by_seed(log_dir(results, protocol, method, model))) for model in models(protocol)
    ]
    return sorted(set.intersection(*finished))


def _by_seed(log_dir: Path) -> dict[int, Path]:
    """Newest finished run of each seed."""
    found: dict[int, Path] = {}
    for folder in _versions(log_dir):
        if (folder / SUMMARY_FILE).is_file():
            found.setdefault(read_summary(folder).seed, folder)
    return found


def read_curves(folder: Path) -> list[dict[str, float]]:
    """Losses, learning rate and seconds of each epoch of the run in ``folder``."""
    with (folder / "results" / f"{CURVES}.csv").open(encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _summarise(job: Job, folder: Path, machine: Machine) -> Summary:
    settings, recipe = job.settings, job.settings.recipe
    rows = read_curves(folder)
    losses = [row["valid_loss"] for row in rows]
    finite = [loss for loss in losses if isfinite(loss)]
    windows = json.loads((folder / run.SETTINGS_FILE).read_text(encoding="utf-8"))["windows"]
    if recipe.steps is not None:
        windows = min(windows, recipe.steps * recipe.batch_size)
    network = (job.build or registry.build)(settings.model, settings.open_protocol().leads)
    own = isinstance(network, LeadNetwork) and network.has_own_loss
    return Summary(
        method=job.method,
        protocol=settings.protocol,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        epochs=len(rows),
        windows_seen=len(rows) * windows,
        batch_size=recipe.batch_size,
        fresh_noise=recipe.fresh_noise,
        seed=settings.seed,
        loss="own" if own else recipe.loss,
        seconds=round(sum(row["seconds"] for row in rows), 1),
        accelerator=machine.accelerator,
        best_valid_loss=min(finite) if finite else None,
        best_epoch=losses.index(min(finite)) + 1 if finite else None,
        converged=has_converged(losses),
        diverged=not isfinite(losses[-1]),
    )
