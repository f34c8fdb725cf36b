"""Methods under test: networks and classical methods that denoise single leads.

A network is a model that ships, by its name, or any model file; it is used as a user uses it, by
:class:`ipmdae.methods.network.Network`. A classical method is a rival; one that learns is fitted on
training windows of the protocol first. Networks of others are rivals, too, with the weights of
their run on the protocol; where a model of that name ships, it is that which is meant.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae import checksums
from ipmdae.engine import complexity, find_model, model_names, read_model
from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import rivals, trained
from ipmdae.lab.evaluation.benchmark import Array, Result, label, spread
from ipmdae.lab.evaluation.given import Network
from ipmdae.lab.protocols import stack
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.methods import classical
from ipmdae.methods import network as networks
from ipmdae.pipeline.resample import resample
from ipmdae.quality import quality
from ipmdae.recording import Recording
from ipmdae.safeguards import safeguards

_UNFIT = ("lmmse", "lmmse-fresh")
"""Methods that need the position of the beat in the window, which recordings lack."""

_TRAINING_WINDOWS = 2000

COUNTED = 5.0
"""Seconds of a lead for which multiply-accumulates are counted."""


def names() -> list[str]:
    """The names of all subjects: classical methods, models that ship, networks of others."""
    usable = [name for name in classical.names() if name not in _UNFIT]
    return list(dict.fromkeys([*usable, *model_names(), *rivals.NETWORKS]))


def ready(runs: Path = trained.RUNS) -> list[str]:
    """Those of them that need no training, or have it, and are quick."""
    usable = {*classical.quick(), *model_names(), *trained.names(Clinic.name, runs)}
    return [name for name in names() if name in usable]


@dataclass(frozen=True)
class Subject:
    """A method under test; it travels between processes.

    Attributes:
        name: name in results.
        file: of a network, else ``None``.
        rival: a classical method, fitted where it learns, or a trained network of others.
        fs: the sampling rate in Hz that it works at, where there is but one.
    """

    name: str
    file: Path | None = None
    rival: classical.LeadMethod | None = None
    fs: float | None = None

    @cached_property
    def version(self) -> str:
        """SHA-256 of a network's file or weights, empty for a classical method."""
        if trained.is_network(self.rival):
            return self.rival.version
        return checksums.digest(self.file) if self.file else ""

    @property
    def network(self) -> Network | None:
        """Cost of a network for 5 s of a lead, and its training budget; else ``None``."""
        if trained.is_network(self.rival):
            return trained.describe([self.rival], round(COUNTED * Clinic.fs))
        return describe_model(self.file) if self.file else None

    @property
    def tells_doubt(self) -> bool:
        """True for a network that predicts its uncertainty."""
        return self.file is not None and _denoiser(self.file).tells_spread

    def clean(self, x: Array, fs: float) -> Array:
        """Clean a lead.

        Args:
            x: (time,) in mV; a rival gets it less its median, as networks do.
            fs: sampling rate in Hz.

        Returns:
            (time,) in mV, all NaN where a method returns non-finite values.
        """
        if self.rival is None:
            assert self.file is not None
            return np.asarray(_denoiser(self.file).denoise_array(x, fs), np.float64)
        middle = float(np.median(x))
        with np.errstate(all="ignore"):
            y = self._at_own_rate(self.rival, x - middle, fs) + middle
        return y if np.isfinite(y).all() else np.full_like(x, np.nan)

    def clean_with_spread(self, x: Array, fs: float) -> tuple[Array, Array]:
        """Clean a lead.

        Returns:
            The cleaned lead, and the standard deviation of its error that the network states, in
            mV; NaN of a method that states none. Both (time,).
        """
        if not self.tells_doubt or self.file is None:
            return self.clean(x, fs), np.full(len(x), np.nan)
        cleaned = _denoiser(self.file).clean(Recording.from_array(x, fs))
        assert cleaned.sd is not None
        return cleaned.recording.signal[:, 0], cleaned.sd[:, 0].astype(np.float64)

    def clean_with_doubt(self, x: Array, fs: float) -> tuple[Array, NDArray[np.bool_]]:
        """Denoise a lead with a network that predicts its uncertainty.

        Returns:
            The denoised lead, and for each second True if it is graded unusable.
        """
        assert self.file is not None
        recording = Recording.from_array(x, fs)
        cleaned = _denoiser(self.file).clean(recording)
        return cleaned.recording.signal[:, 0], ~quality(recording, cleaned).readable[:, 0]

    def _at_own_rate(self, rival: classical.LeadMethod, x: Array, fs: float) -> Array:
        if self.fs is None or self.fs == fs:
            return rival.denoise(x, fs)
        there = resample(x[:, np.newaxis], fs, self.fs)
        y = rival.denoise(there[:, 0].astype(np.float64), self.fs)
        return resample(y[:, np.newaxis], self.fs, fs, len(x))[:, 0].astype(np.float64)


