"""Empirical mode decomposition: slow modes are removed as baseline, fast ones are thresholded.

N. E. Huang et al., "The empirical mode decomposition and the Hilbert spectrum for nonlinear and
non-stationary time series analysis", Proceedings of the Royal Society A 454, 1998, by PyEMD, with
ten siftings a mode (Z. Wu, N. E. Huang, "Ensemble empirical mode decomposition", 2009). For the ECG
first by M. Blanco-Velasco, B. Weng, K. E. Barner, "ECG signal denoising and baseline wander
correction based on the empirical mode decomposition", Computers in Biology and Medicine 38, 2008.
Here the slow modes are removed (P. Flandrin, P. Gonçalvès, G. Rilling, "Detrending and denoising
with empirical mode decompositions", EUSIPCO 2004), and the fast ones need no QRS detector: interval
thresholds (Y. Kopsinis, S. McLaughlin, "Development of EMD-based denoising methods inspired by
wavelet thresholding", IEEE Transactions on Signal Processing 57(4), 2009). They are hard: a soft
threshold attenuates every mode, also the QRS complex.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyEMD import EMD

from ipmdae.classical import Signal

_SIFTINGS = 10
_BASELINE = 0.5  # Hz: modes with a lower mean frequency are baseline
_BETA, _RHO = 0.719, 2.01  # how the power of white noise falls from mode to mode, by experiment


class EmpiricalModes:
    """Removes modes below 0.5 Hz; of the others keeps values above σ √(2 ln n), with a σ per mode.

    The noise of the first mode is estimated by its median absolute value, that of the next by the
    decay for white noise. PyEMD mirrors the extrema at the ends, so it needs no margins.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        """As :meth:`ipmdae.classical.Rival.denoise`; ValueError where samples are missing."""
        if not np.isfinite(x).all():
            raise ValueError("modes need a signal without missing samples: fill them first")
        cleaned = np.zeros(len(x))
        if np.ptp(x) == 0:  # has no modes
            return cleaned
        modes: Signal = EMD(FIXE=_SIFTINGS).emd(x)
        power = (np.median(np.abs(modes[0])) / 0.6745) ** 2
        for number, mode in enumerate(modes, start=1):
            crossings = np.flatnonzero(np.diff(np.signbit(mode))) + 1
            if len(crossings) * fs / (2 * len(x)) >= _BASELINE:
                share = 1.0 if number == 1 else _RHO**-number / _BETA
                threshold = float(np.sqrt(share * power * 2 * np.log(len(x))))
                cleaned += np.where(_keeps(mode, crossings, threshold), mode, 0)
        return cleaned


def _keeps(mode: Signal, crossings: NDArray[np.int64], threshold: float) -> NDArray[np.bool_]:
    """For each sample, True if the peak between the zero crossings around it is high enough."""
    begins = np.concatenate([[0], crossings])
    peaks = np.maximum.reduceat(np.abs(mode), begins)
    return np.repeat(peaks > threshold, np.diff(begins, append=len(mode)))


METHODS = {"emd": EmpiricalModes}
