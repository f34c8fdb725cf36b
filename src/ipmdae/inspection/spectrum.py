"""Power spectra of signals of any length, and power per band, accumulated in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ipmdae.pipeline.gaps import fill_gaps
from ipmdae.seconds import over_known

BANDS = (
    ("baseline, below 0.7 Hz", 0.0, 0.7),
    ("slow waves, 0.7 to 5 Hz", 0.7, 5.0),
    ("QRS, 5 to 25 Hz", 5.0, 25.0),
    ("muscle, 25 to 100 Hz", 25.0, 100.0),
    ("above 100 Hz", 100.0, np.inf),
)
"""Name, lowest and highest (not included) frequency in Hz of the bands."""

_SEGMENT = 8.0  # s: a resolution of 0.125 Hz
_MISSING = 0.01  # share of a segment
_LONG = 3600.0  # s: longer recordings have enough segments without overlap
_HUM = 10.0  # smallest ratio of a line's power density to the spectrum around it
_MIN_HUM = 0.005  # mV RMS: detection limit


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Power of leads over frequency.

    Attributes:
        frequencies: (bins,) in Hz.
        density: (bins, leads) in mV²/Hz; NaN for a lead without a complete segment.
    """

    frequencies: NDArray[np.float64]
    density: NDArray[np.float64]

    def rms(self, low: float, high: float) -> NDArray[np.float64]:
        """RMS in mV of each lead from ``low`` to ``high`` Hz (not included); 0 beyond half fs."""
        inside = (self.frequencies >= low) & (self.frequencies < high)
        power = self.density[inside].sum(0) * self.frequencies[1]
        rms: NDArray[np.float64] = np.sqrt(power)
        return rms

    def hum(self, mains: float) -> NDArray[np.float64]:
        """RMS in mV of the powerline interference at ``mains`` Hz in each lead; 0 if not detected.

        Signals too short to resolve it give 0.
        """
        distance = np.abs(self.frequencies - mains)
        line, around = distance <= 0.5, (distance > 1) & (distance <= 5)
        if mains + 1 > self.frequencies[-1] or not (line.any() and around.any()):
            return np.zeros(self.density.shape[1])
        floor = np.median(self.density[around], axis=0)
        power = (self.density[line] - floor).sum(0) * self.frequencies[1]
        rms = np.sqrt(np.maximum(power, 0))
        stands_out = (self.density[line].max(0) > _HUM * floor) & (rms >= _MIN_HUM)
        return np.where(stands_out, rms, 0.0)


class SpectrumGatherer:
    """Averages the spectra of segments of 8 s (Welch's method), each under a Hann window.

    Segments of recordings of up to an hour overlap by half within a chunk. Segments of which more
    than 1 % is missing are left out, lead by lead; shorter gaps are interpolated. A shorter signal
    is one segment. The constant offset, that of the first chunk, is subtracted, since it would mask
    the lowest frequencies.
    """

    def __init__(self, fs: float, leads: int, samples: int) -> None:
        """Begin a signal.

        Args:
            fs: sampling rate in Hz.
            leads: number of leads.
            samples: number of samples of the recording.
        """
        self._length = max(min(round(_SEGMENT * fs), samples), 2)
        self._step = max(self._length if samples > _LONG * fs else self._length // 2, 1)
        self._window = np.hanning(self._length + 1)[:-1]
        self._frequencies = np.fft.rfftfreq(self._length, 1 / fs).astype(np.float64)
        self._total = np.zeros((leads, len(self._frequencies)))
        self._count = np.zeros(leads, int)
        self._scale = np.full(len(self._frequencies), 1 / (fs * np.square(self._window).sum()))
        self._scale[1 : (self._length + 1) // 2] *= 2  # negative frequencies have the same power
        self._offset: NDArray[np.float64] | None = None

    def add(self, signal: NDArray[np.floating[Any]]) -> None:
        """Add the next chunk: (time, leads) in mV, NaN where missing."""
        if self._offset is None:
            self._offset = np.nan_to_num(over_known(np.nanmedian, signal.astype(np.float64)))
        if len(signal) < self._length:
            return
        filled = fill_gaps(signal - self._offset)
        for lead, known in enumerate(np.isfinite(signal).T):
            segments = self._segments(filled[:, lead])
            whole = self._segments(known).mean(axis=1) >= 1 - _MISSING
            transformed = np.fft.rfft(segments[whole] * self._window)
            self._total[lead] += (np.square(transformed.real) + np.square(transformed.imag)).sum(0)
            self._count[lead] += whole.sum()

    def _segments(self, values: NDArray[Any]) -> NDArray[Any]:
        """Segments (segments, samples) of a chunk of one lead."""
        return sliding_window_view(np.ascontiguousarray(values), self._length)[:: self._step]

    def spectrum(self) -> Spectrum:
        """Average over all segments."""
        counted = np.where(self._count, self._count, np.nan)
        density = (self._total * self._scale).T / counted
        return Spectrum(frequencies=self._frequencies, density=density)
