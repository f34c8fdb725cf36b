"""Measures of a recording per second, in chunks of any number of seconds.

The result is small, even for a day, and sufficient to judge the quality of a recording and to draw
an overview.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.blocks import Trust
from ipmdae.pipeline.survey import median

_FLAT = 0.5
"""Time in s at one value after which a signal counts as flat: longer than between the waves of
recorded ECGs, whose least noise changes the value within a quarter of a second."""

_QUARTER = 0.25
"""Share of a second in which a level of trust applies to the whole second."""

_PADDING = 255  # no level of trust


@dataclass(frozen=True, kw_only=True, eq=False)
class Seconds:
    """Measures per second and lead; all (seconds, leads), in mV unless stated.

    Attributes:
        missing: share of samples that are missing, 0 to 1.
        low, middle, high: lowest, median and highest sample as recorded; NaN without samples.
        low_held, high_held: longest time at ``low`` or ``high``, in s; 0 for less than three
            samples.
        flat: True if it stays at one value for half a second.
        cleaned_low, cleaned_high: the same after denoising; NaN if unknown.
        removed, removed_mean: RMS and mean of the removed noise; NaN if unknown.
        sd: mean predicted standard deviation of the error; NaN if unknown.
        trust: worst :class:`ipmdae.pipeline.blocks.Trust` that applies to a quarter of the second;
            ``GOOD`` of a signal that was not denoised.
    """

    missing: NDArray[np.float64]
    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]
    low_held: NDArray[np.float64]
    high_held: NDArray[np.float64]
    flat: NDArray[np.bool_]
    cleaned_low: NDArray[np.float64]
    cleaned_high: NDArray[np.float64]
    removed: NDArray[np.float64]
    removed_mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    trust: NDArray[np.uint8]

    @classmethod
    def joined(cls, parts: Sequence[Seconds]) -> Seconds:
        """Concatenate the measures of consecutive chunks."""
        return cls(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            }
        )


def pieces(samples: int, fs: float, seconds: int) -> list[tuple[int, int]]:
    """First samples and ends of chunks of ``seconds`` whole seconds each that cover a recording."""
    count = int(np.ceil(max(round(samples / fs), 1) / seconds))
    edges = [round(i * seconds * fs) for i in range(count)]
    return list(zip(edges, (*edges[1:], samples), strict=True))


def measure(
    noisy: NDArray[np.float64],
    fs: float,
    first: int = 0,
    *,
    cleaned: NDArray[np.float64] | None = None,
    sd: NDArray[Any] | None = None,
    trust: NDArray[np.uint8] | None = None,
) -> Seconds:
    """Measure a chunk that begins at a whole second of its recording.

    Args:
        noisy: (time, leads) as recorded, mV; NaN is a missing sample.
        fs: sampling rate in Hz.
        first: index of its first sample in the recording, one of :func:`pieces`.
        cleaned: the same, denoised.
        sd: (time, leads) standard deviation of the error, mV.
        trust: (time, leads) :class:`ipmdae.pipeline.blocks.Trust` of the denoised signal, if its
            method judges it.
    """
    lengths = _lengths(len(noisy), fs, first)
    values = _apart(noisy, lengths)
    low, high = _extremes(values)
    unknown = np.full(low.shape, np.nan)
    cleaned_low = cleaned_high = power = mean = unknown
    if cleaned is not None:
        cleaned_low, cleaned_high = _extremes(_apart(cleaned, lengths))
        noise = _apart(noisy - cleaned, lengths)
        with np.errstate(over="ignore"):
            power, mean = _mean(np.square(noise)), _mean(noise)
    unjudged = Trust.GOOD if cleaned is None else Trust.UNKNOWN
    return Seconds(
        missing=(1 - np.isfinite(values).sum(axis=-1) / np.maximum(lengths, 1)).T,
        low=low.T,
        middle=median(values[..., :: max(int(fs) // 64, 1)]).T,
        high=high.T,
        low_held=_held(values, low, fs).T,
        high_held=_held(values, high, fs).T,
        flat=_flat(values, fs).T,
        cleaned_low=cleaned_low.T,
        cleaned_high=cleaned_high.T,
        removed=np.sqrt(power).T,
        removed_mean=mean.T,
        sd=(unknown if sd is None else _mean(_apart(sd, lengths))).T,
        trust=np.full(low.T.shape, unjudged, np.uint8)
        if trust is None
        else _worst(trust, lengths).T,
    )


def _worst(trust: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Worst level of (time, leads) in a quarter of each second: (leads, seconds)."""
    table = _apart(trust, lengths, _PADDING)
    worst = np.zeros(table.shape[:2], np.uint8)
    for level in range(1, max(Trust) + 1):
        worst[(table == level).sum(axis=-1) >= _QUARTER * np.maximum(lengths, 1)] = level
    return worst


