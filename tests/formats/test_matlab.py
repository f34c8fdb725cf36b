"""MATLAB's files up to version 7, read as SciPy reads them, and broken ones."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions
from ipmdae.formats.matlab import variables

scipy_io = pytest.importorskip("scipy.io")

ECG = np.random.default_rng(0).normal(0, 1, (300, 2))
NUMBERS = [np.float64, np.float32, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32]
NUMBERS += [np.int64, np.uint64]


@given(
    st.sampled_from(NUMBERS),
    st.lists(st.integers(0, 4), min_size=2, max_size=3),
    st.sampled_from(["level 4", "stored", "compressed"]),
    st.text(max_size=8),
)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_numbers_and_texts_are_those_that_scipy_reads(
    tmp_path: Path, kind: Any, shape: list[int], how: str, text: str
) -> None:
    path = tmp_path / "x.mat"
    level_4 = how == "level 4"
    shape = shape[:2] if level_4 else shape
    values = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    text = text.encode("ascii", "replace").decode() or "t" if level_4 else text
    if level_4 and values.dtype.itemsize == 8:
        values = values.astype(np.float64)
    scipy_io.savemat(
        path,
        {"x": values, "t": text},
        format="4" if level_4 else "5",
        do_compression=how == "compressed",
    )
    found, known = variables(path), scipy_io.loadmat(path)
    assert_array_equal(found["x"], known["x"])
    assert found["x"].dtype == known["x"].dtype
    assert "".join(found["t"]) == "".join(known["t"])


def big_endian(name: bytes, values: np.ndarray) -> bytes:
    """A file of a machine with the other order of bytes, as the layout says."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    array = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", *values.shape))
    array += element(1, name) + element(9, values.T.astype(">f8").tobytes())
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI" + element(14, array)


def test_the_other_order_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(big_endian(b"signal", ECG))
    assert_array_equal(variables(path)["signal"], scipy_io.loadmat(path)["signal"])
    assert_array_equal(formats.read(path, fs=250, options=ReadOptions(unit="mV")).signal, ECG)


