"""Windows: cut a long signal into them, scale each one, and blend them back into one signal.

Pure array functions, used alike in training and when a recording is cleaned. Signals are
(time, leads), batches of windows are (batch, time, leads), in mV; NaN is a missing sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", bound=np.floating[Any])

MIN_SPREAD = 1e-3
"""Spread in mV up to which a lead counts as flat: 1 µV, below the step of common recorders."""


def robust_scale(
    windows: NDArray[Float],
) -> tuple[NDArray[Float], NDArray[Float], NDArray[Float]]:
    """Bring each lead of each window to about zero and one, by the noisy signal alone.

    The offset is the median, the scale half the distance between the 5th and the 95th percentile
    (interpolated linearly): spikes move neither. A lead flatter than ``MIN_SPREAD`` keeps its
    scale. Missing samples count for neither and stay missing.

    Args:
        windows: (batch, time, leads), float32 or float64.

    Returns:
        ``(windows - offset) / scale``, and offset and scale, both (batch, 1, leads); a lead without
        any sample has offset 0 and scale 1. All have the dtype of ``windows``.
    """
    low, offset, high = _percentiles(windows, (5, 50, 95))
    spread = (high - low) / 2
    scale: NDArray[Float] = np.where(spread > MIN_SPREAD, spread, 1).astype(windows.dtype)
    scaled: NDArray[Float] = (windows - offset) / scale
    return scaled, offset, scale


def _percentiles(windows: NDArray[Float], percents: tuple[float, ...]) -> list[NDArray[Float]]:
    """Percentiles over time, each (batch, 1, leads); missing samples, sorted last, are ignored."""
    ordered = np.sort(windows, axis=1)
    count = np.count_nonzero(~np.isnan(windows), axis=1, keepdims=True)
    last = np.maximum(count - 1, 0)
    result = []
    for percent in percents:
        position = last * (percent / 100)
        below = np.floor(position).astype(np.intp)
        left = np.take_along_axis(ordered, below, axis=1)
        right = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=1)
        value = left + (right - left) * (position - below).astype(windows.dtype)
        result.append(np.where(count > 0, value, 0).astype(windows.dtype))
    return result


def starts(length: int, window: int, overlap: int) -> NDArray[np.intp]:
    """First samples of the windows that cover ``length`` samples, ``window - overlap`` apart.

    The last window is moved back to end with the signal, so that all hold true samples only.

    Raises:
        ValueError: no samples, or an overlap that is negative or not less than a window.
    """
    if length < 1:
        raise ValueError("a signal without samples has no windows")
    if not 0 <= overlap < window:
        raise ValueError(f"overlap must be 0 to less than the window {window}, got {overlap}")
    last = max(length - window, 0)
    return np.append(np.arange(0, last, window - overlap), last)


def cut(signal: NDArray[Float], first: NDArray[np.intp], window: int) -> NDArray[Float]:
    """The windows that begin at the samples ``first``: (time, leads) → (batch, window, leads).

    A signal shorter than a window is extended by its mirror image.
    """
    missing = max(window - len(signal), 0)
    extended = np.pad(signal, ((0, missing), (0, 0)), mode="symmetric") if missing else signal
    windows: NDArray[Float] = extended[first[:, None] + np.arange(window)]
    return windows


def blend(
    batches: Iterable[NDArray[Float]], length: int, window: int, overlap: int
) -> NDArray[Float]:
    """The inverse of cutting a signal at :func:`starts`, with smooth transitions.

    Neighbours fade into one another by raised cosines over the middle half of their overlap; the
    weights of all windows on a sample sum to one.

    Args:
        batches: the windows in the order of :func:`starts`, in batches (batch, window, leads) of
            any size, so that not all of them need to be in memory at once.
        length: samples of the signal.

    Returns:
        (length, leads), with the dtype of the windows.

    Raises:
        ValueError: more or fewer windows than the signal has.
    """
    first = starts(length, window, overlap)
    total: NDArray[Float] | None = None
    done = 0
    for batch in batches:
        if total is None:
            total = np.zeros((max(length, window), batch.shape[2]), batch.dtype)
            fade = _fade(window, overlap).astype(batch.dtype)
            weight = np.zeros(len(total), batch.dtype)
            for start in first:
                weight[start : start + window] += fade
        if done + len(batch) > len(first):
            raise ValueError(f"more than the {len(first)} windows of {length} samples")
        for start, values in zip(first[done:], batch, strict=False):
            part = slice(start, start + window)
            total[part] += values * (fade / weight[part])[:, None]
        done += len(batch)
    if total is None or done < len(first):
        raise ValueError(f"{done} windows given, {length} samples have {len(first)}")
    return total[:length]


def _fade(window: int, overlap: int) -> NDArray[np.float64]:
    """Weights of one window (window,): it fades over the middle half of each overlap.

    A network sees too little around a window's outermost samples: they count for next to nothing,
    except where no other window reaches, at the ends of the signal.
    """
    position = (np.arange(overlap) + 0.5 - overlap / 4) / (max(overlap, 1) / 2)
    rise = np.ones(window)
    rise[:overlap] = np.maximum(np.sin(np.pi / 2 * np.clip(position, 0, 1)) ** 2, 1e-9)
    return rise * rise[::-1]
