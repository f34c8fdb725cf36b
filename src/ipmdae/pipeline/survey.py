"""What must be known of a whole recording before it can be cleaned: a first pass over it."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from ipmdae.cleaned import reason
from ipmdae.pipeline.tail import Tail
from ipmdae.recording import Header

_PIECE = 10.0
"""Seconds of which a median is taken."""


class Survey:
    """Offset and range of each lead, found block by block.

    The offset is the weighted median of the medians of pieces of 10 s, each with the weight of its
    known samples. It takes little memory, and neither beats nor a stretch of noise move it.
    """

    def __init__(self, header: Header) -> None:
        """Begin a recording."""
        self._units = header.units
        self._piece = max(round(_PIECE * header.fs), 1)
        self._rest: Tail[np.float64] = Tail(len(header.leads), np.float64)
        self._medians = array("d")  # of all leads of the first piece, then of the second, …
        self._weights = array("q")
        self._low = np.full(len(header.leads), np.inf)
        self._high = np.full(len(header.leads), -np.inf)

    def add(self, block: NDArray[np.float64]) -> None:
        """Look at the next samples (time, leads)."""
        self._rest.append(block)
        while self._rest.stop - self._rest.first >= self._piece:
            self._take(self._rest.first + self._piece)

    def why(self) -> list[str]:
        """For each lead why it is not to be cleaned; empty if it is."""
        self._take(self._rest.stop)
        spread = np.where(self._low <= self._high, self._high - self._low, np.nan)
        return [reason(unit, value) for unit, value in zip(self._units, spread, strict=True)]

    def offset(self) -> NDArray[np.float64]:
        """The offset of each lead (leads,) in mV; 0 for one without samples."""
        self._take(self._rest.stop)
        offset = np.zeros(len(self._units))
        for lead in range(len(offset)):
            medians = np.array(self._medians[lead :: len(offset)])
            order = np.argsort(medians)
            share = np.cumsum(np.array(self._weights[lead :: len(offset)])[order])
            if share[-1]:
                offset[lead] = medians[order][np.searchsorted(share, share[-1] / 2)]
        return offset

    def _take(self, stop: int) -> None:
        """Measure the samples up to ``stop``, which then are forgotten."""
        piece = self._rest.rows(self._rest.first, stop)
        if not len(piece):
            return
        ordered = np.sort(piece.T)  # missing samples last
        count = np.count_nonzero(~np.isnan(piece), axis=0)
        known, lead = count > 0, np.arange(len(count))
        low, high = ordered[:, 0], ordered[lead, count - 1]
        middle = (
            ordered[lead, (count - 1) // 2] + ordered[lead, np.minimum(count // 2, len(piece) - 1)]
        ) / 2
        self._low = np.where(known, np.minimum(self._low, low), self._low)
        self._high = np.where(known, np.maximum(self._high, high), self._high)
        self._medians.extend(np.where(known, middle, 0))
        self._weights.extend(count)
        self._rest.drop(stop)
