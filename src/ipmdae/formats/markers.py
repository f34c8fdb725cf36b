"""Numbers that stand for missing samples in files whose format has no code for them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MARKERS = {
    *(-999.0, 9999.0, -9999.0, 99999.0, -99999.0, 999999.0, -999999.0),
    *(2.0**bits - 1 for bits in (15, 16, 23, 24, 31, 32)),
    *(-(2.0**bits) for bits in (15, 23, 31)),
}
"""Numbers that programs write for a missing sample: rows of nines, ends of integer types."""


def without_markers(path: Path, signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """A signal (time, leads), as stored, with NaN for markers of missing samples, and a warning.

    A number is a marker where it is further from all other values of the lead than these are from
    each other. Where a lead has no other values, it is a flat line.

    Args:
        path: the file, for the message.
    """
    mask, found = np.zeros(signal.shape, np.bool_), set[float]()
    for lead, missing in zip(signal.T, mask.T, strict=True):
        marks = {float(np.nanmin(lead, initial=np.inf)), float(np.nanmax(lead, initial=-np.inf))}
        marks &= _MARKERS
        others = lead[~np.isnan(lead) & ~np.isin(lead, [*marks])] if marks else lead[:0]
        if len(others):
            low, high = others.min(), others.max()
            isolated = {mark for mark in marks if max(mark - high, low - mark) > high - low}
            missing[:] = np.isin(lead, [*isolated])
            found |= isolated
    if not found:
        return signal
    stated = " and ".join(f"{mark:.0f}" for mark in sorted(found))
    warnings.warn(
        f"{path}: values of {stated}, far from all others, are taken as missing samples",
        stacklevel=2,
    )
    return np.where(mask, np.nan, signal)
