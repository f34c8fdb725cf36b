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

_HELD = 0.04
"""Time in s at one value after which a signal counts as held: no wave of an ECG is flat for so
long."""

_QUARTER = 0.25
"""Share of a second in which a level of trust applies to the whole second."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seconds:
    """Measures per second and lead; all (seconds, leads), in mV unless stated.

    Attributes:
        missing: share of samples that are missing, 0 to 1.
        low, middle, high: lowest, median and highest sample as recorded; NaN without samples.
        low_held, high_held: True if it stays at ``low`` or ``high`` for long.
        cleaned_low, cleaned_high: the same after denoising; NaN if unknown.
        sd: mean predicted standard deviation of the error; NaN if unknown.
        trust: worst :class:`ipmdae.pipeline.blocks.Trust` that applies to a quarter of the second;
            0 if unknown.
    """

    missing: NDArray[np.float64]
    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]
    low_held: NDArray[np.bool_]
    high_held: NDArray[np.bool_]
    cleaned_low: NDArray[np.float64]
    cleaned_high: NDArray[np.float64]
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
        trust: (time, leads) :class:`ipmdae.pipeline.blocks.Trust` of the denoised signal.
    """
    inside = _seconds(len(noisy), fs, first)
    values = _apart(noisy, inside)
    missing = 1 - np.isfinite(values).sum(1) / np.maximum(inside.sum(1), 1)[:, None]
    low, high = _extremes(values)
    thinned = values[:, :: max(int(fs) // 64, 1)]
    unknown = np.full(low.shape, np.nan)
    cleaned_low, cleaned_high = (
        (unknown, unknown) if cleaned is None else _extremes(_apart(cleaned, inside))
    )
    return Seconds(
        missing=missing,
        low=low,
        middle=over_known(np.nanmedian, thinned),
        high=high,
        low_held=_held(values == low[:, None], fs),
        high_held=_held(values == high[:, None], fs),
        cleaned_low=cleaned_low,
        cleaned_high=cleaned_high,
        sd=unknown if sd is None else over_known(np.nanmean, _apart(sd, inside)),
        trust=np.zeros(low.shape, np.uint8) if trust is None else _worst(_apart(trust, inside)),
    )


def _worst(trust: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Worst level of (seconds, time, leads) in a quarter of a second: (seconds, leads)."""
    known = np.maximum(np.isfinite(trust).sum(axis=1), 1)
    worst = np.zeros((trust.shape[0], trust.shape[2]), np.uint8)
    for level in range(1, 4):
        worst[(trust == level).sum(axis=1) >= _QUARTER * known] = level
    return worst


def _seconds(samples: int, fs: float, first: int) -> NDArray[np.bool_]:
    """Mask of a table (seconds, samples of the longest): cells that hold a sample of the chunk."""
    begin = round(first / fs)
    count = max(round((first + samples) / fs) - begin, 1)
    edges = np.rint((begin + np.arange(count + 1)) * fs).astype(np.int64) - first
    edges[-1] = samples
    lengths = np.diff(edges)
    inside: NDArray[np.bool_] = np.arange(lengths.max()) < lengths[:, None]
    return inside


def _apart(signal: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Split into seconds: (time, leads) → (seconds, time in a second, leads), padded with NaN."""
    table = np.full((*inside.shape, signal.shape[1]), np.nan)
    table[inside] = signal
    return table


def _extremes(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest sample of each second, NaN without samples."""
    return np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)


def _held(equal: NDArray[np.bool_], fs: float) -> NDArray[np.bool_]:
    """Mask of seconds where (seconds, time, leads) is true for ``_HELD`` without a break."""
    run = max(int(np.ceil(_HELD * fs)), 2)
    if equal.shape[1] < run:
        return np.zeros((len(equal), equal.shape[2]), bool)
    total = np.cumsum(equal, axis=1, dtype=np.int32)
    total = np.concatenate([np.zeros_like(total[:, :1]), total], axis=1)
    held: NDArray[np.bool_] = (total[:, run:] - total[:, :-run] == run).any(axis=1)
    return held


def over_known(function: Callable[..., Any], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A NaN-aware ``function`` along the last axis but one; NaN, without a warning, if all are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result: NDArray[np.float64] = function(values, axis=values.ndim - 2)
    return result
