"""Windows: cut a signal into them, scale each one, and blend them back into one signal.

Signals are (time, leads), batches of windows are (batch, time, leads), in mV; NaN is a missing
sample. Nothing here needs more than a few windows in memory, nor to know where the signal ends
before it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Float = TypeVar("Float", bound=np.floating[Any])
Scalar = TypeVar("Scalar", bound=np.generic)

MIN_SPREAD = 1e-3
"""Spread in mV up to which a lead counts as flat: 1 µV, below the step of common recorders."""


class LatencyError(ValueError):
    """A latency too short for a method at a sampling rate."""

    @classmethod
    def of(cls, method: str, fs: float, *, wanted: float, least: float) -> LatencyError:
        """Error of a method that needs ``least`` s at ``fs`` Hz."""
        return cls(
            f"a latency of {wanted:g} s is too short at {fs:g} Hz: {method} needs "
            f"{least:.3g} s at least"
        )


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
    low, offset, high = np.split(_percentiles(windows, (5, 50, 95)), 3, axis=1)
    half_range = (high - low) / 2
    scale: NDArray[Float] = np.where(half_range > MIN_SPREAD, half_range, 1).astype(windows.dtype)
    scaled: NDArray[Float] = (windows - offset) / scale
    return scaled, offset, scale


def _percentiles(windows: NDArray[Float], percents: tuple[float, ...]) -> NDArray[Float]:
    """Percentiles over time, (batch, percentiles, leads); missing samples do not count."""
    ordered = np.sort(windows, axis=1)  # NaN last
    count = np.count_nonzero(~np.isnan(windows), axis=1, keepdims=True)
    last = np.maximum(count - 1, 0)
    position = last * (np.array(percents)[:, np.newaxis] / 100)
    below = np.floor(position).astype(np.intp)
    left = np.take_along_axis(ordered, below, axis=1)
    right = np.take_along_axis(ordered, np.minimum(below + 1, last), axis=1)
    values = left + (right - left) * (position - below).astype(windows.dtype)
    result: NDArray[Float] = np.where(count > 0, values, 0).astype(windows.dtype)
    return result


@dataclass(frozen=True)
class Framing:
    """Positions of windows and of the segment that each contributes; all in samples.

    Window k contributes from sample end(k-1) - margin - fade on, and is cross-faded with window k-1
    over ``fade`` samples, since a network has too little context at the ends of a window::

        window k-1  ------------------------|fade|margin|
        window k           -----------------|fade|-----------------|fade|margin|

    Ends are ``hop`` apart, the first at sample ``first``; windows that would begin before the
    signal begin with it, and are shorter. The last one is moved back to end with the signal, and
    contributes up to its end.

    Attributes:
        window: length of a window.
        hop: distance of the ends of windows.
        margin: samples at the end of a window without contribution, unless the signal ends there.
        fade: length of the cross-fade before the margin.
        first: end of the first window.
        shortest: least length of a window; a shorter one is extended by reflection.
        step: of the lengths of windows. A network that halves the rate several times, rounding up,
            places its samples as in training only in windows that are shorter by a multiple of
            2^(number of halvings); in others the last samples are wrong.
    """

    window: int
    hop: int
    margin: int
    fade: int
    first: int
    shortest: int
    step: int = 1

    @classmethod
    def overlapping(
        cls, window: int, overlap: int, shortest: int | None = None, step: int = 1
    ) -> Framing:
        """Windows that share ``overlap`` samples and fade over the middle half of them.

        All are of the same length where no shortest one is given.

        Raises:
            ValueError: an overlap that is negative or not less than a window.
        """
        if not 0 <= overlap < window:
            raise ValueError(f"overlap must be 0 to less than the window {window}, got {overlap}")
        fade = overlap // 2
        margin = (overlap - fade) // 2
        return cls(window, window - overlap, margin, fade, window, shortest or window, step)

    @classmethod
    def within(
        cls, latency: int, window: int, shortest: int | None = None, step: int = 1
    ) -> Framing:
        """Windows close together: each sample counts ``latency`` samples after it at the latest.

        The windows stay as long as they are, and hold the past; a quarter of the latency each is
        left for margin and fade. The first ones know little of the signal.
        """
        quarter = latency // 4
        return cls(
            window, latency - 2 * quarter, quarter, quarter, latency, shortest or window, step
        )

    def length(self, end: int) -> int:
        """Samples of the window that ends at ``end``."""
        lacking = max(self.window - max(end, self.shortest), 0)
        return self.window - lacking // self.step * self.step

    @property
    def latency(self) -> int:
        """Samples that must be known until a sample counts, itself included."""
        return max(self.first, self.hop + self.margin + self.fade)

    def ends(self, after: int, length: int) -> NDArray[np.intp]:
        """Ends of all windows that end after sample ``after`` and lie within ``length``."""
        count = max(-(-(after + 1 - self.first) // self.hop), 0)
        return np.arange(self.first + count * self.hop, length + 1, self.hop, dtype=np.intp)


def cut(signal: NDArray[Scalar], first: NDArray[np.intp], window: int) -> NDArray[Scalar]:
    """The windows that begin at the samples ``first``: (time, leads) → (batch, window, leads).

    What a window lacks before the signal's beginning is the mirror image of the rest of it, again
    and again where that is short: a window never depends on what follows its end. In memory, the
    samples of each lead of a window lie side by side.
    """
    windows = np.empty((len(first), signal.shape[1], window), signal.dtype)
    whole = first >= 0
    if whole.any():
        views = np.lib.stride_tricks.sliding_window_view(signal, window, axis=0)
        windows[whole] = views[first[whole]]
    for i in np.flatnonzero(~whole):
        missing = -int(first[i])
        own = signal[: window - missing]
        windows[i] = np.pad(own, ((missing, 0), (0, 0)), mode="symmetric").T
    by_time: NDArray[Scalar] = windows.swapaxes(1, 2)
    return by_time


class OverlapAdd(Generic[Float]):
    """The inverse of cutting windows, with smooth transitions: raised cosines that sum to one."""

    def __init__(self, framing: Framing, columns: int, dtype: DTypeLike = np.float32) -> None:
        """Begin a signal of so many leads."""
        place = (np.arange(framing.fade)[:, None] + 0.5) / max(framing.fade, 1)
        self._rise: NDArray[Float] = (np.sin(np.pi / 2 * place) ** 2).astype(dtype)
        self._kept = framing.margin + framing.fade
        self._tail: NDArray[Float] = np.empty((0, columns), dtype)
        self._done = 0

    def add(self, values: NDArray[Float], end: int, *, last: bool = False) -> NDArray[Float]:
        """Add the next window; give out the samples that it settles.

        Args:
            values: (window, leads).
            end: the sample of the signal at which it ends.
            last: whether the signal ends there.

        Returns:
            (time, leads), following what was returned before.
        """
        new = values[len(values) - (end - self._done) :].copy("K")
        if len(self._tail):
            fade = len(self._rise)
            new[:fade] = (1 - self._rise) * self._tail[:fade] + self._rise * new[:fade]
        ready = len(new) - (0 if last else self._kept)
        self._tail = new[ready:]
        self._done += ready
        settled: NDArray[Float] = new[:ready]
        return settled

    def flush(self) -> NDArray[Float]:
        """Remainder of the last window, which ended with the signal."""
        return self._tail


def starts(length: int, window: int, overlap: int) -> NDArray[np.intp]:
    """First samples of the windows that cover ``length`` samples, ``window - overlap`` apart.

    The last window is moved back to end with the signal, so that all hold true samples only; in a
    signal shorter than a window the only one begins before it.

    Raises:
        ValueError: no samples, or an overlap that is negative or not less than a window.
    """
    if length < 1:
        raise ValueError("a signal without samples has no windows")
    ends = Framing.overlapping(window, overlap).ends(0, length - 1)
    return np.concatenate([ends, [length]], dtype=np.intp) - window


def blend(
    batches: Iterable[NDArray[Float]], length: int, window: int, overlap: int
) -> NDArray[Float]:
    """The inverse of cutting a signal at :func:`starts`; see :class:`OverlapAdd`.

    Args:
        batches: the windows in the order of :func:`starts`, in batches (batch, window, leads) of
            any size, so that not all of them need to be in memory at once.
        length: samples of the signal.
        window: samples of a window.
        overlap: samples that consecutive windows share.

    Returns:
        (length, leads), with the dtype of the windows.

    Raises:
        ValueError: more or fewer windows than the signal has.
    """
    ends = starts(length, window, overlap) + window
    framing = Framing.overlapping(window, overlap)
    adder: OverlapAdd[Float] | None = None
    pieces: list[NDArray[Float]] = []
    for values in (values for batch in batches for values in batch):
        if len(pieces) == len(ends):
            raise ValueError(f"more than the {len(ends)} windows of {length} samples")
        adder = adder or OverlapAdd(framing, values.shape[1], values.dtype)
        end = int(ends[len(pieces)])
        pieces.append(adder.add(values, end, last=end == length))
    if len(pieces) < len(ends):
        raise ValueError(f"{len(pieces)} windows given, {length} samples have {len(ends)}")
    return np.concatenate(pieces)
