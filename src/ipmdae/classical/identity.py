"""Identity baseline: no denoising, the reference for every method."""

from __future__ import annotations

import numpy as np

from ipmdae.classical import Signal


class Identity:
    """Returns its input."""

    def denoise(self, x: Signal, fs: float) -> Signal:
        return np.array(x)


METHODS = {"none": Identity}
