"""Protocol clinic as a benchmark: segments denoised and scored one by one.

All measures use the middle of a segment (:data:`ipmdae.lab.protocols.clinic_test.SCORED`) and
signals less their own mean over it: the offset of a lead is arbitrary, and losing it is not an
error of shape.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import butter, periodogram, sosfiltfilt

from ipmdae.lab.evaluation import metrics
from ipmdae.lab.evaluation.benchmarks import PieceBenchmark, of_piece
from ipmdae.lab.evaluation.calibration import BAND
from ipmdae.lab.evaluation.candidates import Candidate
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.evaluation.results import Array, Result
from ipmdae.lab.protocols.clinic_test import CLEAN, CONDITIONS, FS, SCORED, Piece

UNIT = "segments"

ABOVE = ("snr_improvement_above", "snr_above")
"""The first two of :data:`MEASURES` above :data:`EDGE` Hz, without the targets' baseline wander."""

MEASURES = ("snr_improvement", "snr", *ABOVE, "rmse", "prd", "ssd", "mad", "cosine")

EDGE = 0.5
"""Hz; a Butterworth high-pass of order 4, run both ways over the whole segment."""

COVERED = "covered"
"""Share of the samples within the predicted 95 % band; NaN without uncertainty."""

BANDS = {"low": (0.0, 0.67), "middle": (0.67, 40.0), "high": (40.0, 100.0)}
"""Hz: baseline wander, monitoring bandwidth, and above it parts of the QRS and muscle noise."""

_MIDDLE = slice(*(round(second * FS) for second in SCORED))

_EXAMPLE_SNR, _EXAMPLE_SECONDS = 0.0, 4.0

BY_SNR = ("snr_improvement", "snr_improvement_above")
"""Measures that need added noise."""

CHANGED = tuple(f"changed_{band}" for band in ("all", *BANDS))
"""Relative AC distortion of clean segments, in total and per band, %."""

NAMES = {
    "snr_improvement": "SNR improvement (dB)",
    "snr": "SNR after (dB)",
    "snr_improvement_above": "SNR improvement above 0.5 Hz (dB)",
    "snr_above": "SNR after above 0.5 Hz (dB)",
    "rmse": "RMSE (mV)",
    "prd": "PRD (%)",
    "ssd": "SSD (mV²)",
    "mad": "MAD (mV)",
    "cosine": "CosSim",
}


@dataclass(frozen=True)
class ClinicBenchmark(PieceBenchmark):
    """All methods on the segments of protocol clinic.

    See :class:`ipmdae.lab.evaluation.benchmarks.Benchmark`.
    """

    def scorer(self, candidate: Candidate) -> Callable[[Piece], pd.DataFrame]:
        """Create a function that scores a segment under all conditions."""
        return partial(_score, candidate)

    def diverged(self, scores: pd.DataFrame) -> bool:
        """True if the method gave no finite signal."""
        return bool(scores["rmse"].isna().any())

    def examples(
        self, candidate: Candidate, units: Sequence[Piece], scores: pd.DataFrame
    ) -> dict[str, NDArray[Any]]:
        """Signals of a segment in the middle of the test; see :func:`_examples`."""
        return _examples(candidate, units[len(units) // 2])

    def summary(self, result: Result) -> str:
        """Mean SNR improvement over all noisy conditions."""
        gain = float(result["snr_improvement"][result["kind"] != CLEAN].mean())
        return f"SNR improvement {gain:.2f} dB"


def _score(candidate: Candidate, piece: Piece) -> pd.DataFrame:
    """Scores of a segment under all conditions."""
    noisy = piece.noisy()
    found = [candidate.clean_with_sd(x, FS) for x in noisy]
    cleaned, stated = (np.stack(part)[:, _MIDDLE] for part in zip(*found, strict=True))
    clean = np.tile(piece.clean[_MIDDLE], (len(noisy), 1))
    values = measure(clean, noisy[:, _MIDDLE], cleaned)
    high = (
        high_pass(part)[:, _MIDDLE]
        for part in (np.tile(piece.clean, (len(noisy), 1)), noisy, np.stack([y for y, _ in found]))
    )
    values |= dict(zip(ABOVE, _signal_to_noise(*high), strict=True))
    return of_piece(
        piece,
        {
            "kind": np.array([kind for kind, _ in CONDITIONS]),
            "snr_in": np.array([snr for _, snr in CONDITIONS]),
            "lead": np.repeat(piece.lead, len(CONDITIONS)),
            **values,
            COVERED: covered(clean, cleaned, stated),
        },
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


def high_pass(x: NDArray[np.floating]) -> Array:
    """High-pass signals (signals, time, ...) at :data:`EDGE`."""
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


def _examples(candidate: Candidate, piece: Piece) -> dict[str, NDArray[Any]]:
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
        "cleaned": np.stack([candidate.clean(x, FS) for x in noisy]),
    }
    return {
        "kind": np.array([CONDITIONS[i][0] for i in shown]),
        **{name: signal[:, part].astype(np.float32) for name, signal in signals.items()},
    }


def mean(
    result: Result, measure: str, kind: str | None = None, snr: float | None = None
) -> Interval:
    """Mean over records of a measure under a kind of noise at an SNR in dB, or under all noise.

    Of :data:`CHANGED` the sums over a record count.
    """
    if measure in CHANGED:
        band = measure.removeprefix("changed_")
        return changed(result, BANDS if band == "all" else [band])
    return _noisy(result, kind).mean(measure, kind=kind, snr_in=snr)


def mean_less(
    result: Result,
    other: Result | None,
    measure: str,
    kind: str | None = None,
    snr: float | None = None,
) -> Interval:
    """The same of the differences to another method on the same signals."""
    if other is None or other is result or measure in CHANGED:
        return NOWHERE
    return _noisy(result, kind).mean_less(other, measure, kind=kind, snr_in=snr)


def _noisy(result: Result, kind: str | None) -> Result:
    """The result, without clean signals where no kind of noise is chosen."""
    if kind is not None:
        return result
    return replace(result, table=result.table[result["kind"] != CLEAN])


def changed(result: Result, bands: Collection[str] = tuple(BANDS)) -> Interval:
    """Relative AC distortion in % of clean segments in some of :data:`BANDS`, mean over records."""
    if result.diverged:
        return NOWHERE
    clean = result.where(kind=CLEAN)
    names, index = np.unique(clean["record"].to_numpy(), return_inverse=True)
    change, power = (
        np.bincount(index, sum(clean[f"{of}_{band}"].to_numpy() for band in bands))
        for of in ("change", "power")
    )
    return over_records(100 * change / power, names)


def coverage(result: Result) -> Interval:
    """Coverage in % of the predicted 95 % band, over all conditions."""
    if COVERED not in result.table:
        return NOWHERE
    return over_records(100 * result[COVERED], result["record"])