def test_structs_cells_and_what_is_not_read(tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    content = {
        "s": {"data": ECG, "rate": 250, "in": {"names": np.array(["a", "bc"], object)}},
        "many": np.array([(1, 2), (3, 4)], [("p", float), ("q", float)]),
        "z": sparse.eye(3).tocsc(),
        "flag": np.array([True, False]),
    }
    scipy_io.savemat(tmp_path / "x.mat", content)
    found = variables(tmp_path / "x.mat")
    assert_array_equal(found["s"]["data"], ECG)
    assert [text.item() for text in found["s"]["in"]["names"]] == ["a", "bc"]
    assert [item["q"].item() for item in found["many"]] == [2, 4]
    assert found["z"] is None
    assert found["flag"].dtype == bool


# Which array is the signal


@pytest.mark.parametrize("names", [("data", "srate", "chan"), ("ECG", "Fs", "labels")])
def test_a_struct_with_data_and_rate(tmp_path: Path, names: tuple[str, str, str]) -> None:
    values = (ECG.T, 500, np.array(["II", "V5"], object))
    struct_ = dict(zip(names, values, strict=True)) | {"unit": "uV"}
    scipy_io.savemat(tmp_path / "x.mat", {"rec": struct_})
    r = formats.read(tmp_path / "x.mat")
    assert (r.fs, r.leads, r.units) == (500, ("II", "V5"), ("mV", "mV"))
    np.testing.assert_allclose(r.signal, ECG / 1000)


def test_an_option_names_the_array_and_the_rate(tmp_path: Path) -> None:
    content = {"a": {"x": ECG, "fs": 200}, "b": {"x": -ECG, "y": ECG}, "fs": 100, "unit": "mV"}
    path = tmp_path / "x.mat"
    scipy_io.savemat(path, content)
    with pytest.raises(FormatError, match=r"several.*name one \(array=.*b\.y \(300, 2\)"):
        formats.read(path)
    for name, rate, sign in (("a", 200, 1), ("A.X", 200, 1), ("b/x", 100, -1), ("b.y", 100, 1)):
        r = formats.read(path, options=ReadOptions(array=name))
        assert r.fs == rate
        assert_array_equal(r.signal, sign * ECG)
    with pytest.warns(UserWarning, match="fs=50 overrules"):
        assert formats.read(path, fs=50, options=ReadOptions(array="a")).fs == 50
    with pytest.raises(
        FormatError, match=r"no array of numbers called c; found are fs.*, a\.x \(300, 2\)"
    ):
        formats.read(path, options=ReadOptions(array="c"))


def test_an_option_names_one_of_several_arrays(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, first=ECG, second=-ECG, fs=250, units="mV")
    with pytest.raises(FormatError, match=r"several.*first \(300, 2\)"):
        formats.read(path)
    assert_array_equal(formats.read(path, options=ReadOptions(array="second")).signal, -ECG)


# LabChart's exports


def labchart(path: Path, **changes: Any) -> Path:
    """Two channels at 250 Hz and one at 50 Hz in two blocks, the second 10 s later; one empty."""
    lengths = np.array([[300, 200], [300, 200], [60, 40], [-1, -1]])
    ends = np.cumsum(np.maximum(lengths, 0).T.reshape(-1)).reshape(2, 4).T
    recorded = lengths > 0
    content = {
        "data": np.arange(ends.max(), dtype=np.float64)[None],
        "datastart": np.where(recorded, ends - lengths + 1, -1),
        "dataend": np.where(recorded, ends, -1),
        "titles": np.array(["ECG II  ", "Pressure", "Resp    ", "Empty   "]),
        "samplerate": np.array([[250.0], [250], [50], [0]]) * [1, 1],
        "unittext": np.array(["mmHg", "uV  "]),
        "unittextmap": np.array([[2, 2], [1, 1], [-1, -1], [-1, -1]]),
        "blocktimes": 740055.375 + np.array([[0, 10]]) / 86400,
    }
    content = {name: value for name, value in (content | changes).items() if value is not None}
    scipy_io.savemat(path, content)
    return path


ONE_BLOCK = {
    "data": np.arange(1000)[None] / 8,
    "datastart": np.array([[1], [501]]),
    "dataend": np.array([[500], [1000]]),
    "samplerate": np.array([[250], [250]]),
    "unittextmap": np.array([[2], [1]]),
    "blocktimes": np.array([[740055.375]]),
}


def test_the_channels_of_labchart(tmp_path: Path) -> None:
    r = formats.read(labchart(tmp_path / "x.mat", **ONE_BLOCK))
    assert (r.fs, r.leads, r.units) == (250, ("ECG II", "Pressure"), ("mV", "mmHg"))
    assert r.start == datetime(2026, 3, 14, 9)
    np.testing.assert_allclose(r.signal[:, 0], np.arange(500) / 8e3)
    assert_array_equal(r.signal[:, 1], np.arange(500, 1000) / 8)


def test_the_16_bits_of_labchart(tmp_path: Path) -> None:
    stored = {"data": np.arange(1000, dtype=np.int16)[None]}
    scale = {"scaleunits": np.array([[0.5], [2]]), "scaleoffset": np.array([[-100], [10]])}
    r = formats.read(labchart(tmp_path / "x.mat", **ONE_BLOCK | stored | scale))
    np.testing.assert_allclose(r.signal[:, 0], (np.arange(500) - 100) * 0.5 / 1000)
    assert_array_equal(r.signal[:, 1], (np.arange(500, 1000) + 10) * 2)
    with pytest.raises(FormatError, match="holds integers without their size"):
        formats.read(labchart(tmp_path / "x.mat", **ONE_BLOCK | stored))


def test_blocks_of_labchart_and_other_rates(tmp_path: Path) -> None:
    path = labchart(tmp_path / "x.mat")
    with pytest.warns(UserWarning, match="holds 2 blocks; what lies between them is missing"):
        r = formats.read(path)
    assert (r.leads, r.units, r.samples) == (("ECG II", "Pressure"), ("mV", "mmHg"), 2700)
    known = ~np.isnan(r.signal[:, 0])
    assert_array_equal(np.flatnonzero(np.diff(known)) + 1, [300, 2500])
    assert_array_equal(r.signal[2500:, 1], np.arange(860, 1060))
    assert [(a.name, a.fs, a.unit, a.samples) for a in r.auxiliary] == [("Resp", 50, "", 540)]
    assert_array_equal(r.auxiliary[0].read(0, 60), np.arange(600, 660))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samplerate": None}, "is an export of LabChart without samplerate"),
        ({"blocktimes": None}, "is an export of LabChart without blocktimes"),
        ({"blocktimes": [[5.0, 4.0]]}, "its blocks do not follow one another in time"),
        ({"dataend": np.full((4, 2), 5000)}, "lie outside of its data"),
        ({"datastart": np.full((4, 2), -1)}, "holds no signal"),
        ({"samplerate": np.zeros((3, 2))}, "datastart and samplerate are of different shapes"),
        ({"samplerate": np.array([[250, 125]])}, "its blocks differ in samplerate"),
        ({"samplerate": np.zeros((4, 2))}, "announces a rate of 0 Hz"),
    ],
)
def test_broken_exports_of_labchart(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        formats.read(labchart(tmp_path / "x.mat", **changes))


# Broken files


def nested(depth: int, inner: bytes = b"") -> bytes:
    """Cells in cells, as a whole file."""
    data = inner
    for _ in range(depth):
        head = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1)
        head += struct.pack("<II", 1, 0)
        data = head + struct.pack("<II", 14, len(data)) + data
    return (
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 14, len(data)) + data
    )


def test_deep_nesting_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(nested(5000))
    with pytest.raises(FormatError, match="has no array called signal"):
        formats.read(path, fs=250)


@pytest.mark.slow
def test_more_bytes_than_the_file_is_worth(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    zeros = {f"a{i}": np.zeros(1 << 21) for i in range(12)}
    scipy_io.savemat(path, zeros, do_compression=True)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FormatError, match="which no recording does"):
        formats.read(path, fs=250)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (128, struct.pack("<I", 0x00FF000E), "small element is long"),
        (136, struct.pack("<I", 9), "without flags"),
        (160, struct.pack("<i", -1), "dimensions"),
        (160, struct.pack("<i", 1 << 30), "data and dimensions differ"),
        (184, struct.pack("<I", 77), "data type 77"),
        (188, struct.pack("<I", 1 << 31), "cut off or broken"),
        (126, b"??", "header of the MATLAB file is broken"),
    ],
)
def test_fields_that_contradict_each_other(
    tmp_path: Path, at: int, value: bytes, message: str
) -> None:
    path = tmp_path / "x.mat"
    scipy_io.savemat(path, {"signal": ECG})
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        formats.read(path, fs=250)


def test_a_compressed_element_that_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    stream = zlib.compress(b"\x0e\0\0\0\xff\xff\0\0" + bytes(100))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for data in (stream, stream[:-6]):
        path.write_bytes(head + struct.pack("<II", 15, len(data)) + data)
        with pytest.raises(FormatError, match="cut off or broken"):
            formats.read(path, fs=250)


def test_what_is_no_matlab_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    for data in (b"", b"\x7b", b"\xff" * 64, b"\0" * 19):
        path.write_bytes(data)
        with pytest.raises(FormatError):
            formats.read(path, fs=250)
