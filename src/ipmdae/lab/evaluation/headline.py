"""Key figures of a method from its stored results, for model cards and goals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.lab.evaluation.benchmark import Array, Result, in_common, load
from ipmdae.lab.evaluation.clinic import scores
from ipmdae.lab.evaluation.clinic.scoring import BANDS, COVERED
from ipmdae.lab.evaluation.clinical import waves
from ipmdae.lab.evaluation.clinical.detectors import DETECTORS
from ipmdae.lab.evaluation.clinical.rows import select
from ipmdae.lab.evaluation.intervals import NOWHERE, Interval, over_records
from ipmdae.lab.protocols.clinic_test import CLEAN


def find(results: Path, protocol: str, method: str, version: str = "") -> Result | None:
    """Load the stored result of a method; None if there is none.

    Args:
        results: folder with one folder of stored results per benchmark.
        protocol: name of the benchmark.
        method: name of the result.
        version: required SHA-256 of the weights, if known.

    Raises:
        ValueError: it belongs to other weights, covers part of the test, or the method diverged;
            the message names the command to run.
    """
    path = results / protocol / f"{method}.npz"
    if not path.is_file():
        return None
    result = load(path)
    again = f"run: ipmdae benchmark run --protocol {protocol} --methods {method}"
    if version and result.version != version:
        raise ValueError(
            f"{path} is of other weights ({result.version[:12]}) than {method} has "
            f"({version[:12]}); {again}"
        )
    if result.done < result.total:
        raise ValueError(f"{path} is of {result.done} of {result.total} items; {again}")
    if result.diverged:
        raise ValueError(f"{path}: {method} diverged; fix it, then {again} --force")
    return result


def gain(result: Result, kind: str | None = None, snr: float | None = None) -> Interval:
    """SNR improvement in dB under a kind of noise at an SNR, or under all."""
    chosen = _noisy(result, kind, snr)
    return over_records(result.values["snr_improvement"][chosen], result.record[chosen])


def gain_over(
    result: Result, other: Result, kind: str | None = None, snr: float | None = None
) -> Interval:
    """Advantage in SNR improvement over another method on the same signals, dB."""
    ours, theirs = in_common(result, other)
    name = "snr_improvement"
    apart: Array = result.values[name][ours] - other.values[name][theirs]
    chosen = _noisy(result, kind, snr)[ours]
    return over_records(apart[chosen], result.record[ours][chosen])


def gain_by_record(result: Result) -> dict[str, float]:
    """Mean SNR improvement of each record under all noise, dB."""
    noisy = _noisy(result, None, None)
    gains, records = result.values["snr_improvement"][noisy], result.record[noisy]
    return {str(name): float(gains[records == name].mean()) for name in np.unique(records)}


def kept(result: Result) -> Interval:
    """SNR in dB of denoised clean leads."""
    clean = result.labels["kind"] == CLEAN
    return over_records(result.values["snr"][clean], result.record[clean])


def changed(result: Result) -> Interval:
    """Relative AC distortion in % of clean leads."""
    return over_records(*scores.changed(result, BANDS))


def covered(result: Result) -> Interval:
    """Coverage in % of the predicted 95 % band, over all conditions."""
    if COVERED not in result.values:
        return NOWHERE
    return over_records(100 * result.values[COVERED], result.record)


def st_error(result: Result, condition: str) -> float:
    """Error of the ST level in mV: median per record, mean over records."""
    errors, records = select(result, waves.ST, condition)
    medians = [np.median(np.abs(errors[records == name])) for name in np.unique(records)]
    return float(np.mean(medians)) if medians else np.nan


def qt_error(result: Result, condition: str) -> Interval:
    """Absolute error of the QT interval in ms of the beats whose ends were found."""
    errors, records = select(result, waves.QT, condition)
    return over_records(np.abs(errors), records)


def qt_error_over(result: Result, other: Result, condition: str) -> Interval:
    """Excess over the error of another method in ms, in beats that both found."""
    (ours, records), (theirs, _) = (select(r, waves.QT, condition) for r in (result, other))
    return over_records(np.abs(ours) - np.abs(theirs), records)


def beats_in_noise(result: Result, kind: str, *, trusted: bool) -> float:
    """False detections per minute in noise-only input, of the detector that finds more.

    Args:
        result: result of benchmark clinical.
        kind: kind of noise.
        trusted: count only outside of rejected seconds; NaN for a method without uncertainty.
    """
    which = "trusted" if trusted else "beats"
    found = [select(result, f"{detector} {which}", kind)[0] for detector in DETECTORS]
    return float(max(np.mean(values) if len(values) else np.nan for values in found))


def _noisy(result: Result, kind: str | None, snr: float | None) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = result.labels["kind"] != CLEAN
    if kind is not None:
        chosen = result.labels["kind"] == kind
    return chosen if snr is None else chosen & (result.labels["snr_in"] == snr)
