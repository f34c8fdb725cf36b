"""AcqKnowledge, XDF and Unisens."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from recorder_files import (
    acq,
    chunk,
    unisens,
    xdf,
    xdf_clock,
    xdf_header,
    xdf_marks,
    xdf_samples,
    xdf_stream,
)

from ipmdae import formats
from ipmdae.formats import FormatError, ReadOptions

ECG = np.random.default_rng(0).integers(-900, 900, 200).astype(np.int16)
BREATH = np.arange(50, dtype=np.int16)


def saved(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


CHANNELS = [
    ("EKG - ERS100C", "mV", ECG, 1, 0.005),
    ("RESP", "Volts", BREATH, 4, 0.1),
    ("EKG 2", "microvolts", ECG, 1, 2.0),
]


def test_acq_leads_and_auxiliary_channels(tmp_path: Path) -> None:
    pytest.importorskip("bioread")
    r = formats.read(saved(tmp_path / "x.acq", acq(CHANNELS)))
    assert (r.fs, r.leads, r.units) == (500, ("EKG - ERS100C", "EKG 2"), ("mV", "mV"))
    assert_allclose(r.signal, np.column_stack([ECG * 0.005, ECG * 0.002]), atol=1e-12)
    assert [how and how.step for how in r.resolution] == pytest.approx([0.005, 0.002])
    (breath,) = r.auxiliary
    assert (breath.name, breath.unit, breath.fs, breath.samples) == ("RESP", "V", 125, 50)
    assert_allclose(breath.read(3, 6), [0.3, 0.4, 0.5])
    assert r.annotations["events"].sample.tolist() == [10]
    assert r.annotations["events"].note == ("a cough",)
    assert not formats.read(tmp_path / "x.acq", annotations=False).annotations


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (10, struct.pack("<h", 32767), "announces 32767 channels"),
        (10, struct.pack("<h", -1), "announces -1 channels"),
        (16, struct.pack("<d", 0.0), "broken"),
        (16, struct.pack("<d", float("nan")), "announces a rate"),
        (1944 + 88, struct.pack("<i", 2**31 - 1), "is cut off"),
        (1944 + 88, struct.pack("<i", -5), "negative number"),
        (1944 + 250, struct.pack("<h", -4), "announces rates divided by"),
        (1944 + 250, struct.pack("<h", 32749), "announces rates divided by"),
    ],
)
def test_acq_that_announces_nonsense(
    tmp_path: Path, at: int, value: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("bioread")
    content = bytearray(acq(CHANNELS))
    content[at : at + len(value)] = value
    with pytest.raises(FormatError, match=message):
        formats.read(saved(tmp_path / "x.acq", bytes(content)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("size", [0, 3, 100, 1000, 2000, 2500, 3000])
def test_acq_that_is_cut_off(tmp_path: Path, size: int) -> None:
    pytest.importorskip("bioread")
    with pytest.raises(FormatError) as caught:
        formats.read(saved(tmp_path / "x.acq", acq(CHANNELS)[:size]))
    assert "\n" not in str(caught.value)


def test_a_journal_of_acqknowledge_takes_no_more_memory_than_there_is(tmp_path: Path) -> None:
    content = acq(CHANNELS)
    place = content.rindex(b"\x44\x33\x22\x11") + 6
    announced = content[:place] + struct.pack("<i", 2_000_000_000) + content[place + 4 :]
    path = saved(tmp_path / "x.acq", announced)
    tracemalloc.start()
    try:
        assert_allclose(formats.read(path).signal, formats.read(saved(path, content)).signal)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


LABELS = (
    "<desc><channels>"
    "<channel><label>ECG</label><unit>microvolts</unit></channel>"
    "<channel><label>EMG</label><unit>microvolts</unit></channel>"
    "</channels></desc>"
)
VALUES = np.random.default_rng(1).normal(0, 300, (300, 2)).astype(np.float32)


def stream(times: np.ndarray, number: int = 1, desc: str = LABELS) -> bytes:
    head = xdf_stream(number, "Amp", "ExG", 2, 100, desc)
    return head + xdf_samples(number, VALUES[: len(times)], times)


@pytest.mark.parametrize("suffix", [".xdf", ".xdfz"])
def test_xdf_stream_with_labels_and_marks(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pyxdf")
    times = 50 + np.arange(300) / 100
    content = xdf(stream(times), xdf_marks(2, "Events", [(49.0, "early"), (50.5, "go")]))
    content = gzip.compress(content, mtime=0) if suffix == ".xdfz" else content
    r = formats.read(saved(tmp_path / f"x{suffix}", content))
    assert (r.fs, r.leads, r.units) == (100, ("ECG", "EMG"), ("mV", "mV"))
    assert_allclose(r.signal, VALUES * 1e-3, atol=1e-9)
    assert r.annotations["Events"].sample.tolist() == [50]
    assert r.annotations["Events"].note == ("go",)


@pytest.mark.slow
def test_xdf_of_several_streams(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    times = np.arange(100) / 100
    other = xdf_stream(7, "My ECG", "Misc", 1, 100) + xdf_samples(7, VALUES[:100, :1], times)
    path = saved(tmp_path / "x.xdf", xdf(stream(times), other))
    with pytest.warns(UserWarning, match="of the streams Amp, My ECG, Amp is read"):
        assert formats.read(path).leads == ("ECG", "EMG")
    with pytest.warns(UserWarning, match="no unit of My ECG"):
        assert formats.read(path, options=ReadOptions(array="my ecg")).leads == ("My ECG",)
    r = formats.read(path, options=ReadOptions(array="my ecg", unit="uV"))
    assert_allclose(r.signal, VALUES[:100, :1] * 1e-3, atol=1e-9)
    with pytest.raises(FormatError, match="has no stream of samples x; there are Amp, My ECG"):
        formats.read(path, options=ReadOptions(array="x"))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_xdf_with_an_interruption_is_missing_there(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    times = np.concatenate([np.arange(150) / 100, 10 + np.arange(150) / 100])
    r = formats.read(saved(tmp_path / "x.xdf", xdf(stream(times))))
    assert r.samples == 1150
    assert_allclose(r.signal[:150], VALUES[:150] * 1e-3, atol=1e-9)
    assert np.isnan(r.signal[150:1000]).all()
    assert_allclose(r.signal[1000:], VALUES[150:] * 1e-3, atol=1e-9)


def test_xdf_with_a_reset_clock_keeps_its_order(tmp_path: Path) -> None:
    """The sender's clock starts anew after 10 s; its offset to the receiver tells by how much."""
    pytest.importorskip("pyxdf")
    before, after = 1000 + np.arange(1000) / 100, np.arange(1000) / 100
    values = np.arange(2000, dtype=np.float32)[:, None]
    parts = [xdf_stream(1, "ECG", "ECG", 1, 100)]
    parts += [xdf_clock(1, 1000 + t, 0.0) for t in range(0, 10)]
    parts += [xdf_samples(1, values[:1000], before)]
    parts += [xdf_clock(1, t, 1020.0) for t in range(0, 10)]
    parts += [xdf_samples(1, values[1000:], after)]
    path = saved(tmp_path / "x.xdf", xdf(*parts))
    with pytest.warns(UserWarning, match="clock reset 1 times"):
        r = formats.read(path, options=ReadOptions(unit="mV"))
    assert r.fs == 100
    known = r.signal[~np.isnan(r.signal[:, 0]), 0]
    assert_allclose(known, values[:, 0])
    assert r.samples == pytest.approx(3000, abs=2)


