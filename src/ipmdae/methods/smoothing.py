"""Wavelet shrinkage, total variation, non-local means, Kalman smoothing, empirical modes.

Each imports its package when it is used; :func:`ipmdae.methods.classical.get` checks beforehand
that it is installed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from ipmdae.methods.classical import Signal, with_margins

_BASELINE = 0.5  # Hz: what is slower is baseline wander


class WaveletSoft:
    """Soft thresholds above 20 Hz, nothing below 0.5 Hz (at 360 Hz: 22.5 and 0.7 Hz).

    D. L. Donoho, I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81,
    1994, for soft thresholds σ √(2 ln n); I. M. Johnstone, B. W. Silverman, "Wavelet threshold
    estimators for data with correlated noise", 1997, for a σ of each level; R. R. Coifman, D. L.
    Donoho, "Translation-invariant de-noising", 1995, for the stationary transform, whose result
    does not depend on the position of a beat on the grid of coefficients.
    """

    _WAVELET = "sym8"
    _ECG = 20.0  # Hz: details that reach below it contain QRS, P and T, and are kept
    _MARGIN = 4.0  # s

    def denoise(self, x: Signal, fs: float) -> Signal:
        return with_margins(lambda y: self._shrink(y, fs), x, round(self._MARGIN * fs))

    def _shrink(self, x: Signal, fs: float) -> Signal:
        """Level k, counted from 1, is the band from fs / 2^(k+1) to fs / 2^k."""
        import pywt

        levels = round(np.log2(fs / 2 / _BASELINE))
        whole = np.pad(x, (0, -len(x) % 2**levels), "edge")
        transform = pywt.swt(whole, self._WAVELET, levels, trim_approx=True, norm=True)
        approximation, *details = transform
        for at, detail in enumerate(details):
            if fs / 2 ** (levels - at + 1) >= self._ECG:
                sigma = np.median(np.abs(detail)) / 0.6745
                threshold = sigma * np.sqrt(2 * np.log(len(detail)))
                details[at] = np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0)
        kept = [np.zeros_like(approximation), *details]
        result: Signal = pywt.iswt(kept, self._WAVELET, norm=True)
        return result


class TotalVariation:
    """The nearest signal with a smaller total variation, by scikit-image.

    L. I. Rudin, S. Osher, E. Fatemi, "Nonlinear total variation based noise removal algorithms",
    Physica D 60, 1992, solved by A. Chambolle's projection (2004). The weight equals the noise
    level, which is estimated from the finest wavelet details. Baseline wander stays. Samples depend
    on their neighbours only, so there are no margins.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        from skimage.restoration import denoise_tv_chambolle, estimate_sigma

        sigma = float(estimate_sigma(x))
        if sigma == 0:
            return np.array(x)
        smoothed: Signal = denoise_tv_chambolle(x, weight=sigma)
        return smoothed


class NonLocalMeans:
    """Means of the samples within 2 s whose neighbourhoods of 58 ms are similar.

    B. H. Tracey, E. L. Miller, "Nonlocal means denoising of ECG signals", IEEE Transactions on
    Biomedical Engineering 59(9), 2012, lag by lag (J. Darbon et al., "Fast nonlocal filtering
    applied to electron cryomicroscopy", 2008). The function of scikit-image takes a signal as an
    image of one row, but its work grows with the square of the patch, or else of the reach. The
    noise is estimated from the finest wavelet details. Baseline wander stays. Samples beyond the
    ends have no influence, so there are no margins.
    """

    _PATCH = 10 / 360  # s on each side: 21 samples at 360 Hz
    _REACH = 2.0  # s to each side, so that there are a few beats to choose from
    _BANDWIDTH = 0.6  # of the noise's deviation

    def denoise(self, x: Signal, fs: float) -> Signal:
        import pywt

        sigma = float(np.median(np.abs(pywt.dwt(x, "db2")[1]))) / 0.6745
        if sigma == 0:
            return np.array(x)
        reach = min(round(self._REACH * fs), len(x) - 1)
        return _means(x, 2 * round(self._PATCH * fs) + 1, reach, self._BANDWIDTH * sigma)


def _means(x: Signal, patch: int, reach: int, bandwidth: float) -> Signal:
    """Weights are exp(-d / 2 bandwidth²), d the mean squared difference of two patches."""
    total, weights = x.copy(), np.ones(len(x))
    for lag in range(1, reach + 1):
        early, late = x[:-lag], x[lag:]
        difference = np.maximum(uniform_filter1d((late - early) ** 2, patch), 0)  # of rounding
        alike = np.exp(-difference / (2 * bandwidth**2))
        total[lag:] += alike * early
        total[:-lag] += alike * late
        weights[lag:] += alike
        weights[:-lag] += alike
    means: Signal = total / weights
    return means


