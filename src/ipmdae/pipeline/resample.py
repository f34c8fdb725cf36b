"""Change of sampling rate, band-limited, without shift and without artefacts at ends and gaps."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any, Generic, TypeVar

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import DTypeLike, NDArray

from ipmdae.pipeline.gaps import fill_gaps
from ipmdae.pipeline.kernel import QUALITY, BlockFilter
from ipmdae.pipeline.tail import Tail

Float = TypeVar("Float", bound=np.floating[Any])

_REACH = 160
"""Half-length of the filter in samples of the lower rate: its response is below 1e-9 beyond."""

_MAX_TERM = 8192
"""Largest term of the fraction that stands for a ratio of rates; it is off by 1e-8 at most."""

_BLOCK = 1 << 16
"""Samples that are returned together, so that long signals need little memory."""

_LIVE, _LIVE_SLOWLY = 0.04, 0.1
"""Seconds of a live signal that are returned together, where the filter is a matrix or is not."""

_MOST_IMPULSES = 512
"""Terms of a ratio up to which the filter is measured, which goes fast: those of whole rates."""


class Resampler(Generic[Float]):
    """Changes the rate of a signal that comes in chunks, by libsoxr at its highest quality.

    Sample 0 keeps its time, and aliases lie below -130 dB. Beyond both ends the signal is continued
    by its point reflection, so that neither an offset nor a slope rings there.

    A stream of libsoxr outputs samples seconds late, since it computes in large blocks.
    Here blocks of new samples are filtered on their own instead, each together with as much of the
    signal on either side as the filter reaches: the output lags by that and by a block
    alone. Blocks lie at fixed places, so that the chunks do not even matter to the last bit. The
    blocks of a live signal are short: a :class:`~ipmdae.pipeline.kernel.BlockFilter` filters them.
    """

    def __init__(
        self,
        fs: float,
        new_fs: float,
        columns: int,
        dtype: DTypeLike = np.float32,
        *,
        live: bool = False,
    ) -> None:
        """Begin a signal.

        Args:
            fs: its rate in Hz.
            new_fs: the rate wanted.
            columns: its channels.
            dtype: of its samples, float32 or float64.
            live: whether blocks are to be short, see :func:`live_block`.

        Raises:
            ValueError: a rate is not positive.
        """
        self._up, self._down = fraction(fs, new_fs)
        self._reach = reach(fs, new_fs)
        self._block = live_block(fs, new_fs) if live else _BLOCK
        self._filter = None
        if live and self._down <= _MOST_IMPULSES:
            self._filter = BlockFilter(self._up, self._down, self._reach, self._block)
        self._input: Tail[Float] = Tail(columns, dtype)
        self._begun = False
        self._taken = 0
        self._given = 0

    def feed(self, x: NDArray[Float]) -> NDArray[Float]:
        """Take samples (time, columns) in, without gaps; give those out that are ready."""
        self._taken += len(x)
        if self._up == self._down:
            return x
        self._input.append(x)
        if not self._begun and self._taken > self._reach:
            self._begin()
        ready = floor(Fraction((self._taken - 1 - self._reach) * self._up, self._down)) + 1
        return self._give(ready // self._block * self._block)

    def flush(self, samples: int | None = None) -> NDArray[Float]:
        """Give out what is left: the signal has ended.

        Args:
            samples: length wanted of the whole, by default round(time · new_fs / fs), at least 1
                if anything came in.
        """
        if self._up == self._down or not self._taken:
            return self._input.rows(0, 0)
        if not self._begun:
            self._begin()
        if samples is None:
            samples = max(round(Fraction(self._taken * self._up, self._down)), 1)
        count = self._reach + max(ceil(Fraction(samples * self._down, self._up)) - self._taken, 0)
        first = max(self._taken - 1 - count, self._input.first, 0)
        end = self._input.rows(first, self._taken)
        self._input.append(_reflected(end, 0, count)[len(end) :])
        return self._give(samples)

    def _begin(self) -> None:
        """Put the reflection of the beginning before it."""
        self._begun = True
        rows = self._input.rows(0, self._taken)
        self._input = Tail(rows.shape[1], rows.dtype, first=-self._reach)
        self._input.append(_reflected(rows, self._reach, 0))

    def _give(self, ready: int) -> NDArray[Float]:
        """New samples up to the index ``ready``."""
        if ready <= self._given:
            return self._input.rows(0, 0)
        blocks = [
            self._filtered(begin, min(begin + self._block, ready))
            for begin in range(self._given, ready, self._block)
        ]
        self._given = ready
        self._input.drop(self._start(ready))
        return np.concatenate(blocks)

    def _filtered(self, begin: int, end: int) -> NDArray[Float]:
        """The new samples from one index to another, by what lies within the filter's reach."""
        if self._filter and end - begin == self._block:
            short = self._rows(*self._filter.span(begin))
            new: NDArray[Float] = self._filter.run(short, begin).astype(short.dtype)
            return new
        first = self._start(begin)
        last = ceil(Fraction((end - 1) * self._down, self._up)) + self._reach
        whole: NDArray[Float] = soxr.resample(
            self._rows(first, last + 1), self._down, self._up, quality=QUALITY
        )
        offset = first // self._down * self._up
        return whole[begin - offset : end - offset]

    def _rows(self, first: int, stop: int) -> NDArray[Float]:
        """Old samples; what lies outside of the reflections is beyond the filter's reach, and 0."""
        before, after = max(self._input.first - first, 0), max(stop - self._input.stop, 0)
        rows = self._input.rows(first + before, stop - after)
        return np.pad(rows, ((before, after), (0, 0)))

    def _start(self, new: int) -> int:
        """Input sample at which to start filtering for a new sample: one that coincides exactly."""
        return (new * self._down // self._up - self._reach) // self._down * self._down


def reach(fs: float, new_fs: float) -> int:
    """Samples at ``fs`` that must follow one until a :class:`Resampler` can give it out."""
    up, down = fraction(fs, new_fs)
    return 0 if up == down else max(ceil(Fraction(_REACH * down, up)), _REACH)


def live_block(fs: float, new_fs: float) -> int:
    """New samples of a live signal that a :class:`Resampler` returns together."""
    _, down = fraction(fs, new_fs)
    return max(round((_LIVE if down <= _MOST_IMPULSES else _LIVE_SLOWLY) * new_fs), 1)


def fraction(fs: float, new_fs: float) -> tuple[int, int]:
    """The ratio of two rates, ``new_fs`` / ``fs``, as whole numbers.

    Raises:
        ValueError: a rate is not positive.
    """
    if not (0 < fs < np.inf and 0 < new_fs < np.inf):
        raise ValueError(f"sampling rates must be positive, got {fs} and {new_fs} Hz")
    low, high = sorted((Fraction(fs), Fraction(new_fs)))
    ratio = (high / low).limit_denominator(_MAX_TERM)
    if new_fs < fs:
        return ratio.denominator, ratio.numerator
    return ratio.numerator, ratio.denominator


def resample(
    signal: NDArray[Float], fs: float, new_fs: float, samples: int | None = None
) -> NDArray[Float]:
    """Resample a whole signal as :class:`Resampler` does.

    Missing samples are interpolated for the filter; afterwards each new sample whose time lies in a
    missing one, or the reverse, is missing.

    Args:
        signal: (time,) or (time, leads), float32 or float64; NaN is a missing sample.
        fs: its sampling rate in Hz, any positive number.
        new_fs: the rate wanted, likewise.
        samples: length wanted where the rate changes, by default round(time · new_fs / fs), at
            least 1. Giving the original length undoes a resampling whose rounding lost a sample.

    Returns:
        (samples,) or (samples, leads), dtype as ``signal``; the signal itself if the rate stays.

    Raises:
        ValueError: a rate is not positive, or the signal is empty.
    """
    up, down = fraction(fs, new_fs)
    if len(signal) == 0:
        raise ValueError("there is no sample to resample")
    if up == down:
        return signal
    if samples is None:
        samples = max(round(Fraction(len(signal) * up, down)), 1)
    leads = signal.reshape(len(signal), -1)
    filled = fill_gaps(leads)
    resampler: Resampler[Float] = Resampler(fs, new_fs, leads.shape[1], signal.dtype)
    parts = [filled[i : i + _BLOCK] for i in range(0, len(filled), _BLOCK)]
    pieces = [*(resampler.feed(part) for part in parts), resampler.flush(samples)]
    new: NDArray[Float] = np.concatenate(pieces)[:samples]
    if filled is not leads:
        for lead, absent in zip(new.T, np.isnan(leads).T, strict=True):
            lead[_missing(absent, samples, up / down)] = np.nan
    return new.reshape(samples, *signal.shape[1:])


def _reflected(signal: NDArray[Float], before: int, after: int) -> NDArray[Float]:
    """A signal (time, leads) between its point reflections of so many samples."""
    return np.pad(signal, ((before, after), (0, 0)), mode="reflect", reflect_type="odd")


def _missing(absent: NDArray[np.bool_], samples: int, ratio: float) -> NDArray[np.bool_]:
    """Mask of missing new samples (samples,) of a lead, from the mask of the old ones (time,).

    A new sample is missing if the old one nearest to it is, and if it is the nearest to one.
    """
    change = np.diff(absent.astype(np.int8), prepend=0, append=0)
    begin, end = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    new_begin = np.minimum(np.ceil((begin - 0.5) * ratio), np.rint(begin * ratio))
    new_end = np.maximum(np.ceil((end - 0.5) * ratio), np.rint((end - 1) * ratio) + 1)
    depth = np.zeros(samples + 1, np.int32)
    last = np.where(end == len(absent), samples, new_end)
    np.add.at(depth, np.clip(new_begin, 0, samples - 1).astype(np.intp), 1)
    np.add.at(depth, np.clip(last, 1, samples).astype(np.intp), -1)
    missing: NDArray[np.bool_] = np.cumsum(depth[:-1]) > 0
    return missing