def test_xdf_whose_stamps_contradict_its_rate(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    path = saved(tmp_path / "x.xdf", xdf(stream(np.arange(300) / 90)))
    with pytest.warns(UserWarning, match="states 100 Hz, but its time stamps run at 90 Hz"):
        assert formats.read(path).fs == pytest.approx(90)


def test_xdf_without_samples_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    path = saved(tmp_path / "x.xdf", xdf(xdf_marks(2, "Events", [(1.0, "go")])))
    with pytest.raises(FormatError, match=r"no stream of samples, only streams of text \(Events\)"):
        formats.read(path)
    with pytest.raises(FormatError, match="no stream of samples, no streams"):
        formats.read(saved(path, xdf()))


def test_xdf_without_a_rate_needs_it(tmp_path: Path) -> None:
    pytest.importorskip("pyxdf")
    head = xdf_stream(1, "Amp", "ECG", 2, 0, LABELS)
    content = xdf(head + xdf_samples(1, VALUES, np.arange(300) / 130))
    path = saved(tmp_path / "x.xdf", content)
    with pytest.raises(FormatError, match=r"have no rate; give it \(--fs\)"):
        formats.read(path)
    assert formats.read(path, fs=130).fs == 130


GOOD = xdf(stream(np.arange(20) / 100))
ENTITY = '<!DOCTYPE info [<!ENTITY e "x">]>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"XDF:" + b"\x07", "broken or cut off chunk"),
        (GOOD[:-3], "is cut off in a chunk"),
        (b"XDF:\x08" + struct.pack("<QH", 1 << 62, 3), "bytes expand to|cut off"),
        (xdf(chunk(3, b"\x01\0\0\0\x04\x01\0\0\0")), "stream 1, which has no header"),
        (xdf(chunk(3, b"\x01")), "without the number"),
        (xdf(xdf_header(1, "<channel_count>2</channel_count>")), "does not state its channels"),
        (xdf(xdf_stream(1, "x", "ECG", 2**31, 100)), "announces 2147483648 channels"),
        (xdf(xdf_stream(1, "x", "ECG", 1, -5)), "channels at -5 Hz"),
        (
            xdf(
                xdf_stream(1, "x", "ECG", 1, 100),
                chunk(3, struct.pack("<IBQ", 1, 8, 1 << 60) + bytes(40)),
            ),
            "announces 1152921504606846976 samples in 40 bytes",
        ),
        (xdf(chunk(2, struct.pack("<I", 1) + f"{ENTITY}<info/>".encode())), "entities"),
        (xdf(chunk(2, struct.pack("<I", 1) + b"<info>")), "malformed XML"),
        (gzip.compress(GOOD, mtime=0)[:60], "cannot be read to its end"),
    ],
)
def test_broken_xdf(tmp_path: Path, content: bytes, message: str) -> None:
    pytest.importorskip("pyxdf")
    with pytest.raises(FormatError, match=message):
        formats.read(saved(tmp_path / "x.xdf", content))


