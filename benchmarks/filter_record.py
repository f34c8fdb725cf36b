"""Cleans a WFDB record as a user of other packages would: ``METHOD RECORD OUT``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import wfdb  # type: ignore[import-untyped]
from numpy.typing import NDArray

Signal = NDArray[np.float64]


def neurokit(lead: Signal, fs: float) -> Signal:
    """``ecg_clean`` of NeuroKit2 as it comes."""
    import neurokit2

    return np.asarray(neurokit2.ecg_clean(lead, sampling_rate=round(fs)))


def butterworth(lead: Signal, fs: float) -> Signal:
    """Band-pass of 0.5 to 40 Hz, order 4, run both ways."""
    from scipy.signal import butter, sosfiltfilt

    cleaned: Signal = sosfiltfilt(butter(4, (0.5, 40), "bandpass", output="sos", fs=fs), lead)
    return cleaned


METHODS: dict[str, Callable[[Signal, float], Signal]] = {
    "neurokit": neurokit,
    "butterworth": butterworth,
}


def main(method: str, source: str, target: str) -> None:
    record = wfdb.rdrecord(source)
    cleaned = np.column_stack([METHODS[method](lead, record.fs) for lead in record.p_signal.T])
    out = Path(target)
    wfdb.wrsamp(
        out.name,
        fs=record.fs,
        units=record.units,
        sig_name=record.sig_name,
        p_signal=cleaned,
        fmt=["16"] * record.n_sig,
        write_dir=str(out.parent),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