def describe_model(file: Path) -> Network:
    """Cost of the network in a model file for 5 s of a lead at its own sampling rate."""
    model = read_model(file)
    samples = round(COUNTED * model.preprocessing.fs)
    counts = complexity.multiply_accumulates(model.architecture, samples)
    return Network(
        parameters=complexity.parameters(model.architecture),
        multiply_accumulates=sum(counts.values()),
    )


def find(method: str, runs: Path = trained.RUNS) -> Subject:
    """The subject of this name or model file; one that learns is not fitted yet.

    Args:
        method: one of :func:`names`, or a file.
        runs: folder of the training runs of networks.

    Raises:
        FileNotFoundError: there is no such file, or the network is not trained; the message then
            names the command that does it.
        ValueError: there is no such method, or a file has the name of another method.
        ModuleNotFoundError: it needs a package that is not installed.
    """
    if method in classical.names() and method not in _UNFIT:
        return Subject(method, rival=rivals.get(method))
    if method in rivals.NETWORKS and method not in model_names():
        (network,) = trained.find(method, Clinic.name, runs)
        return Subject(method, rival=network, fs=Clinic.fs)
    try:
        file = find_model(method)
    except ValueError:
        raise ValueError(
            f"unknown method {method!r}; there are: {', '.join(names())}, and any model file"
        ) from None
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such model file")
    name = label(str(file))
    if name in names() and (name not in model_names() or not file.samefile(find_model(name))):
        raise ValueError(f"{file} has the name of another method: give it another one")
    return Subject(name, file=file)


def warn_of_outdated(results: Sequence[Result]) -> None:
    """Warn of stored results of models that ship with other weights by now."""
    names = {result.method for result in results} & set(model_names())
    shipped = {name: find(name).version for name in names}
    outdated = {r.method for r in results if r.version != shipped.get(r.method, r.version)}
    for name in sorted(outdated):
        warnings.warn(
            f"stored results of {name} are of other weights than those that ship: run it again",
            stacklevel=3,
        )


def fitted(subject: Subject, datasets: Path) -> Subject:
    """The subject, ready to clean: fitted on training windows of protocol clinic if it learns."""
    if not isinstance(subject.rival, classical.Learner):
        return subject
    protocol = Clinic(qtdb_folder=datasets / qtdb.FOLDER, nstdb_folder=datasets / nstdb.FOLDER)
    pairs = protocol.training(fresh=False)
    windows = stack(pairs, spread(len(pairs), _TRAINING_WINDOWS).tolist())
    noisy, clean = (part[..., 0].astype(np.float64) for part in windows)
    subject.rival.fit(noisy, clean, protocol.fs)
    return Subject(subject.name, rival=subject.rival, fs=protocol.fs)


@cache
def _denoiser(file: Path) -> networks.Network:
    """A network is opened once in each process.

    Where it is not trusted its own output is scored, not the band-pass filter's that users get.
    """
    return networks.Network(file, limits=safeguards(unreadable="network"))
