"""Containers of plain arrays and columns: NumPy, MATLAB, Parquet."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae import Recording, formats
from ipmdae.formats import FormatError, ReadOptions

ECG = np.random.default_rng(0).normal(0, 1, (300, 2))


def save(path: Path, **arrays: Any) -> Path:
    """Write arrays as users do."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        pytest.importorskip("scipy.io").savemat(path, arrays)
    return path


@pytest.fixture(params=["x.npz", "x.mat"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to write."""
    return tmp_path / str(request.param)


@pytest.mark.parametrize(
    ("names", "transposed"),
    [
        (("signal", "fs"), False),
        (("ECG", "sampling_rate"), True),
        (("mine", "Fs"), False),
        (("ECG", "sampling rate"), True),
    ],
)
def test_arrays_by_their_usual_names(path: Path, names: tuple[str, str], transposed: bool) -> None:
    signal = ECG.T if transposed else ECG
    save(path, **{names[0]: signal, names[1]: 500, "leads": ["I", "V5"], "units": ["mV", "uV"]})
    r = formats.read(path)
    assert (r.fs, r.leads, r.units) == (500, ("I", "V5"), ("mV", "mV"))
    assert_allclose(r.signal, ECG * [1, 1e-3])


def test_a_missing_rate_is_asked_for(path: Path) -> None:
    save(path, x=ECG[:, 0], unit="mV")
    with pytest.raises(FormatError, match="says no sampling rate; give it"):
        formats.read(path)
    r = formats.read(path, fs=128)
    assert (r.fs, r.leads, r.signal.shape) == (128, ("lead 1",), (300, 1))


def test_units_that_are_not_told_are_assumed(path: Path) -> None:
    save(path, ecg=ECG, fs=250, leads=["II", "resp"])
    with pytest.warns(UserWarning, match="says no unit of II; taken as mV"):
        assert formats.read(path).units == ("mV", "NU")


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.mat", "x.h5"])
def test_microvolts_that_are_not_told_are_known_by_their_size(tmp_path: Path, name: str) -> None:
    path, steps = tmp_path / name, np.rint(ECG * 1000).astype("i2")
    if name == "x.npy":
        np.save(path, steps)
    elif name == "x.h5":
        with pytest.importorskip("h5py").File(path, "w") as file:
            file["ecg"] = steps
    else:
        save(path, ecg=steps)
    with pytest.warns(UserWarning, match="says no unit of lead 1, lead 2; by their size .* as uV"):
        r = formats.read(path, fs=250)
    assert r.units == ("mV", "mV")
    assert_allclose(r.signal, steps / 1000)
    with (
        pytest.warns(UserWarning, match="by their size .* as uV"),
        formats.open_reader(path, fs=250) as reader,
    ):
        assert_array_equal(reader.read(100, 120), r.signal[100:120])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"fs": 250}, "has no array called signal"),
        ({"a": ECG, "b": ECG, "fs": 250}, "has several arrays that may be the signal; name one"),
        ({"signal": ECG + np.inf, "fs": 250}, "infinite"),
        ({"signal": ECG, "fs": -1, "units": "mV"}, "rate must be positive"),
        ({"signal": ECG, "fs": 250, "leads": ["a"]}, "has 2 leads, but 1 names"),
        ({"signal": ECG.astype(complex), "fs": 250}, "has no array"),
        ({"signal": ECG, "fs": 250, "ipmdae": "{}"}, "description of the recording is malformed"),
    ],
)
def test_arrays_that_make_no_recording(path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        formats.read(save(path, **arrays))


@pytest.mark.parametrize("name", ["emg", "acc", "EEG", "respiration"])
def test_another_measurement_is_no_ecg_unless_it_is_named(path: Path, name: str) -> None:
    save(path, **{name: ECG, "fs": 250})
    with pytest.raises(FormatError, match=r"has no array called signal .* \(array=, --array\)"):
        formats.read(path)
    with pytest.warns(UserWarning, match="says no unit"):
        assert_allclose(formats.read(path, options=ReadOptions(array=name)).signal, ECG)
    save(path, **{name: ECG, "y1": ECG * 0.5, "fs": 250})
    with pytest.warns(UserWarning, match="says no unit"):
        assert_allclose(formats.read(path).signal, ECG * 0.5)


def test_a_file_cut_off(path: Path) -> None:
    data = save(path, signal=ECG, fs=250, units="mV").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FormatError, match=r"broken|cut off"):
        formats.read(path)


# NumPy


def test_npy_needs_a_rate_and_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, ECG.astype(np.float32).T)
    with pytest.raises(FormatError, match="says no sampling rate"):
        formats.read(path)
    with pytest.warns(UserWarning, match="taken as mV"):
        r = formats.read(path, fs=250)
    with (
        pytest.warns(UserWarning, match="taken as mV"),
        formats.open_reader(path, fs=250) as reader,
    ):
        assert_array_equal(reader.read(100, 120), r.signal[100:120])
    with pytest.warns(UserWarning, match="loses, the sampling rate and all else"):
        formats.write(r, tmp_path / "y.npy")
    assert_array_equal(np.load(tmp_path / "y.npy"), r.signal)


def test_pickles_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "x.npz", tmp_path / "x.npy"):
        evil: Any = np.array([{"signal": 1}], object)
        np.savez(path, signal=evil) if path.suffix == ".npz" else np.save(path, evil)
        with pytest.raises(FormatError, match=r"pickle|object"):
            formats.read(path)


def test_an_array_that_announces_terabytes(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 2)}
    np.lib.format.write_array_header_1_0(buffer, header)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("signal.npy", buffer.getvalue() + bytes(64))
    (tmp_path / "x.npy").write_bytes(buffer.getvalue() + bytes(64))
    for name in ("x.npz", "x.npy"):
        with pytest.raises(FormatError, match=r"not of the size that it announces|is broken"):
            formats.read(tmp_path / name, fs=250)


def test_bombs_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipmdae.formats.errors._ALWAYS_FINE", 1 << 20)
    zeros = np.zeros((1 << 18, 2))
    if path.suffix == ".npz":
        np.savez_compressed(path, signal=zeros, fs=250)
    else:
        pytest.importorskip("scipy.io").savemat(
            path, {"signal": zeros, "fs": 250}, do_compression=True
        )
    with pytest.raises(FormatError, match="which no recording does"):
        formats.read(path)


# MATLAB


def test_physionets_matrices(tmp_path: Path) -> None:
    val = np.rint(ECG.T * 1000).astype(np.int16)
    path = save(tmp_path / "x.mat", val=val)
    with pytest.warns(UserWarning, match="does not say its gain; taken as 200 steps per mV"):
        r = formats.read(path, fs=500)
    assert_allclose(r.signal, val.T / 200)


def test_a_header_beside_tells_the_gain(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    val = np.rint(ECG.T * 1000).astype(np.int16)
    scipy_io.savemat(tmp_path / "x.mat", {"val": val}, format="4")
    lines = ["x 2 500 300", *(f"x.mat 16+24 1000/mV 16 0 0 0 0 {lead}" for lead in ("I", "II"))]
    (tmp_path / "x.hea").write_text("\n".join(lines) + "\n")
    for name in ("x.hea", "x.mat"):
        assert_allclose(formats.read(tmp_path / name).signal, val.T / 1000)


def test_version_7_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "x.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["signal"] = ECG.T
        file["fs"] = np.array([[250.0]])
        text = file.create_dataset("units", data=np.array([[109], [86]], np.uint16))
        text.attrs["MATLAB_class"] = np.bytes_("char")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(126) + b"\x00\x02")
    r = formats.read(path)
    assert (r.fs, r.units) == (250, ("mV", "mV"))
    assert_array_equal(r.signal, ECG)
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ModuleNotFoundError, match=r"x\.mat is of MATLAB's version 7\.3.*h5py"):
        formats.read(path)


# Parquet


@pytest.mark.slow
def test_tables_of_others(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas as pd

    table = pd.DataFrame(ECG, columns=["ecg (uV)", "resp"])
    table.insert(
        0, "timestamp", pd.Timestamp("2024-01-02") + pd.to_timedelta(np.arange(300) * 4, "ms")
    )
    table["label"] = "N"
    table = table.drop(index=range(100, 110))
    table.to_parquet(tmp_path / "x.parquet", row_group_size=64)
    with pytest.warns(UserWarning, match="label holds no numbers and is left out"):
        r = formats.read(tmp_path / "x.parquet")
    assert (r.fs, r.leads, r.units) == (250, ("ecg", "resp"), ("mV", "NU"))
    expected = ECG * [1e-3, 1]
    expected[100:110] = np.nan
    assert_allclose(r.signal, expected)
    table[["resp"]].to_parquet(tmp_path / "y.parquet", index=False)
    with pytest.raises(FormatError, match="says no sampling rate"):
        formats.read(tmp_path / "y.parquet")


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_a_lead_that_rises_steadily_comes_back(tmp_path: Path, suffix: str) -> None:
    ramp = Recording(signal=np.linspace(0, 1, 200)[:, None], fs=250, leads=("II",))
    formats.write(ramp, tmp_path / f"x{suffix}")
    assert_allclose(formats.read(tmp_path / f"x{suffix}").signal, ramp.signal, atol=1e-7)
