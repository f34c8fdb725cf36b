"""Total-variation denoising: the nearest signal with a smaller total variation.

L. I. Rudin, S. Osher, E. Fatemi, "Nonlinear total variation based noise removal algorithms",
Physica D 60, 1992, solved by A. Chambolle's projection (2004) in scikit-image.
"""

from __future__ import annotations

import numpy as np
from skimage.restoration import denoise_tv_chambolle, estimate_sigma

from ipmdae.classical import Signal


class TotalVariation:
    """Weight equal to the noise level, which is estimated from the finest wavelet details.

    It smooths and does not remove baseline wander. It depends on neighbouring samples only, so it
    needs no margins.
    """

    def denoise(self, x: Signal, fs: float) -> Signal:
        sigma = float(estimate_sigma(x))
        if sigma == 0:
            return np.array(x)
        smoothed: Signal = denoise_tv_chambolle(x, weight=sigma)
        return smoothed


METHODS = {"tv": TotalVariation}
