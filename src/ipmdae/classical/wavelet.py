"""Wavelet denoising: the approximation is removed as baseline, fine details are thresholded.

D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81, 1994,
for soft thresholds σ √(2 ln n); I. M. Johnstone, B. W. Silverman, "Wavelet threshold estimators for
data with correlated noise", 1997, for a σ of each level; R. R. Coifman, D. L. Donoho, "Translation-
invariant de-noising", 1995, for the stationary transform, whose result does not depend on where a
beat happens to lie on the grid of coefficients.
"""

from __future__ import annotations

import numpy as np
import pywt

from ipmdae.classical import Signal, with_margins

_WAVELET = "sym8"
_BASELINE = 0.5  # Hz: the approximation ends nearest to it on a logarithmic scale
_ECG = 20.0  # Hz: details that reach below it contain QRS, P and T, and are kept
_MARGIN = 4.0  # s


class WaveletSoft:
    """Soft thresholds above 20 Hz, nothing below 0.5 Hz (at 360 Hz: 22.5 and 0.7 Hz)."""

    def denoise(self, x: Signal, fs: float) -> Signal:
        return with_margins(lambda y: _shrink(y, fs), x, round(_MARGIN * fs))


def _shrink(x: Signal, fs: float) -> Signal:
    """Level k, counted from 1, is the band from fs / 2^(k+1) to fs / 2^k."""
    levels = round(np.log2(fs / 2 / _BASELINE))
    whole = np.pad(x, (0, -len(x) % 2**levels), "edge")
    approximation, *details = pywt.swt(whole, _WAVELET, levels, trim_approx=True, norm=True)
    for at, detail in enumerate(details):
        if fs / 2 ** (levels - at + 1) >= _ECG:
            sigma = np.median(np.abs(detail)) / 0.6745
            threshold = sigma * np.sqrt(2 * np.log(len(detail)))
            details[at] = np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0)
    result: Signal = pywt.iswt([np.zeros_like(approximation), *details], _WAVELET, norm=True)
    return result


METHODS = {"wavelet": WaveletSoft}