class KalmanBaseline:
    """Subtracts a smoothed local linear trend, whose gain falls to a half at 0.5 Hz.

    A. C. Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter", 1989: a level
    that follows a slope, and a slope on a random walk; all else is measurement noise. Kalman
    filters of the baseline are those of M. A. Mneimneh, E. E. Yaz, M. T. Johnson, R. J. Povinelli,
    "An adaptive Kalman filter for removing baseline wandering in ECG signals", Computers in
    Cardiology 33, 2006. Far from the ends, the result is that of a Butterworth high-pass of order 2
    that runs both ways; at the ends no assumption is needed about samples beyond.

    By statsmodels, whose filter is compiled; pykalman and filterpy compute the same in Python.
    Adaptive filters, those of padasip, need a noise reference, which a recording lacks.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        return x - _level(x, (2 * np.sin(np.pi * _BASELINE / fs)) ** 4)


def _level(x: Signal, drift: float) -> Signal:
    """The level of a signal, the slope's variance being ``drift`` times that of the noise."""
    from statsmodels.tsa.statespace.kalman_smoother import SMOOTHER_STATE, KalmanSmoother

    model = KalmanSmoother(
        k_endog=1, k_states=2, initialization="diffuse", smoother_output=SMOOTHER_STATE
    )
    model.bind(np.array(x)[:, np.newaxis])
    model["design"] = np.array([[1.0, 0.0]])
    model["transition"] = np.array([[1.0, 1.0], [0.0, 1.0]])
    model["selection"] = np.eye(2)
    model["state_cov"] = np.diag([0.0, drift])
    model["obs_cov"] = np.eye(1)
    level: Signal = model.smooth().smoothed_state[0]
    return level


class EmpiricalModes:
    """Removes modes below 0.5 Hz; of the others keeps values above σ √(2 ln n), with a σ per mode.

    N. E. Huang et al., "The empirical mode decomposition and the Hilbert spectrum for nonlinear and
    non-stationary time series analysis", Proceedings of the Royal Society A 454, 1998, by PyEMD,
    with ten siftings a mode (Z. Wu, N. E. Huang, "Ensemble empirical mode decomposition", 2009).
    For the ECG first by M. Blanco-Velasco, B. Weng, K. E. Barner, "ECG signal denoising and
    baseline wander correction based on the empirical mode decomposition", Computers in Biology and
    Medicine 38, 2008. Here the slow modes are removed (P. Flandrin, P. Gonçalvès, G. Rilling,
    "Detrending and denoising with empirical mode decompositions", EUSIPCO 2004), and the fast ones
    need no QRS detector: interval thresholds (Y. Kopsinis, S. McLaughlin, "Development of EMD-based
    denoising methods inspired by wavelet thresholding", IEEE Transactions on Signal Processing
    57(4), 2009). They are hard: a soft threshold attenuates every mode, also the QRS complex.

    The noise of the first mode is estimated by its median absolute value, that of the next by the
    decay for white noise. PyEMD mirrors the extrema at the ends, so there are no margins.
    """

    _SIFTINGS = 10
    _BETA, _RHO = 0.719, 2.01  # how the power of white noise falls from mode to mode, by experiment

    def denoise(self, x: Signal, fs: float) -> Signal:
        """Denoise a signal; ValueError where samples are missing."""
        from PyEMD import EMD

        if not np.isfinite(x).all():
            raise ValueError("modes need a signal without missing samples: fill them first")
        cleaned = np.zeros(len(x))
        if np.ptp(x) == 0:  # has no modes
            return cleaned
        modes: Signal = EMD(FIXE=self._SIFTINGS).emd(x)
        power = (np.median(np.abs(modes[0])) / 0.6745) ** 2
        for number, mode in enumerate(modes, start=1):
            crossings = np.flatnonzero(np.diff(np.signbit(mode))) + 1
            if len(crossings) * fs / (2 * len(x)) >= _BASELINE:
                share = 1.0 if number == 1 else self._RHO**-number / self._BETA
                threshold = float(np.sqrt(share * power * 2 * np.log(len(x))))
                cleaned += np.where(_keeps(mode, crossings, threshold), mode, 0)
        return cleaned


def _keeps(mode: Signal, crossings: NDArray[np.int64], threshold: float) -> NDArray[np.bool_]:
    """For each sample, True if the peak between the zero crossings around it is high enough."""
    begins = np.concatenate([[0], crossings])
    peaks = np.maximum.reduceat(np.abs(mode), begins)
    return np.repeat(peaks > threshold, np.diff(begins, append=len(mode)))


METHODS = {
    "wavelet": WaveletSoft,
    "tv": TotalVariation,
    "nlm": NonLocalMeans,
    "kalman": KalmanBaseline,
    "emd": EmpiricalModes,
}
