"""The segments of protocol clinic denoised by a method and scored individually.

All measures use the middle of a segment (:data:`ipmdae.lab.protocols.clinic_test.SCORED`) and
signals less their own mean over it: the offset of a lead is arbitrary, and losing it is not an
error of shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, periodogram, sosfiltfilt

from ipmdae.lab.evaluation import metrics
from ipmdae.lab.evaluation.benchmark import Array, Result
from ipmdae.lab.evaluation.calibration import BAND
from ipmdae.lab.evaluation.subject_benchmark import PieceBenchmark, Scores, of_piece
from ipmdae.lab.evaluation.subjects import Subject
from ipmdae.lab.protocols.clinic_test import CLEAN, CONDITIONS, FS, SCORED, Piece

ABOVE = ("snr_improvement_above", "snr_above")
"""The first two of :data:`MEASURES` above :data:`EDGE` Hz, without the targets' baseline wander."""

MEASURES = ("snr_improvement", "snr", *ABOVE, "rmse", "prd", "ssd", "mad", "cosine")

EDGE = 0.5
"""Hz; a Butterworth high-pass of order 4, run both ways over the whole segment."""

COVERED = "covered"
"""Share of the samples within the predicted 95 % band; NaN without uncertainty."""

BANDS = {"low": (0.0, 0.67), "middle": (0.67, 40.0), "high": (40.0, 100.0)}
"""Hz: baseline wander, monitoring bandwidth, and above it parts of the QRS and muscle noise."""

SPECTRA = tuple(f"{of}_{band}" for of in ("power", "change") for band in BANDS)
"""Measured without added noise: power of the segment and of the change, in mV²."""

_MIDDLE = slice(*(round(second * FS) for second in SCORED))
_EXAMPLE_SNR, _EXAMPLE_SECONDS = 0.0, 4.0


