from __future__ import annotations

import dataclasses
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae import examples, formats
from ipmdae.formats import FormatError
from ipmdae.formats.wfdb_annotations import decode, encode
from ipmdae.recording import Annotations, Recording, Resolution


def recording(signal: Any, bits: int = 16, **fields: Any) -> Recording:
    signal = np.asarray(signal, float)
    leads = tuple(f"L{i}" for i in range(signal.shape[1]))
    resolution = (Resolution(gain=200, bits=bits),) * len(leads)
    return Recording(
        **{"signal": signal, "fs": 250, "leads": leads, "resolution": resolution} | fields
    )


@pytest.fixture
def record(tmp_path: Path, nstdb_folder: Path) -> Path:
    """A copy of a record, to be broken."""
    for suffix in ("hea", "dat", "atr"):
        shutil.copyfile(nstdb_folder / f"118e06.{suffix}", tmp_path / f"118e06.{suffix}")
    return tmp_path / "118e06"


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
    r = formats.read(tmp_path / "x")
    assert_array_equal(r.signal, np.arange(6).reshape(3, 2) / 200)
    assert (r.fs, r.leads) == (250, ("lead 1", "lead 2"))


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
    formats.write(recording(a), tmp_path / "a")
    formats.write(recording(b, resolution=(Resolution(gain=500),) * 2), tmp_path / "b")
    (tmp_path / "x.hea").write_text("x/3 2 250 12 10:11:12 01/02/2003\na 5\n~ 3\nb 4\n# both\n")
    r = formats.read(tmp_path / "x")
    assert_allclose(r.signal, np.vstack([a, np.full((3, 2), np.nan), b]))
    assert r.start == datetime(2003, 2, 1, 10, 11, 12)
    assert r.comments == ("both",)
    assert [how and how.gain for how in r.resolution] == [500, 500]


def test_segments_of_a_variable_layout_are_joined_by_lead(tmp_path: Path) -> None:
    formats.write(recording(np.ones((5, 1)), leads=("II",)), tmp_path / "a")
    formats.write(recording(np.full((4, 2), 2.0), leads=("V", "II")), tmp_path / "b")
    (tmp_path / "layout.hea").write_text(
        "layout 2 250 0\n~ 0 200 16 0 0 0 0 II\n~ 0 200 16 0 0 0 0 V\n"
    )
    (tmp_path / "x.hea").write_text("x/3 2 250 9\nlayout 0\na 5\nb 4\n")
    r = formats.read(tmp_path / "x")
    assert r.leads == ("II", "V")
    assert_array_equal(r.signal[:, 0], [1] * 5 + [2] * 4)
    assert_array_equal(r.signal[:, 1], [np.nan] * 5 + [2] * 4)


# Broken records


def test_no_header(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.hea: there is no such header"):
        formats.read(tmp_path / "nothing")


def test_no_signal_file(record: Path) -> None:
    record.with_suffix(".dat").unlink()
    with pytest.raises(FileNotFoundError, match=r"118e06\.dat: there is no such signal file.*2 of"):
        formats.read(record)


@pytest.mark.parametrize("kept", [0, 1, 16_200, 32_399])
def test_a_signal_file_that_was_cut_off(record: Path, kept: int) -> None:
    data = record.with_suffix(".dat").read_bytes()
    record.with_suffix(".dat").write_bytes(data[:kept])
    with pytest.raises(
        FormatError, match=f"cut off: 118e06.hea announces 10800 samples a lead, {kept // 3} are"
    ):
        formats.read(record)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "malformed"),
        ("\n\n# only a comment\n", "malformed"),
        ("118e06 two 360 10800\n", "malformed"),
        ("118e06 2 360 10800\n118e06.dat 212 200\n", "announces 2 signals and describes 1"),
        ("118e06 2 360 10800\n118e06.dat\n118e06.dat\n", "malformed"),
        ("118e06 0 360 10800\n", "announces no signals"),
        ("118e06 1 0 10800\n118e06.dat 16 200\n", "rate"),
        ("118e06 1 360 0\n118e06.dat 16 200\n", "samples"),
        ("118e06 1 360 10\n118e06.dat 99 200\n", "signal format 99 is unknown"),
        ("118e06 1 360 10\n118e06.dat 16x0 200\n", "malformed"),
        ("118e06/2 1 360 10\n118e06 5\n118e06 5\n", "segment cannot be made of segments"),
        ("118e06/1 1 360 10\n~ 10\n", "none of its segments holds samples"),
        ("\x00\xff\x00binary", "malformed"),
    ],
)
def test_a_malformed_header(record: Path, header: str, message: str) -> None:
    record.with_suffix(".hea").write_text(header)
    with pytest.raises(FormatError, match=message) as caught:
        formats.read(record)
    assert str(record) in str(caught.value)


