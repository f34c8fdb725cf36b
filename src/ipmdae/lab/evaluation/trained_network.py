"""Networks under test, with the weights of a finished run of ``ipmdae benchmark train``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmdae import checksums
from ipmdae.lab.evaluation.network import multiply_accumulates
from ipmdae.lab.evaluation.training_budget import Training
from ipmdae.lab.networks import registry
from ipmdae.lab.networks.complexity import Complexity
from ipmdae.lab.networks.descod import DeScoD
from ipmdae.lab.training import queue, run
from ipmdae.lab.training.summary import late_fall, network_and_pairs, read_summary
from ipmdae.methods.classical import Signal
from ipmdae.pipeline import window

RESULTS = Path("results")

_BATCH = 64
_OVERLAP = 0.4
"""Overlap of the windows of a recording, relative to their length: that of the shipped models."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A network and its selected weights; sent between processes by its folder.

    Attributes:
        name: method in :mod:`ipmdae.lab.training.queue`: a network and its training pairs.
        shots: draws of a diffusion model that are averaged.
        folder: of the run whose best weights it has.
    """

    name: str
    shots: int = 1
    folder: Path | None = None

    def trained(
        self, protocol: str, model: str = "", results: Path = RESULTS, seed: int | None = None
    ) -> TrainedNetwork:
        """The same with the best weights of its newest finished run on a protocol.

        Args:
            protocol: see :data:`ipmdae.lab.training.queue.PROTOCOLS`.
            model: which, where the protocol asks for several: ``noise-1`` or ``noise-2`` of
                protocol deepfilter.
            results: folder of the runs.
            seed: of the run; by default the lowest one of which all models are finished.

        Raises:
            FileNotFoundError: the run does not exist; the message names the command that makes it.
        """
        return replace(self, folder=queue.finished_run(results, protocol, self.name, model, seed))

    @property
    def version(self) -> str:
        """SHA-256 of the weights."""
        return checksums.digest(run.checkpoint_path(self.run_folder, "best"))

    @property
    def training(self) -> Training:
        """Training of the run."""
        settings = run.read_settings(self.run_folder)
        curves = queue.read_curves(self.run_folder)
        return Training(
            read_summary(self.run_folder),
            settings.recipe.name,
            late_fall([row["valid_loss"] for row in curves]),
            settings.precision,
        )

    def complexity(self, samples: int, leads: int = 1) -> Complexity:
        """Cost of denoising a window, all shots together; needs no weights."""
        network = registry.build(network_and_pairs(self.name)[0], leads)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        return Complexity(parameters, self.shots * multiply_accumulates(network, samples, leads))

    def denoise_batch(self, x: Signal, fs: float) -> Signal:
        """Denoise windows of one lead, (windows, time); see :meth:`denoise_windows`."""
        return self.denoise_windows(x[..., np.newaxis], fs)[..., 0]

    def denoise_windows(self, x: Signal, fs: float) -> Signal:
        """Denoise a batch of windows as in training.

        Args:
            x: (windows, time, leads) in mV, of any length, with as many leads as the protocol has;
                of protocol reference scaled as it scales.
            fs: sampling rate in Hz, that of the protocol.

        Returns:
            The denoised windows, (windows, time, leads), in the same unit.

        Raises:
            RuntimeError: the network has no weights yet.
            ValueError: the rate is another one.
        """
        opened = _open(self.run_folder, self.shots)
        if fs != opened.fs:
            raise ValueError(f"{self.name} was trained at {opened.fs:g} Hz, this has {fs:g} Hz")
        batches = [x[start : start + _BATCH] for start in range(0, len(x), _BATCH)]
        with _one_thread():
            return np.concatenate([opened.clean(batch) for batch in batches])

    def denoise(self, x: Signal, fs: float) -> Signal:
        """Denoise a lead (time,) in mV: as one window, or in windows that are cross-faded.

        Raises:
            RuntimeError, ValueError: see :meth:`denoise_batch`; or the network expects windows that
                are scaled by the clean signal.
        """
        opened = _open(self.run_folder, self.shots)
        if opened.protocol == "reference":
            raise ValueError(
                f"{self.name} was trained on windows scaled by the clean signal, which no "
                "recording lacks: train it with --protocol clinic"
            )
        if len(x) <= opened.window:
            cleaned: Signal = self.denoise_batch(x[np.newaxis], fs)[0]
            return cleaned
        overlap = round(_OVERLAP * opened.window)
        first = window.starts(len(x), opened.window, overlap)
        cut = window.cut(x[:, np.newaxis], first, opened.window)[..., 0]
        windows = self.denoise_batch(cut, fs)[..., np.newaxis]
        blended: Signal = window.blend([windows], len(x), opened.window, overlap)[:, 0]
        return blended

    @property
    def run_folder(self) -> Path:
        """The folder of its run.

        Raises:
            RuntimeError: it has no weights yet.
        """
        if self.folder is None:
            raise RuntimeError(
                f"{self.name} has no weights: choose those of a run with trained(protocol), and "
                f"make one with: ipmdae benchmark train --protocol clinic --methods {self.name}"
            )
        return self.folder


@dataclass(frozen=True)
class _Opened:
    network: nn.Module
    protocol: str
    fs: float
    window: int
    device: torch.device

    def clean(self, x: Signal) -> Signal:
        """Windows (windows, time, leads) in mV, scaled as the protocol does and back."""
        offset, scale = np.zeros(1), np.ones(1)
        if self.protocol == "clinic":
            x, offset, scale = window.robust_scale(x)
        with torch.inference_mode():
            batch = torch.from_numpy(x.astype(np.float32)).to(self.device)
            cleaned: NDArray[np.float32] = self.network(batch)[..., : x.shape[2]].cpu().numpy()
        return cleaned * scale + offset


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run on one thread: the number of threads affects rounding, and processes share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _open(folder: Path, shots: int) -> _Opened:
    """Open a network once per process."""
    settings = run.read_settings(folder)
    protocol = settings.open_protocol()
    network = run.load_network(folder, "best").eval()
    if isinstance(network, DeScoD):
        network.shots = shots
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return _Opened(network.to(device), settings.protocol, protocol.fs, protocol.window, device)


def of_method(method: str) -> TrainedNetwork:
    """A network of :data:`ipmdae.lab.evaluation.candidates.NETWORKS`, perhaps with its pairs."""
    if network_and_pairs(method)[0] == "descod-10":
        return TrainedNetwork(method.replace("-10", "", 1), shots=10)
    return TrainedNetwork(method)
