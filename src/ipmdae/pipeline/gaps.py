"""Missing samples (NaN): bridged for filters and networks, and missing again in the output.

A gap is bridged by a straight line between the samples at its ends. In a live signal a longer gap
holds the last value until the line begins, since the next sample is not yet known.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Float = TypeVar("Float", bound=np.floating[Any])


class GapFiller(Generic[Float]):
    """Bridges the gaps of a signal that comes in chunks.

    The last ``limit`` samples of a gap are on a straight line to the sample after it; those of a
    longer gap before them keep the last known value. A gap at the beginning takes the first known
    value, or 0 where it is longer than ``limit``; one at the end the last known. So samples are
    delayed only while a gap lasts, by ``limit`` at most. The output does not depend on the chunks.
    """

    def __init__(self, leads: int, limit: int, dtype: DTypeLike = np.float32) -> None:
        """Begin a signal.

        Args:
            leads: number of leads.
            limit: samples on the line, at least 1.
            dtype: floating-point type of the signal.
        """
        self._limit = limit
        self._rows: NDArray[Float] = np.empty((0, leads), dtype)
        self._last: NDArray[Float] = np.full(leads, np.nan, dtype)

    def feed(self, x: NDArray[Float]) -> NDArray[Float]:
        """Take samples (time, leads) and return those that are finished, without gaps."""
        rows = np.concatenate([self._rows, x]) if len(self._rows) else x
        absent = np.isnan(rows)
        ready = len(rows)
        for lead in np.flatnonzero(absent[-1:].any(axis=0)):
            known = np.flatnonzero(~absent[:, lead])
            begin = int(known[-1]) + 1 if len(known) else 0
            ready = min(ready, max(begin, len(rows) - self._limit))
        return self._give(rows, absent, ready)

    def flush(self) -> NDArray[Float]:
        """Return the remaining samples: the signal has ended."""
        return self._give(self._rows, np.isnan(self._rows), len(self._rows))

    def _give(self, rows: NDArray[Float], absent: NDArray[np.bool_], ready: int) -> NDArray[Float]:
        filled = rows
        self._rows = rows[ready:]
        if absent.any():
            filled = rows.copy()
            for lead in np.flatnonzero(absent.any(axis=0)):
                self._fill(filled[:, lead], absent[:, lead], self._last[lead])
            # Samples that another lead's gap delays stay filled up to the lead's last known sample:
            # a line that began again in its middle would be rounded differently.
            ended = np.logical_or.accumulate(~absent[::-1])[::-1]
            self._rows = np.where(ended[ready:], filled[ready:], rows[ready:])
        if ready:
            self._last = filled[ready - 1].copy()
        return filled[:ready]

    def _fill(self, lead: NDArray[Float], absent: NDArray[np.bool_], last: Float) -> None:
        """Fill the gaps of a lead (time,) in place; ``last`` came before, NaN at the beginning."""
        known = np.flatnonzero(~absent)
        gaps = np.flatnonzero(absent)
        late = len(known) == 0 or known[0] > self._limit
        before = np.nan_to_num(last) if late else last
        if np.isnan(before):
            lead[gaps] = np.interp(gaps, known, lead[known])
        else:
            lead[gaps] = np.interp(gaps, np.r_[-1, known], np.r_[before, lead[known]])
        ends = known[np.diff(known, prepend=-1) > self._limit + 1]
        for end in ends.tolist():
            begin = int(known[known < end][-1]) if known[0] < end else -1
            level = lead[begin] if begin >= 0 else before
            lead[begin + 1 : end - self._limit] = level
            # The same function as above: depending on the chunks, either may bridge a gap.
            place = np.arange(1, self._limit + 1)
            line = np.interp(place, [0, self._limit + 1], [level, lead[end]])
            lead[end - self._limit : end] = line


def fill_gaps(signal: NDArray[Float]) -> NDArray[Float]:
    """Interpolate missing samples (NaN) linearly over time; the ends take the nearest sample.

    Args:
        signal: (time, leads).

    Returns:
        A new array of the same shape; a lead without any sample becomes 0. The signal itself if
        nothing is missing.
    """
    if not np.isnan(signal).any():
        return signal
    filler = GapFiller[Float](signal.shape[1], len(signal), signal.dtype)
    return np.concatenate([filler.feed(signal), filler.flush()])
