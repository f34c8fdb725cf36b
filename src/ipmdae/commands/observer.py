"""What is noticed of a recording while it is being cleaned, without reading it once more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipmdae.inspection.seconds import SecondMeans, over_known
from ipmdae.pipeline.blocks import Block
from ipmdae.quality import amplitude_warnings
from ipmdae.recording import Header

_PART = 4096
"""Samples of which an amplitude is taken: at least a second, at any rate of an ECG."""


class Observer:
    """Watches the blocks of a recording that is being cleaned.

    It takes the place of ``watch`` in :func:`ipmdae.cleaning.denoise_file`.
    """

    def __init__(self, header: Header | None = None) -> None:
        """Begin; with the header of the recording, the error of each second is remembered."""
        self._ranges: list[NDArray[np.float64]] = []
        self._means = header and SecondMeans(header.samples, header.fs, len(header.leads))
        self._told = False

    def __call__(self, first: int, block: Block) -> None:
        """Look at a block, whose first sample is ``first``."""
        parts = np.arange(0, len(block.noisy), _PART)
        highest = np.fmax.reduceat(block.noisy, parts, axis=0)
        self._ranges.append(highest - np.fmin.reduceat(block.noisy, parts, axis=0))
        if self._means and block.spread is not None:
            self._means.add(first, block.spread)
            self._told = True

    def warnings(self, header: Header) -> list[str]:
        """What a user should know of the recording whose header that is."""
        amplitude = over_known(np.nanmedian, np.concatenate(self._ranges))
        voltages = [i for i, unit in enumerate(header.units) if unit == "mV"]
        return amplitude_warnings([header.leads[i] for i in voltages], amplitude[voltages])

    def spread(self) -> NDArray[np.float64] | None:
        """Mean standard deviation of the error, (seconds, leads) in mV, if any was told."""
        return self._means.means() if self._means and self._told else None
