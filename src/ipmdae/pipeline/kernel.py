"""libsoxr's filter as a matrix, for the short blocks of a live signal.

To set libsoxr up takes longer than to filter a tenth of a second. Its filter is linear, so its
response to an impulse determines that to any signal: a new sample is the sum of the old ones, each
weighted by the impulse response g at its distance in time, n · down / up - k old samples for the
new sample n and the old one k. On the grid of those distances, 1 / up apart, g is measured once.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

QUALITY = "VHQ"
"""Quality setting of libsoxr's filters: the highest."""


class BlockFilter:
    """Filters blocks of new samples, each from the old ones within reach.

    A block has always the same bits, whatever is filtered before, after or beside it.
    """

    def __init__(self, up: int, down: int, reach: int, block: int) -> None:
        """Measure the filter.

        Args:
            up: numerator of the ratio of the new rate to the old one, in lowest terms.
            down: its denominator.
            reach: old samples before and after a new one beyond which the filter is zero.
            block: new samples in a block.
        """
        self._up, self._down, self._reach, self._block = up, down, reach, block
        self._weights: dict[int, NDArray[np.float64]] = {}

    def span(self, begin: int) -> tuple[int, int]:
        """First old sample that the block at the new sample ``begin`` needs, and the one after."""
        first = begin * self._down // self._up - self._reach
        last = -(-(begin + self._block - 1) * self._down // self._up) + self._reach
        return first, last + 1

    def run(self, rows: NDArray[np.floating], begin: int) -> NDArray[np.float64]:
        """The block of new samples (block, columns) that begins with ``begin``.

        Args:
            rows: the old samples in :meth:`span`, (time, columns).
            begin: a new sample.
        """
        place = begin % self._up  # blocks that many apart have the same weights
        if place not in self._weights:
            self._weights[place] = self._matrix(place)
        new: NDArray[np.float64] = self._weights[place] @ np.ascontiguousarray(rows, np.float64)
        return new

    def _matrix(self, begin: int) -> NDArray[np.float64]:
        """The weights (new samples, old samples) of a block."""
        new = np.arange(begin, begin + self._block)[:, None]
        distance = new * self._down - np.arange(*self.span(begin)) * self._up
        response = impulse_response(self._up, self._down, self._reach)
        inside = np.abs(distance) <= self._reach * self._up
        return np.where(inside, response[np.where(inside, distance, 0) + self._reach * self._up], 0)


@cache
def impulse_response(up: int, down: int, reach: int) -> NDArray[np.float64]:
    """Impulse response of libsoxr: (2 · reach · up + 1,), at distances in 1 / up of a sample.

    Impulses at ``down`` places, one after the other, together have new samples at all distances.
    """
    middle = -(-reach // down) * down  # where a new sample has exactly an old one's time
    impulses = np.zeros((2 * middle + down + 1, down))
    place = np.arange(down)
    impulses[middle + place, place] = 1
    new = soxr.resample(impulses, down, up, quality=QUALITY)
    distance = np.arange(len(new))[:, None] * down - (middle + place) * up
    inside = np.abs(distance) <= reach * up
    response = np.zeros(2 * reach * up + 1)
    response[distance[inside] + reach * up] = new[inside]
    return response
