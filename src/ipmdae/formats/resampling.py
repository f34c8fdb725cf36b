"""Even grids for unevenly sampled rows, by monotone cubic interpolation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError
from ipmdae.formats.times import EVEN, MANY, check_missing

_LAST = 0.25
"""Steps by which the last row may come early and still be a sample, as by a rounded time."""


def resampled(
    path: Path, times: NDArray[np.float64], signal: NDArray[np.float64], fs: float | None
) -> tuple[NDArray[np.float64], float]:
    """Put unevenly sampled rows on an even grid by monotone cubic interpolation.

    Rows are put in the order of their times; repeated ones, and single ones far from the rows
    before and after them, are left out. What lies between rows that are more than five usual steps
    apart is missing. The interpolant is that of Fritsch and Butland (1984), which does not
    overshoot.

    Args:
        path: named in errors.
        times: (rows,) in s.
        signal: (rows, leads); NaN is a missing sample.
        fs: rate in Hz of the grid; by default the mean rate, without gaps.

    Returns:
        The signal (time, leads) and its rate.

    Raises:
        FormatError: there are too few rows, many of them have no time of their own, or
            the gaps are much longer than what is there.
    """
    times, signal = _in_order(path, times, signal)
    steps = np.diff(times)
    near = steps <= 5 * np.median(steps)
    mean = float(near.sum() / steps[near].sum())
    rate = fs or (float(round(mean)) if abs(mean - round(mean)) < 1e-3 * mean else mean)
    samples = int((times[-1] - times[0]) * rate + _LAST) + 1
    check_missing(path, max(samples - len(times), 0), len(times), signal.shape[1], rate)
    grid = np.minimum(times[0] + np.arange(samples) / rate, times[-1])
    out = np.full((samples, signal.shape[1]), np.nan)
    for lead in range(signal.shape[1]):
        known = ~np.isnan(signal[:, lead])
        if known.sum() > 2:
            out[:, lead] = _interpolated(times[known], signal[known, lead], grid, 5 / mean)
    return out, rate


def _in_order(
    path: Path, times: NDArray[np.float64], signal: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows that have a time of their own, in the order of times."""
    known = np.flatnonzero(np.isfinite(times))
    steps = np.diff(times[known])
    rising = steps[steps > 0]
    if len(rising) < 2:
        raise FormatError(path, "has too few rows with rising times to resample")
    usual = np.median(rising)
    far = np.abs(steps) > 5 * usual
    known = known[~(np.append(False, far) & np.append(far, False))]
    order = np.argsort(times[known], kind="stable")
    rows, times_in_order = known[order], times[known[order]]
    a, b = signal[rows[1:]], signal[rows[:-1]]
    equal = np.diff(times_in_order) == 0
    again = equal & ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    own = np.append(True, ~equal)
    doubtful = len(times) - len(known) + int((equal & ~again).sum())
    if doubtful > MANY * len(times):
        raise FormatError(
            path,
            f"{doubtful} of {len(times)} rows have no time of their own to resample by; {EVEN}",
        )
    # Rows of a packet, or of a recording whose clock was set, follow one another.
    packet = np.cumsum(np.append(False, np.abs(np.diff(times[known])) > 1.5 * usual))
    part = packet[order][np.append(True, ~again)]
    if np.count_nonzero(np.diff(part)) >= len(np.unique(part)):
        raise FormatError(
            path,
            f"rows have times among those of other rows, as where a clock was set back; {EVEN}",
        )
    return times_in_order[own], signal[rows[own]]


def _interpolated(
    x: NDArray[np.float64], y: NDArray[np.float64], grid: NDArray[np.float64], longest: float
) -> NDArray[np.float64]:
    """A monotone cubic interpolant of points; NaN where they are more than ``longest`` apart."""
    h = np.diff(x)
    slope = np.diff(y) / h
    left, right = slope[:-1], slope[1:]
    a, b = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.where(left * right > 0, (a + b) / (a / left + b / right), 0.0)
    tangent = np.concatenate([slope[:1], inner, slope[-1:]])
    i = np.clip(np.searchsorted(x, grid, "right") - 1, 0, len(h) - 1)
    t = np.clip((grid - x[i]) / h[i], 0, 1)
    values: NDArray[np.float64] = (
        (1 + 2 * t) * (1 - t) ** 2 * y[i]
        + t * (1 - t) ** 2 * h[i] * tangent[i]
        + t**2 * (3 - 2 * t) * y[i + 1]
        + t**2 * (t - 1) * h[i] * tangent[i + 1]
    )
    values[(h[i] > longest) & (t > 0) & (t < 1) | (grid < x[0]) | (grid > x[-1])] = np.nan
    return values
