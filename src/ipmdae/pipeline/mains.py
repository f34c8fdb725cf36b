"""Removal of powerline interference by windowed estimation and subtraction of its sinusoids.

In each window of 2 s the mains frequency is searched within 0.5 Hz of its nominal value, jointly
for all leads; then the fundamental and its harmonics are fitted to each lead by least squares.
Neighbouring windows overlap by half and are cross-faded. A notch filter narrow enough to spare the
QRS complex rings after each complex; sinusoids fitted over seconds are hardly affected by it and
follow slow changes.

Estimation and subtraction: L. Sörnmo, P. Laguna, "Bioelectrical Signal Processing in Cardiac and
Neurological Applications", 2005, section 7.2. The frequency is that of the largest likelihood:
S. M. Kay, "Fundamentals of Statistical Signal Processing: Estimation Theory", 1993, section 7.10.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.gaps import fill_gaps
from ipmdae.pipeline.pacing import reach, spikes_of
from ipmdae.pipeline.tail import Tail

NOMINAL = (50.0, 60.0)
"""Mains frequencies in Hz."""

_WINDOW = 2.0  # s
_DEVIATION = 0.5  # Hz: grids keep their frequency far better
_STEP = 0.1  # Hz: a quarter of the resolution of a window at the highest harmonic searched
_SEARCHED = 4  # harmonics used to estimate the frequency
_KNOWN = 0.1  # of a window: with fewer samples nothing is fitted
_RIDGE = 1e-9  # of the mean square of a sinusoid: keeps a window full of gaps solvable
_BATCH = 64  # windows processed together


def check_mains(mains: float) -> None:
    """Check a nominal mains frequency in Hz."""
    if mains not in NOMINAL:
        raise ValueError(f"mains must be 50 or 60 Hz, got {mains}")


def named(method: str, mains: float | None) -> str:
    """Name of a method, with the removal of powerline interference before it, if any."""
    return f"{method} after removal of {mains:g} Hz interference" if mains else method


def mains_delay(fs: float) -> float:
    """Largest latency in s of the removal of powerline interference at ``fs`` Hz."""
    return 2 * round(fs * _WINDOW / 2) / fs


def remove_mains(signal: NDArray[np.float64], fs: float, mains: float) -> NDArray[np.float64]:
    """Remove powerline interference from a whole signal.

    Args:
        signal: (time, leads), in any unit; NaN is a missing sample.
        fs: sampling rate in Hz.
        mains: nominal frequency of the mains in Hz, 50 or 60.

    Returns:
        (time, leads); missing samples stay missing.

    Raises:
        ValueError: as :class:`MainsFilter`.
    """
    hum = MainsFilter(fs, signal.shape[1], mains)
    return np.concatenate([hum.feed(signal), hum.flush()])


class MainsFilter:
    """Removes powerline interference from a signal in chunks, in constant memory.

    Chunks may have any length: the output does not depend on it, and has as many samples as the
    input.

    Attributes:
        harmonics: number of harmonics removed, all below half the sampling rate.
    """

    def __init__(self, fs: float, leads: int, mains: float) -> None:
        """Prepare for leads with the same mains frequency.

        Args:
            fs: sampling rate in Hz.
            leads: number of leads.
            mains: nominal frequency of the mains in Hz, 50 or 60.

        Raises:
            ValueError: the mains frequency is not 50 or 60 Hz, or not below half the sampling rate.
        """
        check_mains(mains)
        # A sinusoid too close to the Nyquist frequency for the resolution of a window is left out.
        self.harmonics = int((fs / 2 - 2 / _WINDOW) / (mains + _DEVIATION))
        if self.harmonics < 1:
            raise ValueError(
                f"a recording at {fs:g} Hz cannot contain {mains:g} Hz: leave mains out"
            )
        self._fs, self._leads = fs, leads
        self._hop = round(fs * _WINDOW / 2)
        samples = np.arange(2 * self._hop) + 0.5
        self._time = (samples - self._hop) / fs
        self._taper = np.sin(np.pi * samples / len(samples)) ** 2
        count = round(2 * _DEVIATION / _STEP) + 1
        self._grid = mains + np.linspace(-_DEVIATION, _DEVIATION, count)
        multiples = np.outer(np.arange(1, min(self.harmonics, _SEARCHED) + 1), self._grid)
        waves = np.exp(-2j * np.pi * np.outer(multiples, self._time)) * self._taper
        self._search = np.concatenate([waves.real, waves.imag])
        self._waiting: NDArray[np.float64]
        self._before: int
        self._start()

    def feed(self, piece: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the next samples (time, leads) and return those that are finished.

        Raises:
            ValueError: the chunk has other axes or another number of leads.
        """
        if piece.ndim != 2 or piece.shape[1] != self._leads:
            raise ValueError(f"a piece must be (time, {self._leads}), got shape {piece.shape}")
        self._waiting = np.concatenate([self._waiting, piece])
        done = [self._advance(count) for count in self._batches()]
        cleaned = np.concatenate([np.empty((0, self._leads)), *done])
        before, self._before = self._before, max(self._before - len(cleaned), 0)
        return cleaned[before:]

    def flush(self) -> NDArray[np.float64]:
        """End the signal and return the rest (time, leads); the next chunk begins a new one."""
        rest = len(self._waiting) - self._before
        padding = -len(self._waiting) % self._hop + self._hop
        cleaned = self.feed(np.full((padding, self._leads), np.nan))[:rest]
        self._start()
        return cleaned

    def _start(self) -> None:
        """Pad with missing samples before the first and after the last sample."""
        self._waiting = np.full((self._hop, self._leads), np.nan)
        self._before = self._hop
        self._hum = np.zeros((self._hop, self._leads))
        self._weight = np.zeros((self._hop, self._leads))

    def _batches(self) -> list[int]:
        """Counts of waiting windows to process together."""
        count = max(len(self._waiting) // self._hop - 1, 0)
        return [min(_BATCH, count - i) for i in range(0, count, _BATCH)]

    def _advance(self, count: int) -> NDArray[np.float64]:
        """Filter the samples that the next ``count`` windows finish: half a window each."""
        hop = self._hop
        halves = self._waiting[: (count + 1) * hop].reshape(count + 1, hop, self._leads)
        hum, weight = self._fit(np.concatenate([halves[:-1], halves[1:]], axis=1))
        hum *= weight
        # The second half of each window is added to the first half of the next.
        total = hum[:, :hop] + np.concatenate([self._hum[None], hum[:-1, hop:]])
        sum_of_weights = weight[:, :hop] + np.concatenate([self._weight[None], weight[:-1, hop:]])
        self._hum, self._weight = hum[-1, hop:], weight[-1, hop:]
        mean = total / np.where(sum_of_weights > 0, sum_of_weights, 1)
        self._waiting = self._waiting[count * hop :]
        cleaned: NDArray[np.float64] = (halves[:-1] - mean).reshape(count * hop, self._leads)
        return cleaned

    def _fit(self, windows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Interference in windows (windows, time, leads), and the weight of each sample."""
        # Pacing spikes and glitches, which have all harmonics, would be fitted by the mains'.
        windows = _without_spikes(windows, self._fs)
        known = ~np.isnan(windows)
        filled = np.stack([fill_gaps(window) for window in windows])
        filled -= filled.mean(axis=1, keepdims=True)
        waves = self._waves(self._frequency(filled))
        # Window by window, since pieces that end elsewhere put others beside it.
        gappy = ~known.all(axis=(1, 2))
        hum = np.empty_like(filled)
        hum[~gappy] = _project(filled[~gappy], waves[~gappy], self._taper)
        for i in range(self._leads):
            weight = known[gappy, :, i] * self._taper
            hum[gappy, :, i : i + 1] = _project(filled[gappy, :, i : i + 1], waves[gappy], weight)
        taper = self._taper[:, None]
        share = np.sum(known * taper, axis=1, keepdims=True) / taper.sum()
        return hum, taper * np.where(share > _KNOWN, share, 0)

    def _frequency(self, windows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mains frequency in each window (windows,): the peak of the power summed over leads."""
        spectrum = np.square(self._search @ windows).sum(axis=2)
        power = spectrum.reshape(len(windows), -1, len(self._grid)).sum(axis=1)
        best = np.clip(power.argmax(axis=1), 1, len(self._grid) - 2)
        left, middle, right = (
            np.log(power[np.arange(len(windows)), best + i] + np.finfo(float).tiny)
            for i in (-1, 0, 1)
        )
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / np.where(bend < 0, bend, -np.inf)
        frequency: NDArray[np.float64] = self._grid[best] + _STEP * np.clip(shift, -1, 1)
        return frequency

    def _waves(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cosines and sines of all harmonics: (windows, time, 2 · harmonics)."""
        turn = np.exp(2j * np.pi * frequency[:, None] * self._time)[:, :, None]
        turns = np.cumprod(np.repeat(turn, self.harmonics, axis=2), axis=2)
        return np.concatenate([turns.real, turns.imag], axis=2)


class MainsStage:
    """Removal of powerline interference from some leads, in chunks; the others are delayed alike.

    Without mains, or without leads to clean, samples pass at once.
    """

    def __init__(self, fs: float, leads: int, active: Sequence[int], mains: float | None) -> None:
        """Begin a signal.

        Args:
            fs: sampling rate in Hz.
            leads: how many there are.
            active: indices of the leads from which interference is removed.
            mains: nominal frequency in Hz, 50 or 60; ``None`` leaves all as it is.

        Raises:
            ValueError: as :class:`MainsFilter`.
        """
        self._active = list(active)
        self._filter = MainsFilter(fs, len(active), mains) if mains and len(active) else None
        self._waiting: Tail[np.float64] = Tail(leads, np.float64)

    def feed(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take samples (time, leads) in; give those out that are finished."""
        if self._filter is None:
            return x
        self._waiting.append(x)
        return self._among_others(self._filter.feed(x[:, self._active]))

    def flush(self) -> NDArray[np.float64]:
        """Give out what is left: the signal has ended."""
        if self._filter is None:
            return self._waiting.rows(0, 0)
        return self._among_others(self._filter.flush())

    def _among_others(self, without_mains: NDArray[np.float64]) -> NDArray[np.float64]:
        """Leads without interference (time, active leads), among the others (time, leads)."""
        first = self._waiting.first
        signal: NDArray[np.float64] = self._waiting.rows(first, first + len(without_mains)).copy()
        signal[:, self._active] = without_mains
        self._waiting.drop(first + len(without_mains))
        return signal


def _without_spikes(windows: NDArray[np.float64], fs: float) -> NDArray[np.float64]:
    """Windows (windows, time, leads) whose spikes are missing (NaN)."""
    _, time, leads = windows.shape
    rows, middles = spikes_of(windows.swapaxes(1, 2).reshape(-1, time), fs)
    if not len(rows):
        return windows
    result: NDArray[np.float64] = windows.copy()
    near = np.arange(-reach(fs), reach(fs) + 1)
    result[rows[:, None] // leads, middles[:, None] + near, rows[:, None] % leads] = np.nan
    return result


def _project(
    windows: NDArray[np.float64], waves: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted least-squares fit of the waves to windows (windows, time, leads).

    Args:
        windows: the signal.
        waves: (windows, time, waves).
        weight: (time,) or (windows, time).
    """
    weighted = (waves * weight[..., None]).swapaxes(1, 2)
    gram = weighted @ waves + _RIDGE * weight.shape[-1] * np.eye(waves.shape[2])
    hum: NDArray[np.float64] = waves @ np.linalg.solve(gram, weighted @ windows)
    return hum
