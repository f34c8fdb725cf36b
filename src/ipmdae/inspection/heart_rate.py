"""Heart rate over time, to see whether cleaning leaves the beats where they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.gaps import fill_gaps
from ipmdae.pipeline.window import MIN_SPREAD

WINDOW = 15.0
"""Seconds of which one rate is told: enough beats for a median."""

_MOST = 120
"""Windows at most, spread evenly over longer recordings: finding beats is slower than cleaning."""


def windows(duration: float) -> Iterator[float]:
    """When the windows begin, in s, in a recording of so many seconds."""
    count = max(int(duration // WINDOW), 1)
    chosen = np.linspace(0, count - 1, min(count, _MOST)).round()
    yield from (float(i) * WINDOW for i in chosen)


def heart_rate(signal: NDArray[np.float64], fs: float) -> float:
    """Heart rate of a stretch of one lead: 60 s over the median distance of its beats.

    Beats are found by XQRS of the ``wfdb`` package (A. Johnson, L. Bulgarelli, T. Pollard,
    S. Horng, L. A. Celi, R. G. Mark).

    Args:
        signal: (time,) in mV; NaN is a missing sample.
        fs: sampling rate in Hz.

    Returns:
        Beats per minute; NaN where there are less than three beats, more than half is missing, or
        the lead is flat.
    """
    missing = np.isnan(signal).mean()
    if missing > 0.5 or np.nanmax(signal) - np.nanmin(signal) <= MIN_SPREAD:
        return float("nan")
    from wfdb.processing import XQRS  # type: ignore[import-untyped]  # slow to import

    filled = fill_gaps(signal[:, None])[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = XQRS(sig=filled, fs=fs)
        try:
            detector.detect(verbose=False)
        except (ValueError, IndexError):  # how it fails on signals too short for its filters
            return float("nan")
    beats = np.asarray(detector.qrs_inds)
    return 60 * fs / float(np.median(np.diff(beats))) if len(beats) > 2 else float("nan")
