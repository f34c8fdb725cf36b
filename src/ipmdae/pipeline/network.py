"""Windowed processing of a signal by a network, as samples arrive."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ipmdae.engine import Engine
from ipmdae.pipeline.guard import guard
from ipmdae.pipeline.tail import Tail
from ipmdae.pipeline.window import MIN_SPREAD, Framing, OverlapAdd, cut, robust_scale
from ipmdae.safeguards import Safeguards

_BATCH = 32
"""Windows in a batch: more are not faster, and need more memory."""

_FAILED = 10.0
"""Normalised uncertainty where the network returns a non-finite value."""

Signal = NDArray[np.float32]


class WindowedNetwork:
    """Cuts a signal into windows, scales them, runs network and guard, and cross-fades the windows.

    A lead that is flat in a window (within 1 µV) is copied. Windows are scaled by their measured
    samples, without those that fill gaps.

    Attributes:
        columns: output channels, for each lead in turn: the denoised lead; the share of the noise
            removed above 15 Hz that the guard restored; doubt and altered rhythm
            (:class:`ipmdae.pipeline.guard.Guarded`); and, for a network with uncertainty, the
            predicted standard deviation of the error.
    """

    def __init__(
        self, engine: Engine, framing: Framing, fs: float, leads: int, limits: Safeguards
    ) -> None:
        """Begin a signal of ``leads`` leads, which are processed in groups of the network's number.

        Args:
            engine: the network.
            framing: positions of the windows.
            fs: sampling rate of the network in Hz.
            leads: number of leads of the signal.
            limits: limits on the network's changes.
        """
        architecture = engine.architecture
        self._engine = engine
        self._framing = framing
        self._fs, self._limits = fs, limits
        self._width = architecture.leads
        self.columns = leads * (5 if architecture.uncertainty else 4)
        self._signal: Tail[np.float32] = Tail(leads, np.float32)
        self._absent: Tail[np.bool_] = Tail(leads, np.bool_)
        self._adder: OverlapAdd[np.float32] = OverlapAdd(framing, self.columns)
        self._end = 0

    def feed(self, x: Signal, absent: NDArray[np.bool_]) -> Signal:
        """Take samples and return those that are finished.

        Args:
            x: (time, leads) in mV without offset, gaps filled.
            absent: (time, leads), mask of the samples that fill gaps.

        Returns:
            (time, columns).
        """
        self._signal.append(x)
        self._absent.append(absent)
        ends = self._framing.ends(self._end, self._signal.stop)
        done = []
        for batch in self._batches(ends, x.shape[1]):
            for values, end in zip(self._clean(batch), batch.tolist(), strict=True):
                done.append(self._adder.add(values, end))
            self._end = int(batch[-1])
        for tail in (self._signal, self._absent):
            tail.drop(self._end - self._framing.window)
        return np.concatenate(done) if done else np.empty((0, self.columns), np.float32)

    def flush(self) -> Signal:
        """Return the remaining samples: the signal has ended."""
        end = self._signal.stop
        if end == self._end:
            return self._adder.flush()
        return self._adder.add(self._clean(np.array([end]))[0], end, last=True)

    def _batches(self, ends: NDArray[np.intp], leads: int) -> Iterator[NDArray[np.intp]]:
        """Ends of windows of equal length that form a batch."""
        short = np.count_nonzero(ends < self._framing.window)
        yield from ends[:short, np.newaxis]
        count = max(_BATCH * self._width // leads, 1)
        for i in range(short, len(ends), count):
            yield ends[i : i + count]

    def _clean(self, ends: NDArray[np.intp]) -> Signal:
        """Denoised windows (batch, time, columns) that end at given samples."""
        length = self._framing.length(int(ends[0]))
        first = ends - length - self._signal.first
        windows = cut(self._signal.rows(self._signal.first, self._signal.stop), first, length)
        absent = self._absent.rows(self._absent.first, self._absent.stop)
        scaled, scale = _scaled(windows, cut(absent, first, length) if absent.any() else None)
        flat = np.ptp(windows.swapaxes(1, 2), axis=2)[:, None] <= MIN_SPREAD
        with np.errstate(over="ignore", invalid="ignore"):
            signal, *others = self._run(scaled, ~flat)
            signal *= scale
            for deviation in others:
                np.exp(deviation, out=deviation)
                deviation *= scale
        lost = ~np.isfinite(signal)
        if lost.any():
            warnings.warn(
                "the network gives no finite number in places; there the signal stays as it is, "
                "and counts as unreadable",
                stacklevel=2,
            )
        if flat.any() or lost.any():
            np.copyto(signal, windows, where=flat | lost)
        sd = others[0] if others else None
        if sd is not None:
            lost |= ~np.isfinite(sd)
            if flat.any() or lost.any():
                np.copyto(sd, 0, where=flat | lost)
        guarded = guard(windows, signal, sd, self._fs, self._limits)
        # Where the network returns non-finite values the input is kept, and is not trusted.
        if lost.any():
            np.copyto(guarded.doubt, _FAILED, where=lost)
            np.copyto(guarded.gain, 1, where=lost)
        return _side_by_side([*guarded, *others])

    def _run(self, scaled: Signal, active: NDArray[np.bool_]) -> Signal:
        """Outputs of the network for windows (batch, time, leads): (kinds, batch, time, leads).

        Groups of leads none of which is ``active``, (batch, 1, leads), are left out and get 0. In
        memory, the samples of each lead of a window lie side by side.
        """
        batch, window, _ = scaled.shape
        # (batch, time, leads) → (batch · groups, time, width) and back.
        apart = scaled.swapaxes(1, 2).reshape(-1, self._width, window).swapaxes(1, 2)
        wanted = active.reshape(-1, self._width).any(axis=1)
        outputs = self._engine.architecture.outputs
        cleaned = np.zeros((len(apart), window, outputs), np.float32)
        if wanted.any():
            cleaned[wanted] = self._engine.run(np.ascontiguousarray(apart[wanted]))
        kinds = cleaned.reshape(batch, -1, window, outputs // self._width, self._width)
        by_kind = np.ascontiguousarray(kinds.transpose(3, 0, 1, 4, 2))
        together: Signal = by_kind.reshape(len(by_kind), batch, -1, window).swapaxes(2, 3)
        return together


def _side_by_side(parts: list[Signal]) -> Signal:
    """Join (batch, time, leads) along the leads; in memory, samples stay side by side."""
    joined: Signal = np.concatenate([part.swapaxes(1, 2) for part in parts], axis=1)
    by_time: Signal = joined.swapaxes(1, 2)
    return by_time


def _scaled(windows: Signal, absent: NDArray[np.bool_] | None) -> tuple[Signal, Signal]:
    """Windows (batch, time, leads) as the network wants them, and their scale (batch, 1, leads)."""
    if absent is None:
        scaled, _, scale = robust_scale(windows)
        return scaled, scale
    _, offset, scale = robust_scale(np.where(absent, np.float32(np.nan), windows))
    return (windows - offset) / scale, scale
