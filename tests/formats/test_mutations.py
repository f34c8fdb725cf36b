"""Broken files of every format: whatever the bytes, a reader reads or refuses, and in time.

A few inputs of each; ``python -m tools.fuzz`` tries many.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from clinical_files import FILES as CLINICAL
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from recorder_files import acq, xdf, xdf_marks, xdf_samples, xdf_stream

from ipmdae import formats
from ipmdae.recording import Annotations, Recording, Resolution

pytestmark = pytest.mark.usefixtures("in_this_process")

WRITTEN = "x.edf x.bdf x.csv x.csv.gz x.npy x.npz x.mat x.parquet x.dcm x.json x.wav".split()
LIBRARIES = {
    ".mat": "scipy",
    ".h5": "h5py",
    ".parquet": "pyarrow",
    ".dcm": "pydicom",
    ".ecg": "ecgdatakit",
    ".xml": "ecgdatakit",
    ".scp": "ecgdatakit",
    ".mwf": "ecgdatakit",
    ".acq": "bioread",
    ".xdf": "pyxdf",
}


def recorder_acq(digital: Digital) -> bytes:
    return acq([("ECG", "mV", digital[:, 0], 1, 0.005), ("x", "V", digital[:9, 1], 2, 0.1)])


def recorder_xdf(digital: Digital) -> bytes:
    times = np.arange(len(digital)) / 250
    head = xdf_stream(1, "ECG", "ECG", 2, 250)
    marks = xdf_marks(2, "Events", [(0.01, "go")])
    return xdf(head, xdf_samples(1, digital.astype(np.float32), times), marks)


FILES = CLINICAL | {"x.acq": recorder_acq, "x.xdf": recorder_xdf}

Digital = NDArray[np.int16]
Change = Callable[[bytes], bytes]


@cache
def seed(name: str) -> bytes:
    """A small valid file."""
    if name in FILES:
        return FILES[name](np.arange(60, dtype=np.int16).reshape(30, 2))
    marks = Annotations(sample=np.array([3, 9]), symbol=("N", '"'), note=("", "a note"))
    r = Recording(
        signal=np.arange(60).reshape(30, 2) / 200,
        fs=250,
        leads=("I", "V5"),
        start=datetime(2020, 1, 2, 3, 4, 5, 500000),
        resolution=(Resolution(gain=200), None),
        annotations={"atr": marks},
        metadata={"patient id": "7"},
        comments=("made up",),
    )
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formats.write(r, Path(folder, name))
        return Path(folder, name).read_bytes()


position = st.integers(0, 1 << 16)
flips = st.tuples(position, st.integers(0, 255)).map(
    lambda p: lambda data: data[: p[0] % len(data)] + bytes([p[1]]) + data[p[0] % len(data) + 1 :]
)
cuts = position.map(lambda p: lambda data: data[: p % len(data)])
inserts = st.tuples(position, st.binary(min_size=1, max_size=8)).map(
    lambda p: lambda data: data[: p[0] % len(data)] + p[1] + data[p[0] % len(data) :]
)
deletions = st.tuples(position, st.integers(1, 64)).map(
    lambda p: lambda data: data[: p[0] % len(data)] + data[p[0] % len(data) + p[1] :]
)
overwrites = st.tuples(
    position, st.sampled_from([b"\xff" * 4, b"\x00" * 8, b"\x7f\xff\xff\xff", b"99999999", b"-1"])
).map(lambda p: lambda data: data[: p[0] % len(data)] + p[1] + data[p[0] % len(data) + len(p[1]) :])
changes = st.lists(st.one_of(flips, cuts, inserts, deletions, overwrites), min_size=1, max_size=4)


def read(path: Path) -> None:
    """Read a file in both ways; what is read is a recording, what is not is refused in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for action in (formats.read, read_in_blocks):
            try:
                action(path)
            except (formats.FormatError, FileNotFoundError, ModuleNotFoundError) as error:
                assert "\n" not in str(error)
                assert path.name in str(error)
                assert len(str(error)) < 700


def read_in_blocks(path: Path) -> None:
    """The first samples, the last, and what lies before."""
    with formats.open_reader(path, fs=250) as reader:
        stop = reader.info.samples
        reader.read(0, min(stop, 7))
        reader.read(max(stop - 5, 0), stop)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRITTEN, *FILES])
@given(st.data())
@settings(
    deadline=10_000, max_examples=20, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_broken_files_are_read_or_refused(tmp_path: Path, name: str, data: st.DataObject) -> None:
    pytest.importorskip(LIBRARIES.get(Path(name).suffix, "numpy"))
    content = seed(name)
    for change in data.draw(changes):
        content = change(content) or b"\0"
    path = tmp_path / f"x{''.join(Path(name).suffixes)}"
    path.write_bytes(content)
    read(path)


@pytest.mark.parametrize("suffix", sorted({"".join(Path(n).suffixes) for n in (*WRITTEN, *FILES)}))
@given(st.binary(max_size=300))
@example(b"")
@example(b"\x1f\x8b\x08\x00")
@example(b"PK\x05\x06" + b"\0" * 18)
@example(b"MATLAB 5.0 MAT-file".ljust(126) + b"MI")
@example(b"MATLAB 7.3 MAT-file".ljust(126) + b"IM" + b"\0" * 400)
@example(b"PAR1\0\0\0\0PAR1")
@example(b"\0" * 128 + b"DICM")
@example(b"ISHNE1.0" + b"\xff" * 600)
@example(b"0       ".ljust(256))
@settings(
    deadline=10_000, max_examples=20, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_any_bytes_are_read_or_refused(tmp_path: Path, suffix: str, data: bytes) -> None:
    pytest.importorskip(LIBRARIES.get(suffix, "numpy"))
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    read(path)
