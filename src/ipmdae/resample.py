"""Change of sampling rate, band-limited, without shift and without artefacts at ends and gaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

Float = TypeVar("Float", bound=np.floating[Any])

_SETTLING = 128
"""Samples, of the lower of the two rates, in which the filter and the fade come to rest."""

_BLOCK = 1 << 16
"""Samples that go through the filter at once, so that long signals need little memory."""


def resample(
    signal: NDArray[Float], fs: float, new_fs: float, samples: int | None = None
) -> NDArray[Float]:
    """Resample by libsoxr at its highest quality (aliases below -130 dB).

    Sample 0 keeps its time. Beyond both ends the signal is continued by its point reflection, so
    that neither an offset nor a slope rings there. Missing samples are interpolated for the filter;
    afterwards each new sample whose time lies in a missing one, or the reverse, is missing.

    Args:
        signal: (time,) or (time, leads), float32 or float64; NaN is a missing sample.
        fs: its sampling rate in Hz, any positive number.
        new_fs: the rate wanted, likewise.
        samples: length wanted, by default round(time · new_fs / fs), at least 1. Giving the
            original length undoes a resampling whose rounding lost a sample.

    Returns:
        (samples,) or (samples, leads), dtype as ``signal``; the signal itself if nothing changes.

    Raises:
        ValueError: a rate is not positive, or the signal is empty.
    """
    if not (0 < fs < np.inf and 0 < new_fs < np.inf):
        raise ValueError(f"sampling rates must be positive, got {fs} and {new_fs} Hz")
    if len(signal) == 0:
        raise ValueError("there is no sample to resample")
    ratio = new_fs / fs
    if samples is None:
        samples = max(round(len(signal) * ratio), 1)
    if ratio == 1 and samples == len(signal):
        return signal
    leads = signal.reshape(len(signal), -1)
    filled = fill_gaps(leads)
    new = _filter(filled, ratio, samples)
    if filled is not leads:
        for lead, absent in zip(new.T, np.isnan(leads).T, strict=True):
            lead[_missing(absent, samples, ratio)] = np.nan
    return new.reshape(samples, *signal.shape[1:])


def fill_gaps(signal: NDArray[Float]) -> NDArray[Float]:
    """Interpolate missing samples (NaN) linearly over time; the ends take the nearest sample.

    Args:
        signal: (time, leads).

    Returns:
        A new array of the same shape; a lead without any sample becomes 0. The signal itself if
        nothing is missing.
    """
    missing = np.isnan(signal)
    if not missing.any():
        return signal
    filled: NDArray[Float] = signal.copy()
    for lead, absent in zip(filled.T, missing.T, strict=True):
        if absent.all():
            lead[:] = 0
        elif absent.any():
            known = np.flatnonzero(~absent)
            lead[absent] = np.interp(np.flatnonzero(absent), known, lead[known])
    return filled


def _filter(signal: NDArray[Float], ratio: float, samples: int) -> NDArray[Float]:
    """Resample (time, leads) without gaps.

    A line through both ends is taken off and put back: the filter's input begins and ends at zero.
    """
    head, new_head = _padding(ratio)
    tail = head + max(round(samples / ratio) - len(signal), 0)
    first, slope = signal[0], (signal[-1] - signal[0]) / max(len(signal) - 1, 1)
    stream = soxr.ResampleStream(1, ratio, signal.shape[1], dtype="float64", quality="VHQ")
    new = np.empty((samples, signal.shape[1]), signal.dtype)
    at = -new_head
    for block, last in _blocks(signal, first, slope, head, tail):
        piece = stream.resample_chunk(np.ascontiguousarray(block), last=last)
        begin, end = max(at, 0), min(at + len(piece), samples)
        if begin < end:
            line = first + slope * (np.arange(begin, end)[:, None] / ratio)
            new[begin:end] = piece[begin - at : end - at] + line
        at += len(piece)
    return new


def _blocks(
    signal: NDArray[Float], first: NDArray[Float], slope: NDArray[Float], head: int, tail: int
) -> Iterator[tuple[NDArray[np.float64], bool]]:
    """The signal without its line, in blocks, between its point reflections; and which is last.

    The reflections fade out, or the filter would ring where they are cut off.
    """

    def bent(begin: int, end: int) -> NDArray[np.float64]:
        line = first + slope * np.arange(begin, end, dtype=np.float64)[:, None]
        return signal[begin:end] - line

    count = len(signal)
    before = np.pad(
        bent(0, min(head + 1, count)), ((head, 0), (0, 0)), mode="reflect", reflect_type="odd"
    )
    after = np.pad(
        bent(max(count - tail - 1, 0), count),
        ((0, tail), (0, 0)),
        mode="reflect",
        reflect_type="odd",
    )
    yield before[:head] * np.sin(np.linspace(0, np.pi / 2, head)[:, None]) ** 2, False
    for begin in range(0, count, _BLOCK):
        yield bent(begin, min(begin + _BLOCK, count)), False
    yield after[-tail:] * np.cos(np.linspace(0, np.pi / 2, tail)[:, None]) ** 2, True


def _padding(ratio: float) -> tuple[int, int]:
    """Samples to put before the signal, and how many they become: as nearly whole as can be.

    For the rates in use it is whole; for odd ones the shift stays below 1/1000 of a sample.
    """
    old = np.ceil(_SETTLING / min(ratio, 1)) + np.arange(8192)
    new = old * ratio
    best = int(np.argmin(np.round(np.abs(new - np.rint(new)), 9)))
    return int(old[best]), round(new[best])


def _missing(absent: NDArray[np.bool_], samples: int, ratio: float) -> NDArray[np.bool_]:
    """Which new samples (samples,) of a lead are missing, by which old ones (time,) are.

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
