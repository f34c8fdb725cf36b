"""Filters with zero phase: those of the DeepFilter benchmark, usual Butterworths, and medians.

``fir`` and ``iir`` follow the published benchmark in design and in the padding at the ends of a
beat, so that its rows can be compared (F. Perdigón Romero et al., "Baseline wander removal methods
for ECG signals: a comparative study", 2018, arXiv 1807.11359; DeepFilter, 2021). The Butterworth
band-passes have the bandwidths of diagnostic and of monitoring ECG (P. Kligfield et al.,
"Recommendations for the standardization and interpretation of the electrocardiogram", 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import butter, firwin, kaiserord, oaconvolve, sosfiltfilt

from ipmdae.methods.classical import Signal, with_margins

_LOW, _HIGH = 0.67, 150.0  # Hz
_TRANSITION = 0.07  # Hz
_ATTENUATION = 61 / 4.5  # dB
_PADDING = 15  # samples: SciPy's filtfilt for a transfer function of order 4


class Identity:
    """No denoising: the reference for every method."""

    def denoise(self, x: Signal, fs: float) -> Signal:
        return np.array(x)


class FIR:
    """High-pass of 0.67 Hz, then low-pass of 150 Hz, of some 2000 taps each at 360 Hz.

    Where half the rate is not above 150 Hz, the low-pass is left out. A signal shorter than
    three times the taps is mirrored at its start and held at its last value.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        for kernel in _kaiser_kernels(fs):
            missing = 3 * (len(kernel) + 1) // 2 - len(x)
            if missing > 0:
                held = np.full(missing, x[-1])
                extended = zero_phase(kernel, np.concatenate([x[::-1], x, held]))
                x = extended[len(x) : 2 * len(x)]
            else:
                x = zero_phase(kernel, x)
        return x


class IIR:
    """Butterworth high-pass of 0.67 Hz, then low-pass of 150 Hz, of order 4, run both ways.

    Where half the rate is not above 150 Hz, the low-pass is left out. Sections of order 2 are
    equivalent to the published transfer function, and stable at high rates.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        for sections in _published_butterworths(fs):
            x = sosfiltfilt(sections, x, padlen=min(_PADDING, len(x) - 1))
        return x


@dataclass(frozen=True)
class Butterworth:
    """Band-pass of order 4, run both ways, the signal extended by a period of the lower edge.

    Where half the rate is not above the upper edge, it is a high-pass.

    Attributes:
        low: lower edge in Hz.
        high: upper edge in Hz.
    """

    low: float
    high: float

    def denoise(self, x: Signal, fs: float) -> Signal:
        sections = _butterworth(self.low, self.high, fs)
        return with_margins(lambda y: sosfiltfilt(sections, y), x, round(fs / self.low))


class MedianBaseline:
    """Subtracts the running median of the running median; margins as long as both spans.

    P. de Chazal, M. O'Dwyer, R. B. Reilly, "Automatic classification of heartbeats using ECG
    morphology and heartbeat interval features", IEEE Transactions on Biomedical Engineering 51(7),
    2004: a median over 200 ms removes P waves and QRS complexes, one over 600 ms the T waves; the
    rest is baseline.
    """

    _SPANS = (0.2, 0.6)  # s

    def denoise(self, x: Signal, fs: float) -> Signal:
        return x - with_margins(lambda y: self._baseline(y, fs), x, round(sum(self._SPANS) * fs))

    def _baseline(self, x: Signal, fs: float) -> Signal:
        for span in self._SPANS:
            x = median_filter(x, 2 * round(span * fs / 2) + 1)
        return x


def zero_phase_kernel(taps: Signal) -> Signal:
    """Zero-phase filter of ``taps`` run both ways: their autocorrelation."""
    return np.convolve(taps, taps[::-1])


def zero_phase(kernel: Signal, x: Signal) -> Signal:
    """Equal ``filtfilt(taps, 1, x)`` of SciPy by FFT: far faster for thousands of taps."""
    extended = np.pad(x, len(kernel) // 2, "reflect", reflect_type="odd")
    return oaconvolve(extended, kernel, "valid")


@cache
def _published_butterworths(fs: float) -> list[Signal]:
    sections: list[Signal] = [butter(4, _LOW, "highpass", output="sos", fs=fs)]
    if fs / 2 > _HIGH:
        sections.append(butter(4, _HIGH, "lowpass", output="sos", fs=fs))
    return sections


@cache
def _kaiser_kernels(fs: float) -> list[Signal]:
    count, beta = kaiserord(_ATTENUATION, 2 * _TRANSITION / fs)
    design = partial(firwin, count | 1, window=("kaiser", beta), fs=fs)
    taps = [design(cutoff=_LOW, pass_zero="highpass")]
    if fs / 2 > _HIGH:
        taps.append(design(cutoff=_HIGH, pass_zero="lowpass"))
    return [zero_phase_kernel(part) for part in taps]


@cache
def _butterworth(low: float, high: float, fs: float) -> Signal:
    if high < fs / 2:
        sections: Signal = butter(4, (low, high), "bandpass", output="sos", fs=fs)
    else:
        sections = butter(4, low, "highpass", output="sos", fs=fs)
    return sections


METHODS = {
    "none": Identity,
    "fir": FIR,
    "iir": IIR,
    "butterworth-0.05-150": partial(Butterworth, 0.05, 150.0),
    "butterworth-0.5-40": partial(Butterworth, 0.5, 40.0),
    "median": MedianBaseline,
}
