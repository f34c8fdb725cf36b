"""Random augmentation of training windows: effects of recorders, electrodes and mains.

Arrays are one lead's window (time, 1) in mV, float32. Whatever belongs to the signal (heart rate,
bandwidth) changes the target too; whatever disturbs it changes the input alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data.rhythms import ecg_size
from ipmdae.pipeline.survey import median

Array = NDArray[np.float32]

#: A lead turned upside down is as good an ECG as it was (aVR, swapped electrodes).
POLARITIES = (1, 1, -1)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Probability of each change, per window.

    Attributes:
        fs: sampling rate in Hz.
        stretch: time scaling of the signal, or of the noise.
        band: signal and noise lack high frequencies, as from a monitor or a slow recorder.
        mains: powerline interference at 50 or 60 Hz.
        white: noise of an amplifier.
        pop: an electrode that moves: a step that decays.
        clip: the recorder's range ends within the signal.
        steps: coarse digital steps.
        noise_only: there is no signal at all.
        projection: probability of replacing the lead, or the noise, by a random linear combination
            of the two recorded ones (a rotation in their plane).
    """

    fs: float
    stretch: float = 0.3
    band: float = 0.15
    mains: float = 0.15
    white: float = 0.1
    pop: float = 0.1
    clip: float = 0.03
    steps: float = 0.1
    noise_only: float = 0.03
    projection: float = 0.5

    def tempo(self, rng: np.random.Generator) -> float:
        """Samples of the recording per sample of the window: 0.75 to 1.33, mostly 1."""
        return float(np.exp(rng.uniform(-0.29, 0.29))) if rng.random() < self.stretch else 1.0

    def bandwidth(self, rng: np.random.Generator) -> float | None:
        """Upper band limit of a simulated recorder in Hz, or None if above the network's band."""
        return float(rng.uniform(30, 80)) if rng.random() < self.band else None

    def angle(self, rng: np.random.Generator) -> float | None:
        """Angle of the random lead projection in radians, or None for the recorded leads."""
        if not self.projection or rng.random() >= self.projection:
            return None
        return float(rng.uniform(0, 2 * np.pi))

    def disturb(self, noisy: Array, size: float, rng: np.random.Generator) -> Array:
        """Add what electrodes, amplifier and mains add.

        Args:
            noisy: the window.
            size: peak-to-peak size of an ECG in it, mV; the disturbances are measured by it.
        """
        time = np.arange(len(noisy), dtype=np.float32)[:, np.newaxis] / np.float32(self.fs)
        if rng.random() < self.mains:
            frequency = rng.choice((50, 60)) + rng.normal(0, 0.1)
            hum = np.sin(2 * np.pi * (frequency * time + rng.random()))
            noisy = noisy + size * np.exp(rng.uniform(-5, 0)) * hum
        if rng.random() < self.white:
            noisy = noisy + size * np.exp(rng.uniform(-5, -2.5)) * rng.standard_normal(noisy.shape)
        if rng.random() < self.pop:
            since = time - rng.uniform(0, time[-1, 0])
            decay = np.exp(-np.maximum(since, 0) / np.exp(rng.uniform(-2.5, 1.5)))
            height = size * np.exp(rng.uniform(-2, 1)) * rng.choice((1, -1))
            noisy = noisy + height * decay * (since >= 0)
        if rng.random() < self.clip:
            middle, reach = median(noisy[:, 0]), rng.uniform(0.3, 0.9) * np.ptp(noisy)
            noisy = np.clip(noisy, middle - reach, middle + reach)
        if rng.random() < self.steps:
            step = size * np.exp(rng.uniform(-7, -4))
            noisy = np.round(noisy / step) * step
        return noisy.astype(np.float32)


def project(leads: Array, angle: float) -> Array:
    """Project two (assumed orthogonal) leads onto the direction ``angle``.

    Patients are few, and so are the shapes of their beats; an electrode might have been elsewhere.

    Args:
        leads: (..., time, 2).

    Returns:
        (..., time, 1).
    """
    weights = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32)
    projected: Array = leads @ weights
    return projected


def at_tempo(signal: Array, start: int, length: int, tempo: float) -> Array:
    """``length`` samples of (time, channels) from ``start`` on, played ``tempo`` times as fast.

    The segment must lie within the signal; see :func:`reach`.
    """
    if tempo == 1:
        return signal[start : start + length]
    piece = signal[start : start + reach(length, tempo)]
    position = np.arange(length) * tempo
    columns = [np.interp(position, np.arange(len(piece)), column) for column in piece.T]
    return np.stack(columns, axis=1).astype(np.float32)


def reach(length: int, tempo: float) -> int:
    """Samples of a recording that a window of ``length`` takes at ``tempo``."""
    return length if tempo == 1 else int(np.ceil(length * tempo)) + 1


def low_pass(x: Array, edge: float, fs: float) -> Array:
    """Take off what is above ``edge`` Hz, over a soft quarter of it; (time, channels)."""
    frequency = np.fft.rfftfreq(len(x), 1 / fs)
    gain = 0.5 * (1 + np.cos(np.pi * np.clip((frequency - edge) / (edge / 4), 0, 1)))
    filtered = np.fft.irfft(np.fft.rfft(x, axis=0) * gain[:, np.newaxis], len(x), axis=0)
    return filtered.astype(np.float32)


@cache
def _hann(length: int) -> Array:
    return np.hanning(length).astype(np.float32)


def good_targets(windows: Array, fs: float, wander: float = 0.1) -> NDArray[np.bool_]:
    """Mask of the windows of a recording that are clean enough to be training targets.

    Training towards a "clean" window that holds noise teaches to keep noise. A window is left out
    if its baseline wander is too large, if it trembles from sample to sample by more than 1 % of
    its size, or if its size is below 0.2 mV.

    Args:
        windows: (windows, time), mV.
        fs: sampling rate in Hz.
        wander: largest power below 0.5 Hz, relative to that from 0.5 to 40 Hz.

    Returns:
        (windows,).
    """
    size = ecg_size(windows)
    centred = windows - windows.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred * _hann(windows.shape[1]))
    edges = np.ceil(np.array([0.5, 40]) * windows.shape[1] / fs).astype(np.intp)
    slow, ecg, _ = (np.square(np.abs(s)).sum(axis=1) for s in np.split(spectrum, edges, axis=1))
    tremor = median(np.abs(np.diff(windows, n=2, axis=1)))
    good: NDArray[np.bool_] = (slow < wander * ecg) & (tremor < 0.01 * size) & (size > 0.2)
    return good
