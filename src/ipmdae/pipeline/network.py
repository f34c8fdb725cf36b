"""Windowed processing of a signal by a network, as samples arrive."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.engine import Engine
from ipmdae.pipeline.guard import guard
from ipmdae.pipeline.tail import Tail
from ipmdae.pipeline.window import MIN_SPREAD, Framing, OverlapAdd, cut, robust_scale
from ipmdae.safeguards import Safeguards

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_BATCH = 32
"""Windows in a batch: more are not faster, and need more memory."""

_FAILED = 10.0
"""Normalised uncertainty where the network returns a non-finite value."""

Signal = NDArray[np.float32]


class _Batch(NamedTuple):
    """Windows on their way through the network.

    Attributes:
        ends: (batch,) samples where they end.
        windows: (batch, time, leads) in mV.
        flat: (batch, 1, leads), mask of the leads that are copied.
        outputs: waits for the network's outputs, (kinds, batch, time, leads) in mV.
    """

    ends: NDArray[np.intp]
    windows: Signal
    flat: NDArray[np.bool_]
    outputs: Callable[[], Signal]


class WindowedNetwork:
    """Cuts a signal into windows, scales them, runs network and guard, and cross-fades the windows.

    A lead that is flat in a window (within 1 µV) is copied. Windows are scaled by their measured
    samples, without those that fill gaps.

    Attributes:
        columns: output channels, for each lead in turn: the denoised lead; the share of the noise
            removed above 15 Hz that the guard restored; doubt, altered rhythm and smoothed error
            (:class:`ipmdae.pipeline.guard.Guarded`); and, for a network with uncertainty, the
            predicted standard deviation of the error.
    """

    def __init__(
        self,
        engine: Engine,
        framing: Framing,
        fs: float,
        leads: int,
        limits: Safeguards,
        *,
        live: bool = False,
    ) -> None:
        """Begin a signal of ``leads`` leads, which are processed in groups of the network's number.

        Args:
            engine: the network.
            framing: positions of the windows.
            fs: sampling rate of the network in Hz.
            leads: number of leads of the signal.
            limits: limits on the network's changes.
            live: True to return samples as soon as possible; otherwise a thread may run the network
                on the samples of one call until the next, and :meth:`close` ends it.
        """
        architecture = engine.architecture
        self._engine = engine
        self._framing = framing
        self._fs, self._limits = fs, limits
        self._width = architecture.leads
        self.columns = leads * (6 if architecture.uncertainty else 5)
        self._signal: Tail[np.float32] = Tail(leads, np.float32)
        self._absent: Tail[np.bool_] = Tail(leads, np.bool_)
        self._adder: OverlapAdd[np.float32] = OverlapAdd(framing, self.columns)
        self._end = 0
        self._live = live
        self._pool: ThreadPoolExecutor | None = None
        self._running: list[_Batch] = []

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
        groups = list(self._batches(ends, x.shape[1]))
        if len(groups) > 1 and not (self._live or self._pool):
            from concurrent.futures import ThreadPoolExecutor  # slow to import

            self._pool = ThreadPoolExecutor(1)
        batches = [self._begin(group) for group in groups]
        if groups:
            self._end = int(groups[-1][-1])
        for tail in (self._signal, self._absent):
            tail.drop(self._end - self._framing.window)
        if self._pool:
            batches, self._running = self._running, batches
        return self._joined(batches)

    def flush(self) -> Signal:
        """Return the remaining samples: the signal has ended."""
        done = self._joined(self._running)
        self.close()
        end = self._signal.stop
        if end == self._end:
            return np.concatenate([done, self._adder.flush()])
        values = self._clean(self._begin(np.array([end])))[0]
        return np.concatenate([done, self._adder.add(values, end, last=True)])

    def close(self) -> None:
        """Give up what has not been returned; nothing may follow."""
        self._running = []
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _batches(self, ends: NDArray[np.intp], leads: int) -> Iterator[NDArray[np.intp]]:
        """Ends of windows of equal length that form a batch."""
        short = np.count_nonzero(ends < self._framing.window)
        yield from ends[:short, np.newaxis]
        count = max(_BATCH * self._width // leads, 1)
        for i in range(short, len(ends), count):
            yield ends[i : i + count]

    def _begin(self, ends: NDArray[np.intp]) -> _Batch:
        """Windows that end at given samples; the network runs now, or when they are waited for."""
        length = self._framing.length(int(ends[0]))
        first = ends - length - self._signal.first
        windows = cut(self._signal.rows(self._signal.first, self._signal.stop), first, length)
        absent = self._absent.rows(self._absent.first, self._absent.stop)
        gaps = cut(absent, first, length) if absent.any() else None
        flat = np.ptp(windows.swapaxes(1, 2), axis=2)[:, None] <= MIN_SPREAD
        outputs: Callable[[], Signal] = partial(self._outputs, windows, gaps, flat)
        if self._pool:
            outputs = self._pool.submit(outputs).result
        return _Batch(ends, windows, flat, outputs)

    def _outputs(
        self, windows: Signal, absent: NDArray[np.bool_] | None, flat: NDArray[np.bool_]
    ) -> Signal:
        """Outputs of the network for windows (batch, time, leads): (kinds, batch, time, leads)."""
        scaled, scale = _scaled(windows, absent)
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self._run(scaled, ~flat)
            outputs[0] *= scale
            for deviation in outputs[1:]:
                np.exp(deviation, out=deviation)
                deviation *= scale
        return outputs

    def _joined(self, batches: list[_Batch]) -> Signal:
        """Samples that are finished with these batches, (time, columns)."""
        done = [np.empty((0, self.columns), np.float32)]
        for batch in batches:
            for values, end in zip(self._clean(batch), batch.ends.tolist(), strict=True):
                done.append(self._adder.add(values, end))
        return np.concatenate(done)

    def _clean(self, batch: _Batch) -> Signal:
        """Denoised windows (batch, time, columns)."""
        _, windows, flat, outputs = batch
        signal, *others = outputs()
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
            np.copyto(guarded.error, _FAILED, where=lost)
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
