from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from records import digital

from ipmdae import formats
from ipmdae.formats import FormatError


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
    formats.write(digital(np.ones((5, 1))), tmp_path / "a")
    formats.write(digital(np.ones((5, 1)), fs=500), tmp_path / "b")
    (tmp_path / "x.hea").write_text("x/2 1 250 10\na 5\nb 5\n")
    with pytest.raises(FormatError, match="segment b has 5 samples at 500 Hz, not 5 at 250 Hz"):
        formats.read(tmp_path / "x")
    (tmp_path / "x.hea").write_text("x/2 1 250 10\na 5\na 4\n")
    with pytest.raises(FormatError, match="segment a has 5 samples at 250 Hz, not 4 at 250 Hz"):
        formats.read(tmp_path / "x")


def test_segments_longer_than_any_recording(tmp_path: Path) -> None:
    formats.write(digital(np.ones((5, 1))), tmp_path / "a")
    (tmp_path / "x.hea").write_text(f"x/2 1 250 10\na 5\n~ {10**17}\n")
    with pytest.raises(FormatError, match="samples a lead are longer than a year"):
        formats.read(tmp_path / "x")


def test_a_segment_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "x.hea").write_text("x/1 1 250 5\na 5\n")
    with pytest.raises(FileNotFoundError, match=r"a\.hea"):
        formats.read(tmp_path / "x")


def test_segments_with_leads_in_another_order(tmp_path: Path) -> None:
    for name, leads in (("a", ("II", "V1")), ("b", ("V1", "II"))):
        lines = [f"{name}.dat 16 200 16 0 0 0 0 {lead}" for lead in leads]
        (tmp_path / f"{name}.hea").write_text("\n".join([f"{name} 2 250 5", *lines, ""]))
        (tmp_path / f"{name}.dat").write_bytes(bytes(20))
    (tmp_path / "x.hea").write_text("x/2 2 250 10\na 5\nb 5\n")
    with pytest.raises(FormatError, match="segment b has the leads V1, II, not II, V1"):
        formats.read(tmp_path / "x.hea")
