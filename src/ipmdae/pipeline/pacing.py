"""Pacing spikes: taken out before cleaning and put back as they were.

A pacemaker's pulse lasts 0.1 to 2 ms. At 1000 Hz it is one to three samples high, at 125 to 250 Hz
a single one; a resampler makes it ring, and a network takes it for noise. A lead counts as paced
where such pulses come at 20 to 400 a minute for some time and have one height, or two (those of
atrium and ventricle), so that single digital glitches do not count. The recorder's band limits what
a spike looks like; nothing restores its true height.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.tail import Tail

Array = NDArray[np.float64]

_REACH = 0.003
"""Seconds from the middle of a spike within which it is over."""

_LEAST = 0.15
"""Least height of a spike in mV."""

_ABOVE = 8.0
"""Least height of a spike by the median height of what surrounds it."""

_RATE = (20.0, 400.0)
"""Spikes a minute of a pacemaker in a chunk, those of both chambers together."""

_FLAT = 0.25
"""Largest difference of the samples beside a spike, relative to its height."""

_REGULARITY = 0.35
"""Largest median deviation of heights, relative to their median, ..."""
_OF_TWO = 0.2
"""... and of each of two heights, as spikes of atrium and ventricle have."""

_LEAST_SPIKES = 3
"""Least number of spikes of one height."""
_LOOK, _LOOKS = 2.0, 30
"""Seconds between looks for pacing in a live signal, and looks after which they begin anew."""

_SECONDS = 30.0
"""Time at such a rate of a paced lead; half of a recording shorter than a minute."""


def spikes(x: Array, fs: float, least: float | None = None) -> NDArray[np.intp]:
    """Middles of what may be pacing spikes in a lead (time,) in mV; NaN is a missing sample.

    A spike stands out from the samples 3 ms (at least one sample) on either side, which agree with
    each other and with those as far again, and is the highest within these 3 ms.

    Args:
        x: the lead.
        fs: its sampling rate in Hz.
        least: least height in mV; by default what stands out from the rest of ``x``.
    """
    return spikes_of(x[None], fs, least)[1]


def spikes_of(
    chunks: Array, fs: float, least: float | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """:func:`spikes` of chunks (chunks, time): the chunk of each, and its place there."""
    k, length = reach(fs), chunks.shape[1]
    if length < 6 * k + 1:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    near = chunks[:, k : length - 3 * k], chunks[:, 3 * k : length - k]
    base = (near[0] + near[1]) / 2
    size = np.abs(chunks[:, 2 * k : length - 2 * k] - base)
    # Few samples pass the first conditions: the others are asked of these alone.
    large = (size > (_LEAST if least is None else least)) & (size < np.inf)
    at = np.unravel_index(np.flatnonzero(large), size.shape)
    at = _which(at, np.abs(near[0][at] - near[1][at]) < _FLAT * size[at])
    for far in (chunks[:, : length - 4 * k], chunks[:, 4 * k :]):
        at = _which(at, np.abs(far[at] - base[at]) < 1.5 * _FLAT * size[at])
    if least is None:
        around = np.zeros(len(size))
        for chunk in np.unique(at[0]):
            around[chunk] = np.median(size[chunk][np.isfinite(size[chunk])])
        at = _which(at, size[at] > _ABOVE * around[at[0]])
    found = np.zeros((len(size), size.shape[1] + 2 * k))
    found[at[0], at[1] + k] = size[at]
    windows = np.lib.stride_tricks.sliding_window_view(found, 2 * k + 1, axis=1)
    chunk, middle = _which(at, windows[at].argmax(axis=1) == k)
    return chunk, middle + 2 * k


def _which(
    at: tuple[NDArray[np.intp], ...], condition: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], ...]:
    """The places that fulfil a condition."""
    return tuple(axis[condition] for axis in at)


def reach(fs: float) -> int:
    """Samples from the middle of a spike within which it is over."""
    return max(round(_REACH * fs), 1)


class PacingCheck:
    """Finds, in chunks, which leads of a recording are paced."""

    def __init__(self, leads: int, fs: float) -> None:
        """Begin a recording."""
        self._fs = fs
        self._heights: list[list[float]] = [[] for _ in range(leads)]
        self._paced = np.zeros(leads, np.intp)
        self._samples = 0

    def add(self, chunks: Array) -> None:
        """Look at the next chunks (leads, chunks, time) in mV; spikes at the ends may be missed."""
        count, length = chunks.shape[1:]
        self._samples += count * length
        k, minutes = reach(self._fs), length / self._fs / 60
        for lead, x in enumerate(chunks):
            chunk, at = spikes_of(x, self._fs)
            rate = np.bincount(chunk, minlength=count) / minutes
            paced = (rate >= _RATE[0]) & (rate <= _RATE[1])
            chunk, at = _which((chunk, at), paced[chunk])
            beside = (x[chunk, at - k] + x[chunk, at + k]) / 2
            self._heights[lead] += np.abs(x[chunk, at] - beside).tolist()
            self._paced[lead] += length * int(paced.sum())

    def heights(self) -> Array:
        """Height of each lead's spikes, (leads,) in mV; NaN where a lead is not paced.

        It is their median, or that of the lower ones where there are two heights, as of two
        chambers.
        """
        least = min(_SECONDS * self._fs, self._samples / 2)
        return np.array(
            [
                _height(np.array(heights)) if paced >= least else np.nan
                for heights, paced in zip(self._heights, self._paced, strict=True)
            ]
        )


def _height(heights: Array) -> float:
    """Median height of pacing spikes, of the lower of two; NaN if they are not from a pacemaker."""
    if len(heights) < _LEAST_SPIKES:
        return np.nan
    ordered = np.sort(heights)
    split = int(np.argmax(ordered[1:] / ordered[:-1])) + 1
    both = ordered[:split], ordered[split:]
    if all(len(h) >= _LEAST_SPIKES and _deviation(h) <= _OF_TWO for h in both):
        return float(np.median(both[0]))
    return float(np.median(heights)) if _deviation(heights) <= _REGULARITY else np.nan


def _deviation(heights: Array) -> float:
    """Median deviation from the median, relative to it."""
    middle = np.median(heights)
    return float(np.median(np.abs(heights - middle)) / middle)


class PacingSearch:
    """Finds pacing that begins, or is seen, only after the opening of a live signal.

    Every minute the search begins anew; in the first one 4 s are enough, as in a file of that
    length, later half of it.

    Attributes:
        room: samples until the next look, which is every 2 s.
    """

    def __init__(self, leads: int, fs: float) -> None:
        """Begin a signal."""
        self._leads, self._fs = leads, fs
        self._check = PacingCheck(leads, fs)
        self._rest: Tail[np.float64] = Tail(leads, np.float64)
        self.room = self._piece = max(round(_LOOK * fs), 1)
        self._looks = 0

    def add(self, x: Array) -> Array | None:
        """Take up to :attr:`room` samples (time, leads); heights (leads,) after a look."""
        self._rest.append(x)
        self.room -= len(x)
        if self.room:
            return None
        piece = self._rest.rows(self._rest.first, self._rest.stop)
        self._check.add(np.ascontiguousarray(piece.T)[:, np.newaxis])
        self._rest.drop(self._rest.stop)
        self.room, self._looks = self._piece, self._looks + 1
        since = (self._looks - 1) % _LOOKS + 1
        # Later, a few glitches of one height are not enough: half a minute is asked of a file, too.
        if since < (2 if self._looks <= _LOOKS else _LOOKS // 2):
            return None
        heights = self._check.heights()
        if since == _LOOKS:
            self._check = PacingCheck(self._leads, self._fs)
        return heights


class SpikeRemover:
    """Takes pacing spikes out of a signal that comes in chunks of any size.

    Attributes:
        lag: samples by which what is returned lags.
    """

    def __init__(self, heights: Array, fs: float, *, live: bool = False) -> None:
        """Begin a signal of leads whose spikes have these ``heights`` (leads,), or NaN for none.

        Args:
            heights: found in a file, or in the opening of a live signal.
            fs: sampling rate in Hz.
            live: True to look for further ones meanwhile; see :class:`PacingSearch`.
        """
        self._fs, self._k = fs, reach(fs)
        self._least = [(lead, h / 2) for lead, h in enumerate(heights) if not np.isnan(h)]
        self.lag = 4 * self._k if self._least else 0
        self._signal: Tail[np.float64] = Tail(len(heights), np.float64)
        self._given = 0
        self._search = PacingSearch(len(heights), fs) if live else None

    def _expect(self, heights: Array) -> None:
        """Take out spikes of these heights (leads,) from here on, too, but where some are known."""
        known = {lead for lead, _ in self._least}
        new = [(i, h / 2) for i, h in enumerate(heights) if not np.isnan(h) and i not in known]
        if new and not self.lag:
            self._signal = Tail(len(heights), np.float64, self._given)
            self.lag = 4 * self._k
        self._least += new

    def feed(self, x: Array) -> tuple[Array, Array]:
        """Take samples (time, leads) in; give those that are ready without spikes, and the spikes.

        Their sum is the signal.
        """
        if self._search is None or not len(x):
            return self._feed(x)
        parts = []
        while len(x):
            part, x = x[: self._search.room], x[self._search.room :]
            parts.append(self._feed(part))
            found = self._search.add(part)
            if found is not None:
                self._expect(found)
        smooth, apart = zip(*parts, strict=True)
        return np.concatenate(smooth), np.concatenate(apart)

    def _feed(self, x: Array) -> tuple[Array, Array]:
        if not self.lag:
            self._given += len(x)
            return x, np.zeros_like(x)
        self._signal.append(x)
        return self._give(max(self._signal.stop - self.lag, self._given))

    def flush(self) -> tuple[Array, Array]:
        """Give out what is left: the signal has ended."""
        return self._give(max(self._signal.stop, self._given))

    def _give(self, stop: int) -> tuple[Array, Array]:
        first, k = self._signal.first, self._k
        known = self._signal.rows(first, self._signal.stop)
        smooth = known.copy()
        for lead, least in self._least:
            for at in spikes(known[:, lead], self._fs, least):
                smooth[at - k : at + k + 1, lead] = np.linspace(
                    known[at - k, lead], known[at + k, lead], 2 * k + 1
                )
        new = slice(self._given - first, stop - first)
        self._given = stop
        self._signal.drop(max(stop - 4 * k, 0))
        return smooth[new], known[new] - smooth[new]
