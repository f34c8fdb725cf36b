"""Metrics of denoising, one value per window.

All take ``clean`` and ``estimate`` of shape (windows, time, leads), any unit, and return float64
values (windows,). Powers and distances run over time and leads together, as in the paper's public
implementation. With ``centred`` both signals first lose their mean over time, lead by lead: what
remains is the shape. On windows scaled to [0, 1] the mean is most of the power,
and a metric that counts it flatters every method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.floating]
Values = NDArray[np.float64]

_TINY = 1e-12


def snr(clean: Signal, estimate: Signal, *, centred: bool = False) -> Values:
    """Signal-to-noise ratio 10 log10(mean x² / mean (x - y)²), dB."""
    x, y = _prepared(clean, estimate, centred)
    return 10 * np.log10((_power(x) + _TINY) / (_power(x - y) + _TINY))


def rmse(clean: Signal, estimate: Signal, *, centred: bool = False) -> Values:
    """Root mean squared error √(mean (x - y)²), in the unit of the signals."""
    x, y = _prepared(clean, estimate, centred)
    return np.sqrt(_power(x - y))


def prd(clean: Signal, estimate: Signal, *, centred: bool = False) -> Values:
    """Percentage root-mean-square difference 100 √(Σ (x - y)² / Σ x²), %."""
    x, y = _prepared(clean, estimate, centred)
    return 100 * np.sqrt(_power(x - y) / (_power(x) + _TINY))


def cosine_similarity(clean: Signal, estimate: Signal, *, centred: bool = False) -> Values:
    """Cosine Σ x y / (‖x‖ ‖y‖) over time, mean over leads; a flat lead counts as 0.

    Centred, it is Pearson's correlation coefficient.
    """
    x, y = _prepared(clean, estimate, centred)
    norms = np.sqrt(np.sum(x**2, axis=1) * np.sum(y**2, axis=1))
    cosine: Values = (np.sum(x * y, axis=1) / np.maximum(norms, _TINY)).mean(axis=1)
    return cosine


def ssd(clean: Signal, estimate: Signal) -> Values:
    """Sum of squared distances Σ (x - y)², in the unit squared."""
    x, y = _prepared(clean, estimate, centred=False)
    distance: Values = np.sum((x - y) ** 2, axis=(1, 2))
    return distance


def mad(clean: Signal, estimate: Signal) -> Values:
    """Maximum absolute distance max |x - y|, in the unit of the signals.

    The name is that of the ECG compression literature; it is not a mean absolute deviation.
    """
    x, y = _prepared(clean, estimate, centred=False)
    distance: Values = np.abs(x - y).max(axis=(1, 2))
    return distance


def prd_deepfilter(clean: Signal, estimate: Signal, mean: float) -> Values:
    """PRD as the DeepFilter benchmark computes it: 100 √(Σ (x - y)² / Σ (y - m)²), %.

    The denominator holds the estimate y, not the clean signal x, and m is the ``mean`` over all
    samples of all clean test windows. It is not a standard PRD (see :func:`prd`): scaling an
    estimate up lowers it.
    """
    x, y = _prepared(clean, estimate, centred=False)
    return 100 * np.sqrt(_power(x - y) / (_power(y - mean) + _TINY))


def snr_improvement(
    clean: Signal, noisy: Signal, estimate: Signal, *, centred: bool = False
) -> Values:
    """SNR of ``estimate`` less that of ``noisy``, dB."""
    return snr(clean, estimate, centred=centred) - snr(clean, noisy, centred=centred)


Metric = Callable[..., Values]

METRICS: Mapping[str, Metric] = {
    "SNR (dB)": snr,
    "RMSE": rmse,
    "CosSim": cosine_similarity,
    "PRD (%)": prd,
}


def _prepared(clean: Signal, estimate: Signal, centred: bool) -> tuple[Values, Values]:
    if clean.shape != estimate.shape or clean.ndim != 3:
        raise ValueError(
            "expected two arrays of one shape (windows, time, leads), got "
            f"{clean.shape} and {estimate.shape}"
        )
    x, y = clean.astype(np.float64), estimate.astype(np.float64)
    if centred:
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return x, y


def _power(x: Values) -> Values:
    power: Values = np.mean(x**2, axis=(1, 2))
    return power
