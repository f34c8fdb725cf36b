"""WFDB headers that mislead, lead out of their folder, or cost more than they are worth."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb  # type: ignore[import-untyped]
from records import digital

from ipmdae import formats
from ipmdae.formats import FormatError
from ipmdae.formats.wfdb_header import read_header
from ipmdae.recording import Recording

posix = pytest.mark.skipif(os.name == "nt", reason="links and pipes of POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ten samples, 0 to 9, to be described by a header."""
    folder = tmp_path / "record"
    folder.mkdir()
    np.arange(10, dtype="<i2").tofile(folder / "x.dat")
    return folder


def read(folder: Path, record: str, signal: str = "x.dat 16 200/mV") -> Recording:
    (folder / "x.hea").write_text(f"{record}\n{signal}\n", encoding="utf-8")
    return formats.read(folder / "x")


@pytest.mark.parametrize(
    ("rate", "fs"),
    [
        ("1e3", 1000),
        ("2.5E2", 250),
        ("1e-1", 0.1),
        ("360/360(0)", 360),
        ("360/1.5(-2.5)", 360),
        ("128.5", 128.5),
        (".5", 0.5),
        ("+250", 250),
    ],
)
def test_rates_in_every_spelling(folder: Path, rate: str, fs: float) -> None:
    r = read(folder, f"x 1 {rate} 8 10:20:30 1/2/2020")
    assert (r.fs, r.samples) == (fs, 8)
    assert r.start == datetime(2020, 2, 1, 10, 20, 30)
    np.testing.assert_allclose(r.signal[:, 0], np.arange(8) / 200)


@pytest.mark.parametrize("rate", ["0", "0.0", "-250", "nan", "inf", "1e999", "1_0", "0x10", "/360"])
def test_rates_that_are_none(folder: Path, rate: str) -> None:
    with pytest.raises(FormatError, match="is not a sampling rate"):
        read(folder, f"x 1 {rate} 8")


@pytest.mark.parametrize(
    ("signal", "unit", "name", "step"),
    [
        ("x.dat 16 200(0)/mV 16 0 0 0 0 ECG (filter 5 µV)", "mV", "ECG (filter 5 µV)", 1 / 200),
        ("x.dat 16 200/µV 16 0 0 0 0 V1", "mV", "V1", 1e-3 / 200),
        ("x.dat 16 200/μV", "mV", "lead 1", 1e-3 / 200),
        ("x.dat 16 2e2/mmHg 16 0 0 0 0 mV", "mmHg", "mV", 1 / 200),
        ("x.dat 16 200(0)/V 16 0 0 0 0 a  b#c", "mV", "a  b#c", 1e3 / 200),
        ("x.dat 16 0 16 0 0 0 0 12", "mV", "12", 1 / 200),
        ("x.dat 16", "mV", "lead 1", 1 / 200),
        ("x.dat 16 200/°C 16 0 0 0 0 Brustwand außen", "°C", "Brustwand außen", 1 / 200),
    ],
)
@pytest.mark.filterwarnings("ignore:.*states no gain")
def test_units_and_names_are_those_of_their_own_fields(
    folder: Path, signal: str, unit: str, name: str, step: float
) -> None:
    r = read(folder, "x 1 250 10", signal)
    assert (r.units, r.leads) == ((unit,), (name,))
    np.testing.assert_allclose(r.signal[:, 0], np.arange(10) * step)


@pytest.mark.parametrize("gain", ["1E3/mV", "200(+5)/mV", "2e400/mV"])
def test_gains_that_are_understood_in_two_ways_are_refused(folder: Path, gain: str) -> None:
    with pytest.raises(FormatError, match=r"malformed|is invalid"):
        read(folder, "x 1 250 10", f"x.dat 16 {gain} 16 0 0 0 0 II")


def test_a_gain_that_makes_samples_infinite_is_refused(folder: Path) -> None:
    with pytest.raises(FormatError, match="a gain of 1e-308 steps per mV is invalid"):
        read(folder, "x 1 250 10", "x.dat 16 1e-308(0)/mV")


@pytest.mark.parametrize("name", ["../x.dat", "/etc/passwd", "a/../../x.dat"])
def test_signals_elsewhere_are_not_read(folder: Path, name: str) -> None:
    np.arange(10, dtype="<i2").tofile(folder.parent / "x.dat")
    with pytest.raises((FormatError, FileNotFoundError)):
        read(folder, "x 1 250 10", f"{name} 16 200/mV")


