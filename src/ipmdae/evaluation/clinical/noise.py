"""The noise of the test half, read once in each process."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ipmdae.data import nstdb
from ipmdae.evaluation.benchmark import Array
from ipmdae.protocols.clinic_test import FS


@cache
def test_noise(folder: Path) -> Array:
    """The last 15 min of bw, em and ma at 250 Hz, (kinds, time, channels), z-scored."""
    return nstdb.load(folder, FS).part("test").astype(np.float64)
