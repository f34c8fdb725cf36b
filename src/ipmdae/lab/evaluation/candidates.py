"""Methods under test: classical methods, models that ship, networks that are trained here.

A model that ships, or any model file, runs in the package's pipeline
(:class:`ipmdae.methods.network.Network`), with its own output in unreadable segments. A classical
method that learns is fitted on training windows of the protocol first. Other networks have the
weights of their run on a protocol; a name that a shipped model has means the shipped model.

Where a method is named, ``name+open`` means the network as it was trained on other pairs than the
protocol's (:data:`ipmdae.lab.training.queue.PAIRS`), and ``name@seed`` as it was trained with that
seed; without a seed it is the lowest one that is finished.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipmdae import checksums
from ipmdae.engine import complexity, find_model, model_names, read_model
from ipmdae.lab import networks as published
from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation.results import Array, Result, evenly_spaced, name_of
from ipmdae.lab.evaluation.training_budget import Network, parse_seed, with_seed
from ipmdae.lab.protocols import stack
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.training.summary import SUMMARY_FILE, network_and_pairs
from ipmdae.methods import classical
from ipmdae.methods import network as networks
from ipmdae.methods.classical import LeadMethod
from ipmdae.pipeline.resample import resample
from ipmdae.quality import quality
from ipmdae.recording import Recording
from ipmdae.safeguards import safeguards

if TYPE_CHECKING:
    from typing import TypeGuard

    from ipmdae.lab.evaluation.trained_network import TrainedNetwork

NETWORKS = (
    *("Ultralight_IPM_DAE", "ipmdae-base", "ipmdae-small", "ipmdae-nano", "ipmdae-beat"),
    *(*published.NAMES, "descod-10"),
)
"""Networks that need a training run; ``descod-10`` averages ten draws of ``descod``."""

ORDER = (
    *(*classical.names(), *NETWORKS),
    *(f"{name}+{pairs}" for pairs in ("augmented", "open") for name in NETWORKS),
)
"""Order of all methods on a page."""

RUNS = Path("results")
"""Default folder of the runs of ``ipmdae benchmark train``."""

_UNFIT = ("lmmse", "lmmse-fresh")
"""Methods that need the position of the beat in the window, which recordings lack."""

_TRAINING_WINDOWS = 2000

COUNTED = 5.0
"""Seconds of a lead for which multiply-accumulates are counted."""


def names() -> list[str]:
    """Names of all: classical methods, models that ship, networks of others."""
    usable = [name for name in classical.names() if name not in _UNFIT]
    return list(dict.fromkeys([*usable, *model_names(), *NETWORKS]))


def ready(runs: Path = RUNS) -> list[str]:
    """Methods that can run now: quick classical methods, shipped models, and finished runs."""
    usable = {*classical.quick(), *model_names(), *trained_names(Clinic.name, runs)}
    known = dict.fromkeys([*names(), *ORDER])
    return [name for name in known if name in usable and name not in _UNFIT]


@dataclass(frozen=True)
class Candidate:
    """A method under test; it travels between processes.

    Attributes:
        name: name in results.
        file: of a network, else ``None``.
        method: a classical method, fitted where it learns, or a trained network of others.
        fs: the sampling rate in Hz that it works at, where there is but one.
    """

    name: str
    file: Path | None = None
    method: LeadMethod | None = None
    fs: float | None = None

    @cached_property
    def version(self) -> str:
        """SHA-256 of a network's file or weights, empty for a classical method."""
        if is_network(self.method):
            return self.method.version
        return checksums.digest(self.file) if self.file else ""

    @property
    def network(self) -> Network | None:
        """Cost of a network for 5 s of a lead, and its training budget; else ``None``."""
        if is_network(self.method):
            return describe_networks([self.method], round(COUNTED * Clinic.fs))
        return describe_model(self.file) if self.file else None

    @property
    def predicts_uncertainty(self) -> bool:
        """True for a network that predicts its uncertainty."""
        return self.file is not None and _denoiser(self.file).states_sd

    def clean(self, x: Array, fs: float) -> Array:
        """Clean a lead.

        Args:
            x: (time,) in mV; a lead method gets it less its median, as networks do.
            fs: sampling rate in Hz.

        Returns:
            (time,) in mV, all NaN where a method returns non-finite values.
        """
        if self.method is None:
            assert self.file is not None
            return _denoiser(self.file).clean(Recording.from_array(x, fs)).recording.signal[:, 0]
        middle = float(np.median(x))
        with np.errstate(all="ignore"):
            y = self._at_own_rate(self.method, x - middle, fs) + middle
        return y if np.isfinite(y).all() else np.full_like(x, np.nan)

    def clean_with_sd(self, x: Array, fs: float) -> tuple[Array, Array]:
        """Clean a lead.

        Returns:
            The cleaned lead, and the standard deviation of its error that the network states, in
            mV; NaN of a method that states none. Both (time,).
        """
        if not self.predicts_uncertainty or self.file is None:
            return self.clean(x, fs), np.full(len(x), np.nan)
        cleaned = _denoiser(self.file).clean(Recording.from_array(x, fs))
        assert cleaned.sd is not None
        return cleaned.recording.signal[:, 0], cleaned.sd[:, 0].astype(np.float64)

    def clean_with_unreadable(self, x: Array, fs: float) -> tuple[Array, NDArray[np.bool_]]:
        """Denoise a lead with a network that predicts its uncertainty.

        Returns:
            The denoised lead, and for each second True if it is graded unusable.
        """
        assert self.file is not None
        recording = Recording.from_array(x, fs)
        cleaned = _denoiser(self.file).clean(recording)
        return cleaned.recording.signal[:, 0], ~quality(recording, cleaned).readable[:, 0]

    def _at_own_rate(self, method: LeadMethod, x: Array, fs: float) -> Array:
        if self.fs is None or self.fs == fs:
            return method.denoise(x, fs)
        there = resample(x[:, np.newaxis], fs, self.fs)
        y = method.denoise(there[:, 0].astype(np.float64), self.fs)
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