@dataclass(frozen=True)
class ClinicBenchmark(PieceBenchmark):
    """All methods on the segments of protocol clinic; see
    :class:`ipmdae.lab.evaluation.benchmark.Benchmark`.
    """

    def scorer(self, subject: Subject) -> Callable[[Piece], Scores]:
        """Create a function that scores a segment under all conditions."""
        return partial(_score, subject)

    def examples(self, subject: Subject, units: Sequence[Piece]) -> dict[str, NDArray[Any]]:
        """Signals of a segment in the middle of the test; see :func:`_examples`."""
        return _examples(subject, units[len(units) // 2])

    def summary(self, result: Result) -> str:
        """Mean SNR improvement over all noisy conditions."""
        noisy = result.labels["kind"] != CLEAN
        gain = float(result.values["snr_improvement"][noisy].mean())
        return f"SNR improvement {gain:.2f} dB"


def _score(subject: Subject, piece: Piece) -> Scores:
    """Scores of a segment under all conditions."""
    noisy = piece.noisy()
    found = [subject.clean_with_spread(x, FS) for x in noisy]
    cleaned, stated = (np.stack(part)[:, _MIDDLE] for part in zip(*found, strict=True))
    clean = np.tile(piece.clean[_MIDDLE], (len(noisy), 1))
    values = measure(clean, noisy[:, _MIDDLE], cleaned)
    high = (
        _high_pass(part)[:, _MIDDLE]
        for part in (np.tile(piece.clean, (len(noisy), 1)), noisy, np.stack([y for y, _ in found]))
    )
    values |= dict(zip(ABOVE, _signal_to_noise(*high), strict=True))
    return of_piece(
        piece,
        labels={
            "kind": np.array([kind for kind, _ in CONDITIONS]),
            "snr_in": np.array([snr for _, snr in CONDITIONS]),
            "lead": np.repeat(piece.lead, len(CONDITIONS)),
        },
        values={**values, COVERED: covered(clean, cleaned, stated)},
        diverged=bool(np.isnan(values["rmse"]).any()),
    )


def covered(clean: Array, cleaned: Array, stated: Array) -> Array:
    """Share of the samples whose error is within the predicted 95 % band.

    Args:
        clean: (conditions, time) in mV.
        cleaned: the same; its error is taken less its mean, as for all measures.
        stated: predicted standard deviation of the error in mV; NaN without uncertainty.

    Returns:
        (conditions,); NaN without uncertainty.
    """
    error = cleaned - clean
    ratio = np.abs(error - error.mean(axis=1, keepdims=True)) / stated
    return np.where(np.isnan(ratio).any(axis=1), np.nan, (ratio <= BAND).mean(axis=1))


def measure(clean: Array, noisy: Array, cleaned: Array) -> dict[str, Array]:
    """All measures of signals (conditions, time) in mV, the order of :data:`CONDITIONS`."""
    x, z, y = (part - part.mean(axis=1, keepdims=True) for part in (clean, noisy, cleaned))
    improvement, after = _signal_to_noise(x, z, y)
    x, z, y = (part[..., np.newaxis] for part in (x, z, y))
    added = _added()
    values = {
        "snr_improvement": improvement,
        "snr": after,
        "rmse": metrics.rmse(x, y),
        "prd": metrics.prd(x, y),
        "ssd": metrics.ssd(x, y),
        "mad": metrics.mad(x, y),
        "cosine": metrics.cosine_similarity(x, y),
    }
    for of, signal in (("power", x), ("change", y - x)):
        for band, power in band_powers(signal[..., 0]).items():
            values[f"{of}_{band}"] = np.where(added, np.nan, power)
    return values


def _signal_to_noise(clean: Array, noisy: Array, cleaned: Array) -> tuple[Array, Array]:
    """SNR improvement, NaN without added noise, and output SNR, (conditions,) in dB."""
    x, z, y = (part[..., np.newaxis] for part in (clean, noisy, cleaned))
    return np.where(_added(), metrics.snr_improvement(x, z, y), np.nan), metrics.snr(x, y)


def _added() -> NDArray[np.bool_]:
    """Mask of the conditions with added noise, (conditions,)."""
    return np.array([kind != CLEAN for kind, _ in CONDITIONS])


def _high_pass(x: Array) -> Array:
    """High-pass signals (signals, time) at :data:`EDGE`."""
    sections = butter(4, EDGE, "highpass", output="sos", fs=FS)
    filtered: Array = sosfiltfilt(sections, x, axis=1)
    return filtered


def band_powers(x: Array) -> dict[str, Array]:
    """Power of signals (signals, time) in each of :data:`BANDS`, (signals,) in mV².

    By the periodogram with a Hann window, which keeps baseline wander out of the other bands.
    """
    frequency, density = periodogram(x, FS, "hann", axis=1)
    return {
        band: density[:, (frequency >= low) & (frequency < high)].sum(axis=1) * frequency[1]
        for band, (low, high) in BANDS.items()
    }


def _examples(subject: Subject, piece: Piece) -> dict[str, NDArray[Any]]:
    """A segment with each kind of noise at 0 dB, a few seconds of its middle.

    Returns:
        ``kind`` (kinds,); ``clean``, ``noisy``, ``cleaned`` (kinds, time), float32, in mV.
    """
    shown = [i for i, (_, snr) in enumerate(CONDITIONS) if snr == _EXAMPLE_SNR]
    part = slice(_MIDDLE.start, _MIDDLE.start + round(_EXAMPLE_SECONDS * FS))
    noisy = piece.noisy()[shown]
    signals = {
        "clean": np.tile(piece.clean, (len(shown), 1)),
        "noisy": noisy,
        "cleaned": np.stack([subject.clean(x, FS) for x in noisy]),
    }
    return {
        "kind": np.array([CONDITIONS[i][0] for i in shown]),
        **{name: signal[:, part].astype(np.float32) for name, signal in signals.items()},
    }
