"""Segments of a recording that repeat an earlier one, found by matched filter.

Windows of the signal's slope are correlated with all that comes before them; lags on which several
windows agree are then followed through the whole recording. A repetition is a segment of many
seconds that agrees with an earlier one at one lag, to a sample: single steps and bursts that look
alike do not count. A signal that is periodic by nature (a tone) repeats everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[np.float64]

_SLOPE = 0.0056
"""Time in s over which the slope is taken: less is ruled by the steps of the digitiser."""

_WINDOW = 4.0
"""Length in s of what is compared."""

_SAME = 0.7
"""Correlation from which two windows are the same."""

_SHORTEST = 30.0
"""Length in s of the shortest repetition that is looked for."""

_HOP = 1.0
"""Seconds between windows whose lag is decided."""

_MOST_LAGS = 16
"""Lags followed, those that most windows agree on."""


@dataclass(frozen=True)
class Repetition:
    """A segment that repeats an earlier one.

    Attributes:
        first, last: in s; exact to about half a window.
        lag: time since the earlier occurrence, in s; exact to a sample.
        correlation: of the slopes of the two segments, median over windows.
        residual: root mean square of the difference of the two, less its mean, in windows (their
            median), in the unit of the signal.
        size: root mean square of the segment itself, computed in the same way.
    """

    first: float
    last: float
    lag: float
    correlation: float
    residual: float
    size: float


def find(signal: NDArray[np.number], fs: float) -> list[Repetition]:
    """Repetitions in a recording, in order; each second is in one at most.

    Args:
        signal: (time, channels), any unit, no missing samples.
        fs: sampling rate in Hz.
    """
    values = np.asarray(signal, np.float64)
    apart, length = max(round(_SLOPE * fs), 1), round(_WINDOW * fs)
    slope = values[apart:] - values[:-apart]
    if len(slope) < 2 * length:
        return []
    starts = np.arange(0, len(slope) - length + 1, round(_HOP * fs))
    lags = _candidates(slope, apart, length, round(_SHORTEST / 3 * fs))
    energy = _energy(slope, length)
    scores = np.array([_scores_at(slope, energy, int(lag), starts, length) for lag in lags])
    found = []
    for number, begin, end in _runs(scores, gap=round(2 * _WINDOW / _HOP)):
        first, last = starts[begin], min(starts[end - 1] + length, len(values))
        if last - first < _SHORTEST * fs:
            continue
        segment = values[first:last]
        before = values[first - lags[number] : last - lags[number]]
        found.append(
            Repetition(
                first=float(first / fs),
                last=float(last / fs),
                lag=float(lags[number] / fs),
                correlation=float(np.median(scores[number, begin:end])),
                residual=_rms(segment - before, length),
                size=_rms(segment, length),
            )
        )
    return found


def repeated_seconds(repetitions: list[Repetition], seconds: float) -> NDArray[np.bool_]:
    """For each whole second, True if part of it repeats an earlier segment."""
    repeated = np.zeros(int(seconds), np.bool_)
    for repetition in repetitions:
        repeated[int(np.floor(repetition.first)) : int(np.ceil(repetition.last))] = True
    return repeated


def _candidates(slope: Array, apart: int, length: int, hop: int) -> NDArray[np.int64]:
    """Lags in samples at which more than one window is found again, exact to a sample.

    They are looked for at a part of the rate, where a lag may fall between two samples and
    correlate less.
    """
    coarse, size = slope[::apart], length // apart
    votes = Counter(lag for match in _matches(coarse, size, max(hop // apart, 1)) for lag in match)
    near = {lag: sum(votes[lag + i] for i in (-1, 0, 1)) for lag in votes}
    starts, energy = np.arange(0, len(slope) - length + 1, hop), _energy(slope, length)
    exact: list[int] = []
    for lag, count in sorted(near.items(), key=lambda item: (-item[1], item[0])):
        # A wave that has nearly the same shape a little later makes neighbours of a true lag.
        if count < 2 or len(exact) == _MOST_LAGS:
            break
        if any(abs(lag * apart - known) < length for known in exact):
            continue
        around = np.arange(max((lag - 1) * apart, length), (lag + 1) * apart + 1)
        totals = [_scores_at(slope, energy, int(n), starts, length).clip(0).sum() for n in around]
        exact.append(int(around[np.argmax(totals)]))
    return np.array(sorted(exact), np.int64)


def _matches(slope: Array, length: int, step: int) -> Iterator[list[int]]:
    """For each window, the lags in samples at which it was there before."""
    size = fft.next_fast_len(len(slope) + length, real=True)
    spectrum, energy = fft.rfft(slope, size, axis=0), _energy(slope, length)
    for start in range(length, len(slope) - length + 1, step):
        template = fft.rfft(slope[start : start + length], size, axis=0)
        product = fft.irfft((spectrum * template.conj()).sum(axis=1), size)
        earlier = start - length + 1
        scores = product[:earlier] / np.sqrt(energy[:earlier] * energy[start])
        padded = np.concatenate([[-np.inf], scores, [-np.inf]])
        summit = (scores >= _SAME / 2) & (scores >= padded[:-2]) & (scores > padded[2:])
        yield [start - int(at) for at in np.flatnonzero(summit)]


def _scores_at(
    slope: Array, energy: Array, lag: int, starts: NDArray[np.int64], length: int
) -> Array:
    """Correlation of windows with what was there ``lag`` samples before; 0 where nothing was."""
    product = np.concatenate([[0.0], np.cumsum(np.einsum("tc,tc->t", slope[lag:], slope[:-lag]))])
    scores = np.zeros(len(starts))
    known = starts >= lag
    at = starts[known]
    scores[known] = (product[at - lag + length] - product[at - lag]) / np.sqrt(
        energy[at] * energy[at - lag]
    )
    return scores


def _energy(slope: Array, length: int) -> Array:
    """Sum of squares of all windows, kept from zero so that flat ones correlate with nothing."""
    total = np.concatenate([[0.0], np.cumsum(np.square(slope).sum(axis=1))])
    energy = total[length:] - total[:-length]
    smallest: float = max(float(energy.mean()) * 1e-6, 1e-30)
    kept: Array = np.maximum(energy, smallest)
    return kept


def _runs(scores: Array, gap: int) -> Iterator[tuple[int, int, int]]:
    """Number of the lag, first window and end of each run, with holes of at most ``gap``."""
    if not len(scores):
        return
    # Of lags that fit about equally well, the longest leads to the first occurrence.
    good = (scores >= _SAME) & (scores >= scores.max(axis=0) - 0.1)
    chosen = np.where(good.any(axis=0), len(scores) - 1 - np.argmax(good[::-1], axis=0), -1)
    number = begin = last = -1
    for at in np.flatnonzero(chosen >= 0):
        if chosen[at] != number or at - last > gap:
            if number >= 0:
                yield number, begin, last + 1
            number, begin = int(chosen[at]), int(at)
        last = int(at)
    if number >= 0:
        yield number, begin, last + 1


def _rms(values: Array, length: int) -> float:
    """Root mean square about the mean of consecutive windows, median over them."""
    windows = values[: len(values) // length * length].reshape(-1, length, values.shape[1])
    return float(np.median(windows.std(axis=1)))