@posix
@pytest.mark.parametrize("link", ["x.dat", "part.hea"])
def test_links_out_of_the_folder_are_not_followed(folder: Path, link: str) -> None:
    if link == "x.dat":
        (folder / link).rename(folder.parent / link)
        headers = {"x.hea": "x 1 250 10\nx.dat 16 200/mV\n"}
    else:
        (folder.parent / link).write_text("part 1 250 10\nx.dat 16 200/mV\n")
        headers = {"x.hea": "x/1 1 250 10\npart 10\n"}
    (folder / link).symlink_to(folder.parent / link)
    for name, text in headers.items():
        (folder / name).write_text(text)
    with pytest.raises(FormatError, match="leads out of the folder"):
        formats.read(folder / "x")


@pytest.mark.parametrize(
    "text", [f"x 1 250 10\n{'n' * 300}.dat 16 200/mV\n", f"x/1 1 250 10\n{'n' * 300} 10\n"]
)
def test_names_too_long_for_a_file_are_refused(folder: Path, text: str) -> None:
    (folder / "x.hea").write_text(text)
    with pytest.raises(FormatError, match="with a name of 304 bytes"):
        formats.read(folder / "x")


@posix
def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / "x.dat").rename(folder / "y.dat")
    (folder / "x.dat").symlink_to("y.dat")
    assert read(folder, "x 1 250 10").samples == 10


@posix
@pytest.mark.filterwarnings("ignore:.*not read as annotations:UserWarning")
def test_only_small_regular_files_of_a_fitting_name_are_annotations(folder: Path) -> None:
    marks = b"\x03\x04\x00\x00"  # a normal beat at sample 3
    for name in ("x.atr", "x.bak~", "x.DAT", "x.html"):
        (folder / name).write_bytes(marks)
    (folder.parent / "x.out").write_bytes(marks)
    (folder / "x.out").symlink_to(folder.parent / "x.out")
    (folder / "x.big").write_bytes(bytes(range(1, 9)) * (1 << 20))
    os.mkfifo(folder / "x.pipe")
    assert set(read(folder, "x 1 250 10").annotations) == {"atr"}


def test_neighbours_of_a_name_with_wildcards(tmp_path: Path) -> None:
    formats.write(digital(np.ones((10, 1))), tmp_path / "x")
    for suffix in (".hea", ".dat"):
        text = (tmp_path / f"x{suffix}").read_bytes()
        (tmp_path / f"[x]{suffix}").write_bytes(text)
    (tmp_path / "x.atr").write_bytes(b"\x03\x04\x00\x00")
    assert formats.read(tmp_path / "[x]").annotations == {}


def test_a_segment_that_is_listed_again_and_again_is_read_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "one.hea").write_text("one 1 250 10\nx.dat 16 200/mV\n")
    (folder / "all.hea").write_text("all/2000 1 250 20000\n" + "one 10\n" * 2000)
    decode, decoded = wfdb.rdrecord, []

    def noted(name: str, **options: Any) -> Any:
        decoded.append(name)
        return decode(name, **options)

    monkeypatch.setattr(wfdb, "rdrecord", noted)
    r = formats.read(folder / "all")
    assert len(decoded) <= 2
    np.testing.assert_allclose(r.signal[:, 0], np.tile(np.arange(10), 2000) / 200)


@pytest.mark.parametrize("gap", [10**7, 10**9])
def test_gaps_are_bounded_by_what_is_there(folder: Path, gap: int) -> None:
    (folder / "one.hea").write_text("one 1 250 10\nx.dat 16 200/mV\n")
    for lines in (f"one 10\n~ {gap}\none 10\n", "one 10\n" * 3 + f"~ {gap}\n"):
        count = lines.count("\n")
        (folder / "all.hea").write_text(f"all/{count} 1 250 0\n{lines}".replace(" 0\n", "\n", 1))
        with pytest.raises(FormatError, match="has gaps of"):
            formats.read(folder / "all")


def test_headers_beyond_any_recorder_are_refused(folder: Path) -> None:
    (folder / "x.hea").write_text("x 5000 250 10\n" + "x.dat 16 200/mV\n" * 5000)
    with pytest.raises(FormatError, match="more than 4096 signals"):
        formats.read(folder / "x")
    (folder / "x.hea").write_bytes(b"#" * (1 << 24) + b"#")
    with pytest.raises(FormatError, match="larger than 16 MiB"):
        read_header(folder / "x.hea")


def test_rates_that_differ_beyond_reason_are_refused(folder: Path) -> None:
    frames = 1 << 20
    np.zeros(frames + 300, np.int8).tofile(folder / "x.dat")
    signals = f"x.dat 80x{frames} 200/mV\n" + "x.dat 80 200/mV\n" * 300
    with pytest.raises(FormatError, match="expand"):
        read(folder, "x 301 0.001 1", signals)
