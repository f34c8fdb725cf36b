"""HDF5 and MATLAB 7.3: named arrays, attributes, and what a file may not reach or cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions

pytestmark = pytest.mark.usefixtures("in_this_process")

h5py = pytest.importorskip("h5py")
hdf5_content = pytest.importorskip("ipmdae.formats.hdf5")

ECG = np.random.default_rng(0).normal(0, 1, (300, 2))
SECRET = b"secret01" * 64


def save(path: Path, **content: Any) -> None:
    """Write datasets, and as attributes what begins with an underscore."""
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            if name.startswith("_"):
                file.attrs[name[1:]] = value
            else:
                file[name] = value


@pytest.mark.slow
def test_named_arrays_groups_and_attributes(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    save(path, **{"run/ecg": ECG * 1000, "run/noise": ECG[:, 0], "_sampling_rate": 250})
    with h5py.File(path, "r+") as file:
        file["run"].attrs["leads"] = ["II", "V5"]
        file["run/ecg"].attrs["units"] = "uV"
    for r in (formats.read(path), formats.read(path, options=ReadOptions(array="run/ecg"))):
        assert (r.fs, r.leads, r.units) == (250, ("II", "V5"), ("mV", "mV"))
        np.testing.assert_allclose(r.signal, ECG)


def test_nothing_outside_of_the_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    save(tmp_path / "other.h5", signal=ECG)
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("signal", (64,), "f8", external=[(str(secret), 0, 512)])
    with pytest.raises(FormatError, match="data of /signal lie in another file"):
        formats.read(path, fs=250)
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((300, 2), "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "signal", (300, 2))
        file.create_virtual_dataset("signal", layout)
    with pytest.raises(FormatError, match="data of /signal lie in another file"):
        formats.read(path, fs=250)
    with h5py.File(path, "w") as file:
        file["signal"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/signal")
        file["x"] = h5py.SoftLink("/signal")
    with (
        pytest.warns(UserWarning, match="signal lies in another file; not read"),
        pytest.raises(FormatError, match="has no array called signal"),
    ):
        formats.read(path, fs=250)


def test_each_object_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    save(path, signal=ECG, fs=250, units="mV")
    with h5py.File(path, "r+") as file:
        for i in range(100):
            file[f"again{i}"] = file["signal"]
        file["circle/inner"] = file["/"]
    assert_array_equal(formats.read(path, options=ReadOptions(array="again0")).signal, ECG)


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
        formats.read(tmp_path / "x.h5")


def test_a_small_file_of_many_zeros_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("signal", (1 << 28,), "i1", chunks=(1 << 20,), compression=9)
    with pytest.raises(FormatError, match="which no recording does"):
        formats.read(path, fs=250)
    with h5py.File(path, "w") as file:
        file.create_dataset("signal", (100,), "f8", chunks=(1 << 28,), maxshape=(None,))
    with pytest.raises(FormatError, match="which no recording does"):
        formats.read(path, fs=250)


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
        r = formats.read(path)
    assert (r.fs, r.leads) == (500, ("II", "V5"))
    assert_array_equal(r.signal, ECG)