def _lengths(samples: int, fs: float, first: int) -> NDArray[np.int64]:
    """Samples in each second of a chunk."""
    begin = round(first / fs)
    count = max(round((first + samples) / fs) - begin, 1)
    edges = np.rint((begin + np.arange(count + 1)) * fs).astype(np.int64) - first
    edges[-1] = samples
    lengths: NDArray[np.int64] = np.diff(edges)
    return lengths


def _apart(
    signal: NDArray[Any], lengths: NDArray[np.int64], padding: float = np.nan
) -> NDArray[Any]:
    """Split into seconds: (time, leads) → (leads, seconds, time in a second), padded.

    In memory, the samples of each lead lie side by side.
    """
    shape = (signal.shape[1], len(lengths), lengths.max())
    if (lengths == lengths[0]).all():
        return np.ascontiguousarray(signal.T).reshape(shape)
    table = np.full(shape, padding, signal.dtype)
    table[:, np.arange(lengths.max()) < lengths[:, None]] = signal.T
    return table


def _extremes(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest sample of each second, NaN without samples."""
    return np.fmin.reduce(values, axis=-1), np.fmax.reduce(values, axis=-1)


def _mean(values: NDArray[Any]) -> NDArray[np.float64]:
    """Mean along the last axis of what is known; NaN if nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1, dtype=np.float64)
    mean: NDArray[np.float64] = total / np.where(count, count, np.nan)
    return mean


def _held(
    values: NDArray[np.float64], extreme: NDArray[np.float64], fs: float
) -> NDArray[np.float64]:
    """Longest time in s that each second (leads, seconds, time) stays at its extreme value."""
    held = np.zeros(extreme.shape)
    # Three samples without a break have one among every three: few seconds do.
    some = (values[..., 2::3] == extreme[..., None]).any(axis=-1)
    longest = _longest(values[some] == extreme[some][:, None])
    held[some] = np.where(longest < 3, 0, longest / fs)
    return held


def _flat(values: NDArray[np.float64], fs: float) -> NDArray[np.bool_]:
    """Mask of seconds where (leads, seconds, time) stays at one value for :data:`_FLAT`."""
    steps = max(int(np.ceil(_FLAT * fs)) - 1, 1)
    # Two samples half of the time apart are equal then: in few seconds they are.
    sparse = values[..., :: max(steps // 2, 1)]
    flat: NDArray[np.bool_] = (sparse[..., 1:] == sparse[..., :-1]).any(axis=-1)
    flat[flat] = _longest(np.diff(values[flat], axis=-1) == 0) >= steps
    return flat


def _longest(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Length of the longest run in each row of a mask (rows, time)."""
    place = np.arange(1, mask.shape[1] + 1)
    before = np.maximum.accumulate(np.where(mask, 0, place), axis=1)
    longest: NDArray[np.intp] = (place - before).max(axis=1, initial=0)
    return longest


def over_known(function: Callable[..., Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A NaN-aware ``function`` along the last axis but one; NaN, without a warning, if all are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result: NDArray[np.float64] = function(values, axis=values.ndim - 2)
    return result