def test_segments_that_are_not_as_announced(tmp_path: Path) -> None:
    formats.write(recording(np.ones((5, 1))), tmp_path / "a")
    formats.write(recording(np.ones((5, 1)), fs=500), tmp_path / "b")
    (tmp_path / "x.hea").write_text("x/2 1 250 10\na 5\nb 5\n")
    with pytest.raises(FormatError, match="segment b has 5 samples at 500 Hz, not 5 at 250 Hz"):
        formats.read(tmp_path / "x")
    (tmp_path / "x.hea").write_text("x/2 1 250 10\na 5\na 4\n")
    with pytest.raises(FormatError, match="segment a has 5 samples at 250 Hz, not 4 at 250 Hz"):
        formats.read(tmp_path / "x")


def test_segments_longer_than_memory(tmp_path: Path) -> None:
    formats.write(recording(np.ones((5, 1))), tmp_path / "a")
    (tmp_path / "x.hea").write_text(f"x/2 1 250 10\na 5\n~ {10**17}\n")
    with pytest.raises(FormatError, match="samples a lead do not fit the memory"):
        formats.read(tmp_path / "x")


def test_a_segment_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text("x/1 1 250 5\na 5\n")
    with pytest.raises(FileNotFoundError, match=r"a\.hea"):
        formats.read(tmp_path / "x")


@pytest.mark.parametrize("content", [b"", b"\x01", b"no annotations", b"\x01\x04\x02\x08"])
def test_files_that_are_no_annotations_are_named_and_left_out(record: Path, content: bytes) -> None:
    record.with_suffix(".qrs").write_bytes(content)
    record.with_suffix(".txt").write_bytes(content)
    with pytest.warns(UserWarning, match=r"118e06\.qrs: not read as annotations"):
        assert set(formats.read(record).annotations) == {"atr"}


# Other formats


