"""The command ``ipmdae denoise`` on many recordings, as a user types it."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import command_line
import numpy as np
import pandas as pd
import pytest
import wfdb  # type: ignore[import-untyped]
from typer.testing import Result

from ipmdae import examples, formats
from ipmdae.commands import job as jobs_module
from ipmdae.recording import Recording


@pytest.fixture(autouse=True)
def folder(tree: Path) -> Path:
    return tree


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return command_line.run("denoise", *arguments, "--method", "tiny.safetensors", stdin=stdin)


def lines(result: Result) -> list[str]:
    return result.stderr.splitlines()


def results(folder: str = "out") -> set[str]:
    """The files in a folder, below it."""
    return {p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file()}


def test_a_tree_is_kept_and_a_bad_file_named_at_the_end() -> None:
    result = run("data", "-o", "out")
    assert result.exit_code == 1
    assert lines(result)[-1].startswith("ipmdae: error: ")
    assert "bad.hea: the WFDB header is malformed" in lines(result)[-1]
    assert "2 cleaned, 1 failed, 1 file of unknown format" in result.stdout
    assert {"a.hea", "a.dat", "deep/b.edf"} <= results()
    assert formats.read("out/deep/b.edf").duration == 4
    assert formats.read("out/a").leads == ("MLII", "V1")


def test_recordings_change_their_format() -> None:
    assert run("data/a", "data/deep/b.edf", "-o", "out", "--to", "npz").exit_code == 0
    assert results() == {"a.npz", "b.npz"}
    assert run("data/a", "-o", "one", "--to", "EDF").exit_code == 0
    assert formats.read("one.edf").samples == 6 * 360
    assert run("data/a", "-o", "two.csv.gz", "--to", "csv").exit_code == 0
    assert Path("two.csv.gz").read_bytes().startswith(b"\x1f\x8b")
    refused = run("data/a", "-o", "two", "--to", "mp3")
    assert refused.exit_code == 1
    assert "cannot write 'mp3'; there are: wfdb, edf" in lines(refused)[0]


def test_json_lines_are_all_that_is_on_stdout() -> None:
    result = run("data", "-o", "out", "--json", "--leads", "V1")
    assert result.exit_code == 1
    told = [json.loads(line) for line in result.stdout.splitlines()]
    by_lead = {(row["file"], row["lead"]): row for row in told}
    assert len(told) == len(by_lead) == 5  # two leads of two recordings, and one that failed
    good = by_lead[str(Path("data/a")), "V1"]
    assert good["output"] == str(Path("out/a"))
    assert (good["duration_s"], good["fs_hz"], good["result"]) == (6, 360, "cleaned")
    assert good["seconds"] > 0
    assert good["good"] + good["limited"] + good["unusable"] == pytest.approx(1)
    assert good["removed_mv"] > 0
    left = by_lead[str(Path("data/a")), "MLII"]
    assert (left["result"], left["why"]) == ("unchanged", "not asked for")
    assert (good["error"], good["warnings"]) == (None, [])
    bad = by_lead[str(Path("data/bad")), None]
    assert bad["result"] == "failed"
    assert "malformed" in bad["error"]
    assert len({tuple(row) for row in told}) == 1


def test_what_was_cleaned_and_what_was_left_is_said() -> None:
    noisy = formats.read("data/a", annotations=False)
    mixed = Recording(
        signal=np.column_stack([noisy.signal, np.full(noisy.samples, 72.0)]),
        fs=360,
        leads=("I", "II", "heart\x1b[2Jrate"),
        units=("mV", "mV", "bpm"),
    )
    formats.write(mixed, "mixed.npz")
    told = run("mixed.npz", "-o", "out.npz").stdout
    assert "2 of 3 leads cleaned by" in told
    assert "left unchanged (not a voltage: in bpm)" in told
    assert "heart\\x1b[2Jrate" in told
    assert "\x1b" not in told
    assert told.count("mV rms removed") == 2


def test_a_summary_has_a_row_for_each_recording_and_lead() -> None:
    result = run("data", "-o", "out", "--summary", "all.csv")
    assert result.exit_code == 1
    table = pd.read_csv("all.csv")
    assert list(table["file"]) == [
        *[str(Path("data/a"))] * 2,
        str(Path("data/bad")),
        *[str(Path("data/deep/b.edf"))] * 2,
    ]
    assert list(table["result"]) == ["cleaned", "cleaned", "failed", "cleaned", "cleaned"]
    cleaned = table[table["result"] == "cleaned"]
    assert np.allclose(cleaned[["good", "limited", "unusable"]].sum(axis=1), 1)
    bands = cleaned[[name for name in table if "_hz_mv" in name]]
    assert bands.shape[1] == 3
    np.testing.assert_allclose(
        np.square(bands).sum(axis=1), np.square(cleaned["removed_mv"]), rtol=1e-3
    )
    assert {"heart_rate_before", "heart_rate_after", "seconds", "warnings"} <= set(table)
    assert "all.csv exists" in lines(run("data", "-o", "new", "--summary", "all.csv"))[0]
    again = run("data", "-o", "out", "--summary", "all.csv", "--resume")
    assert "2 done already" in again.stdout
    pd.testing.assert_frame_equal(pd.read_csv("all.csv"), table)


def test_a_summary_may_be_json_lines_and_holds_no_formulas() -> None:
    noisy = formats.read("data/a", annotations=False)
    formats.write(dataclasses.replace(noisy, leads=("=1+1", "-aVR")), "data/a.npz")
    assert run("data/a.npz", "-o", "one.npz", "--summary", "one.csv").exit_code == 0
    with open("one.csv", encoding="utf-8", newline="") as file:
        assert [row["lead"] for row in csv.DictReader(file)] == ["'=1+1", "-aVR"]
    assert run("data/a.npz", "-o", "two.npz", "--summary", "two.jsonl").exit_code == 0
    told = [json.loads(line) for line in Path("two.jsonl").read_text().splitlines()]
    assert [row["lead"] for row in told] == ["=1+1", "-aVR"]


def test_r_peaks_lie_beside_the_result() -> None:
    clean = formats.read(examples.path("118e24_excerpt"))
    formats.write(clean, "clean")
    words = ["denoise", "clean", "--rpeaks", "--method", "butterworth-0.5-40", "-o"]
    told = command_line.run(*words, "out/x")
    assert told.exit_code == 0, told.output
    assert "found by XQRS of wfdb, written to" in told.stdout
    peaks = wfdb.rdann("out/x", "rpeaks").sample
    beats = clean.annotations["atr"].sample
    assert np.mean(np.abs(peaks[:, None] - beats).min(0) < 36) > 0.95
    assert command_line.run(*words, "out/y.csv").exit_code == 0
    table = pd.read_csv("out/y.rpeaks.csv")
    np.testing.assert_array_equal(table["sample"], peaks)
    np.testing.assert_allclose(table["RR (s)"][1:], np.diff(peaks) / 360, atol=1e-3)
    Path("out/y.csv").unlink()
    refused = command_line.run(*words, "out/y.csv")
    assert "y.rpeaks.csv exists" in refused.stderr


@pytest.mark.slow
def test_the_source_is_read_no_more_than_twice_and_a_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noisy = formats.read(examples.path("118e06_excerpt"), annotations=False)
    formats.write(noisy, "noisy.csv")
    read: dict[str, int] = {}
    opened: dict[str, int] = {}
    real = formats.open_reader

    def counting(path: Path, **others: object) -> formats.SignalReader:
        name = Path(path).name
        reader = real(path, **others)  # type: ignore[arg-type]
        opened[name] = opened.get(name, 0) + 1
        inner = reader.read

        def counted(first: int, stop: int) -> np.ndarray:
            read[name] = read.get(name, 0) + stop - first
            return inner(first, stop)

        reader.read = counted  # type: ignore[method-assign]
        return reader

    monkeypatch.setattr(formats, "open_reader", counting)
    words = ["-o", "out.csv", "--report", "page.html", "--summary", "s.csv", "--figure", "f.png"]
    assert run("noisy.csv", *words).exit_code == 0
    assert opened == {"noisy.csv": 1, "out.csv": 1}
    assert read["noisy.csv"] <= 3 * noisy.samples
    read.clear()
    assert run("noisy.csv", "-o", "out2.csv").exit_code == 0
    assert read == {"noisy.csv": 2 * noisy.samples}


def test_resume_leaves_out_what_is_done_and_whole() -> None:
    assert run("data", "-o", "out").exit_code == 1
    before = {name: Path("out", name).stat().st_mtime_ns for name in results()}
    refused = run("data", "-o", "out")
    assert "a.hea exists (and 3 more)" in lines(refused)[0]
    assert "--resume" in lines(refused)[0]
    noisy = formats.read("data/deep/b.edf")
    formats.write(noisy.excerpt(0, 2), "out/deep/b.edf")
    result = run("data", "-o", "out", "--resume")
    assert "out/a: already done" in result.stdout.replace("\\", "/")
    assert "1 cleaned, 1 done already, 1 failed" in result.stdout
    assert formats.read("out/deep/b.edf").duration == 4
    assert Path("out/a.dat").stat().st_mtime_ns == before["a.dat"]
    os.utime("data/a.dat", (time.time() + 60, time.time() + 60))
    assert "1 cleaned, 1 done already" not in run("data/a", "-o", "out/a", "--resume").stdout
    drawn = run("data/a", "-o", "out/a", "--resume", "--figure", "a.png")
    assert "already done" not in drawn.stdout
    assert Path("a.png").is_file()
    assert "a.png exists" in lines(run("data/a", "-o", "new", "--figure", "a.png"))[0]
    assert Path("out/a.dat").stat().st_mtime_ns > before["a.dat"]


@pytest.mark.slow
def test_several_processes_give_what_one_gives() -> None:
    assert run("data", "-o", "one").exit_code == 1
    result = run("data", "-o", "two", "--jobs", 2)
    assert result.exit_code == 1
    assert "2 cleaned, 1 failed" in result.stdout
    assert results("one") == results("two")
    for name in ("a", "deep/b.edf"):
        one, two = (formats.read(Path(folder, name)) for folder in ("one", "two"))
        np.testing.assert_array_equal(one.signal, two.signal)


@pytest.mark.slow
def test_reports_of_several_have_an_index() -> None:
    assert run("data", "-o", "out", "--report", "all.html").exit_code == 1
    pages = {p.as_posix() for p in Path("all-pages").rglob("*.html")}
    assert pages == {"all-pages/a.html", "all-pages/deep/b.edf.html"}
    index = Path("all.html").read_text(encoding="utf-8")
    for page in pages:
        assert f'href="{page}"' in index
    assert "the WFDB header is malformed" in index


def test_one_recording_has_one_report() -> None:
    assert run("data/a", "-o", "out/a", "--report", "page.html").exit_code == 0
    assert "leads cleaned." in Path("page.html").read_text(encoding="utf-8")
    assert "Cleaned recording: a" in Path("page.html").read_text(encoding="utf-8")
    assert "page.html exists" in lines(run("data/a", "-o", "out/b", "--report", "page.html"))[0]


def test_a_folder_takes_the_recording_under_its_own_name() -> None:
    Path("out").mkdir()
    assert run("data/a", "-o", "out").exit_code == 0
    assert "a.hea" in results()
    assert run("data/deep/b.edf", "-o", "new/").exit_code == 0
    assert results("new") == {"b.edf"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("data/a", "data/deep/b.edf", "-o", "tiny.safetensors"),
            "several recordings need a folder",
        ),
        (("data", "-o", "x.edf"), "names one file (EDF/BDF)"),
        (("data", "-o", "data"), "is the recording itself"),
        (
            ("data/a", "data/deep/b.edf", "-o", "x", "--figure", "f.png"),
            "use --report for several",
        ),
        (("data/a", "-o", "x", "--figure", "f.gif"), "use the suffix .png"),
        (("data/a",), "name the result: -o OUT"),
        (("data/a", "-o", "x.csv", "--to", "edf"), "asks for CSV/TSV, --to for edf"),
        (("data/a", "-o", "x.csv", "--summary", "x.csv"), "requested twice"),
        (("data/deep/b.edf", "-o", "x", "--report", "data/deep/b.edf"), "not a page: use"),
        (("data/deep/b.edf", "-o", "x", "--summary", "data/deep/b.edf"), "name of a recording"),
        (("data/a", "-o", "x", "--leads", "aVR"), "no lead 'aVR'; there are: 'MLII', 'V1'"),
        (("-", "data/a", "-o", "x"), "- stands for one recording"),
        (("data/a", "-o", "-", "--to", "edf"), "name files for --to"),
        (("data/a", "-o", "-", "--json"), "name files for --json"),
        (("*.xyz", "-o", "x"), "no file matches this pattern"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    (line,) = lines(result)
    assert line.startswith("ipmdae: error: ")
    assert message in line
    assert not Path("x").exists()
    assert not Path("x.csv").exists()


def test_annotations_beside_a_result_are_results_too() -> None:
    Path("b.atr").write_bytes(b"mine")
    for source, data in (("data/a", None), ("-", b"time,II\n0,1\n0.01,2\n")):
        refused = run(source, "-o", "b", stdin=data)
        assert "b.atr exists: choose another name" in lines(refused)[0]
    assert Path("b.atr").read_bytes() == b"mine"
    assert run("data/a", "-o", "b", "--overwrite").exit_code == 0
    assert run("data/a", "-o", "b", "--overwrite", "--rpeaks").exit_code == 0
    Path("c.wav").write_bytes(b"mine")
    assert run("data/a", "-o", "c").exit_code == 0


def test_two_recordings_are_never_written_to_one_file() -> None:
    formats.write(formats.read("data/a", annotations=False), "data/b.csv")
    result = run("data/b.csv", "data/deep/b.edf", "-o", "out", "--to", "edf")
    assert "would both be written to" in lines(result)[0]


def test_classical_methods_mains_and_strength() -> None:
    words = ["denoise", "data/a", "-o", "out/a.npz", "--method", "none", "--strength", "0.5"]
    assert command_line.run(*words).exit_code == 0
    np.testing.assert_allclose(
        formats.read("out/a.npz").signal, formats.read("data/a").signal, atol=1e-6
    )
    assert run("data/a", "-o", "out/hum.npz", "--mains", 60).exit_code == 0
    assert any("60 Hz" in comment for comment in formats.read("out/hum.npz").comments)


def test_microvolts_taken_for_millivolts_are_warned_of() -> None:
    noisy = formats.read("data/a")
    formats.write(noisy.with_signal(noisy.signal * 1000), "micro.npz")
    result = run("micro.npz", "-o", "out.npz")
    assert result.exit_code == 0
    assert "lead MLII has an amplitude of" in lines(result)[0]
    assert "are its values microvolts?" in lines(result)[0]


@pytest.mark.slow
def test_csv_goes_through_stdin_and_stdout() -> None:
    formats.write(formats.read("data/a", annotations=False), "a.csv")
    piped = run("-", stdin=Path("a.csv").read_bytes())
    assert piped.exit_code == 0, piped.stderr
    assert run("a.csv", "-o", "b.csv").exit_code == 0
    assert piped.stdout == Path("b.csv").read_text()
    assert run("a.csv", "-o", "-").stdout == piped.stdout
    assert run("-", "-o", "c.edf", stdin=Path("a.csv").read_bytes()).exit_code == 0
    assert formats.read("c.edf").samples == 6 * 360
    assert "c.edf exists" in lines(run("-", "-o", "c.edf", stdin=b""))[0]
    assert lines(run("-", stdin=b""))[0].startswith("ipmdae: error: stdin: ")


def test_the_rate_of_a_table_without_times_is_given() -> None:
    np.savetxt("bare.csv", formats.read("data/a").signal, delimiter=",")
    assert "--fs" in lines(run("bare.csv", "-o", "out.csv"))[-1]
    assert run("bare.csv", "-o", "out.csv", "--fs", 360).exit_code == 0
    assert formats.read("out.csv", fs=360).duration == 6


def test_what_a_shell_completes() -> None:
    from ipmdae.commands.options import methods

    told = dict(methods())
    assert {"ipmdae-base", "iir"} <= set(told)
    assert (told["iir"], told["wavelet"]) == ("", "needs the extra benchmark")
    assert jobs_module.Settings(method="iir").card() is None


@pytest.mark.parametrize("suffix", ["", ".edf", ".bdf", ".csv", ".npy"])
def test_a_source_is_opened_once_and_read_twice(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = formats.read(examples.path("118e06_excerpt"))
    source = tmp_path / f"noisy{suffix}"
    noisy = dataclasses.replace(noisy, signal=noisy.signal[:4000], annotations={})
    if suffix == ".npy":
        np.save(source, noisy.signal)
    else:
        formats.write(noisy, source)
    opened: list[Path] = []
    read = 0
    open_reader = formats.open_reader

    def counting(path: Path, **options: Any) -> formats.SignalReader:
        reader = open_reader(path, **options)
        if Path(path) != source:
            return reader
        opened.append(path)
        inner = reader.read

        def count(first: int, stop: int) -> Any:
            nonlocal read
            read += stop - first
            return inner(first, stop)

        monkeypatch.setattr(reader, "read", count)
        return reader

    monkeypatch.setattr(formats, "open_reader", counting)
    rate = ("--fs", noisy.fs) if suffix == ".npy" else ()
    drawn = ("--report", tmp_path / "page.html", "--figure", tmp_path / "page.png")
    result = run(source, "-o", tmp_path / "out.edf", *drawn, "--rpeaks", *rate)
    assert result.exit_code == 0, result.stderr
    assert len(opened) == 1
    assert read == 2 * noisy.samples


def test_a_network_without_uncertainty_is_said_to_have_none(tree: Path) -> None:
    note = "no uncertainty is predicted"
    assert note in run("data/a", "-o", "out").stdout
    by_base = command_line.run("denoise", "data/a", "-o", "base")
    assert by_base.exit_code == 0
    assert note not in by_base.stdout
