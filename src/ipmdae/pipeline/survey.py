"""First pass over a recording: offsets, scales and flat leads, needed before denoising."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.guarantees import reason
from ipmdae.pipeline.limb_leads import LimbLeadCheck, LimbLeads
from ipmdae.pipeline.mains import MainsStage
from ipmdae.pipeline.pacing import PacingCheck
from ipmdae.pipeline.tail import Tail
from ipmdae.pipeline.window import Float
from ipmdae.recording import Header, voltages_of

_PIECE = 10.0
"""Seconds of which a median is taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Leads:
    """Properties of a signal's leads, needed to denoise it in chunks.

    Attributes:
        names: of the leads.
        units: their units.
        why: for each lead the reason why it stays unchanged; empty if it is denoised.
        offset: DC offset (median) of each lead, (leads,) in mV; NaN until its first sample arrives,
            then it may be set.
        pacing: height of each lead's pacing spikes, (leads,) in mV, NaN for a lead without;
            ``None`` if they were not searched for.
        limbs: the limb leads, if there are at least three.
    """

    names: Sequence[str]
    units: Sequence[str]
    why: Sequence[str]
    offset: NDArray[np.float64]
    pacing: NDArray[np.float64] | None = None
    limbs: LimbLeads | None = None

    @property
    def active(self) -> list[int]:
        """Numbers of those that are to be cleaned."""
        return [i for i, reason in enumerate(self.why) if not reason]


class Survey:
    """Finds offset, range, pacing and consistency of leads, block by block.

    The offset is the weighted median of the medians of chunks of 10 s, each with the weight of its
    known samples. It takes little memory, and is robust against beats and noisy segments.
    """

    def __init__(self, header: Header, mains: float | None = None) -> None:
        """Begin a recording, surveyed without powerline interference of ``mains`` Hz.

        Raises:
            ValueError: there is no such mains, or the rate is too low to hold its frequency.
        """
        voltages = voltages_of(header.units)
        self._mains = MainsStage(header.fs, len(header.leads), voltages, mains)
        self._names, self._units = header.leads, header.units
        self._piece = max(round(_PIECE * header.fs), 1)
        self._rest: Tail[np.float64] = Tail(len(header.leads), np.float64)
        self._medians = array("d")  # of all leads of the first chunk, then of the second, …
        self._weights = array("q")
        self._low = np.full(len(header.leads), np.inf)
        self._high = np.full(len(header.leads), -np.inf)
        self._pacing = PacingCheck(len(header.leads), header.fs)
        self._limbs = LimbLeadCheck(header.leads, [unit == "mV" for unit in header.units])

    def add(self, block: NDArray[np.float64]) -> None:
        """Look at the next samples (time, leads)."""
        self._look(self._mains.feed(block))

    def _look(self, block: NDArray[np.float64]) -> None:
        self._rest.append(block)
        known = self._rest.stop - self._rest.first
        whole = known - known % self._piece
        if whole:
            self._take(self._rest.first + whole, self._piece)

    def leads(self) -> Leads:
        """Properties of the leads from the samples so far."""
        self._look(self._mains.flush())
        rest = self._rest.stop - self._rest.first
        if rest:
            self._take(self._rest.stop, rest)
        return Leads(
            names=self._names,
            units=self._units,
            why=self._why(),
            offset=self._offset(),
            pacing=self._pacing.heights(),
            limbs=self._limbs.result(),
        )

    def _why(self) -> list[str]:
        peak_to_peak = np.where(self._low <= self._high, self._high - self._low, np.nan)
        leads = zip(self._names, self._units, peak_to_peak, strict=True)
        return [reason(name, unit, value) for name, unit, value in leads]

    def _offset(self) -> NDArray[np.float64]:
        """The offset of each lead (leads,) in mV; 0 for one without samples."""
        offset = np.zeros(len(self._units))
        for lead in range(len(offset)):
            medians = np.array(self._medians[lead :: len(offset)])
            order = np.argsort(medians)
            share = np.cumsum(np.array(self._weights[lead :: len(offset)])[order])
            if len(share) and share[-1]:
                offset[lead] = medians[order][np.searchsorted(share, share[-1] / 2)]
        return offset

    def _take(self, stop: int, length: int) -> None:
        """Measure the chunks of ``length`` samples up to ``stop``, which then are forgotten."""
        samples = self._rest.rows(self._rest.first, stop)
        leads = len(self._units)
        chunks = np.ascontiguousarray(samples.T).reshape(leads, -1, length)
        self._pacing.add(chunks)
        self._limbs.add(samples)
        count = length - np.isnan(chunks).sum(axis=-1)
        self._low = np.fmin(self._low, np.fmin.reduce(chunks, axis=(1, 2)))
        self._high = np.fmax(self._high, np.fmax.reduce(chunks, axis=(1, 2)))
        self._medians.extend(np.nan_to_num(median(chunks)).T.ravel())
        self._weights.extend(count.T.ravel())
        self._rest.drop(stop)


def median(values: NDArray[Float]) -> NDArray[Float]:
    """Median along the last axis of what is known; NaN if nothing is.

    Sorting takes less than half of the time of ``np.median``.
    """
    ordered = np.sort(values, axis=-1)  # missing samples last
    count = values.shape[-1] - np.isnan(values).sum(axis=-1)
    places = np.stack([(count - 1) // 2, count // 2], axis=-1)
    middle: NDArray[Float] = np.take_along_axis(ordered, places, axis=-1).mean(axis=-1)
    return middle
