"""Arrays for the tests of ``ipmdae.denoise``, of the recording that ships."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipmdae import examples, formats

FS = 360.0
CLASSICAL = "butterworth-0.5-40"  # quick, and linear


def ecg(seconds: float = 10, leads: int = 2) -> NDArray[np.float64]:
    """Noisy leads (time, leads), of two patients' chests if there are many."""
    noisy = formats.read(examples.path("118e06_excerpt"), annotations=False).signal
    signal: NDArray[np.float64] = np.tile(noisy, (1, 6))[: round(seconds * FS), :leads].copy()
    return signal
