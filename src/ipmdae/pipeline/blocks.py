"""The way of a signal through a network, piece by piece: the same for a file and a live signal.

A signal may be of any length and come in pieces of any size: a few seconds of it are in memory.
Each stage takes samples in and gives those out that are settled; at the end it gives out the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.cleaned import mix
from ipmdae.engine import Engine
from ipmdae.pipeline.gaps import GapFiller
from ipmdae.pipeline.network import Signal, WindowedNetwork
from ipmdae.pipeline.resample import Resampler, fraction, reach
from ipmdae.pipeline.survey import Leads
from ipmdae.pipeline.tail import Tail
from ipmdae.pipeline.window import Framing

LONGEST_LINE = 2.0
"""Seconds of a gap that are bridged by a line, and that it may hold a live signal up."""


class Block(NamedTuple):
    """Some samples of all leads, as they come out of a :class:`Cleaning`.

    Attributes:
        noisy: (time, leads) as they came in.
        cleaned: (time, leads), in mV.
        spread: (time, leads), the standard deviation of the network's error in mV, where it tells.
    """

    noisy: NDArray[np.float64]
    cleaned: NDArray[np.float64]
    spread: NDArray[np.float32] | None


class Pipeline:
    """Cleans leads that lie around zero: fills gaps, resamples, runs the network, and resamples."""

    def __init__(
        self, engine: Engine, framing: Framing, net_fs: float, fs: float, leads: int
    ) -> None:
        """Begin a signal.

        Args:
            engine: the network.
            framing: of the windows that it is given.
            net_fs: the rate in Hz that it works at.
            fs: the signal's.
            leads: the signal's; a multiple of the network's.
        """
        self._up, self._down = fraction(fs, net_fs)
        self._absent: Tail[np.bool_] = Tail(leads, np.bool_)
        self._filler: GapFiller[np.float32] = GapFiller(leads, round(LONGEST_LINE * fs))
        self._there: Resampler[np.float32] = Resampler(fs, net_fs, leads)
        self._network = WindowedNetwork(engine, framing, leads)
        self._back: Resampler[np.float32] = Resampler(net_fs, fs, self._network.columns)
        self._passed = 0

    def feed(self, x: Signal) -> Signal:
        """Take samples in; give those out that are settled.

        Args:
            x: (time, leads) in mV around zero; NaN is a missing sample.

        Returns:
            (time, leads), gaps filled, or of a network with uncertainty (time, 2 · leads): the
            cleaned leads, then the standard deviation of the error of each.
        """
        self._absent.append(np.isnan(x))
        return self._back.feed(self._clean(self._there.feed(self._filler.feed(x))))

    def flush(self) -> Signal:
        """Give out what is left: the signal has ended."""
        rest = self._there.feed(self._filler.flush())
        cleaned = [self._clean(rest), self._clean(self._there.flush()), self._network.flush()]
        back = [self._back.feed(piece) for piece in cleaned]
        return np.concatenate([*back, self._back.flush(self._absent.stop)])

    def _clean(self, x: Signal) -> Signal:
        """Run samples (time, leads) at the network's rate through it."""
        place = np.arange(self._passed, self._passed + len(x))
        self._passed += len(x)
        # The sample nearest in time tells whether one is missing.
        nearest = (2 * place * self._down + self._up) // (2 * self._up)
        nearest = np.minimum(nearest, self._absent.stop - 1)
        known = self._absent.rows(self._absent.first, self._absent.stop)
        absent = known[nearest - self._absent.first]
        self._absent.drop(int(nearest[-1]) if len(x) else 0)
        return self._network.feed(x, absent)


def latency(framing: Framing, net_fs: float, fs: float) -> float:
    """Seconds of signal that must have come in, from a sample on, until that comes out.

    A gap may hold it up by :data:`LONGEST_LINE` more.
    """
    there, back = reach(fs, net_fs), reach(net_fs, fs)
    return (there + bool(there)) / fs + (framing.latency + back) / net_fs


class Cleaning:
    """Cleans some leads of a signal and passes the others through, all at the same pace.

    Each lead keeps its offset. What was missing is missing again.
    """

    def __init__(
        self,
        pipeline: Pipeline | None,
        group: Sequence[int],
        leads: Leads,
        strength: float = 1.0,
    ) -> None:
        """Begin a signal.

        Args:
            pipeline: through which some of the leads go; ``None`` where all pass by.
            group: the leads that go through it.
            leads: all of them.
            strength: share of the noise found that is removed, 0 to 1.
        """
        self.offset = leads.offset
        self._pipeline = pipeline
        self._group = list(group)
        self._cleaned = [(i, lead) for i, lead in enumerate(group) if not leads.why[lead]]
        self._strength = strength
        self._noisy: Tail[np.float64] = Tail(len(leads.names), np.float64)

    def run(self, blocks: Iterable[NDArray[np.float64]]) -> Iterator[Block]:
        """Clean a whole signal, given in blocks (time, leads)."""
        for block in blocks:
            yield self.feed(block)
        yield self.flush()

    def feed(self, x: NDArray[np.float64]) -> Block:
        """Take samples (time, leads) in mV in; give those out that are ready."""
        if self._pipeline is None:
            return Block(x, x, None)
        self._noisy.append(x)
        return self._finish(self._pipeline.feed(self._centred(x)))

    def flush(self) -> Block:
        """Give out what is left: the signal has ended."""
        if self._pipeline is None:
            return Block(self._noisy.rows(0, 0), self._noisy.rows(0, 0), None)
        return self._finish(self._pipeline.flush())

    def _centred(self, x: NDArray[np.float64]) -> Signal:
        return (x[:, self._group] - self.offset[self._group]).astype(np.float32)

    def _finish(self, values: Signal) -> Block:
        """Samples as they are given out, of what the pipeline gave for its leads."""
        first, count = self._noisy.first, len(self._group)
        noisy = self._noisy.rows(first, first + len(values))
        self._noisy.drop(first + len(values))
        cleaned = noisy.copy()
        spread = np.full(noisy.shape, np.nan, np.float32) if values.shape[1] > count else None
        for i, lead in self._cleaned:
            known = ~np.isnan(noisy[:, lead])
            full = values[known, i] + self.offset[lead]
            cleaned[known, lead] = mix(noisy[known, lead], full, self._strength)
            if spread is not None:
                spread[known, lead] = np.maximum(values[known, count + i], 0)
        return Block(noisy, cleaned, spread)
