"""How sure a mean is: bootstrap intervals over records.

Windows of one record resemble each other, so that thousands of windows of a few records are no
thousands of independent values. What is drawn again here are records, with all of their windows
(cluster bootstrap; Davison and Hinkley, "Bootstrap Methods and their Application", 1997, 3.8). With
few records the percentile interval is somewhat too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

RESAMPLES = 10_000
_LEVEL = 0.95
_SEED = 0


@dataclass(frozen=True)
class Interval:
    """A mean over windows and its 95 % interval over records, NaN where there is one record."""

    mean: float
    low: float
    high: float


NOWHERE = Interval(np.nan, np.nan, np.nan)
"""Where there is no mean: of no values, or of a method that diverged."""


def bootstrap(values: Values, records: NDArray[Any], resamples: int = RESAMPLES) -> Interval:
    """The mean over all windows, and its percentile interval under drawing records again.

    Args:
        values: (windows,).
        records: which record each window is of, (windows,).
        resamples: how often as many records as there are get drawn, always by the same seed.

    Raises:
        ValueError: there are no values, or not as many as records.
    """
    if len(values) == 0 or values.shape != records.shape:
        raise ValueError(f"{len(values)} values of {len(records)} windows have no mean")
    names, index = np.unique(records, return_inverse=True)
    if len(names) == 1:
        return Interval(float(values.mean()), np.nan, np.nan)
    sums = np.bincount(index, values)
    counts = np.bincount(index)
    drawn = np.random.default_rng(_SEED).integers(len(names), size=(resamples, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = 50 * (1 - _LEVEL)
    low, high = np.percentile(means, (tail, 100 - tail))
    return Interval(float(values.mean()), float(low), float(high))


def over_records(values: Values, records: NDArray[Any], resamples: int = RESAMPLES) -> Interval:
    """The mean of the records' means, each record counting the same, and its interval.

    Args:
        values: (windows,); NaN is left out, and with it a record that has nothing else.
        records: which record each window is of, (windows,).
        resamples: see :func:`bootstrap`.

    Returns:
        All NaN where there is no value at all.
    """
    known = ~np.isnan(values)
    if not known.any():
        return NOWHERE
    names, index = np.unique(records[known], return_inverse=True)
    means = np.bincount(index, values[known]) / np.bincount(index)
    return bootstrap(means, names, resamples)


def paired_difference(
    values: Values, others: Values, records: NDArray[Any], resamples: int = RESAMPLES
) -> Interval:
    """The mean of ``values - others`` on the same windows, by :func:`bootstrap`.

    Differences within a window leave out what makes some records harder than others, so that this
    interval tells two methods apart where their own intervals overlap.

    Raises:
        ValueError: the two are not of the same windows.
    """
    if values.shape != others.shape:
        raise ValueError(f"{len(values)} and {len(others)} values are not of the same windows")
    return bootstrap(values - others, records, resamples)
