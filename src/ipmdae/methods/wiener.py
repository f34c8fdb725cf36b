"""Optimal linear filters, fitted on pairs of noisy and clean windows.

They are upper limits for linear methods in the mean squared error: ``wiener`` among those that
treat all moments alike (N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time
Series", 1949), ``lmmse`` among all, if each window begins at the same point of a beat (the linear
minimum mean squared error estimator; S. M. Kay, "Fundamentals of Statistical Signal Processing",
1993, chapter 12). Both see the training set first, which the other classical methods do not.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.linalg import solve, toeplitz
from scipy.signal import oaconvolve

from ipmdae.methods.classical import Signal

_RIDGE = 1e-9  # of the mean power: keeps bands without power from being divided by nothing
_BATCH = 4096


class Wiener:
    """The linear filter, two-sided and nearly as long as two windows, of the least squared error.

    Windows count as zero outside, in fitting and in use; correlations are sums over all windows
    (the autocorrelation method of linear prediction).
    """

    fresh_noise = False

    def __init__(self) -> None:
        self._taps: Signal | None = None
        self._fs = 0.0

    def fit(self, noisy: Signal, clean: Signal, fs: float) -> None:
        """Solve the normal equations, a Toeplitz system of the correlations."""
        length = noisy.shape[1]
        own, across = np.zeros(2 * length - 1), np.zeros(2 * length - 1)
        for start in range(0, len(noisy), _BATCH):
            y, x = (part[start : start + _BATCH] for part in (noisy, clean))
            own += _correlation(y, y)
            across += _correlation(x, y)
        column = np.zeros(2 * length - 1)
        column[:length] = own[length - 1 :]
        column[0] *= 1 + _RIDGE
        self._taps = solve(toeplitz(column), across, assume_a="pos")
        self._fs = fs

    def denoise(self, x: Signal, fs: float) -> Signal:
        if self._taps is None:
            raise RuntimeError("this filter must be fitted before it cleans")
        if fs != self._fs:
            raise ValueError(f"fitted at {self._fs:g} Hz, this signal has {fs:g} Hz")
        half = len(self._taps) // 2
        return oaconvolve(x, self._taps)[half : half + len(x)]


class LinearEstimator:
    """The affine map from noisy to clean windows of the least squared error.

    A matrix of 512 x 512 numbers overfits to a few hundred segments of noise.
    """

    def __init__(self, *, fresh_noise: bool) -> None:
        self.fresh_noise = fresh_noise
        self._matrix: Signal | None = None
        self._mean_noisy: Signal
        self._mean_clean: Signal
        self._fs = 0.0

    def fit(self, noisy: Signal, clean: Signal, fs: float) -> None:
        """Solve the normal equations of the covariances."""
        y, x = noisy.mean(axis=0), clean.mean(axis=0)
        own = noisy.T @ noisy / len(noisy) - np.outer(y, y)
        across = clean.T @ noisy / len(noisy) - np.outer(x, y)
        own[np.diag_indices_from(own)] += _RIDGE * np.trace(own) / len(own)
        self._matrix = solve(own, across.T, assume_a="pos").T
        self._mean_noisy, self._mean_clean, self._fs = y, x, fs

    def denoise(self, x: Signal, fs: float) -> Signal:
        if self._matrix is None:
            raise RuntimeError("this estimator must be fitted before it cleans")
        if fs != self._fs or len(x) != len(self._mean_noisy):
            raise ValueError(
                f"fitted on windows of {len(self._mean_noisy)} samples at {self._fs:g} Hz, this "
                f"signal has {len(x)} at {fs:g} Hz"
            )
        return self._mean_clean + self._matrix @ (x - self._mean_noisy)


def _correlation(x: Signal, y: Signal) -> Signal:
    """Σ x[t + k] y[t] over t and all windows (windows, time), for k = -(time-1) … time-1."""
    length = x.shape[1]
    spectra = (np.fft.rfft(part, 2 * length, axis=1) for part in (x, y))
    cross = np.sum(next(spectra) * np.conj(next(spectra)), axis=0)
    lags = np.fft.irfft(cross, 2 * length)
    return np.concatenate([lags[length + 1 :], lags[:length]])


METHODS = {
    "wiener": Wiener,
    "lmmse": partial(LinearEstimator, fresh_noise=False),
    "lmmse-fresh": partial(LinearEstimator, fresh_noise=True),
}
