from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import wfdb  # type: ignore[import-untyped]
from numpy.testing import assert_allclose, assert_array_equal
from records import digital

from ipmdae import formats
from ipmdae.formats.wfdb_annotations import encode
from ipmdae.recording import Annotations, Resolution

# Reading


@pytest.mark.parametrize("name", ["sel100", "sel52", "sele0121", "sele0122"])
def test_signal_and_annotations_equal_those_of_the_wfdb_package(
    qtdb_folder: Path, name: str
) -> None:
    r = formats.read(qtdb_folder / name)
    theirs = wfdb.rdrecord(str(qtdb_folder / name))
    assert_array_equal(r.signal, theirs.p_signal)
    assert list(r.leads) == theirs.sig_name
    assert list(r.comments) == theirs.comments
    assert {"pu1", "q1c"} <= set(r.annotations)
    for annotator, marks in r.annotations.items():
        expected = wfdb.rdann(str(qtdb_folder / name), annotator)
        assert_array_equal(marks.sample, expected.sample)
        assert list(marks.symbol) == expected.symbol
        assert list(marks.note) == [note.rstrip("\0") for note in expected.aux_note]
        assert_array_equal(marks.subtype, expected.subtype)
        assert_array_equal(marks.channel, expected.chan)
        assert_array_equal(marks.number, expected.num)


def test_a_record_is_given_with_or_without_suffix(record: Path) -> None:
    signal = formats.read(record).signal
    for suffix in (".hea", ".dat"):
        assert_array_equal(formats.read(record.with_suffix(suffix)).signal, signal)
    assert formats.read(record, annotations=False).annotations == {}


def test_the_baseline_of_sel100_puts_it_off_zero(qtdb_folder: Path) -> None:
    r = formats.read(qtdb_folder / "sel100")
    assert 4 < np.median(r.signal) < 6
    assert r.resolution[0] == Resolution(gain=200, baseline=0, bits=12)


def test_another_gain(qtdb_folder: Path) -> None:
    r = formats.read(qtdb_folder / "sel52")
    assert [how and how.gain for how in r.resolution] == [400, 400]
    assert set(r.annotations) == {"pu1", "q1c"}


def test_a_gain_of_zero_is_the_default_of_200(nstdb_folder: Path) -> None:
    with pytest.warns(UserWarning, match="states no gain of noise1, noise2; 200 steps per mV"):
        r = formats.read(nstdb_folder / "bw")
    digital = wfdb.rdrecord(str(nstdb_folder / "bw"), physical=False).d_signal
    assert_array_equal(r.signal, digital / 200)


