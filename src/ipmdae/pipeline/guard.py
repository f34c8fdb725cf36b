"""The guard: restores what a network removes without evidence of noise.

It works on the network's input and output window by window, needs no training, and does four
things. Where little is removed above 0.7 Hz throughout, as in a recording with baseline wander
only, everything above 0.7 Hz is restored: f waves, P waves and single ectopic beats are preserved.
This is decided separately up to 15 Hz and above, since muscle noise and powerline interference are
above and rhythms below. A removed component that is periodic at 3 to 10 Hz, as flutter is and noise
hardly ever, is restored too, and marked as an altered rhythm. So is a beat with the shape of the
lead's other QRS complexes (:mod:`ipmdae.pipeline.beats`). Where the predicted error of the network
is large relative to the ECG, its output is replaced by that of a band-pass filter, so that a QRS
complex under strong noise is never flattened. Where more than a little is removed after all, small
waves may be among it, and the output is marked as limited; so it is where more noise was restored.

Arrays are windows (batch, time, leads) in mV about zero, float32, of any length.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.beats import removed_beats
from ipmdae.safeguards import Safeguards

Array = NDArray[np.float32]

DOUBT = 0.07
"""Predicted standard deviation of the error, relative to the height of the QRS complex, above
which the output is not trusted: less than the height of a P wave.

Of segments of 2 s of wrist leads in motion (the ECGNExT subjects not used for testing, six of whom
trained the networks), 99.3 % of the good and 2.4 % of the unusable ones pass; for the definition
of both see :mod:`ipmdae.lab.evaluation.hearts.motion`."""

_REPLACED = 0.09 / DOUBT
"""Predicted error, relative to :data:`DOUBT`, from which the output of a band-pass filter is shown
in place of the network's. Between the two the network is the closer to the ECG of validation
records: replacing it too costs 1 dB of SNR."""

LIMITED = 0.75
"""Predicted error, relative to :data:`DOUBT`, from which on small waves may be lost."""

_MARK = LIMITED + 1e-5
"""Mark of samples in which small waves may be lost or noise left, above :data:`LIMITED` by more
than the rounding of cross-fades."""

_LOSS = 0.01
"""Removed noise from 0.7 to 15 Hz (root mean square over 3 s), relative to the height of the QRS
complex, from which on small waves may be lost with it.

On validation records, with baseline wander, electrode motion and muscle noise at 5 and 10 dB, in
seconds below it 19 of 20 leads keep at least 0.8 of f waves, flutter, dissociated P waves, ectopic
beats and ST shifts."""

_LEFT = 0.02
"""Restored part of that band, likewise, from which on noise may be left in it: modes other than
monitoring restore more. Below it, in real leads with electrode motion and muscle noise at 6 to
18 dB, the error of nearly all good seconds is less than 5 % of the height of the QRS complex."""

_AROUND = 6
"""Chunks on both sides over which that root mean square is taken."""

_SPLIT = (0.5, 0.9)
"""Transition band in Hz between baseline wander and the band that the guard monitors."""

_BORDER = (12.0, 18.0)
"""Transition in Hz between the guard's two bands: rhythms below, muscle noise above."""

_SHARP = 0.25
"""Limit above 15 Hz, relative to that below: noise with a flat spectrum is three times as strong
below."""

_CLASSICAL = ((0.4, 0.6), (35.0, 45.0))
"""Edges in Hz of the band-pass filter for unreadable segments."""

_STEP, _MEDIAN = 0.04, 0.6
"""Steps of the running median, and its span, in s."""

_CHUNK = 0.25
"""Duration in s over which the root mean square of the removed noise is taken."""

_SPAN = 6.0
"""Duration in s over which the guard takes a percentile of these."""

_PERCENTILE = 0.4
"""Percentile: a burst shorter than three fifths of the span does not count as noise."""

_PERIODIC = (3.0, 10.0)
"""Frequencies in Hz of flutter and fibrillation."""

_NARROW = 0.6
"""Half width in Hz of the spectral line of a periodic rhythm."""

_CONCENTRATION = 0.6
"""Least share of the power from 2 to 20 Hz in that line and its harmonics with which removed
noise counts as periodic."""

_LEAST_LINE = 0.005
"""Least root mean square of that line, relative to the height of the QRS complex."""

_OPEN = 0.95
"""Restored share above which the network counts as having changed the baseline only."""

_SMALL = 0.2
"""Least height of a QRS complex in mV for a noise measure: smaller ones do not occur."""

_SMALLEST = 0.05
"""Least height of a QRS complex in mV for any measure: an ECG is not smaller."""

