"""Baseline by two running medians, subtracted.

P. de Chazal, M. O'Dwyer, R. B. Reilly, "Automatic classification of heartbeats using ECG morphology
and heartbeat interval features", IEEE Transactions on Biomedical Engineering 51(7), 2004: a median
over 200 ms removes P waves and QRS complexes, one over 600 ms the T waves; the rest is baseline.
"""

from __future__ import annotations

from scipy.ndimage import median_filter

from ipmdae.classical import Signal, with_margins

_SPANS = (0.2, 0.6)  # s


class MedianBaseline:
    """Subtracts the running median of the running median; margins as long as both spans."""

    def denoise(self, x: Signal, fs: float) -> Signal:
        return x - with_margins(lambda y: _baseline(y, fs), x, round(sum(_SPANS) * fs))


def _baseline(x: Signal, fs: float) -> Signal:
    for span in _SPANS:
        x = median_filter(x, 2 * round(span * fs / 2) + 1)
    return x


METHODS = {"median": MedianBaseline}
