"""Heart rate over time and R peaks, to verify that denoising preserves the beats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.gaps import fill_gaps
from ipmdae.pipeline.resample import resample
from ipmdae.pipeline.window import MIN_SPREAD

WINDOW = 15.0
"""Seconds per heart rate: enough beats for a median."""

DETECTOR = "XQRS of wfdb"
"""Beat detector: XQRS of the ``wfdb`` package (A. Johnson, L. Bulgarelli, T. Pollard, S. Horng,
L. A. Celi, R. G. Mark)."""

_FS = 250.0
"""Sampling rate in Hz at which the detector runs: its filters have fixed numbers of samples, so
that it misses beats at high rates."""

_REFRACTORY = 0.19
"""Shortest interval in s between two beats. The detector's own 0.2 s halves a rate of 300 a minute.
Of the detections in the MIT-BIH Arrhythmia Database, 0.02 % more are false; 0.08 % with 0.18 s."""

_DETECTIONS = 240
"""Largest number of windows for beat detection, over all leads: it is slower than denoising."""
_MOST, _LEAST = 48, 1  # windows of a lead, evenly spaced over longer recordings
_PIECE, _OVERLAP = 300.0, 10.0  # s: long signals are searched in chunks that overlap
_REACH = 0.06  # s around a detection that contain its R peak


@dataclass(frozen=True, kw_only=True, eq=False)
class HeartRates:
    """Heart rates at several positions of a recording.

    Attributes:
        times: (places,) start of each window of :data:`WINDOW`, s.
        before, after: (places, leads) in beats per minute; NaN if not measurable, and all of
            ``after`` without a denoised recording.
    """

    times: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


class HeartRateMeter:
    """Measures the heart rate of each lead in windows spread over a recording, in one pass."""

    def __init__(self, duration: float, fs: float, leads: int) -> None:
        """Begin a recording of ``duration`` s at ``fs`` Hz."""
        self._fs = fs
        self._times = windows(duration, leads)
        self._before = np.full((len(self._times), leads), np.nan)
        self._after = self._before.copy()

    def add(
        self, first: int, before: NDArray[np.float64], after: NDArray[np.float64] | None
    ) -> None:
        """Measure the windows that begin in a chunk (time, leads) whose first sample is ``first``.

        A window that extends beyond the chunk is measured as far as available.
        """
        stop = first + len(before)
        begins = np.rint(self._times * self._fs).astype(int)
        length = round(WINDOW * self._fs)
        for place in np.flatnonzero((begins >= first) & (begins < stop)):
            window = slice(begins[place] - first, begins[place] - first + length)
            for signal, rates in ((before, self._before), (after, self._after)):
                if signal is not None:
                    rates[place] = [heart_rate(lead, self._fs) for lead in signal[window].T]

    def rates(self) -> HeartRates:
        """Results, after the last sample."""
        return HeartRates(times=self._times, before=self._before, after=self._after)


def windows(duration: float, leads: int = 1) -> NDArray[np.float64]:
    """Start times of the windows, in s, in a recording of ``duration`` s with so many leads."""
    count = max(int(duration // WINDOW), 1)
    most = min(max(_DETECTIONS // leads, _LEAST), _MOST)
    times: NDArray[np.float64] = np.linspace(0, count - 1, min(count, most)).round() * WINDOW
    return times


def heart_rate(signal: NDArray[np.float64], fs: float) -> float:
    """Heart rate of a segment of one lead: 60 s over the median distance of its beats.

    Args:
        signal: (time,) in mV; NaN is a missing sample.
        fs: sampling rate in Hz.

    Returns:
        Beats per minute; NaN where there are less than three beats, more than half is missing, or
        the lead is flat.
    """
    beats = detect_beats(signal, fs)
    return 60 * fs / float(np.median(np.diff(beats))) if len(beats) > 2 else float("nan")


def detect_beats(signal: NDArray[np.float64], fs: float) -> NDArray[np.int64]:
    """Positions of the beats that :data:`DETECTOR` finds in one lead.

    Args:
        signal: (time,) in mV; NaN is a missing sample.
        fs: sampling rate in Hz.

    Returns:
        (beats,) sample indices, ascending; empty if more than half is missing or the lead is flat.
    """
    nothing = np.zeros(0, np.int64)
    missing = np.isnan(signal).mean() if len(signal) else 1.0
    if missing > 0.5 or np.nanmax(signal) - np.nanmin(signal) <= MIN_SPREAD:
        return nothing
    from wfdb.processing import XQRS  # type: ignore[import-untyped]  # slow to import

    filled = resample(fill_gaps(signal[:, None])[:, 0], fs, _FS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            limits = XQRS.Conf(hr_max=60 / _REFRACTORY, ref_period=_REFRACTORY)
            detector = XQRS(sig=filled, fs=_FS, conf=limits)
            detector.detect(verbose=False)
        except (ValueError, IndexError):  # how it fails on signals too short for its filters
            return nothing
    beats = np.rint(np.asarray(detector.qrs_inds) * (fs / _FS)).astype(np.int64)
    return np.sort(np.minimum(beats, len(signal) - 1))


def r_peaks(
    read: Callable[[int, int], NDArray[np.float64]], samples: int, fs: float
) -> NDArray[np.int64]:
    """R peaks of one lead of any length, which is read in chunks of 5 min.

    Args:
        read: the samples (time,) in mV from the first to the second index (not included).
        samples: number of samples.
        fs: sampling rate in Hz.

    Returns:
        (beats,) sample indices, ascending: the extreme value within 60 ms of each detected beat, on
        the side on which most beats of the chunk have it.
    """
    length, overlap = round(_PIECE * fs), round(_OVERLAP * fs)
    found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for first in range(0, samples, length):
        begin, stop = max(first - overlap, 0), min(first + length + overlap, samples)
        signal = read(begin, stop)
        peaks = begin + _refined(signal, detect_beats(signal, fs), fs)
        found.append(peaks[(peaks >= first) & (peaks < first + length)])
    return np.unique(np.concatenate(found))


def _refined(signal: NDArray[np.float64], beats: NDArray[np.int64], fs: float) -> NDArray[np.int64]:
    """Move detected beats to the extreme values nearby."""
    if not len(beats):
        return beats
    reach = max(round(_REACH * fs), 1)
    around = np.clip(beats[:, None] + np.arange(-reach, reach + 1), 0, len(signal) - 1)
    values = np.nan_to_num(signal[around] - np.nanmedian(signal))
    upright = np.median(values.max(1) + values.min(1)) >= 0
    at = (values if upright else -values).argmax(1)
    return np.unique(around[np.arange(len(beats)), at])
