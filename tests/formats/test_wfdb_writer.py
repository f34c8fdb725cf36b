from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from records import digital

from ipmdae import examples, formats
from ipmdae.formats import FormatError
from ipmdae.recording import Header, Recording


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


@pytest.mark.slow
@given(st.data(), st.sampled_from([8, 12, 16, 24, 32]), st.integers(1, 20), st.integers(1, 13))
@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_width_holds_every_value(
    tmp_path: Path, data: st.DataObject, bits: int, samples: int, leads: int
) -> None:
    edge = 2 ** (bits - 1) - 1
    numbers = st.one_of(st.none(), st.integers(-edge, edge), st.sampled_from([-edge, edge]))
    values = np.array(
        data.draw(st.lists(numbers, min_size=samples * leads, max_size=samples * leads)), float
    ).reshape(samples, leads)
    formats.write(digital(values / 200, bits), tmp_path / "x")
    assert_allclose(formats.read(tmp_path / "x").signal * 200, values, rtol=0, atol=1e-6)
    theirs = wfdb.rdrecord(str(tmp_path / "x"), physical=False)
    assert_array_equal(theirs.d_signal, np.where(np.isnan(values), -edge - 1, values))
    assert [total & 0xFFFF for total in theirs.checksum] == theirs.calc_checksum()


def test_long_records_are_written_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipmdae.formats.wfdb_writer._BLOCK", 4)
    signal = np.arange(33.0).reshape(11, 3) / 200
    formats.write(digital(signal, bits=12), tmp_path / "x")
    assert_array_equal(formats.read(tmp_path / "x").signal, signal)


def test_values_that_do_not_fit_are_stored_wider(tmp_path: Path) -> None:
    signal = np.array([[10.235], [10.24]])
    with pytest.warns(UserWarning, match=r"do not fit the 12 bits they had; stored in 16"):
        formats.write(digital(signal, bits=12), tmp_path / "x")
    assert_allclose(formats.read(tmp_path / "x").signal, signal)
    with pytest.raises(FormatError, match="do not fit 32 bits"):
        formats.write(digital([[1e9]]), tmp_path / "x")


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
    formats.write(digital(np.ones((3, 1)), fs=fs, start=start, **texts), tmp_path / "x")
    r = formats.read(tmp_path / "x.hea")
    assert (r.fs, r.start) == (fs, start)
    assert r.leads == ("MLII with a name",)
    assert r.comments == ("Age: 51 Sex: M", "")


def test_a_time_without_a_date_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text("x 1 250 3 12:34:56\nx.dat 16 200\n")
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
        formats.write(digital(np.ones((3, 1))), tmp_path / name)


def test_a_failure_leaves_the_old_record(record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in record.parent.iterdir()}
    r = formats.read(record)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ipmdae.formats.wfdb_annotations.write_all", fail)
    with pytest.raises(KeyboardInterrupt):
        formats.write(r, record)
    assert {path.name: path.read_bytes() for path in record.parent.iterdir()} == before


# In blocks


@pytest.mark.parametrize("sizes", [[11], [1] * 11, [2, 0, 9]])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_blocks_give_the_same_files(tmp_path: Path, sizes: list[int], bits: int) -> None:
    signal = np.arange(33.0).reshape(11, 3) / 200
    signal[4, 1] = np.nan
    r = digital(signal, bits, comments=("A",), start=datetime(2024, 1, 2))
    formats.write(r, tmp_path / "whole" / "x")
    with formats.open_writer(r.header, tmp_path / "blocks" / "x") as writer:
        at = 0
        for size in sizes:
            writer.write(signal[at : at + size])
            at += size
            assert not (tmp_path / "blocks" / "x.hea").exists()
    for name in ("x.hea", "x.dat"):
        files = [tmp_path / folder / name for folder in ("whole", "blocks")]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(path.name for path in (tmp_path / "blocks").iterdir()) == ["x.dat", "x.hea"]


def write_blocks(header: Header, path: Path, samples: int, failing: bool = False) -> None:
    with formats.open_writer(header, path) as writer:
        writer.write(np.zeros((samples, 2)))
        if failing:
            raise KeyboardInterrupt


def test_blocks_that_fail_leave_the_old_record(record: Path) -> None:
    before = {path.name: path.read_bytes() for path in record.parent.iterdir()}
    header = formats.read(record).header
    with pytest.raises(KeyboardInterrupt):
        write_blocks(header, record, header.samples, failing=True)
    with pytest.raises(FormatError, match="5 samples a lead came, 10800 were announced"):
        write_blocks(header, record, 5)
    with pytest.raises(FormatError, match="name has only letters"):
        formats.open_writer(header, record.with_name("a b"))
    assert {path.name: path.read_bytes() for path in record.parent.iterdir()} == before
