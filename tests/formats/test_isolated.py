"""Readers in child processes: what they may reach, and what a file costs that ends or fills one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions, SignalReader, isolated
from ipmdae.recording import Recording

h5py = pytest.importorskip("h5py")
hdf5_content = pytest.importorskip("ipmdae.formats.hdf5")

ECG = np.random.default_rng(0).normal(0, 1, (300, 2))
SECRET = b"secret01" * 64


# A module with ``open_here``, as the child imports it; each file's content says how it fails.


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Do as the file says."""
    how = path.read_text()
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "exit":
        os._exit(3)
    if how == "fill":
        np.ones(1 << 30)
    if how == "sleep":
        time.sleep(60)
    while how == "hang":
        pass
    raise {"key": KeyError("x"), "missing": FileNotFoundError("y.dat: there is no such file")}[how]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("crash", FormatError, r"a\.bin: is broken \(it ends its reader by SIGSEGV\)"),
        ("exit", FormatError, r"ends its reader with status 3"),
        ("fill", FormatError, "does not fit into memory"),
        ("hang", FormatError, "reading it took more than 0 s"),
        ("sleep", FormatError, "reading it took more than 0 s"),
        ("key", FormatError, r"a\.bin: is broken \(KeyError: 'x'\)"),
        ("missing", FileNotFoundError, r"^y\.dat: there is no such file$"),
    ],
)
def test_a_reader_that_fails_costs_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, error: type[Exception], message: str
) -> None:
    monkeypatch.setattr(isolated, "_ANSWER", 0.1 if how in ("hang", "sleep") else 10.0)
    path = tmp_path / "a.bin"
    path.write_text(how)
    with pytest.raises(error, match=message):
        isolated.open_reader(path, ReadOptions(), __name__)


def test_a_child_that_dies_later(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    save(path, signal=ECG, fs=250, units="mV")
    reader: Any = isolated.open_reader(path, ReadOptions(), "ipmdae.formats.hdf5")
    assert_array_equal(reader.read(5, 9), ECG[5:9])
    reader._child.kill()
    with reader, pytest.raises(FormatError, match="ends its reader by SIGKILL"):
        reader.read(0, 3)


# HDF5


def save(path: Path, **content: Any) -> None:
    """Write datasets, and as attributes what begins with an underscore."""
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            if name.startswith("_"):
                file.attrs[name[1:]] = value
            else:
                file[name] = value


def read_here(path: Path, **options: Any) -> Recording:
    """Read in this process, which is faster."""
    with isolated_off(), formats.open_reader(path, options=ReadOptions(**options)) as reader:
        return Recording.from_header(reader.info, reader.read(0, reader.info.samples))


class isolated_off:  # noqa: N801
    """Readers run in this process for a while."""

    def __enter__(self) -> None:
        isolated.enabled = False

    def __exit__(self, *_: object) -> None:
        isolated.enabled = True


@pytest.mark.slow
def test_named_arrays_groups_and_attributes(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    save(path, **{"run/ecg": ECG * 1000, "run/noise": ECG[:, 0], "_sampling_rate": 250})
    with h5py.File(path, "r+") as file:
        file["run"].attrs["leads"] = ["II", "V5"]
        file["run/ecg"].attrs["units"] = "uV"
    for r in (formats.read(path), read_here(path, array="run/ecg")):
        assert (r.fs, r.leads, r.units) == (250, ("II", "V5"), ("mV", "mV"))
        np.testing.assert_allclose(r.signal, ECG)
    with pytest.warns(UserWarning, match="overrules"):
        assert formats.read(path, fs=500).fs == 500


def test_nothing_outside_of_the_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    save(tmp_path / "other.h5", signal=ECG)
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("signal", (64,), "f8", external=[(str(secret), 0, 512)])
    with pytest.raises(FormatError, match="data of /signal lie in another file"):
        read_here(path, fs=250)
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((300, 2), "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "signal", (300, 2))
        file.create_virtual_dataset("signal", layout)
    with pytest.raises(FormatError, match="data of /signal lie in another file"):
        read_here(path, fs=250)
    with h5py.File(path, "w") as file:
        file["signal"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/signal")
        file["x"] = h5py.SoftLink("/signal")
    with (
        pytest.warns(UserWarning, match="signal lies in another file; not read"),
        pytest.raises(FormatError, match="has no array called signal"),
    ):
        read_here(path, fs=250)


def test_each_object_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    save(path, signal=ECG, fs=250, units="mV")
    with h5py.File(path, "r+") as file:
        for i in range(100):
            file[f"again{i}"] = file["signal"]
        file["circle/inner"] = file["/"]
    assert_array_equal(read_here(path, array="again0").signal, ECG)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({f"a{i}": np.zeros(2) for i in range(50)}, "more than 40 objects"),
        ({"signal": np.zeros(9, "S1"), "fs": 250}, "has no array called"),
        ({"signal": np.zeros((2, 3, 4)), "fs": 250}, "has no array called"),
    ],
)
def test_files_that_hold_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(hdf5_content, "_MAX_OBJECTS", 40)
    save(tmp_path / "x.h5", **content)
    with pytest.raises(FormatError, match=message):
        read_here(tmp_path / "x.h5")


def test_a_small_file_of_many_zeros_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("signal", (1 << 28,), "i1", chunks=(1 << 20,), compression=9)
    with pytest.raises(FormatError, match="which no recording does"):
        read_here(path, fs=250)
    with h5py.File(path, "w") as file:
        file.create_dataset("signal", (100,), "f8", chunks=(1 << 28,), maxshape=(None,))
    with pytest.raises(FormatError, match="which no recording does"):
        read_here(path, fs=250)


def test_matlab_7_3_structs_cells_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("rec")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        group["data"] = ECG.T
        group["data"].attrs["MATLAB_class"] = np.bytes_("double")
        group["srate"] = np.array([[500.0]])
        references = []
        for i, text in enumerate(("II", "V5")):
            codes = np.frombuffer(text.encode("utf-16-le"), np.uint16)[:, None]
            file[f"#refs#/{i}"] = codes
            file[f"#refs#/{i}"].attrs["MATLAB_class"] = np.bytes_("char")
            references.append(file[f"#refs#/{i}"].ref)
        cells = group.create_dataset("labels", (2, 1), h5py.ref_dtype)
        cells[:, 0] = references
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(126) + b"\x00\x02")
    with pytest.warns(UserWarning, match="says no unit of II, V5"):
        r = read_here(path)
    assert (r.fs, r.leads) == (500, ("II", "V5"))
    assert_array_equal(r.signal, ECG)
