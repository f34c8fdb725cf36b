"""The QT Database: 105 two-lead recordings of 15 min at 250 Hz.

Laguna et al., "A database for evaluation of algorithms for measurement of QT and other waveform
intervals in the ECG", Computers in Cardiology 24, 1997; PhysioNet version 1.0.0. sele0121 and
sele0122 are of one patient, and probably sele0124 and sele0126.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import wfdb_annotations
from ipmdae.lab.data import uncalibrated
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.recording import Annotations, Recording

FOLDER = "qt-database-1.0.0"
FS = 250.0


def record_names(folder: Path) -> list[str]:
    """The names of all recordings in ``folder``, sorted.

    Raises:
        DatasetNotFoundError: there is no such folder, or no recording in it.
    """
    names = sorted(path.stem for path in folder.glob("*.hea"))
    if not names:
        raise DatasetNotFoundError("qtdb", folder)
    return names


def read(folder: Path, name: str) -> Recording:
    """One recording, in mV as it is on disk (some records sit 4 to 6 mV off zero)."""
    return uncalibrated.read(folder / name)


def read_marks(folder: Path, name: str, annotator: str) -> Annotations:
    """Annotations of a recording by one annotator, without reading the others.

    Raises:
        DatasetNotFoundError: there is no such file.
        ValueError: it is not an annotation file.
    """
    path = folder / f"{name}.{annotator}"
    if not path.is_file():
        raise DatasetNotFoundError("qtdb", folder)
    marks, _ = wfdb_annotations.decode(path.read_bytes())
    return marks


def read_centred(folder: Path, name: str) -> NDArray[np.float32]:
    """The signal of one recording, (time, leads) in mV, each lead's median subtracted.

    sel100 and others declare a baseline that is not theirs, which leaves an offset of several mV.

    Raises:
        ValueError: samples are missing, which a training target must not.
    """
    signal = uncalibrated.read(folder / name).signal
    missing = np.isnan(signal).any(axis=1).sum()
    if missing:
        raise ValueError(f"record {name} in {folder}: {missing} samples are missing, none may")
    return (signal - np.median(signal, axis=0)).astype(np.float32)


def r_peaks(folder: Path, name: str) -> NDArray[np.intp]:
    """Samples of the beats that annotator pu1 found automatically.

    Raises:
        DatasetNotFoundError: there is no such file.
    """
    marks = read_marks(folder, name, "pu1")
    beats = [at for at, symbol in zip(marks.sample, marks.symbol, strict=True) if symbol == "N"]
    return np.array(beats, np.intp)
