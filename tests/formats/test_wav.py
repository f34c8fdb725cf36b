"""WAV with a scale, and BIDS physiological recordings."""

from __future__ import annotations

import gzip
import json
import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions
from ipmdae.recording import Annotations, Recording, Resolution

STEPS = np.array([[0, -1], [100, 127], [-128, 5], [7, -7]])


def recording(**fields: Any) -> Recording:
    signal = np.random.default_rng(0).normal(size=(500, 2))
    signal[7:9, 1] = np.nan
    known: dict[str, Any] = {"fs": 130.5, "leads": ("II", "resp"), "units": ("mV", "l")}
    return Recording(**({"signal": signal} | known | fields))


def test_wav_comes_back_as_it_was_written(tmp_path: Path) -> None:
    marks = Annotations(sample=np.array([3, 9]), symbol=("N", "V"))
    r = recording(
        start=datetime(2021, 3, 4, 5, 6, 7),
        annotations={"atr": marks},
        resolution=(Resolution(gain=200), None),
        comments=("a note",),
        metadata={"patient id": "7"},
    )
    formats.write(r, tmp_path / "x.wav")
    back = formats.read(tmp_path / "x.wav")
    assert_allclose(back.signal, r.signal, rtol=1e-6)
    assert (back.fs, back.leads, back.units, back.start) == (r.fs, r.leads, r.units, r.start)
    assert (back.comments, dict(back.metadata)) == (r.comments, dict(r.metadata))
    assert back.resolution == r.resolution
    assert back.annotations["atr"].sample.tolist() == [3, 9]


def test_wav_is_read_by_others(tmp_path: Path) -> None:
    r = recording(fs=360)
    formats.write(r, tmp_path / "x.wav")
    soundfile = pytest.importorskip("soundfile")
    values, rate = soundfile.read(tmp_path / "x.wav", always_2d=True)
    assert rate == 360
    assert_allclose(values, r.signal, rtol=1e-6)


