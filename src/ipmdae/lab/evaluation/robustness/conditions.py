"""Modifications of a noisy lead: other recorders, bad contacts, other noise.

Each condition takes a test segment of protocol clinic, with the mixture of all three kinds of noise
at :data:`SNR` dB, and changes one thing. Samples of a lost contact are not scored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ipmdae.lab.evaluation.benchmark import Array
from ipmdae.lab.protocols.clinic_test import CONDITIONS as NOISES
from ipmdae.lab.protocols.clinic_test import FS, MIXTURE, SCORED, Piece, add_noise
from ipmdae.pipeline.resample import resample

SNR = 5.0
"""dB, of the mixture and of the synthetic noise that stands in for it."""

RATES = (125.0, 200.0, 360.0, 500.0, 1000.0)  # Hz
GAINS = (0.1, 10.0)
LOST = (13.5, 16.5)
"""Seconds of a segment in which the contact is lost."""

CLIPPED = 1.0
"""Percent of the samples that lie beyond each end of the recorder's range."""

HUM = 0.1
"""Amplitude of the mains in mV."""

_EVERY = 2.0  # s between two events of synthetic noise, on average
_DECAY = (0.1, 1.0)  # s
_BURST, _BAND = (0.5, 3.0), (1.0, 10.0)  # s, Hz


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A lead to clean, and what should come out.

    Attributes:
        fs: sampling rate in Hz.
        noisy: (time,); NaN is a missing sample.
        clean: (time,), at the same rate and scale.
        scored: (time,), which samples are.
    """

    fs: float
    noisy: Array
    clean: Array
    scored: NDArray[np.bool_]


def case(piece: Piece, condition: str) -> Case:
    """Modify a segment by one of :data:`CONDITIONS`, with a random seed that depends on it only."""
    noisy = piece.noisy()[NOISES.index((MIXTURE, SNR))]
    rng = np.random.default_rng((piece.number, list(CONDITIONS).index(condition)))
    return CONDITIONS[condition](piece.clean, noisy, rng)


def _as_it_is(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return Case(fs=FS, noisy=noisy, clean=clean, scored=_middle(len(clean), FS))


def _at_rate(fs: float, clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    x, y = (resample(part, FS, fs) for part in (clean, noisy))
    return Case(fs=fs, noisy=y, clean=x, scored=_middle(len(x), fs))


def _scaled(gain: float, clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return _as_it_is(gain * clean, gain * noisy, rng)


def _missing(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return _without_contact(clean, noisy, np.nan)


def _flat(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    return _without_contact(clean, noisy, float(noisy.max()))


def _without_contact(clean: Array, noisy: Array, value: float) -> Case:
    lost = slice(*(round(second * FS) for second in LOST))
    noisy, scored = noisy.copy(), _middle(len(clean), FS)
    noisy[lost], scored[lost] = value, False
    return Case(fs=FS, noisy=noisy, clean=clean, scored=scored)


def _saturated(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    low, high = np.percentile(noisy, (CLIPPED, 100 - CLIPPED))
    return _as_it_is(clean, np.clip(noisy, low, high), rng)


def _with_mains(frequency: float, clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    phase = 2 * np.pi * (frequency * np.arange(len(clean)) / FS + rng.random())
    return _as_it_is(clean, noisy + HUM * np.sin(phase), rng)


def _with_steps(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    """Steps of the electrode's potential that fade exponentially."""
    noise, time = np.zeros(len(clean)), np.arange(len(clean)) / FS
    for start in _events(time[-1], rng):
        height = rng.choice((-1, 1)) * rng.uniform(0.3, 1)
        after = time >= start
        noise[after] += height * np.exp((start - time[after]) / rng.uniform(*_DECAY))
    return _as_it_is(clean, add_noise(clean, noise, SNR), rng)


def _with_bursts(clean: Array, noisy: Array, rng: np.random.Generator) -> Case:
    """Bursts of noise in the band of the P and T waves, as of a shaken cable."""
    time, envelope = np.arange(len(clean)) / FS, np.zeros(len(clean))
    for start in _events(time[-1], rng):
        share = (time - start) / rng.uniform(*_BURST)
        inside = (share >= 0) & (share < 1)
        envelope[inside] += rng.uniform(0.3, 1) * np.sin(np.pi * share[inside]) ** 2
    sections = butter(2, _BAND, "bandpass", fs=FS, output="sos")
    noise = envelope * sosfiltfilt(sections, rng.standard_normal(len(clean)))
    return _as_it_is(clean, add_noise(clean, noise, SNR), rng)


def _events(seconds: float, rng: np.random.Generator) -> Array:
    """Times at which something happens, at least once."""
    return rng.uniform(0, seconds, 1 + rng.poisson(seconds / _EVERY))


def _middle(samples: int, fs: float) -> NDArray[np.bool_]:
    time = np.arange(samples) / fs
    return (time >= SCORED[0]) & (time < SCORED[1])


AS_IT_IS = "as it is"

CONDITIONS: dict[str, Callable[[Array, Array, np.random.Generator], Case]] = {
    AS_IT_IS: _as_it_is,
    **{f"{fs:g} Hz": partial(_at_rate, fs) for fs in RATES},
    **{f"gain {gain:g}": partial(_scaled, gain) for gain in GAINS},
    "inverted": partial(_scaled, -1.0),
    "contact missing": _missing,
    "contact flat": _flat,
    "saturated": _saturated,
    **{f"mains {mains:g} Hz": partial(_with_mains, mains) for mains in (50.0, 60.0)},
    "steps": _with_steps,
    "bursts": _with_bursts,
}
"""Modifications by name; ``steps`` and ``bursts`` replace the mixture."""
