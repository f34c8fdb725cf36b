"""R peaks of a denoised recording, written next to it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.files import replacing
from ipmdae.formats import SignalReader
from ipmdae.formats.wfdb_annotations import encode
from ipmdae.inspection.heart_rate import r_peaks
from ipmdae.inspection.verdict import Verdict
from ipmdae.recording import Annotations

TABLE = ".rpeaks.csv"
"""Suffix of a table of R peaks."""

_ANNOTATOR = ".rpeaks"


def peaks_of(target: Path) -> Path:
    """Path of the R peaks of a result: for WFDB an annotation file, otherwise a table."""
    if target.suffix in ("", ".hea", ".dat"):
        stem = target.with_suffix("")
        return stem.with_name(stem.name + _ANNOTATOR)
    name = target.name.removesuffix(".gz")
    return target.with_name(f"{Path(name).stem}{TABLE}")


def write_peaks(path: Path, target: Path, verdicts: Sequence[Verdict]) -> tuple[str, int]:
    """Find the R peaks of the lead with the largest good share, and write them.

    A table has one row per peak: its sample, its time in s, and the RR interval before it in s.

    Args:
        path: file to write, from :func:`peaks_of`.
        target: the denoised recording.
        verdicts: verdict on each of its leads.

    Returns:
        Name of the lead, and number of peaks.

    Raises:
        ValueError: no lead is a voltage.
        OSError: the file cannot be written.
    """
    judged = [i for i, verdict in enumerate(verdicts) if verdict.judged]
    if not judged:
        raise ValueError("no lead is a voltage: there are no R peaks")
    best = max(judged, key=lambda i: (not verdicts[i].why, verdicts[i].good, verdicts[i].readable))
    with formats.open_reader(target) as reader:
        peaks = r_peaks(_lead(reader, best), reader.info.samples, reader.info.fs)
        fs = reader.info.fs
    with replacing(path) as aside:
        if path.suffix == _ANNOTATOR:
            marks = Annotations(
                sample=peaks, symbol=("N",) * len(peaks), channel=np.full(len(peaks), best)
            )
            aside.write_bytes(encode(marks))
        else:
            _write_table(aside, peaks / fs, peaks)
    return verdicts[best].lead, len(peaks)


def _lead(reader: SignalReader, lead: int) -> Callable[[int, int], NDArray[np.float64]]:
    def read(first: int, stop: int) -> NDArray[np.float64]:
        return reader.read(first, stop)[:, lead]

    return read


def _write_table(path: Path, times: NDArray[np.float64], peaks: NDArray[np.int64]) -> None:
    intervals = np.diff(times, prepend=np.nan)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sample", "time (s)", "RR (s)"])
        for peak, time, interval in zip(peaks.tolist(), times, intervals, strict=True):
            rows.writerow([peak, f"{time:.4f}", "" if isnan(interval) else f"{interval:.4f}"])