@pytest.mark.parametrize(
    ("unit", "per_mv", "read"),
    [("uV", 1e3, "mV"), ("µV", 1e3, "mV"), ("V", 1e-3, "mV"), ("mmHg", 1, "mmHg")],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_voltages_become_millivolts(
    tmp_path: Path, unit: str, per_mv: float, read: str, encoding: str
) -> None:
    header = f"x 1 250 3\nx.dat 16 10/{unit} 16 0 1 0 0 Ableitung\n# Größe\n"
    (tmp_path / "x.hea").write_bytes(header.encode(encoding))
    np.array([10, 20, -30], "<i2").tofile(tmp_path / "x.dat")
    r = formats.read(tmp_path / "x")
    assert_allclose(r.signal[:, 0], np.array([1, 2, -3]) / per_mv)
    assert r.units == (read,)
    assert r.comments == ("Größe",)
    formats.write(r, tmp_path / "y")
    again = formats.read(tmp_path / "y")
    assert_allclose(again.signal, r.signal)
    assert np.fromfile(tmp_path / "y.dat", "<i2").tolist() == [10, 20, -30]


def test_missing_samples_are_nan(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text("x 1 250 3\nx.dat 16 200 16 0 1 0 0 II\n")
    np.array([200, -32768, 100], "<i2").tofile(tmp_path / "x.dat")
    assert_array_equal(formats.read(tmp_path / "x").signal[:, 0], [1, np.nan, 0.5])


def test_a_header_may_leave_out_length_gain_and_names(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text("x 2\nx.dat 16\nx.dat 16\n")
    np.arange(6, dtype="<i2").tofile(tmp_path / "x.dat")
    with pytest.warns(UserWarning, match="states no gain of lead 1, lead 2"):
        r = formats.read(tmp_path / "x")
    assert_array_equal(r.signal, np.arange(6).reshape(3, 2) / 200)
    assert (r.fs, r.leads) == (250, ("lead 1", "lead 2"))


@pytest.mark.parametrize("day", ["12-May-2020", "12-may-2020"])
def test_the_challenges_write_the_date_before_the_time(tmp_path: Path, day: str) -> None:
    (tmp_path / "x.hea").write_text(f"x 1 500 3 {day} 12:33:59\nx.dat 16 1000/mV 16 0 0 0 0 I\n")
    np.arange(3, dtype="<i2").tofile(tmp_path / "x.dat")
    assert formats.read(tmp_path / "x").start == datetime(2020, 5, 12, 12, 33, 59)


def test_leads_of_different_rates_are_brought_to_the_highest(tmp_path: Path) -> None:
    time = np.arange(400) / 400
    fast = np.rint(1000 * np.sin(2 * np.pi * 5 * time))
    frames = np.column_stack([fast.reshape(100, 4), fast[::4]])
    (tmp_path / "x.hea").write_text(
        "x 2 100 100\nx.dat 16x4 1000 16 0 0 0 0 II\nx.dat 16 1000 16 0 0 0 0 V\n"
    )
    frames.astype("<i2").tofile(tmp_path / "x.dat")
    mark = Annotations(sample=np.array([50]), symbol=("N",))
    (tmp_path / "x.atr").write_bytes(encode(mark))
    r = formats.read(tmp_path / "x")
    assert (r.fs, r.samples) == (400, 400)
    assert_array_equal(r.signal[:, 0], fast / 1000)
    assert_allclose(r.signal[20:-20, 1], r.signal[20:-20, 0], atol=0.01)
    assert_array_equal(r.annotations["atr"].sample, [200])


def test_segments_of_a_fixed_layout_are_joined(tmp_path: Path) -> None:
    a, b = np.arange(10.0).reshape(5, 2), 7 + np.arange(8.0).reshape(4, 2)
    formats.write(digital(a), tmp_path / "a")
    formats.write(digital(b, resolution=(Resolution(gain=500),) * 2), tmp_path / "b")
    (tmp_path / "x.hea").write_text("x/3 2 250 12 10:11:12 01/02/2003\na 5\n~ 3\nb 4\n# both\n")
    r = formats.read(tmp_path / "x")
    assert_allclose(r.signal, np.vstack([a, np.full((3, 2), np.nan), b]))
    assert r.start == datetime(2003, 2, 1, 10, 11, 12)
    assert r.comments == ("both",)
    assert [how and how.gain for how in r.resolution] == [500, 500]


def test_segments_of_a_variable_layout_are_joined_by_lead(tmp_path: Path) -> None:
    formats.write(digital(np.ones((5, 1)), leads=("II",)), tmp_path / "a")
    formats.write(digital(np.full((4, 2), 2.0), leads=("V", "II")), tmp_path / "b")
    (tmp_path / "layout.hea").write_text(
        "layout 2 250 0\n~ 0 200 16 0 0 0 0 II\n~ 0 200 16 0 0 0 0 V\n"
    )
    (tmp_path / "x.hea").write_text("x/3 2 250 9\nlayout 0\na 5\nb 4\n")
    r = formats.read(tmp_path / "x")
    assert r.leads == ("II", "V")
    assert_array_equal(r.signal[:, 0], [1] * 5 + [2] * 4)
    assert_array_equal(r.signal[:, 1], [np.nan] * 5 + [2] * 4)


# In blocks


def assert_read_in_blocks(path: Path, sizes: tuple[int, ...] = (1, 7, 1000)) -> None:
    """Blocks of several sizes give what reading the whole gives."""
    whole = formats.read(path)
    with formats.open_reader(path) as reader:
        for field in dataclasses.fields(reader.info):
            expected = getattr(whole.header, field.name)
            if field.name == "annotations":
                assert set(reader.info.annotations) == set(expected)
            else:
                assert getattr(reader.info, field.name) == expected
        for size in sizes:
            for first in range(0, whole.samples, max(size, whole.samples // 10)):
                stop = min(first + size, whole.samples)
                assert_array_equal(reader.read(first, stop), whole.signal[first:stop])


@pytest.mark.parametrize("name", ["sel100", "sel52"])
def test_records_are_read_in_blocks(qtdb_folder: Path, name: str) -> None:
    assert_read_in_blocks(qtdb_folder / name)


@pytest.mark.parametrize("format", ["80", "212", "310", "311", "16", "24", "32", "61", "160", "8"])
@pytest.mark.parametrize("leads", [1, 2, 3])
def test_every_format_is_read_in_blocks(tmp_path: Path, format: str, leads: int) -> None:
    frames = 120
    rng = np.random.default_rng(leads)
    bits = {"80": 8, "310": 10, "311": 10, "212": 12}.get(format, 16)
    lines = [f"x.dat {format} 200 {bits} 0 0 0 0 L{i}" for i in range(leads)]
    (tmp_path / "x.hea").write_text("\n".join([f"x {leads} 250 {frames}", *lines]) + "\n")
    (tmp_path / "x.dat").write_bytes(rng.bytes(frames * leads * 4))
    assert_read_in_blocks(tmp_path / "x", (1, 2, 5, 50))


def test_leads_of_different_rates_are_given_out_in_blocks(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text(
        "x 2 100 100\nx.dat 16x4 1000 16 0 0 0 0 II\nx.dat 16 1000 16 0 0 0 0 V\n"
    )
    np.arange(500).astype("<i2").tofile(tmp_path / "x.dat")
    assert_read_in_blocks(tmp_path / "x")


def test_leads_with_a_skew_are_read_in_blocks(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text(
        "x 2 100 50\nx.dat 16:2 1000 16 0 0 0 0 II\nx.dat 16 1000 16 0 0 0 0 V\n"
    )
    np.arange(100).astype("<i2").tofile(tmp_path / "x.dat")
    assert_read_in_blocks(tmp_path / "x")


@pytest.mark.parametrize("skews", [(0, 5), (3, 0), (7, 2)])
def test_leads_with_a_skew_are_put_in_line(tmp_path: Path, skews: tuple[int, int]) -> None:
    lines = [f"x.dat 16x{rate}:{skew} 1000" for rate, skew in zip((2, 1), skews, strict=True)]
    (tmp_path / "x.hea").write_text("\n".join(["x 2 100 20", *lines]))
    # The fast lead counts 0 to 39, the other 100 to 119.
    frames = np.c_[np.arange(40).reshape(20, 2), 100 + np.arange(20)]
    frames.astype("<i2").tofile(tmp_path / "x.dat")
    fast, slow = np.rint(formats.read(tmp_path / "x").signal.T * 1000)
    first, second = skews
    assert_array_equal(fast, [*range(2 * first, 40), *[np.nan] * (2 * first)])
    assert_array_equal(slow[:20:2], range(100 + second, 110 + second))
    assert np.isnan(slow).any() == (second > 0)


@pytest.mark.parametrize("layout", ["fixed", "variable"])
def test_segments_are_read_in_blocks(tmp_path: Path, layout: str) -> None:
    a, b = np.arange(10.0).reshape(5, 2), 7 + np.arange(8.0).reshape(4, 2)
    formats.write(digital(a), tmp_path / "a")
    formats.write(digital(b), tmp_path / "b")
    (tmp_path / "l.hea").write_text("l 2 250 0\n~ 0 200 16 0 0 0 0 L1\n~ 0 200 16 0 0 0 0 L0\n")
    head = "x/3 2 250 12\n" if layout == "fixed" else "x/4 2 250 12\nl 0\n"
    (tmp_path / "x.hea").write_text(f"{head}a 5\n~ 3\nb 4\n")
    assert_read_in_blocks(tmp_path / "x", (1, 4, 12))
