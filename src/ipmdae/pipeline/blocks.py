"""Processing of a signal by a network in chunks: the same for a file and a live signal.

A signal may have any length and come in chunks of any size: only a few seconds are in memory.
Each stage takes samples and returns those that are finished; at the end it returns the rest.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.engine import Engine
from ipmdae.pipeline.gaps import GapFiller
from ipmdae.pipeline.guarantees import mix
from ipmdae.pipeline.guard import LIMITED
from ipmdae.pipeline.limb_leads import REACH
from ipmdae.pipeline.mains import MainsStage
from ipmdae.pipeline.network import Signal, WindowedNetwork
from ipmdae.pipeline.pacing import SpikeRemover
from ipmdae.pipeline.resample import Resampler, fraction, live_block, reach
from ipmdae.pipeline.survey import Leads
from ipmdae.pipeline.tail import Tail
from ipmdae.pipeline.window import Framing
from ipmdae.safeguards import Safeguards

_LARGEST = 1e30
"""Limits in mV at which a lead is clipped, so that it stays finite in single precision."""

LONGEST_LINE = 2.0
"""Seconds of a gap bridged by a straight line; a gap may delay a live signal by as much."""


class Block(NamedTuple):
    """Samples of all leads, as returned by :class:`Cleaning`.

    Attributes:
        noisy: (time, leads) input.
        cleaned: (time, leads) output, in mV.
        sd: (time, leads), predicted standard deviation of the error in mV, if available.
        trust: (time, leads) uint8, a :class:`Trust` each; None of a classical method.
    """

    noisy: NDArray[np.float64]
    cleaned: NDArray[np.float64]
    sd: NDArray[np.float32] | None = None
    trust: NDArray[np.uint8] | None = None


class Trust(IntEnum):
    """Degree of trust in a network's output at a sample."""

    GOOD = 0
    LIMITED = 1
    """Waves are reliable, but small ones may be lost."""
    ALTERED = 2
    """A periodic component that the network had removed was restored."""
    UNTRUSTED = 3
    """The predicted error of the network is too large."""
    UNKNOWN = 4
    """No prediction of the error: not denoised, or by a classical method."""


class Pipeline:
    """Denoises leads without offset: fills gaps, resamples, runs the network, resamples back."""

    def __init__(
        self,
        engine: Engine,
        framing: Framing,
        net_fs: float,
        fs: float,
        leads: int,
        limits: Safeguards,
        *,
        live: bool = False,
    ) -> None:
        """Begin a signal.

        Args:
            engine: the network.
            framing: positions of the windows.
            net_fs: sampling rate of the network in Hz.
            fs: sampling rate of the signal in Hz.
            leads: number of leads of the signal; a multiple of the network's.
            limits: limits on the network's changes.
            live: True to return samples after :func:`latency`; otherwise larger blocks are used,
                which is faster.
        """
        self._up, self._down = fraction(fs, net_fs)
        self._leads = leads
        self._absent: Tail[np.bool_] = Tail(leads, np.bool_)
        self._filled: Tail[np.float32] = Tail(leads, np.float32)
        self._filler: GapFiller[np.float32] = GapFiller(leads, round(LONGEST_LINE * fs))
        self._there: Resampler[np.float32] = Resampler(fs, net_fs, leads, live=live)
        self._narrowed: Tail[np.float32] = Tail(leads, np.float32)
        self._network = WindowedNetwork(engine, framing, net_fs, leads, limits, live=live)
        self._back: Resampler[np.float32] = Resampler(net_fs, fs, leads, live=live)
        self._slow: Tail[np.float32] = Tail(self._network.columns - leads, np.float32)
        self._passed = 0
        self._given = 0

    def feed(self, x: Signal) -> Signal:
        """Take samples and return those that are finished.

        Args:
            x: (time, leads) in mV without offset; NaN is a missing sample.

        Returns:
            (time, columns), gaps filled; see :class:`WindowedNetwork`.
        """
        self._absent.append(np.isnan(x))
        return self._returned(self._clean(self._resampled(self._filler.feed(x))))

    def flush(self) -> Signal:
        """Return the remaining samples: the signal has ended."""
        rest = self._resampled(self._filler.flush())
        cleaned = [self._clean(rest), self._clean(self._there.flush()), self._network.flush()]
        back = [self._returned(piece) for piece in cleaned]
        return np.concatenate([*back, self._along(self._back.flush(self._absent.stop))])

    def close(self) -> None:
        """Give up what has not been returned; nothing may follow."""
        self._network.close()

    def _resampled(self, filled: Signal) -> Signal:
        """Resample the signal to the network's rate, and keep it for its full bandwidth."""
        if self._up != self._down:
            self._filled.append(filled)
        return self._there.feed(filled)

    def _returned(self, values: Signal) -> Signal:
        """Resample the network's output to the signal's rate."""
        leads = self._leads
        if self._up == self._down:
            return values
        # Where nothing above 15 Hz was removed, the band above the network's is kept: only the
        # output less the restored share of the input is resampled; the input has the full band.
        first = self._narrowed.first
        narrow = self._narrowed.rows(first, first + len(values))
        self._narrowed.drop(first + len(values))
        self._slow.append(values[:, leads:])
        return self._along(
            self._back.feed(values[:, :leads] - values[:, leads : 2 * leads] * narrow)
        )

    def _along(self, back: Signal) -> Signal:
        """Resampled leads and their further columns, which are taken from the nearest sample."""
        if self._up == self._down:
            return np.empty((0, self._network.columns), np.float32)
        first, stop = self._given, self._given + len(back)
        self._given = stop
        nearest = _nearest(first, stop, self._up, self._down, self._slow.stop)
        slow = self._slow.rows(self._slow.first, self._slow.stop)[nearest - self._slow.first]
        filled = self._filled.rows(first, stop)
        self._filled.drop(stop)
        self._slow.drop(int(nearest[-1]) if len(nearest) else 0)
        return np.concatenate([back + slow[:, : self._leads] * filled, slow], axis=1)

    def _clean(self, x: Signal) -> Signal:
        """Run samples (time, leads) at the network's rate through the network."""
        first, self._passed = self._passed, self._passed + len(x)
        # The sample nearest in time decides if one is missing.
        nearest = _nearest(first, self._passed, self._down, self._up, self._absent.stop)
        known = self._absent.rows(self._absent.first, self._absent.stop)
        absent = known[nearest - self._absent.first]
        self._absent.drop(int(nearest[-1]) if len(x) else 0)
        if self._up != self._down:
            self._narrowed.append(x)
        return self._network.feed(x, absent)


