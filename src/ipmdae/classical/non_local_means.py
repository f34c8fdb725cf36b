"""Non-local means: each sample becomes a mean of samples with a similar neighbourhood.

B. H. Tracey, E. L. Miller, "Nonlocal means denoising of ECG signals", IEEE Transactions on
Biomedical Engineering 59(9), 2012, lag by lag (J. Darbon et al., "Fast nonlocal filtering applied
to electron cryomicroscopy", 2008). The function of scikit-image takes a signal as an image of one
row, but its work grows with the square of the patch, or else of the reach.
"""

from __future__ import annotations

import numpy as np
import pywt
from scipy.ndimage import uniform_filter1d

from ipmdae.classical import Signal

_PATCH = 10 / 360  # s on each side: 21 samples at 360 Hz
_REACH = 2.0  # s to each side, so that there are a few beats to choose from
_BANDWIDTH = 0.6  # of the noise's deviation


class NonLocalMeans:
    """Patches of 58 ms within 2 s; the noise is estimated from the finest wavelet details.

    It smooths and does not remove baseline wander. Samples beyond the ends have no influence, so
    it needs no margins.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        sigma = float(np.median(np.abs(pywt.dwt(x, "db2")[1]))) / 0.6745
        if sigma == 0:
            return np.array(x)
        reach = min(round(_REACH * fs), len(x) - 1)
        return _means(x, 2 * round(_PATCH * fs) + 1, reach, _BANDWIDTH * sigma)


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


METHODS = {"nlm": NonLocalMeans}