_UPPER, _WITH_BEAT = 0.75, 0.3
"""A second of a quiet signal holds a QRS complex if its range is at least that share of this
quantile of the ranges per second: in slow rhythms, others hold P and T waves only. Under noise all
seconds count, since noise has a range, too."""


class Guarded(NamedTuple):
    """A batch of guarded windows; all (batch, time, leads).

    Attributes:
        signal: the result, mV.
        gain: restored share of the noise removed above 15 Hz, 0 to 1.
        doubt: predicted error relative to :data:`DOUBT`, if available, and at least :data:`LIMITED`
            where small waves may be lost; from 1 on the output is not trusted.
        altered: 1 where a periodic component or a beat was restored, else 0.
        error: predicted standard deviation of the error, averaged over about a second, mV; 0 if it
            is not predicted, the height of the QRS complex where the network is not trusted.
    """

    signal: Array
    gain: Array
    doubt: Array
    altered: Array
    error: Array


def guard(noisy: Array, cleaned: Array, sd: Array | None, fs: float, limits: Safeguards) -> Guarded:
    """Restore what a network removed without evidence, and replace unreadable segments.

    Args:
        noisy: input of the network.
        cleaned: output of the network.
        sd: predicted standard deviation of its error, if available.
        fs: sampling rate in Hz.
        limits: limits of the changes.
    """
    shape = noisy.shape
    x, y = _rows(noisy), _rows(cleaned)
    grid = _grid(x.shape[1], fs, _CHUNK)
    middle, sharp = _bands(x - y, fs)
    size = _size(y, middle, fs, grid, limits.guard)
    height = np.maximum(size, np.float32(_SMALL))
    quiet = _gain(middle, height, grid, limits.guard)
    gain = grid.expanded(_gain(sharp, height, grid, limits.guard * _SHARP))
    given = grid.expanded(quiet)
    given *= middle
    slow, kept = middle - given, given.copy()
    given += gain * sharp
    rest = np.add(middle, sharp, out=middle)
    rest -= given
    signal = np.add(y, given, out=given)
    altered = np.zeros_like(signal)
    for row, part in _periodic(rest, size, fs, limits.guard):
        signal[row] += part
        rest[row] -= part
        slow[row] -= part
        altered[row] = 1
    error = np.zeros_like(quiet) if sd is None else _error(sd, size, grid)
    level = error / (DOUBT * size)
    # Where everything is restored, the output that would be replaced is not the network's.
    rejected = (_average((level >= _REPLACED) & (quiet < _OPEN), 2) > 0).astype(np.float32)
    beats = removed_beats(signal, rest, size, fs)
    if beats is not None:
        beats *= 1 - grid.expanded(rejected)  # unreadable segments are replaced as the user decides
        np.copyto(altered, 1, where=beats > 0)
        rest *= beats
        signal += rest
        slow *= np.subtract(1, beats, out=beats)
    doubt = grid.expanded(level)
    for noise, share in ((slow, _LOSS), (kept, _LEFT)):
        np.maximum(doubt, _limited(noise, share * height, grid), out=doubt)
    some, filters = rejected.any(axis=1), _filters(x.shape[1], fs)
    if limits.unreadable == "classical" and some.any():
        weight = grid.expanded(_average(rejected[some], 1))
        weight *= filters.run(x[some], filters.classical) - signal[some]
        signal[some] += weight
    error = np.where(rejected > 0, size, error)  # a filter leaves noise of any size
    parts = (signal, gain, doubt, altered, grid.expanded(error))
    return Guarded(*(_windows(part, shape) for part in parts))


def _error(sd: Array, size: Array, grid: _Grid) -> Array:
    """Predicted error in mV, averaged over about a second, (rows, chunks)."""
    # An error above the height of the QRS is clipped, so that it does not dominate its seconds.
    return _average(grid.means(np.minimum(_rows(sd), size)), 2)


def _limited(noise: Array, limit: Array, grid: _Grid) -> Array:
    """:data:`_MARK` where the root mean square of the noise reaches a limit, (rows, time)."""
    level = np.sqrt(_average(grid.means(np.square(noise)), _AROUND))
    return grid.expanded(np.where(level >= limit, np.float32(_MARK), np.float32(0)))


def _rows(windows: Array) -> Array:
    """(batch, time, leads) -> (batch · leads, time)."""
    return np.ascontiguousarray(windows.swapaxes(1, 2)).reshape(-1, windows.shape[1])


