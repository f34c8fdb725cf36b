"""Real recordings with calibrated noise: records 118e* and 119e* of the noise database.

Each is a clean recording to which the noise ``em`` was added from 5:00 on, for every second two
minutes (5-7, 9-11, …), so that the record of the highest SNR (``e24``) is a nearly clean copy of
the others. The added noise is that of ``em`` at the same time: what lies in its first 15 min is
training noise. Only the segments after that are scored; as em is a loop, they repeat noise of the
first 15 min (docs/nstdb.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.evaluation.metrics import rmse, snr
from ipmdae.methods import Method
from ipmdae.recording import Recording

_FIRST_NOISE, _PERIOD, _LENGTH = 300, 240, 120  # s
_TRAINING_NOISE_ENDS = 15 * 60  # s
_WINDOW = 10  # s


@dataclass(frozen=True)
class Improvement:
    """SNR (dB, without DC) and RMSE (mV) relative to the clean record, per window of 10 s and lead.

    ``kept`` is the SNR of the cleaned to the given signal where no noise was added: how little a
    clean recording is changed.
    """

    leads: tuple[str, ...]
    snr_before: NDArray[np.float64]
    snr_after: NDArray[np.float64]
    rmse_before: NDArray[np.float64]
    rmse_after: NDArray[np.float64]
    kept: NDArray[np.float64]


def improvement(folder: Path, method: Method, noisy: str, clean_record: str) -> Improvement:
    """Denoise a noisy record and compare it with the clean one where noise was added.

    Raises:
        DatasetNotFoundError: one of the records is not in ``folder``.
        ValueError: the records are too short to hold such a segment.
    """
    recordings = [_read(folder, name) for name in (noisy, clean_record)]
    cleaned = method.clean(recordings[0]).recording
    fs, duration = recordings[0].fs, recordings[0].duration
    given, clean, result = (r.signal for r in (*recordings, cleaned))
    loud = list(noisy_segments(duration))
    quiet = [(stop, stop + _LENGTH) for _, stop in loud if stop + _LENGTH <= duration]
    if not quiet:
        raise ValueError(f"{noisy} holds no noise after its first 15 min, or nothing behind it")
    before, after = (_by_lead(signal, clean, fs, loud) for signal in (given, result))
    return Improvement(
        recordings[0].leads, before[0], after[0], before[1], after[1],
        _by_lead(result, given, fs, quiet)[0],
    )  # fmt: skip


def noisy_segments(duration: float) -> Iterator[tuple[float, float]]:
    """Start and end in s of the noisy segments whose noise is from after the first 15 min."""
    start = _FIRST_NOISE
    while start + _WINDOW <= duration:
        if start >= _TRAINING_NOISE_ENDS:
            yield start, min(start + _LENGTH, duration)
        start += _PERIOD


def _by_lead(
    signal: NDArray[np.float64],
    clean: NDArray[np.float64],
    fs: float,
    where: list[tuple[float, float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SNR and RMSE, each (windows, leads)."""
    x, y = (_windows(values, fs, where) for values in (clean, signal))
    single = [(x[..., i : i + 1], y[..., i : i + 1]) for i in range(x.shape[2])]
    return (
        np.stack([snr(a, b, centred=True) for a, b in single], axis=1),
        np.stack([rmse(a, b, centred=True) for a, b in single], axis=1),
    )


def _windows(
    signal: NDArray[np.float64], fs: float, where: list[tuple[float, float]]
) -> NDArray[np.float64]:
    """Complete windows of the segments, (windows, time, leads)."""
    samples = round(_WINDOW * fs)
    pieces = []
    for start, stop in where:
        first, count = round(start * fs), int((stop - start) // _WINDOW)
        segment = signal[first : first + count * samples]
        pieces.append(segment.reshape(count, samples, signal.shape[1]))
    return np.concatenate(pieces)


def _read(folder: Path, name: str) -> Recording:
    if not (folder / f"{name}.hea").is_file():
        raise DatasetNotFoundError("nstdb", folder)
    return formats.read(folder / name, annotations=False)