def test_unknown_formats(tmp_path: Path) -> None:
    (tmp_path / "x.xyz").write_text("?")
    with pytest.raises(FormatError, match="of no known format; known are WFDB"):
        formats.read(tmp_path / "x.xyz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        formats.read(tmp_path / "y.xyz")
    with pytest.raises(FormatError, match="no format has this suffix"):
        formats.write(recording(np.ones((3, 1))), tmp_path / "z.xyz")


# Writing


@pytest.mark.parametrize("name", ["118e06_excerpt", "118e24_excerpt"])
def test_what_was_read_is_written_again_digitally_equal(tmp_path: Path, name: str) -> None:
    formats.write(formats.read(examples.path(name)), tmp_path / "copy")
    ours = wfdb.rdrecord(str(tmp_path / "copy"), physical=False)
    source = wfdb.rdrecord(str(examples.path(name)), physical=False)
    assert_array_equal(ours.d_signal, source.d_signal)
    for field in ("fs", "sig_name", "units", "adc_gain", "baseline", "fmt", "comments"):
        assert getattr(ours, field) == getattr(source, field)
    assert [total & 0xFFFF for total in ours.checksum] == source.calc_checksum()
    assert ours.init_value == source.init_value
    atr, source_atr = (
        wfdb.rdann(str(path), "atr") for path in (tmp_path / "copy", examples.path(name))
    )
    assert_array_equal(atr.sample, source_atr.sample)
    assert atr.symbol == source_atr.symbol


@given(st.data(), st.sampled_from([8, 12, 16, 24, 32]), st.integers(1, 20), st.integers(1, 13))
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_width_holds_every_value(
    tmp_path: Path, data: st.DataObject, bits: int, samples: int, leads: int
) -> None:
    edge = 2 ** (bits - 1) - 1
    numbers = st.one_of(st.none(), st.integers(-edge, edge), st.sampled_from([-edge, edge]))
    digital = np.array(
        data.draw(st.lists(numbers, min_size=samples * leads, max_size=samples * leads)), float
    ).reshape(samples, leads)
    formats.write(recording(digital / 200, bits), tmp_path / "x")
    assert_allclose(formats.read(tmp_path / "x").signal * 200, digital, rtol=0, atol=1e-6)
    theirs = wfdb.rdrecord(str(tmp_path / "x"), physical=False)
    assert_array_equal(theirs.d_signal, np.where(np.isnan(digital), -edge - 1, digital))
    assert [total & 0xFFFF for total in theirs.checksum] == theirs.calc_checksum()


def test_long_records_are_written_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipmdae.formats.wfdb_writer._BLOCK", 4)
    signal = np.arange(33.0).reshape(11, 3) / 200
    formats.write(recording(signal, bits=12), tmp_path / "x")
    assert_array_equal(formats.read(tmp_path / "x").signal, signal)


def test_values_that_do_not_fit_are_stored_wider(tmp_path: Path) -> None:
    signal = np.array([[10.235], [10.24]])
    with pytest.warns(UserWarning, match=r"do not fit the 12 bits they had; stored in 16"):
        formats.write(recording(signal, bits=12), tmp_path / "x")
    assert_allclose(formats.read(tmp_path / "x").signal, signal)
    with pytest.raises(FormatError, match="do not fit 32 bits"):
        formats.write(recording([[1e9]]), tmp_path / "x")


def test_leads_that_never_were_digital(tmp_path: Path) -> None:
    signal = np.array([[1.2345678, -3], [np.nan, 0.1]])
    formats.write(
        Recording(signal=signal, fs=500, leads=("I", "p"), units=("mV", "mmHg")), tmp_path / "x"
    )
    r = formats.read(tmp_path / "x")
    assert_allclose(r.signal, signal, atol=0.0005)
    assert r.units == ("mV", "mmHg")


@pytest.mark.parametrize("fs", [250, 128, 360, 333.3333333333333, 999.5, 0.1])
@pytest.mark.parametrize(
    "start", [None, datetime(1999, 12, 31, 23, 59, 59, 123456), datetime(2024, 1, 2)]
)
def test_rate_start_and_texts_are_kept(tmp_path: Path, fs: float, start: datetime | None) -> None:
    texts: dict[str, Any] = {"comments": ("Age: 51  Sex: M", ""), "leads": ("MLII with a name",)}
    formats.write(recording(np.ones((3, 1)), fs=fs, start=start, **texts), tmp_path / "x")
    r = formats.read(tmp_path / "x.hea")
    assert (r.fs, r.start) == (fs, start)
    assert r.leads == ("MLII with a name",)
    assert r.comments == ("Age: 51 Sex: M", "")


def test_a_time_without_a_date_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text("x 1 250 3 12:34:56\nx.dat 16\n")
    np.arange(3, dtype="<i2").tofile(tmp_path / "x.dat")
    r = formats.read(tmp_path / "x")
    assert r.start is None
    formats.write(
        dataclasses.replace(r, metadata={**r.metadata, "device": "Holter"}), tmp_path / "y"
    )
    again = formats.read(tmp_path / "y")
    assert again.metadata == r.metadata == {"time of day": "12:34:56"}
    assert again.comments == ("device: Holter",)


@pytest.mark.parametrize("name", ["a b", "ä", "a.b"])
def test_a_name_that_is_none_for_wfdb(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"name has only letters|no format has this suffix"):
        formats.write(recording(np.ones((3, 1))), tmp_path / name)


def test_a_failure_leaves_the_old_record(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in record.parent.iterdir()}
    r = formats.read(record)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ipmdae.formats.wfdb_annotations.write_all", fail)
    with pytest.raises(KeyboardInterrupt):
        formats.write(r, record)
    assert {path.name: path.read_bytes() for path in record.parent.iterdir()} == before


# Annotation files

marks = st.builds(
    lambda rows: Annotations(
        sample=np.cumsum([row[0] for row in rows], dtype=np.int64),
        symbol=tuple(row[1] for row in rows),
        note=tuple(row[2] for row in rows),
        subtype=np.array([row[3] for row in rows], np.int64),
        channel=np.array([row[4] for row in rows], np.int64),
        number=np.array([row[5] for row in rows], np.int64),
    ),
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 3000), st.integers(0, 2**24)),
            st.sampled_from(["N", "V", "(", ")", "p", "t", "+", '"', "~", "[43]"]),
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40),
            st.integers(-128, 127),
            st.integers(0, 255),
            st.integers(-128, 127),
        ),
        max_size=20,
    ),
)


@given(marks)
@settings(deadline=None, max_examples=50)
def test_annotations_come_back(written: Annotations) -> None:
    again, fs = decode(encode(written))
    assert fs is None
    assert_array_equal(again.sample, written.sample)
    assert (again.symbol, again.note) == (written.symbol, written.note)
    for field in ("subtype", "channel", "number"):
        assert_array_equal(getattr(again, field), getattr(written, field))


@given(st.binary(max_size=200))
def test_any_bytes_are_annotations_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except ValueError as error:
        assert str(error)


def test_unknown_symbols_become_notes_and_long_notes_are_cut() -> None:
    written = Annotations(sample=np.array([5, 9]), symbol=("AFIB", "N"), note=("start", "x" * 300))
    again, _ = decode(encode(written))
    assert again.symbol == ('"', "N")
    assert again.note == ("AFIB start", "x" * 255)


def test_annotations_that_count_at_their_own_rate(record: Path) -> None:
    wfdb.wrann(
        "118e06", "own", np.array([10, 100]), ["N", "V"], fs=72, write_dir=str(record.parent)
    )
    own = formats.read(record).annotations["own"]
    assert_array_equal(own.sample, [50, 500])
    assert own.symbol == ("N", "V")
