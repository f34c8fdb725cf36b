"""A recording to write and to read back, in each format that can be written."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae import formats
from ipmdae.recording import Annotations, Recording, Resolution

NAMES = (
    "x",
    "x.edf",
    "x.bdf",
    "x.csv",
    "x.tsv",
    "x.csv.gz",
    "x.npz",
    "x.mat",
    "x.parquet",
    "x.dcm",
)
LIBRARIES = {".mat": "scipy", ".parquet": "pyarrow", ".dcm": "pydicom"}
TABLES = (".csv", ".tsv", ".gz")

START = datetime(2021, 3, 4, 5, 6, 7, 250000)
MARKS = {
    "atr": Annotations(
        sample=np.array([3, 40, 40, 700]),
        symbol=("N", "V", "+", '"'),
        note=("", "couplet", "(AFIB", "a cough"),
        subtype=np.array([0, 1, 0, 0]),
        number=np.array([0, 2, 0, 0]),
    ),
    "qrs": Annotations(sample=np.array([5]), symbol=("N",)),
}
PATIENT = {"patient id": "P-7", "patient name": "Ada Byron", "sex": "F", "birth date": "1980-12-10"}
PATIENT |= {"technician": "Bo", "device": "Holter 3"}


def recording(samples: int = 1000, **fields: Any) -> Recording:
    """Two leads as a recorder digitised them, of 200 and of 0.819 steps per mV and µV."""
    how = (Resolution(gain=200, baseline=1024, bits=12), Resolution(gain=0.819, unit="uV"))
    digital = np.random.default_rng(1).integers(-900, 900, (samples, 2))
    signal = np.column_stack([(digital[:, 0] - 1024) / 200, digital[:, 1] / 819])
    known: dict[str, Any] = {"fs": 250, "leads": ("MLII", "V5"), "resolution": how}
    return Recording(**({"signal": signal} | known | fields))


def write(r: Recording, path: Path) -> None:
    """Write; that a table cannot hold annotations and patients is told elsewhere."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*cannot hold, and loses, (annot|metadata)")
        formats.write(r, path)
