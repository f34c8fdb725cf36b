"""Records of databases whose headers state no gain, as some of the QT Database and its noise."""

from __future__ import annotations

import warnings
from pathlib import Path

from ipmdae import formats
from ipmdae.recording import Recording


def read(path: Path) -> Recording:
    """Read a WFDB record without its annotations, and without a warning of a missing gain.

    WFDB's default of 200 steps per mV is that of the published benchmarks on these databases.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*states no gain")
        return formats.read(path, annotations=False)