BINARY = (
    '<signalEntry id="ecg.bin" adcResolution="16" baseline="100" contentClass="ECG" '
    'dataType="int16" lsbValue="0.002" sampleRate="500" unit="mV">'
    '<binFileFormat endianess="{}"/><channel name="I"/><channel name="chest"/></signalEntry>'
)
TABLE = (
    '<signalEntry id="acc.csv" dataType="double" lsbValue="1" sampleRate="64" unit="g">'
    '<csvFileFormat separator=";" decimalSeparator=","/><channel name="accX"/></signalEntry>'
)
EVENTS = '<eventEntry id="beats.csv" sampleRate="1000"><csvFileFormat separator=";"/></eventEntry>'


def write_unisens(
    folder: Path, order: str = "LITTLE", entries: str = BINARY + TABLE + EVENTS
) -> Path:
    dtype = "<i2" if order == "LITTLE" else ">i2"
    (folder / "ecg.bin").write_bytes(np.column_stack([ECG, ECG[::-1]]).astype(dtype).tobytes())
    (folder / "acc.csv").write_text("0,5\n1,5\n-2\n")
    (folder / "beats.csv").write_text("20;N;first\n100;V\n99999;N\n")
    (folder / "unisens.xml").write_text(unisens(entries.format(order)))
    return folder / "unisens.xml"


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
def test_unisens_signals_events_and_start(tmp_path: Path, order: str) -> None:
    r = formats.read(write_unisens(tmp_path, order))
    assert (r.fs, r.leads, r.units) == (500, ("I", "ECG chest"), ("mV", "mV"))
    assert_allclose(r.signal, (np.column_stack([ECG, ECG[::-1]]) - 100.0) * 0.002, atol=1e-12)
    assert r.start == datetime(2020, 3, 4, 5, 6, 7, 250000)
    assert dict(r.metadata) == {"sex": "F"}
    assert r.annotations["beats"].sample.tolist() == [10, 50]
    assert r.annotations["beats"].symbol == ("N", "V")
    (accelerometer,) = r.auxiliary
    assert (accelerometer.name, accelerometer.unit, accelerometer.fs) == ("accX", "g", 64)
    assert accelerometer.read(0, 3).tolist() == [0.5, 1.5, -2]