def _nearest(first: int, stop: int, up: int, down: int, known: int) -> NDArray[np.int64]:
    """Samples nearest in time to ``first`` … ``stop`` of a signal at up / down times its rate.

    ``known`` samples of it are available.
    """
    place = np.arange(first, stop)
    return np.minimum((2 * place * up + down) // (2 * down), known - 1)


def latency(framing: Framing, net_fs: float, fs: float) -> float:
    """Seconds of signal after a sample that must be available before it is returned.

    A gap may delay it by :data:`LONGEST_LINE` more.
    """
    there, back = reach(fs, net_fs), reach(net_fs, fs)
    needed = (there + bool(there)) / fs + (framing.latency + back) / net_fs
    if not there:
        return needed
    blocks = live_block(fs, net_fs) - 1, live_block(net_fs, fs) - 1
    return needed + blocks[0] / net_fs + blocks[1] / fs


class Cleaning:
    """Denoises some leads of a signal and copies the others, with the same delay.

    Powerline interference is removed first, if requested.

    Each lead keeps its offset, its missing samples and its pacing spikes. Where limb leads obeyed
    Einthoven's and Goldberger's equations, they obey them again.
    """

    def __init__(
        self,
        pipeline: Pipeline | None,
        group: Sequence[int],
        leads: Leads,
        limits: Safeguards,
        fs: float,
        strength: float = 1.0,
        mains: float | None = None,
        *,
        live: bool = False,
    ) -> None:
        """Begin a signal.

        Args:
            pipeline: pipeline for some of the leads; ``None`` if all are copied.
            group: leads that are denoised by it.
            leads: properties of all leads.
            limits: limits on the network's changes.
            fs: sampling rate of the signal in Hz.
            strength: share of the estimated noise to remove, 0 to 1.
            mains: frequency in Hz of the powerline interference to remove first.
            live: True to look for pacing spikes meanwhile: ``leads`` are of the opening alone.

        Raises:
            ValueError: no such mains frequency, or the rate is too low for it.
        """
        self._unreadable = limits.unreadable
        self.offset = leads.offset
        self._pipeline = pipeline
        self._group = list(group)
        self._cleaned = [(i, lead) for i, lead in enumerate(group) if not leads.why[lead]]
        self._strength = strength
        self._noisy: Tail[np.float64] = Tail(len(leads.names), np.float64)
        self._mains = MainsStage(fs, len(leads.names), leads.active, mains)
        self._without_mains: Tail[np.float64] = Tail(len(leads.names), np.float64)
        heights = np.full(len(leads.names), np.nan) if leads.pacing is None else leads.pacing
        self._spike_remover = SpikeRemover(heights[self._group], fs, live=live)
        self._spikes: Tail[np.float64] = Tail(len(self._group), np.float64)
        self._limbs = leads.limbs if limits.consistent_leads and projects(leads) else None
        self._deviating: Tail[np.bool_] = Tail(1, np.bool_)
        self._reach = round(REACH * fs)

    def run(self, blocks: Iterable[NDArray[np.float64]]) -> Generator[Block, None, None]:
        """Denoise a whole signal, given in blocks (time, leads)."""
        try:
            for block in blocks:
                yield self.feed(block)
            yield self.flush()
        finally:
            if self._pipeline:
                self._pipeline.close()

    def feed(self, x: NDArray[np.float64]) -> Block:
        """Take samples (time, leads) in mV and return those that are finished."""
        if self._pipeline is None:
            return Block(x, x)
        self._noisy.append(x)
        if self._limbs is not None:
            self._deviating.append(self._limbs.deviates(x[:, self._limbs.columns])[:, np.newaxis])
        return self._finish(self._clean(self._pipeline, self._mains.feed(x)))

    def flush(self) -> Block:
        """Return the remaining samples: the signal has ended."""
        if self._pipeline is None:
            return Block(self._noisy.rows(0, 0), self._noisy.rows(0, 0))
        before = self._clean(self._pipeline, self._mains.flush())
        smooth, apart = self._spike_remover.flush()
        self._spikes.append(apart)
        last = self._pipeline.feed(smooth.astype(np.float32))
        return self._finish(np.concatenate([before, last, self._pipeline.flush()]))

    def _clean(self, pipeline: Pipeline, x: NDArray[np.float64]) -> Signal:
        """Let samples (time, leads) without powerline interference into the pipeline."""
        if self._unreadable == "raw":
            self._without_mains.append(x)
        smooth, apart = self._spike_remover.feed(self._centred(x))
        self._spikes.append(apart)
        return pipeline.feed(smooth.astype(np.float32))

    def _centred(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        centred = x[:, self._group] - self.offset[self._group]
        return np.clip(centred, -_LARGEST, _LARGEST)

    def _finish(self, values: Signal) -> Block:
        """Block of samples from the pipeline's output for its leads."""
        first, count = self._noisy.first, len(self._group)
        noisy = self._noisy.rows(first, first + len(values))
        self._noisy.drop(first + len(values))
        spikes = self._spikes.rows(first, first + len(values))
        self._spikes.drop(first + len(values))
        without_mains = self._without_mains.rows(first, first + len(values))
        self._without_mains.drop(first + len(values))
        cleaned = noisy.copy()
        states_sd = values.shape[1] > 5 * count
        sd = np.full(noisy.shape, np.nan, np.float32) if states_sd else None
        trust = np.full(noisy.shape, Trust.UNKNOWN, np.uint8)
        for i, lead in self._cleaned:
            there = ~np.isnan(noisy[:, lead])
            known = slice(None) if there.all() else there
            full = values[known, i] + self.offset[lead] + spikes[known, i]
            if sd is not None:
                sd[known, lead] = np.maximum(values[known, 5 * count + i], 0)
            trust[:, lead] = _trust(values[:, 2 * count + i], values[:, 3 * count + i])
            untrusted = trust[known, lead] == Trust.UNTRUSTED
            if self._unreadable == "raw":
                full = np.where(untrusted, without_mains[known, lead], full)
            elif self._unreadable == "blank":
                full = np.where(untrusted, np.nan, full)
            cleaned[known, lead] = mix(noisy[known, lead], full, self._strength)
        if self._limbs is not None:
            columns = np.array(self._limbs.columns)
            apart = self._near_deviation(first, len(values))
            if self._unreadable == "raw":
                apart |= (trust[:, columns] == Trust.UNTRUSTED).any(axis=1)
            obeying = np.flatnonzero(~apart)[:, np.newaxis]
            error = values[obeying, [4 * count + self._group.index(lead) for lead in columns]]
            cleaned[obeying, columns] = self._limbs.project(cleaned[obeying, columns], error)
        return Block(noisy, cleaned, sd, trust)

    def _near_deviation(self, first: int, samples: int) -> NDArray[np.bool_]:
        """Mask of samples from ``first`` on around which recorded limb leads break the equations.

        What is behind a sample is known in time, since the latency is longer.
        """
        low = self._deviating.first
        high = min(first + samples + self._reach, self._deviating.stop)
        count = np.append(0, np.cumsum(self._deviating.rows(low, high)))
        place = np.arange(first, first + samples)
        before = np.maximum(place - self._reach, low) - low
        behind = np.minimum(place + self._reach + 1, high) - low
        self._deviating.drop(first + samples - self._reach)
        near: NDArray[np.bool_] = count[behind] > count[before]
        return near


def projects(leads: Leads) -> bool:
    """True if limb leads are to be projected: they obey the equations, and all are denoised."""
    limbs = leads.limbs
    return limbs is not None and limbs.consistent and not any(leads.why[i] for i in limbs.columns)


def _trust(doubt: Signal, altered: Signal) -> NDArray[np.uint8]:
    """One :class:`Trust` per sample, (time,)."""
    trust = np.full(doubt.shape, Trust.GOOD, np.uint8)
    trust[doubt >= LIMITED] = Trust.LIMITED
    trust[altered > 0.5] = Trust.ALTERED
    trust[doubt >= 1] = Trust.UNTRUSTED
    return trust