def find(method: str, runs: Path = RUNS) -> Candidate:
    """The candidate of this name or model file; one that learns is not fitted yet.

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
        return Candidate(method, method=get(method))
    if is_trainable(method) and method not in model_names():
        (network,) = trained(method, Clinic.name, runs)
        return Candidate(method, method=network, fs=Clinic.fs)
    try:
        file = find_model(method)
    except ValueError:
        raise ValueError(
            f"unknown method {method!r}; there are: {', '.join(names())}, and any model file"
        ) from None
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such model file")
    name = name_of(str(file))
    if name in names() and (name not in model_names() or not file.samefile(find_model(name))):
        raise ValueError(f"{file} has the name of another method: give it another one")
    return Candidate(name, file=file)


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


def fitted(candidate: Candidate, datasets: Path) -> Candidate:
    """The candidate, ready to clean: fitted on training windows of protocol clinic if it learns."""
    if not isinstance(candidate.method, classical.Learner):
        return candidate
    protocol = Clinic(qtdb_folder=datasets / qtdb.FOLDER, nstdb_folder=datasets / nstdb.FOLDER)
    pairs = protocol.training(fresh=False)
    windows = stack(pairs, evenly_spaced(len(pairs), _TRAINING_WINDOWS).tolist())
    noisy, clean = (part[..., 0].astype(np.float64) for part in windows)
    candidate.method.fit(noisy, clean, protocol.fs)
    return Candidate(candidate.name, method=candidate.method, fs=protocol.fs)


def get(name: str) -> LeadMethod:
    """A new classical method, or a network without weights, by name.

    Raises:
        ValueError: there is no such method.
        ModuleNotFoundError: a package that it needs is not installed.
    """
    if not is_trainable(name):
        if name not in classical.names():
            known = ", ".join([*classical.names(), *NETWORKS])
            raise ValueError(f"unknown method {name!r}; there are: {known}")
        return classical.get(name)
    try:
        module = import_module("ipmdae.lab.evaluation.trained_network")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"method {name} needs {error.name}: pip install 'ultralight-ipm-dae[train]'"
        ) from error
    method: LeadMethod = module.of_method(name)
    return method


def is_network(method: object) -> TypeGuard[TrainedNetwork]:
    """True for a network (:class:`~ipmdae.lab.evaluation.trained_network.TrainedNetwork`)."""
    return hasattr(method, "denoise_windows")


def trained_names(protocol: str, runs: Path) -> list[str]:
    """The networks of which all models on a protocol are trained.

    None without the extra ``train``, which they need to clean, too.
    """
    if not (runs / protocol).is_dir():
        return []  # without the seconds that torch takes to be imported
    try:
        return [name for name in ORDER if is_trainable(name) and _seeds(name, protocol, runs)]
    except ModuleNotFoundError:
        return []


def is_trainable(method: str) -> bool:
    """True for the name of a network, perhaps with its pairs."""
    return network_and_pairs(method)[0] in NETWORKS


def with_seeds(methods: Sequence[str], wanted: str, protocol: str, runs: Path) -> list[str]:
    """Methods, with each network once for each seed.

    Args:
        methods: names; those that are not networks stay as they are.
        wanted: seeds with commas between them, or ``all``.
        protocol: training protocol of the networks.
        runs: folder of the runs.

    Raises:
        ValueError: ``wanted`` holds no seeds.
    """
    named = [part.strip() for part in wanted.split(",")]
    if wanted != "all" and not all(part.isdecimal() for part in named):
        raise ValueError(f"--seeds takes numbers with commas between them, or all, not {wanted!r}")
    chosen = []
    for method in methods:
        if not is_trainable(method):
            chosen.append(method)
            continue
        there = _seeds(method, protocol, runs)
        asked = there if wanted == "all" else sorted({int(part) for part in named})
        own = [method if [seed] == there[:1] else with_seed(method, seed) for seed in asked]
        chosen += own or [method]
    return chosen


def trained(
    name: str, protocol: str, runs: Path, models: Sequence[str] = ("",)
) -> list[TrainedNetwork]:
    """A network with the weights of each of its models on a protocol, all of one seed.

    Raises:
        ValueError: it is not a network.
        FileNotFoundError: it is not trained, or not with this seed; the message names the command
            that does it.
        ModuleNotFoundError: the extra ``train`` is not installed.
    """
    method, seed = parse_seed(name)
    network = _network(method)
    return [network.trained(protocol, model, runs, seed) for model in models]


def of_run(name: str, folder: Path) -> TrainedNetwork:
    """A network with the weights of the run in ``folder``, whatever command made it."""
    return replace(_network(name), folder=folder)


def joint_version(networks: Sequence[TrainedNetwork]) -> str:
    """SHA-256 of the weights; of several models that of their digests."""
    digests = [network.version for network in networks]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def describe_networks(networks: Sequence[TrainedNetwork], samples: int, leads: int = 1) -> Network:
    """Cost of a network for a window, and the training budget of its models.

    The budget is unknown for a run of the paper's commands, which stores no summary.
    """
    cost = networks[0].complexity(samples, leads)
    summarised = [network for network in networks if (network.run_folder / SUMMARY_FILE).is_file()]
    return Network(
        parameters=cost.parameters,
        multiply_accumulates=cost.multiply_accumulates,
        trainings=tuple(network.training for network in summarised),
    )


def _seeds(method: str, protocol: str, runs: Path) -> list[int]:
    """The seeds that all models of a network are trained with, ascending."""
    network = _network(method)
    from ipmdae.lab.training import queue

    return queue.seeds(runs, protocol, network.name)


def _network(name: str) -> TrainedNetwork:
    method = get(name)
    if not is_network(method):
        raise ValueError(f"{name} is not a network; there are: {', '.join(NETWORKS)}")
    return method


@cache
def _denoiser(file: Path) -> networks.Network:
    """A network is opened once in each process.

    Where it is not trusted its own output is scored, not the band-pass filter's that users get.
    """
    return networks.Network(file, limits=safeguards(unreadable="network"))
