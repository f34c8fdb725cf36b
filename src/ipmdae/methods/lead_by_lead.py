"""Classical methods, with the guarantees of a network."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ipmdae.methods import classical
from ipmdae.methods.by_blocks import clean
from ipmdae.pipeline.blocks import Block
from ipmdae.pipeline.gaps import fill_gaps
from ipmdae.pipeline.guarantees import check_rate, check_strength, idle, mix
from ipmdae.pipeline.mains import MainsStage, check_mains, mains_delay, named, remove_mains
from ipmdae.pipeline.survey import Leads, Survey
from ipmdae.pipeline.tail import Tail
from ipmdae.pipeline.window import (
    MIN_SPREAD,
    Framing,
    LatencyError,
    OverlapAdd,
    blend,
    cut,
    starts,
)
from ipmdae.recording import Header, Recording
from ipmdae.result import Result, finish

_LONG_GAP = 1.0  # s: what lies on both sides of a longer one is cleaned apart
_SHORTEST = 2.0  # s: a shorter segment is extended by its point reflections, for filters' start-up
_WINDOW, _OVERLAP = 600.0, 60.0  # s: long segments are cleaned in windows, so that they fit memory
MIN_LATENCY = 4.0
"""Shortest look ahead in a live signal, in seconds: zero-phase filters against baseline wander
start up for about a second at the end of a window, and need as much to fade in."""

_LIVE_WINDOW, _LIVE_OVERLAP, _LIVE_SHORTEST = 20.0, 8.0, 3.0  # s: as those of the networks


class Classical:
    """A classical method, with the guarantees of a network.

    It works lead by lead, on the lead less its median, which is put back. Gaps up to 1 s are
    interpolated linearly for it; what longer gaps separate is cleaned apart. Long segments go
    through windows of 10 min that fade into one another over half a minute.

    A live signal goes through windows of 20 s that follow one another as a network's do
    (:class:`ipmdae.pipeline.window.Framing`), each cleaned by itself; a lead that is flat for a
    whole window stays as it is. Without a ``max_latency`` samples are 20 s late. What comes out is
    then close to what a whole recording gives, but for a filter with a memory of many seconds
    (``butterworth-0.05-150``) and for ``emd``, which decomposes each window in its own way. The
    shorter the latency, 4 s at least, the more the start-up of filters shows.

    Attributes:
        name: what it is called, and what is done before.
        mains: frequency in Hz of the powerline interference to remove first, or ``None``.
        max_latency: of the live signals that it cleans, in seconds.
    """

    states_sd = False

    def __init__(
        self,
        name: str,
        method: classical.LeadMethod,
        *,
        mains: float | None = None,
        max_latency: float | None = None,
    ) -> None:
        """Wrap a method of single leads.

        Args:
            name: name of the method.
            method: one of :func:`ipmdae.methods.classical.get`, fitted if it is a
                :class:`~ipmdae.methods.classical.Learner`, or your own.
            mains: 50 or 60 (Hz) to remove powerline interference first.
            max_latency: clean just as a live signal of this latency in seconds is cleaned.

        Raises:
            ValueError: ``mains`` is neither 50 nor 60.
        """
        if mains is not None:
            check_mains(mains)
        self.name = named(name, mains)
        self.mains, self.max_latency = mains, max_latency
        self._label, self._method = name, method

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Result[Recording]:
        """Clean a recording; see :class:`ipmdae.methods.Method`."""
        check_rate(recording.fs)
        if self.max_latency is not None:
            return clean(_Live(self), recording, strength)
        check_strength(strength)
        signal = recording.signal.copy()
        why = [idle(recording, i) for i in range(len(recording.leads))]
        active = [i for i, reason in enumerate(why) if not reason]
        if self.mains and active:
            signal[:, active] = remove_mains(signal[:, active], recording.fs, self.mains)
        for lead in active:
            offset = np.nanmedian(signal[:, lead])
            signal[:, lead] = self.lead(signal[:, lead] - offset, recording.fs) + offset
        return finish(recording, signal, why, self.name, strength)

    def survey(self, header: Header) -> Survey:
        """Survey of a live signal before it is denoised."""
        return Survey(header, self.mains)

    def latency(self, fs: float) -> float:
        """Seconds of a live signal at ``fs`` Hz that must be known, from a sample on, to clean it.

        Raises:
            ValueError: the latency wanted is too short, or the method too slow to clean live.
        """
        return self.framing(fs).latency / fs + (mains_delay(fs) if self.mains else 0)

    def opening(self, fs: float) -> int:
        """Samples of a live signal at ``fs`` Hz that must be known before the first comes out."""
        return self.framing(fs).first

    def framing(self, fs: float) -> Framing:
        """Position of the windows in a live signal at ``fs`` Hz.

        Raises:
            ValueError: as :meth:`latency`.
        """
        if self._label in classical.SLOW:
            raise ValueError(f"{self._label} is too slow to clean a live signal")
        window, shortest = round(_LIVE_WINDOW * fs), round(_LIVE_SHORTEST * fs)
        longest = Framing.overlapping(window, round(_LIVE_OVERLAP * fs), shortest)
        if self.max_latency is None:
            return longest
        delay = mains_delay(fs) if self.mains else 0.0
        wanted = self.max_latency - delay
        if wanted >= longest.latency / fs:
            return longest
        if wanted < MIN_LATENCY:
            least = MIN_LATENCY + delay
            raise LatencyError.of(self.name, fs, wanted=self.max_latency, least=least)
        return Framing.within(int(wanted * fs), window, shortest)

    def begin_live(self, fs: float, leads: Leads, *, strength: float = 1.0) -> LiveClassical:
        """Begin to clean a live signal.

        Args:
            fs: its sampling rate in Hz.
            leads: what is known of its leads.
            strength: share of the noise found that is removed, 0 to 1.

        Raises:
            ValueError: the method cannot clean live, or not within the latency wanted.
        """
        return LiveClassical(self, fs, leads, strength)

    def __repr__(self) -> str:
        return f"<Classical {self.name}>"

    def lead(self, x: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
        """Clean a lead (time,) around zero, in mV; missing samples (NaN) stay missing."""
        cleaned = np.full(len(x), np.nan)
        for begin, end in _segments(~np.isnan(x), round(_LONG_GAP * fs)):
            cleaned[begin:end] = self._segment(fill_gaps(x[begin:end, None]), fs)
        cleaned[np.isnan(x)] = np.nan
        return cleaned

    def _segment(self, x: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
        """Clean a segment (time, 1) without gaps; (time,)."""
        margin = max(round(_SHORTEST * fs) - len(x), 0)
        window = min(round(_WINDOW * fs), len(x))
        overlap = min(round(_OVERLAP * fs), window - 1)

        def windows() -> Iterator[NDArray[np.float64]]:
            for first in starts(len(x), window, overlap):
                piece = cut(x, np.array([first]), window)[0, :, 0]
                cleaned = classical.with_margins(lambda y: self._run(y, fs), piece, margin)
                yield cleaned[None, :, None]

        return blend(windows(), len(x), window, overlap)[:, 0]

    def _run(self, x: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
        try:
            cleaned = self._method.denoise(x, fs)
        except (ValueError, ArithmeticError) as error:
            raise ValueError(f"method {self._label} does not work at {fs:g} Hz: {error}") from error
        if np.shape(cleaned) != x.shape:
            raise ValueError(
                f"method {self._label} returned an array of shape {np.shape(cleaned)} for a lead "
                f"of shape {x.shape}"
            )
        cleaned = np.asarray(cleaned, np.float64)
        if not np.isfinite(cleaned).all():
            raise ValueError(f"method {self._label} is unstable at {fs:g} Hz: choose another one")
        return cleaned


class _Live:
    """Cleans a recording as if it were live."""

    states_sd = False

    def __init__(self, method: Classical) -> None:
        self.name, self.survey, self.begin = method.name, method.survey, method.begin_live


class LiveClassical:
    """Cleans a live signal window by window.

    Attributes:
        offset: constant offset of each lead, (leads,) in mV; it may be set while a lead is missing.
    """

    def __init__(self, method: Classical, fs: float, leads: Leads, strength: float) -> None:
        """Begin a signal; see :meth:`Classical.begin_live`."""
        count = len(leads.names)
        self.offset = leads.offset
        self._method, self._fs, self._strength = method, fs, strength
        self._active = leads.active
        self._framing = method.framing(fs)
        self._mains = MainsStage(fs, count, leads.active, method.mains)
        self._noisy: Tail[np.float64] = Tail(count, np.float64)
        self._signal: Tail[np.float64] = Tail(count, np.float64)
        self._adder: OverlapAdd[np.float64] = OverlapAdd(self._framing, count, np.float64)
        self._end = 0

    def run(self, blocks: Iterable[NDArray[np.float64]]) -> Generator[Block, None, None]:
        """Clean a whole signal, given in blocks (time, leads)."""
        for block in blocks:
            yield self.feed(block)
        yield self.flush()

    def feed(self, x: NDArray[np.float64]) -> Block:
        """Take samples (time, leads) in mV in; give those out that are ready."""
        self._noisy.append(x)
        return self._finish(self._clean(self._mains.feed(x)))

    def flush(self) -> Block:
        """Give out what is left: the signal has ended."""
        done, end = self._clean(self._mains.flush()), self._signal.stop
        rest = (
            self._adder.flush()
            if end == self._end
            else self._adder.add(self._window(end), end, last=True)
        )
        return self._finish(np.concatenate([done, rest]))

    def _clean(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take samples without powerline interference; return settled ones, (time, leads)."""
        self._signal.append(x)
        done = [self._signal.rows(0, 0)]
        for end in self._framing.ends(self._end, self._signal.stop).tolist():
            done.append(self._adder.add(self._window(end), end))
            self._end = end
        self._signal.drop(self._end - self._framing.window)
        return np.concatenate(done)

    def _window(self, end: int) -> NDArray[np.float64]:
        """The cleaned window (time, leads) that ends at a sample."""
        begin = max(end - self._framing.length(end), 0)
        window: NDArray[np.float64] = self._signal.rows(begin, end).copy()
        for i in self._active:
            known = window[~np.isnan(window[:, i]), i]
            if len(known) and np.ptp(known) > MIN_SPREAD:
                centred = window[:, i] - self.offset[i]
                window[:, i] = self._method.lead(centred, self._fs) + self.offset[i]
        return window

    def _finish(self, values: NDArray[np.float64]) -> Block:
        """Samples as they are given out."""
        first = self._noisy.first
        noisy = self._noisy.rows(first, first + len(values))
        self._noisy.drop(first + len(values))
        return Block(noisy, mix(noisy, values, self._strength))


def _segments(known: NDArray[np.bool_], gap: int) -> list[tuple[int, int]]:
    """First samples and ends of what is known (time,), gaps of up to ``gap`` samples bridged."""
    at = np.flatnonzero(known)
    breaks = np.flatnonzero(np.diff(at) > gap + 1)
    first, last = at[[0, *(breaks + 1)]], at[[*breaks, -1]]
    return [(int(a), int(b) + 1) for a, b in zip(first, last, strict=True)]
