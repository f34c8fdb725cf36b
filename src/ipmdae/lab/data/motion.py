"""Motion noise: measured at the wrist (ECGNExT), and synthetic sway, taps and muscle bursts.

Galeotti and Scully, "A method to extract realistic artifacts from electrocardiogram recordings for
robust algorithm testing", Journal of Electrocardiology 51(6S), 2018: the ECG in a lead under motion
is known from a lead at rest that was recorded at the same time; what is left is motion.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.data import ecgnext
from ipmdae.pipeline.resample import resample

Array = NDArray[np.float32]

_BEFORE, _AFTER = 0.25, 0.45
"""Seconds around an R peak that hold its beat."""

_SECONDS = 2.0
"""Length of the segments of which each is judged to be motion or rest."""

_LOUD = 1.0
"""Standard deviation of motion from which on a segment is kept, relative to that of the ECG."""


_FADED = 17.0
"""Time constants after which a wave is left out: it is below the resolution of float32."""


def wrist_noise(folder: Path, people: Collection[str], fs: float) -> list[Array]:
    """Wrist motion without the ECG under it, from all recordings of ``people`` under motion.

    Args:
        folder: of ECGNExT in WFDB format, see :mod:`ipmdae.lab.data.ecgnext`.
        people: their names.
        fs: sampling rate of the result in Hz.

    Returns:
        Segments of at least four seconds, (time, 1) each, mV, without their mean.
    """
    segments = []
    for name in ecgnext.record_names(folder):
        person, _, session = name.partition("_")
        if person not in people or session not in ecgnext.MOTIONS:
            continue
        recording = ecgnext.read(folder, name)
        signal = resample(recording.signal, recording.fs, fs)
        noise, beat_sd = without_beats(signal[:, 1], r_peaks(signal[:, 0], fs), fs)
        segments += _loud(noise, beat_sd, fs)
    return segments


def r_peaks(lead: NDArray[np.float64], fs: float) -> NDArray[np.intp]:
    """R peaks of a lead (time,) at rest: maxima of its 5 to 25 Hz energy, 0.3 s apart at least."""
    from scipy.signal import butter, find_peaks, sosfiltfilt

    band = sosfiltfilt(butter(2, (5, 25), "bandpass", fs=fs, output="sos"), lead)
    width = round(0.08 * fs)
    energy = np.convolve(band**2, np.ones(width) / width, "same")
    found, _ = find_peaks(energy, height=0.3 * np.percentile(energy, 98), distance=round(0.3 * fs))
    reach = round(0.06 * fs)
    peaks = [
        p - reach + int(np.argmax(np.abs(band[p - reach : p + reach])))
        for p in found
        if reach <= p < len(lead) - reach
    ]
    return np.unique(np.array(peaks, np.intp))


def without_beats(
    lead: NDArray[np.float64], peaks: NDArray[np.intp], fs: float
) -> tuple[NDArray[np.float64], float]:
    """Subtract from a lead its median beat, scaled to each beat by least squares.

    Args:
        lead: (time,) in mV.
        peaks: samples of the R peaks, from a lead at rest.

    Returns:
        What is left (time,), and the standard deviation of the median beat.
    """
    before, after = round(_BEFORE * fs), round(_AFTER * fs)
    whole = peaks[(peaks >= before) & (peaks + after <= len(lead))]
    if len(whole) < 10:
        return lead - np.median(lead), float("nan")
    beats = np.stack([lead[peak - before : peak + after] for peak in whole])
    beats = beats - np.median(beats, axis=1, keepdims=True)
    template = np.median(beats, axis=0)
    template = (template - np.median(template)) * np.hanning(len(template)) ** 0.25
    heights = beats @ template / (template @ template)
    rest = lead - np.median(lead)
    for peak, height in zip(whole, np.clip(heights, 0.5, 1.5), strict=True):
        rest[peak - before : peak + after] -= height * template
    return rest, float(template.std())


def _loud(noise: NDArray[np.float64], beat_sd: float, fs: float) -> list[Array]:
    """The parts of a recording in which motion is larger than the ECG was.

    Where it is calm, what is left of imperfectly subtracted beats would be learnt as noise.
    """
    length = round(_SECONDS * fs)
    count = len(noise) // length
    pieces = noise[: count * length].reshape(count, length)
    loud = pieces.std(axis=1) > _LOUD * beat_sd
    # A segment beside a loud one belongs to it: motion begins and ends within a segment.
    padded = np.pad(loud, 1)
    loud = padded[:-2] | loud | padded[2:]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False])).astype(int)))
    parts = [
        noise[start * length : stop * length]
        for start, stop in edges.reshape(-1, 2)
        if stop - start >= 2
    ]
    return [(part - part.mean())[:, np.newaxis].astype(np.float32) for part in parts]


def sway(length: int, fs: float, rng: np.random.Generator) -> Array:
    """Baseline wander of breathing and drift, (length, 1): sines below 0.7 Hz and a random walk."""
    t = np.arange(length, dtype=np.float32) / fs
    y = np.zeros(length, np.float32)
    for _ in range(rng.integers(1, 4)):
        frequency = float(np.exp(rng.uniform(np.log(0.05), np.log(0.7))))
        swing = 1 + 0.3 * np.sin(2 * np.pi * (rng.uniform(0.01, 0.1) * t + rng.random()))
        y += rng.uniform(0.2, 1) * swing * np.sin(2 * np.pi * (frequency * t + rng.random()))
    if rng.random() < 0.3:
        knots = max(int(length / fs / 3), 2)
        walk = np.cumsum(rng.normal(size=knots))
        smooth = np.interp(np.linspace(0, knots - 1, length), np.arange(knots), walk)
        y += rng.uniform(0.2, 1) * (smooth - smooth.mean())
    return y[:, np.newaxis].astype(np.float32)


def taps(length: int, fs: float, rng: np.random.Generator) -> Array:
    """Taps on electrode and cable, and bursts of muscle noise, (length, 1).

    A tap is a damped oscillation; a burst is noise of 20 Hz and more that lasts for up to seconds.
    """
    t = np.arange(length) / fs
    y = np.zeros(length)
    regular = rng.random() < 0.5
    interval = np.exp(rng.uniform(np.log(0.3), np.log(5)))
    frequency, decay = np.exp(rng.uniform(np.log(1), np.log(25))), rng.uniform(0.03, 0.4)
    time = rng.uniform(0, interval)
    oscillation = 2j * np.pi * frequency - 1 / decay
    tap = np.exp(oscillation * t[: int(_FADED * decay * fs) + 1])
    cosine, sine = tap.real.copy(), tap.imag.copy()
    while time < t[-1]:
        first = math.ceil(time * fs)
        start = cmath.exp(oscillation * (first / fs - time) + 1j * rng.uniform(0, 0.5))
        start *= rng.normal(1, 0.4)
        after = y[first : first + len(tap)]
        after += start.real * sine[: len(after)] + start.imag * cosine[: len(after)]
        time += interval * (rng.normal(1, 0.08) if regular else rng.exponential()) + 0.05
    if rng.random() < 0.5:
        muscle = np.diff(rng.standard_normal(length + 1))
        for _ in range(rng.integers(1, 5)):
            middle, width = rng.uniform(0, t[-1]), np.exp(rng.uniform(-2, 1))
            reach = _FADED**0.25 * width
            near = slice(max(int((middle - reach) * fs), 0), int((middle + reach) * fs) + 1)
            envelope = np.exp(-np.square(np.square((t[near] - middle) / width)))
            y[near] += rng.uniform(0.2, 1) * muscle[near] * envelope
    return y[:, np.newaxis].astype(np.float32)