def _windows(rows: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of :func:`_rows`."""
    batch, time, leads = shape
    windows: Array = rows.reshape(batch, leads, time).swapaxes(1, 2)
    return windows


def _bands(removed: Array, fs: float) -> tuple[Array, Array]:
    """Removed noise other than baseline wander, in two bands: up to 15 Hz, and above.

    (rows, time) each. Baseline wander is the band below 0.7 Hz of the running median, which a wave
    shorter than half its span does not affect, so that ectopic beats and ST segments are excluded.
    """
    grid = _grid(removed.shape[1], fs, _STEP)
    reach = round(_MEDIAN / _STEP / 2)
    steps = np.pad(grid.means(removed), ((0, 0), (reach, reach)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(steps, 2 * reach + 1, axis=1)
    median = np.partition(around, reach, axis=2)[..., reach]
    filters = _filters(removed.shape[1], fs)
    sharp = filters.run(removed, filters.sharp)
    middle = removed - filters.run(grid.expanded(median), filters.wander)
    middle -= sharp
    return middle, sharp


class _Filters:
    """Filters without phase for windows of one length.

    Both ends are extended by point reflection, so that filters have no transients.

    Attributes:
        wander: response up to 0.7 Hz.
        sharp: response above 15 Hz.
        classical: response from 0.5 to 40 Hz.
    """

    def __init__(self, time: int, fs: float) -> None:
        self._time = time
        self._margin = min(round(2 * fs), time - 1)
        frequency = np.fft.rfftfreq(time + 2 * self._margin, 1 / fs)
        low, high = (_rise(frequency, *edges) for edges in _CLASSICAL)
        self.wander = 1 - _rise(frequency, *_SPLIT)
        self.sharp = _rise(frequency, *_BORDER)
        self.classical = low - high

    def run(self, rows: Array, response: NDArray[np.float64]) -> Array:
        """Rows (rows, time) filtered."""
        time, margin = self._time, self._margin
        extended = np.empty((len(rows), time + 2 * margin))  # NumPy is faster in double precision
        extended[:, margin : margin + time] = rows
        extended[:, :margin] = 2 * rows[:, :1] - rows[:, margin:0:-1]
        extended[:, margin + time :] = 2 * rows[:, -1:] - rows[:, -2 : -margin - 2 : -1]
        spectrum = np.fft.rfft(extended)
        spectrum *= response
        whole = np.fft.irfft(spectrum, extended.shape[1])
        part: Array = whole[:, margin : margin + time].astype(np.float32)
        return part


@lru_cache(maxsize=8)
def _filters(time: int, fs: float) -> _Filters:
    """Filters for windows of ``time`` samples at ``fs`` Hz."""
    return _Filters(time, fs)


def _rise(frequency: NDArray[np.floating], low: float, high: float) -> NDArray[np.float64]:
    """0 below ``low`` Hz, 1 above ``high``, a raised cosine between."""
    rise: NDArray[np.float64] = (
        np.sin(np.pi / 2 * np.clip((frequency - low) / (high - low), 0, 1)) ** 2
    )
    return rise


def _size(y: Array, removed: Array, fs: float, grid: _Grid, limit: float) -> Array:
    """Height of the QRS complex in each row, (rows, 1): median of the ranges per second.

    Seconds without a signal, as with a disconnected electrode, do not count; nor do those without a
    beat where little is ``removed`` up to 15 Hz throughout.
    """
    second = min(round(fs), y.shape[1])
    ranges = np.ptp(y[:, : y.shape[1] // second * second].reshape(len(y), -1, second), axis=2)
    ranges.sort(axis=1)
    upper = ranges[:, int(_UPPER * ranges.shape[1]), None]
    signal = np.full_like(upper, _SMALLEST)
    size = _median_above(ranges, signal)
    beat = _median_above(ranges, np.maximum(np.float32(_WITH_BEAT) * upper, signal))
    if (beat > size).any():
        restored = _gain(removed, np.maximum(beat, np.float32(_SMALL)), grid, limit)
        size = np.where(restored.min(axis=1, keepdims=True) >= _OPEN, beat, size)
    return size


def _median_above(ranges: Array, least: Array) -> Array:
    """Lower median of those of the ascending ranges (rows, seconds) that are above ``least``."""
    above = np.sort(np.where(ranges > least, ranges, np.inf), axis=1)
    count = np.maximum(np.isfinite(above).sum(axis=1, keepdims=True), 1)
    median: Array = np.take_along_axis(above, (count - 1) // 2, axis=1)
    return np.where(np.isfinite(median), median, np.float32(_SMALLEST))


class _Grid:
    """A window in chunks of a fraction of a second, in which slow quantities are computed."""

    def __init__(self, time: int, fs: float, seconds: float) -> None:
        self._time = time
        self._chunk = min(max(round(seconds * fs), 1), time)
        self._whole = time // self._chunk
        self._missing = -time % self._chunk
        # Samples from the middle of a chunk to that of the next.
        self._first = self._chunk // 2
        place = (np.arange(self._chunk) + self._first + 0.5) / self._chunk - 0.5
        self._share = place.astype(np.float32)

    def means(self, rows: Array) -> Array:
        """Means of chunks: (rows, time) -> (rows, chunks); the last one holds its last value."""
        whole = rows[:, : self._whole * self._chunk]
        means: Array = whole.reshape(len(rows), self._whole, self._chunk).mean(axis=2)
        if not self._missing:
            return means
        last = rows[:, self._whole * self._chunk :].sum(axis=1, keepdims=True)
        last += self._missing * rows[:, -1:]
        return np.concatenate([means, last / np.float32(self._chunk)], axis=1)

    def expanded(self, values: Array) -> Array:
        """(rows, chunks) -> (rows, time), linear between the middles of chunks."""
        held = np.concatenate([values[:, :1], values, values[:, -1:]], axis=1)[:, :, None]
        lines = (held[:, 1:] - held[:, :-1]) * self._share
        lines += held[:, :-1]
        begin = self._chunk - self._first
        expanded: Array = lines.reshape(len(values), -1)[:, begin : begin + self._time]
        return expanded


@lru_cache(maxsize=8)
def _grid(time: int, fs: float, seconds: float) -> _Grid:
    """A grid of chunks of so many seconds for windows of ``time`` samples."""
    return _Grid(time, fs, seconds)


def _gain(fast: Array, size: Array, grid: _Grid, limit: float) -> Array:
    """Restored share of the noise removed in a band, (rows, chunks)."""
    level = np.sqrt(grid.means(np.square(fast))) / size
    if limit == 0:
        return np.zeros_like(level)
    if np.isinf(limit):
        return np.ones_like(level)
    reach = min(round(_SPAN / _CHUNK / 2), level.shape[1] - 1)
    padded = np.pad(level, ((0, 0), (reach, reach)), mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
    k = int(_PERCENTILE * (2 * reach + 1))
    noise = np.partition(around, k, axis=2)[..., k]
    share = np.clip((limit - noise) / (limit * 2 / 3), 0, 1)
    return _average(share, 1)


def _average(values: NDArray[Any], reach: int) -> Array:
    """Moving average of (rows, chunks) over ``reach`` chunks on both sides, with held ends."""
    padded = np.pad(values.astype(np.float32), ((0, 0), (reach, reach)), mode="edge")
    count = values.shape[1]
    average: Array = sum(padded[:, i : i + count] for i in range(2 * reach + 1)) / np.float32(
        2 * reach + 1
    )
    return average


def _periodic(fast: Array, size: Array, fs: float, limit: float) -> Iterator[tuple[int, Array]]:
    """Rows of removed noise (rows, time) that a periodic part dominates, each with that part."""
    time = fast.shape[1]
    if time < 4 * fs or limit == 0:
        return
    hann = np.hanning(time).astype(np.float32)
    # Under a Hann window a line keeps three eighths of its mean square.
    least = 3 / 8 * np.square(_LEAST_LINE * time * size[:, 0]) / 2
    tapered = fast * hann
    # The power of all lines: rows without that of the least need no spectrum.
    rows = np.flatnonzero(np.square(tapered).sum(axis=1) * (time / 2) > 0.99 * least)
    frequency = np.fft.rfftfreq(time, 1 / fs)
    frequency = frequency[frequency < 3 * _PERIODIC[1] + 2 * _NARROW]
    spectrum = np.fft.rfft(tapered[rows].astype(np.float64))[:, : len(frequency)]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    total = power[:, (frequency >= 2) & (frequency <= 20)].sum(axis=1)
    width = max(round(_NARROW * time / fs), 1)
    summed = np.cumsum(np.pad(power, ((0, 0), (width + 1, width))), axis=1)
    line = summed[:, 2 * width + 1 :] - summed[:, : -2 * width - 1]
    line[:, (frequency < _PERIODIC[0]) | (frequency > _PERIODIC[1])] = 0
    peak = frequency[line.argmax(axis=1)][:, None]
    lines = np.logical_or.reduce([np.abs(frequency - i * peak) <= _NARROW for i in (1, 2, 3)])
    strength = np.where(lines, power, 0).sum(axis=1)
    for i in np.flatnonzero((strength > _CONCENTRATION * total) & (strength > least[rows])):
        spectrum = np.fft.rfft(fast[rows[i]].astype(np.float64))
        spectrum[: len(frequency)] *= lines[i]
        spectrum[len(frequency) :] = 0
        yield int(rows[i]), np.fft.irfft(spectrum, time).astype(np.float32)