def test_unisens_is_one_recording_of_its_folder(tmp_path: Path) -> None:
    from ipmdae.commands.inputs import find

    write_unisens(tmp_path)
    assert [one.source.name for one in find([str(tmp_path)]).found] == ["unisens.xml"]


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "a/b.bin", "..", ""])
def test_unisens_names_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    (tmp_path / "in").mkdir()
    path = write_unisens(tmp_path / "in", entries=BINARY.replace("ecg.bin", name))
    with pytest.raises(FormatError, match="names a file outside its folder"):
        formats.read(path)


@pytest.mark.parametrize("number", ["1e2147483648", "-2,5E+4294967296"])
def test_a_number_on_which_the_parser_of_tables_crashes_is_refused(
    tmp_path: Path, number: str
) -> None:
    path = write_unisens(tmp_path)
    (tmp_path / "acc.csv").write_text(f"0,5\n{number}\n-2\n")
    with pytest.raises(FormatError, match="too large an exponent"):
        formats.read(path)


def test_unisens_names_are_printable_in_messages(tmp_path: Path) -> None:
    path = write_unisens(tmp_path, entries=BINARY.replace("ecg.bin", "ecg.\x7fbin"))
    with pytest.raises(FileNotFoundError) as failure:
        formats.read(path)
    assert str(failure.value).isprintable()


def test_unisens_names_no_file_whose_name_is_too_long(tmp_path: Path) -> None:
    path = write_unisens(tmp_path, entries=BINARY.replace("ecg.bin", f"{'n' * 300}.bin"))
    with pytest.raises(FormatError, match="with a name of 304 bytes"):
        formats.read(path)


def test_unisens_links_to_no_file_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    (tmp_path / "in").mkdir()
    path = write_unisens(tmp_path / "in")
    (tmp_path / "in" / "ecg.bin").unlink()
    (tmp_path / "in" / "ecg.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(FormatError, match="links out of its folder"):
        formats.read(path)


def test_unisens_without_its_signal(tmp_path: Path) -> None:
    path = write_unisens(tmp_path)
    (tmp_path / "ecg.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"ecg\.bin, which belongs to it, is not in"):
        formats.read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('sampleRate="500"', 'sampleRate="0"'), "states no rate"),
        (('lsbValue="0.002"', 'lsbValue="x"'), "states no rate, or a scale"),
        (('"int16"', '"int12"'), "samples of the type 'int12'"),
        (('<channel name="I"/>', '<channel name="I"/><channel/>'), "is cut off"),
        (('<channel name="accX"/>', '<channel name="x"/><channel name="y"/>'), "has 1 columns"),
        (("signalEntry", "valuesEntry"), "holds no signal"),
        (("<signalEntry", "<oops"), "malformed XML"),
        (("<unisens", f"{ENTITY}<unisens"), "declares a document type"),
    ],
)
def test_broken_unisens(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = write_unisens(tmp_path)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(FormatError, match=message):
        formats.read(path)
