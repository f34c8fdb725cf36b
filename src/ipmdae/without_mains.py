"""Denoising after removal of powerline interference; see :mod:`ipmdae.mains`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipmdae.cleaned import Cleaned, check_strength, finish, idle, mix
from ipmdae.denoiser import Denoiser
from ipmdae.mains import MainsFilter, check_mains, remove_mains
from ipmdae.pipeline.blocks import Block, Cleaning
from ipmdae.pipeline.survey import Leads
from ipmdae.pipeline.tail import Tail
from ipmdae.recording import Recording

if TYPE_CHECKING:
    from ipmdae.methods import Method


class WithoutMains:
    """A method that removes powerline interference before another method denoises.

    Attributes:
        name: name of the method.
    """

    def __init__(self, method: Method, mains: float) -> None:
        """Wrap a method.

        Args:
            method: the other method.
            mains: nominal frequency in Hz, 50 or 60.

        Raises:
            ValueError: the mains frequency is not 50 or 60 Hz.
        """
        check_mains(mains)
        self.name = f"{method.name} after removal of {mains:g} Hz interference"
        self._method, self._mains = method, mains

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Cleaned:
        """Denoise a recording; see :class:`ipmdae.methods.Method`. The noise includes it.

        Raises:
            ValueError: also if the sampling rate is too low for this mains frequency.
        """
        check_strength(strength)
        why = [idle(recording, i) for i in range(len(recording.leads))]
        active = [i for i, reason in enumerate(why) if not reason]
        signal = recording.signal.copy()
        if active:
            signal[:, active] = remove_mains(signal[:, active], recording.fs, self._mains)
        with warnings.catch_warnings():
            # The warnings below say the same.
            warnings.filterwarnings("ignore", message="lead .* comes back unchanged")
            full = self._method.clean(recording.with_signal(signal))
        cleaned = finish(recording, full.recording.signal, why, self.name, strength)
        return dataclasses.replace(cleaned, spread=full.spread, trust=full.trust)


class NetworkWithoutMains(WithoutMains):
    """The same for a network, which can denoise a signal in chunks."""

    def __init__(self, method: Denoiser, mains: float) -> None:
        """Wrap a network; see :class:`WithoutMains`."""
        super().__init__(method, mains)
        self._network = method

    def begin(
        self, fs: float, leads: Leads, *, strength: float = 1.0
    ) -> Cleaning | HumlessCleaning:
        """Begin to denoise a signal in chunks; see :meth:`ipmdae.Denoiser.begin`."""
        check_strength(strength)
        cleaning = self._network.begin(fs, leads)
        if not leads.active:
            return cleaning
        hum = MainsFilter(fs, len(leads.active), self._mains)
        return HumlessCleaning(cleaning, hum, leads.active, len(leads.names), strength)


class HumlessCleaning:
    """Like :class:`~ipmdae.pipeline.blocks.Cleaning`, after removal of the interference."""

    def __init__(
        self,
        cleaning: Cleaning,
        hum: MainsFilter,
        active: Sequence[int],
        leads: int,
        strength: float,
    ) -> None:
        """Begin a signal.

        Args:
            cleaning: denoising of the filtered signal, at full strength.
            hum: mains filter for the active leads.
            active: mask of the denoised leads.
            leads: number of leads.
            strength: share of the estimated noise to remove, 0 to 1.
        """
        self._cleaning, self._hum = cleaning, hum
        self._active = list(active)
        self._strength = strength
        self._noisy: Tail[np.float64] = Tail(leads, np.float64)
        self._passed = 0

    def run(self, blocks: Iterable[NDArray[np.float64]]) -> Iterator[Block]:
        """Denoise a whole signal, given in blocks (time, leads)."""
        for block in blocks:
            yield self.feed(block)
        yield self.flush()

    def feed(self, x: NDArray[np.float64]) -> Block:
        """Take samples (time, leads) in mV and return those that are ready."""
        self._noisy.append(x)
        humless = self._among_others(self._hum.feed(x[:, self._active]))
        return self._finish(self._cleaning.feed(humless))

    def flush(self) -> Block:
        """Return the remaining samples: the signal has ended."""
        last = self._cleaning.feed(self._among_others(self._hum.flush()))
        rest = self._cleaning.flush()
        noisy, cleaned = (np.concatenate(parts) for parts in zip(last[:2], rest[:2], strict=True))
        if last.spread is None or rest.spread is None or last.trust is None or rest.trust is None:
            return self._finish(Block(noisy, cleaned))
        spread = np.concatenate([last.spread, rest.spread])
        return self._finish(Block(noisy, cleaned, spread, np.concatenate([last.trust, rest.trust])))

    def _among_others(self, humless: NDArray[np.float64]) -> NDArray[np.float64]:
        """Insert filtered leads (time, active leads) among the others (time, leads)."""
        begin, self._passed = self._passed, self._passed + len(humless)
        signal: NDArray[np.float64] = self._noisy.rows(begin, self._passed).copy()
        signal[:, self._active] = humless
        return signal

    def _finish(self, block: Block) -> Block:
        """The same samples, with the values before the filter as noisy signal."""
        first = self._noisy.first
        noisy = self._noisy.rows(first, first + len(block.cleaned))
        self._noisy.drop(first + len(block.cleaned))
        return Block(noisy, mix(noisy, block.cleaned, self._strength), block.spread, block.trust)