@pytest.mark.parametrize("kind", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_wav_of_others_needs_a_scale(tmp_path: Path, kind: str, container: str) -> None:
    soundfile = pytest.importorskip("soundfile")
    bits = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(kind, 1)
    path = tmp_path / "x.wav"
    soundfile.write(path, STEPS / 2.0 ** (bits - 1), 500, subtype=kind, format=container)
    with pytest.raises(FormatError, match=r"does not state its scale; give what .* is worth"):
        formats.read(path)
    r = formats.read(path, options=ReadOptions(unit="2.5uV"))
    assert_allclose(r.signal, STEPS * 2.5e-3, atol=1e-12)
    assert (r.fs, r.units) == (500, ("mV", "mV"))


def test_wav_that_was_resampled_has_the_rate_of_its_format(tmp_path: Path) -> None:
    formats.write(recording(fs=500), tmp_path / "x.wav")
    data = (tmp_path / "x.wav").read_bytes()
    at = data.index(b"fmt ") + 12
    assert data[at : at + 4] == struct.pack("<I", 500)
    (tmp_path / "y.wav").write_bytes(data[:at] + struct.pack("<I", 250) + data[at + 4 :])
    with pytest.warns(UserWarning, match="states 500 Hz, its format 250 Hz, which counts"):
        assert formats.read(tmp_path / "y.wav").fs == 250


def test_wav_is_read_in_parts(tmp_path: Path) -> None:
    r = recording()
    formats.write(r, tmp_path / "x.wav")
    with formats.open_reader(tmp_path / "x.wav") as reader:
        parts = [reader.read(i, min(i + 7, 500)) for i in range(0, 500, 7)]
    assert_allclose(np.concatenate(parts), r.signal, rtol=1e-6)


def test_an_interrupted_wav_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(b"old")
    r = recording()
    with (
        pytest.raises(FormatError, match="500 were announced"),
        formats.open_writer(r.header, path) as writer,
    ):
        writer.write(r.signal[:7])
    with pytest.raises(KeyboardInterrupt), formats.open_writer(r.header, path) as writer:
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def wav(form: bytes, data: bytes, size: int | None = None) -> bytes:
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVE"
    stored = len(data) if size is None else size
    return head + form + b"data" + struct.pack("<I", stored) + data


def form(kind: int, channels: int, frame: int, bits: int, rate: int = 500) -> bytes:
    return b"fmt " + struct.pack("<IHHIIHH", 16, kind, channels, rate, 0, frame, bits)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wav(form(1, 2, 4, 16), bytes(8), 4000), "is cut off"),
        (wav(form(1, 2, 4, 16), b""), "holds no signal"),
        (wav(form(1, 0, 0, 16), bytes(8)), "announces 0 channels"),
        (wav(form(1, 2, 8, 16), bytes(8)), "frames of 8 bytes"),
        (wav(form(85, 2, 4, 16), bytes(8)), "is compressed"),
        (wav(form(1, 1, 2, 12), bytes(8)), "samples of 12 bits"),
        (wav(form(1, 1, 2, 16, 0), bytes(8)), "rate must be positive"),
        (wav(b"", bytes(8)), "before the chunk"),
        (wav(b"fmt \x02\0\0\0\0\0", bytes(8)), "broken chunk"),
        (b"RIFF\x04\0\0\0WAVE", "has no samples"),
        (wav(form(3, 1, 4, 32), struct.pack("<f", float("inf"))), "infinite"),
        (b"RIFX", "does not begin"),
    ],
)
def test_broken_wav(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        formats.read(path, options=ReadOptions(unit="mV"))


def test_wav_from_a_pipe_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(wav(form(1, 1, 2, 16), struct.pack("<3h", 1, 2, 3), 0xFFFFFFFF))
    r = formats.read(path, options=ReadOptions(unit="mV"))
    assert r.signal[:, 0].tolist() == [1, 2, 3]


def write_bids(folder: Path, text: str, **changes: Any) -> Path:
    said = {
        "SamplingFrequency": 250.0,
        "StartTime": -22.345,
        "Columns": ["cardiac", "respiratory", "trigger"],
        "cardiac": {"Units": "uV"},
    } | changes
    path = folder / "sub-01_task-rest_physio.tsv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    path.with_name("sub-01_task-rest_physio.json").write_text(json.dumps(said))
    return path


ROWS = "100\t1\t0\n-200\tn/a\t1\n300.5\t3\t0\n"


def test_bids_columns_units_and_start(tmp_path: Path) -> None:
    r = formats.read(write_bids(tmp_path, ROWS))
    assert (r.fs, r.leads) == (250, ("cardiac", "respiratory", "trigger"))
    assert r.units == ("mV", "NU", "NU")
    assert_allclose(r.signal, [[0.1, 1, 0], [-0.2, np.nan, 1], [0.3005, 3, 0]])
    assert dict(r.metadata) == {"StartTime": "-22.345"}


def test_bids_heading_is_no_sample(tmp_path: Path) -> None:
    r = formats.read(write_bids(tmp_path, "cardiac\trespiratory\ttrigger\n" + ROWS))
    assert r.samples == 3


def test_bids_description_of_all_tasks(tmp_path: Path) -> None:
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    path = write_bids(folder, ROWS)
    said = json.loads((folder / "sub-01_task-rest_physio.json").read_text())
    (folder / "sub-01_task-rest_physio.json").write_text('{"StartTime": 1}')
    (tmp_path / "task-rest_physio.json").write_text(json.dumps(said))
    (tmp_path / "task-other_physio.json").write_text('{"SamplingFrequency": 1}')
    (tmp_path / "dataset_description.json").write_text("{}")
    r = formats.read(path)
    assert (r.fs, dict(r.metadata)) == (250, {"StartTime": "1"})


@pytest.mark.filterwarnings("ignore:.*cannot hold, and loses")
def test_bids_comes_back_as_it_was_written(tmp_path: Path) -> None:
    r = recording(metadata={"StartTime": "-3.5"})
    formats.write(r, tmp_path / "sub-1_physio.tsv.gz")
    back = formats.read(tmp_path / "sub-1_physio.tsv.gz")
    assert_allclose(back.signal, r.signal, rtol=1e-8)
    assert (back.fs, back.leads, back.units) == (r.fs, r.leads, r.units)
    assert back.metadata["StartTime"] == "-3.5"
    said = json.loads((tmp_path / "sub-1_physio.json").read_text())
    assert said["Columns"] == ["II", "resp"]
    first = gzip.decompress((tmp_path / "sub-1_physio.tsv.gz").read_bytes()).splitlines()[7]
    assert first.endswith(b"\tn/a")


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (ROWS, {"SamplingFrequency": None}, "states no SamplingFrequency"),
        (ROWS, {"SamplingFrequency": -1}, "states no SamplingFrequency"),
        (ROWS, {"Columns": []}, "states no Columns"),
        (ROWS, {"Columns": "cardiac"}, "states no Columns"),
        (ROWS, {"Columns": ["cardiac"]}, "has 3 columns, its JSON file names 1"),
        ("a\tb\tc\n", {}, "not a table of numbers"),
        ("", {}, "not a table of numbers"),
        ("1\t2\t3\n1\t2\t3\t4\n", {}, "not a table of numbers"),
    ],
)
def test_broken_bids(tmp_path: Path, text: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        formats.read(write_bids(tmp_path, text, **changes))


def test_bids_that_is_cut_off_or_alone(tmp_path: Path) -> None:
    path = write_bids(tmp_path, ROWS * 200)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match="cannot be expanded"):
        formats.read(path)
    path.with_name("sub-01_task-rest_physio.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"physio\.json, which describes it, is missing"):
        formats.read(path)


def test_a_bomb_in_bids_is_refused(tmp_path: Path) -> None:
    path = write_bids(tmp_path, ROWS)
    path.write_bytes(gzip.compress(bytes(1 << 24)) * 20)
    with pytest.raises(FormatError, match="expand to"):
        formats.read(path)
