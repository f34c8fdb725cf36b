"""Small recordings to write."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipmdae.recording import Recording, Resolution


def digital(signal: Any, bits: int = 16, **fields: Any) -> Recording:
    """A recording of samples (time, leads) in mV that was digitised by 200 steps per mV."""
    signal = np.asarray(signal, float)
    leads = tuple(f"L{i}" for i in range(signal.shape[1]))
    resolution = (Resolution(gain=200, bits=bits),) * len(leads)
    return Recording(
        **{"signal": signal, "fs": 250, "leads": leads, "resolution": resolution} | fields
    )
