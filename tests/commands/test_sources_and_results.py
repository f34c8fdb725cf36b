"""Files of a recording: sources are never replaced, results as private as they, nothing stale."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import zipfile
from pathlib import Path

import command_line
import pytest
from command_line import refused
from typer.testing import Result

from ipmdae import formats
from ipmdae.formats import files_of

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")


@pytest.fixture(autouse=True)
def folder(tree: Path) -> Path:
    return tree


def run(*arguments: object) -> Result:
    return command_line.run("denoise", *arguments, "--method", "tiny.safetensors")


def record_with_signals_elsewhere() -> Path:
    """A record ``x`` whose signals are in ``y.dat``."""
    shutil.copy("data/a.dat", "y.dat")
    header = Path("data/a.hea").read_text()
    Path("x.hea").write_text(header.replace("a.dat", "y.dat").replace("a 2", "x 2", 1))
    return Path("y.dat")


def unisens() -> Path:
    """A Unisens folder with one signal in a table."""
    Path("u").mkdir()
    Path("u/ecg.csv").write_text("\n".join(f"{k % 90}" for k in range(2000)))
    Path("u/unisens.xml").write_text(
        '<unisens xmlns="http://www.unisens.org/unisens2.0"><signalEntry id="ecg.csv" '
        'sampleRate="200" unit="mV" lsbValue="0.01" contentClass="ECG"><csvFileFormat '
        'separator=";"/><channel name="II"/></signalEntry></unisens>'
    )
    return Path("u/ecg.csv")


def bids(folder: str) -> Path:
    """A BIDS recording."""
    Path(folder).mkdir()
    recording = formats.read("data/a", annotations=False)
    formats.write(dataclasses.replace(recording, comments=()), Path(folder, "s_physio.tsv.gz"))
    return Path(folder, "s_physio.json")


def test_files_of_a_recording() -> None:
    part = record_with_signals_elsewhere()
    assert part in files_of(Path("x"))
    Path("m.hea").write_text("m/2 2 360 4320\nx 2160\n~ 2160\n")
    assert {Path("x.hea"), part} <= set(files_of(Path("m")))
    assert unisens() in files_of(Path("u/unisens.xml"))
    assert bids("b") in files_of(Path("b/s_physio.tsv.gz"))
    assert files_of(Path("new")) == [Path("new.hea"), Path("new.dat")]
    Path("plain").write_text("a table without a suffix")
    assert files_of(Path("plain")) == [Path("plain")]
    Path("long.hea").write_text(f"long 1 360 10\n{'x' * 300}.dat 16\n")
    assert files_of(Path("long")) == [Path("long.hea"), Path("long.dat")]
    assert files_of(Path("data/deep/b.edf")) == [Path("data/deep/b.edf")]


def test_files_that_belong_to_a_source_are_not_replaced() -> None:
    part, table, sidecar = record_with_signals_elsewhere(), unisens(), bids("b")
    before = {file: file.read_bytes() for file in (part, table, sidecar)}
    for source, target in (
        ("x", "y"),
        ("u/unisens.xml", table),
        ("b/s_physio.tsv.gz", sidecar),
    ):
        assert "is the recording itself" in refused(run(source, "-o", target, "--overwrite"))
    assert {file: file.read_bytes() for file in before} == before


def test_a_sidecar_is_not_replaced_without_leave() -> None:
    Path("k").mkdir()
    Path("k/s_physio.json").write_text("{}")
    assert "s_physio.json exists" in refused(run("data/a", "-o", "k/s_physio.tsv.gz"))
    assert Path("k/s_physio.json").read_text() == "{}"
    assert run("data/a", "-o", "k/s_physio.tsv.gz", "--overwrite").exit_code == 0
    assert json.loads(Path("k/s_physio.json").read_text())["SamplingFrequency"] == 360


def test_annotations_of_an_earlier_result_are_pointed_out() -> None:
    shutil.copy("data/a.dat", "data/plain.dat")
    header = Path("data/a.hea").read_text()
    Path("data/plain.hea").write_text(
        header.replace("a.dat", "plain.dat").replace("a 2", "plain 2")
    )
    assert run("data/a", "-o", "r", "--rpeaks").exit_code == 0
    again = run("data/a", "-o", "r", "--rpeaks", "--overwrite")
    assert "that was replaced" not in again.stderr
    other = run("data/plain", "-o", "r", "--overwrite")
    assert "r.atr: of the recording that was replaced" in other.stderr
    assert "r.rpeaks: of the recording that was replaced" in other.stderr


@posix
def test_everything_made_of_a_private_file_is_private() -> None:
    record_with_signals_elsewhere().chmod(0o600)
    made = ["r.csv", "--report", "r.html", "--figure", "r.png", "--rpeaks"]
    assert run("x", "-o", *made).exit_code == 0
    for name in ("r.csv", "r.html", "r.png", "r.rpeaks.csv"):
        assert Path(name).stat().st_mode & 0o777 == 0o600, name
    assert command_line.run("plot", "x", "-o", "p.png").exit_code == 0
    assert Path("p.png").stat().st_mode & 0o777 == 0o600


@posix
def test_pages_and_tables_of_several_recordings_are_as_private_as_one_of_them() -> None:
    recording = formats.read("data/a", annotations=False)
    formats.write(recording, "several/open.csv")
    formats.write(recording, "several/secret.csv")
    Path("several/secret.csv").chmod(0o600)
    made = ["-o", "out", "--summary", "summary.csv", "--report", "index.html"]
    assert run("several", *made).exit_code == 0
    for name in ("summary.csv", "index.html"):
        assert Path(name).stat().st_mode & 0o777 == 0o600, name
    assert Path("out/open.csv").stat().st_mode & 0o077


@posix
def test_results_of_a_private_archive_are_private() -> None:
    for name in ("one.csv", "two.csv"):
        formats.write(formats.read("data/a", annotations=False), name)
    with zipfile.ZipFile("both.zip", "w") as archive:
        archive.write("one.csv")
        archive.write("two.csv")
    Path("both.zip").chmod(0o600)
    assert run("both.zip", "-o", "out").exit_code == 0
    results = [file for file in Path("out").rglob("*") if file.is_file()]
    assert len(results) == 2
    assert {file.stat().st_mode & 0o777 for file in results} == {0o600}


def test_r_peaks_of_two_results_have_one_name() -> None:
    formats.write(formats.read("data/a"), "two/a.edf")
    formats.write(formats.read("data/a"), "two/a.npz")
    line = refused(run("two", "-o", "out", "--rpeaks"))
    assert "R peaks of out/a.edf and out/a.npz would both be written to out/a.rpeaks.csv" in line
