"""A network that is a function, and signals to clean."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ipmdae.architecture import Architecture
from ipmdae.engine import ModelFile
from ipmdae.methods import network
from ipmdae.methods.network import Network
from ipmdae.recording import Recording
from ipmdae.safeguards import Safeguards, safeguards

Run = Callable[[np.ndarray], np.ndarray]


class FakeEngine:
    """Runs a function in place of a network, and checks what it is given."""

    def __init__(self, architecture: Architecture, run: Run) -> None:
        self.architecture = architecture
        self.batches: list[int] = []
        self._run = run

    def run(self, windows: np.ndarray) -> np.ndarray:
        assert windows.dtype == np.float32
        assert windows.flags.c_contiguous
        assert windows.shape[2] == self.architecture.leads
        assert np.isfinite(windows).all()
        self.batches.append(len(windows))
        return self._run(windows)


class Fakes:
    """Makes denoisers and models whose network is a function, by default the identity."""

    def __init__(self, model: ModelFile, patch: pytest.MonkeyPatch) -> None:
        self._model, self._patch = model, patch

    def model(
        self, run: Run = lambda windows: windows, leads: int = 1, uncertainty: bool = False
    ) -> ModelFile:
        """A model that from now on every denoiser runs by ``run``."""
        architecture = Architecture(leads=leads, uncertainty=uncertainty)
        engine = FakeEngine(architecture, run)
        self._patch.setattr(network, "open_engine", lambda *_: engine)
        return dataclasses.replace(self._model, architecture=architecture)

    def __call__(
        self,
        run: Run = lambda windows: windows,
        leads: int = 1,
        uncertainty: bool = False,
        max_latency: float | None = None,
        limits: Safeguards | None = None,
    ) -> Network:
        """A denoiser."""
        # What the engine gives comes out as it is, unless a test is about the guard.
        limits = limits or safeguards("beats", unreadable="network")
        return Network(self.model(run, leads, uncertainty), max_latency=max_latency, limits=limits)


def ecg(fs: float, samples: int, leads: int = 1) -> np.ndarray:
    """Waves within the band of all rates, whose median is 0, in mV: (time, leads)."""
    time = np.arange(samples)[:, None] / fs
    return np.sin(2 * np.pi * (3 + np.arange(leads)) * time) + 0.3 * np.sin(2 * np.pi * 17 * time)


def recording(signal: np.ndarray, fs: float = 250, **fields: Any) -> Recording:
    """A recording of an array."""
    return dataclasses.replace(Recording.from_array(signal, fs), **fields)


def smooth_band(windows: np.ndarray) -> np.ndarray:
    """A zero-phase band pass of 0.4 s, which sees no farther than that beyond any sample."""
    narrow, wide = np.hanning(9) / np.hanning(9).sum(), np.hanning(101) / np.hanning(101).sum()
    kernel = np.pad(narrow, 46) - wide
    padded = np.pad(windows, ((0, 0), (50, 50), (0, 0)), mode="edge")
    filtered = np.apply_along_axis(np.convolve, 1, padded, kernel, "valid")
    return filtered.astype(np.float32)
