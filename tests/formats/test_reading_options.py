"""What a user states about a file overrules the file, in every format, with a warning."""

import dataclasses
import json
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import ipmdae
from ipmdae import ReadOptions, cli, formats
from ipmdae.recording import Annotations, Recording, Resolution, millivolts

pytestmark = pytest.mark.usefixtures("in_this_process")

SIGNAL = np.random.default_rng(0).normal(size=(1000, 2)).round(3)
HOW = Resolution(gain=1.0, unit="uV")
RECORDING = Recording(signal=SIGNAL, fs=250, leads=("II", "V1"), resolution=(HOW, HOW))


@pytest.mark.parametrize("name", ["r.edf", "r", "r.npz", "r.mat"])
def test_a_stated_rate_overrules_the_file(tmp_path: Path, name: str) -> None:
    formats.write(RECORDING, tmp_path / name)
    with pytest.warns(UserWarning, match="says 250 Hz; fs=500 overrules it"):
        read = formats.read(tmp_path / name, fs=500)
    assert (read.fs, read.samples) == (500, 1000)
    with (
        pytest.warns(UserWarning, match="overrules"),
        formats.open_reader(tmp_path / name, options=ReadOptions(fs=500)) as reader,
    ):
        assert reader.info.fs == 500


def test_the_rate_that_a_file_says_needs_no_warning(tmp_path: Path) -> None:
    formats.write(RECORDING, tmp_path / "r.edf")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert formats.read(tmp_path / "r.edf", fs=250).fs == 250


@pytest.mark.parametrize("name", ["r.edf", "r"])
def test_a_stated_unit_overrules_the_stored_one(tmp_path: Path, name: str) -> None:
    formats.write(RECORDING, tmp_path / name)
    plain = formats.read(tmp_path / name)
    with pytest.warns(UserWarning, match="unit=mV overrules"):
        read = formats.read(tmp_path / name, options=ReadOptions(unit="mV"))
    np.testing.assert_allclose(read.signal, plain.signal * 1000, rtol=1e-9)


BESIDE = Recording(
    signal=SIGNAL,
    fs=250,
    leads=("II", "resp"),
    units=("mV", "Ohm"),
    start=datetime(2024, 1, 2),
    comments=("at rest",),
    metadata={"patient id": "7"},
    annotations={"atr": Annotations(sample=np.array([5]), symbol=("N",))},
)


@pytest.mark.parametrize(
    "name",
    "r.wav r.npz r.mat r.parquet r.csv r r.edf r.dcm r.json r_physio.tsv.gz".split(),
)
def test_a_stated_unit_is_that_of_voltages_alone(tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formats.write(BESIDE, tmp_path / name)
    plain = formats.read(tmp_path / name)
    with pytest.warns(UserWarning, match="says [mu]V; unit=0.5uV overrules it"):
        read = formats.read(tmp_path / name, options=ReadOptions(unit="0.5uV"))
    assert read.units == ("mV", "Ohm")
    np.testing.assert_allclose(read.signal[:, 1], plain.signal[:, 1])
    stored = millivolts((plain.resolution[0] or Resolution()).unit) or 1.0
    np.testing.assert_allclose(read.signal[:, 0], plain.signal[:, 0] * 0.5e-3 / stored)


@pytest.mark.parametrize("name", ["r.npz", "r.mat", "r.parquet", "r.wav"])
@pytest.mark.parametrize("columns", [None, ("II",)])
def test_our_files_keep_what_is_known_under_a_stated_unit(
    tmp_path: Path, name: str, columns: tuple[str, ...] | None
) -> None:
    formats.write(dataclasses.replace(BESIDE, resolution=(HOW, None)), tmp_path / name)
    options = ReadOptions(unit="uV", columns=columns)
    with pytest.warns(UserWarning, match="says mV; unit=uV overrules it"):
        read = formats.read(tmp_path / name, options=options)
    assert read.leads == (columns or BESIDE.leads)
    kept = (read.start, read.comments, read.metadata, list(read.annotations))
    assert kept == (BESIDE.start, BESIDE.comments, BESIDE.metadata, ["atr"])
    np.testing.assert_allclose(read.signal[:, 0], SIGNAL[:, 0] / 1000, rtol=1e-6)


@pytest.mark.parametrize("unit", [b"\xc2\xb5V", b"\xb5V", b"uVolts", b"microV", b"\xce\xbcV"])
def test_voltages_of_edf_files_in_other_spellings(tmp_path: Path, unit: bytes) -> None:
    read = _of_unit(tmp_path, unit)
    assert read.units == ("mV",)
    assert 10 < np.ptp(read.signal) < 20


def test_a_stated_unit_helps_where_that_of_an_ecg_is_unknown(tmp_path: Path) -> None:
    assert _of_unit(tmp_path, b"steps").units == ("steps",)
    with pytest.warns(UserWarning, match="says steps; unit=uV overrules it"):
        read = _of_unit(tmp_path, b"steps", unit="uV")
    assert read.units == ("mV",)
    assert 10 < np.ptp(read.signal) < 20
    with pytest.warns(UserWarning, match="says steps; unit=uV overrules it"):
        read = _of_unit(tmp_path, b"steps", "chest", unit="uV", columns=("chest",))
    assert read.units == ("mV",)
    assert _of_unit(tmp_path, b"steps", "chest", unit="uV").units == ("steps",)
    assert _of_unit(tmp_path, b"Ohm", "ECG Z", unit="uV").units == ("Ohm",)
    (tmp_path / "r.csv").write_text("II (steps)\n" + "".join(f"{x}\n" for x in SIGNAL[:, 0]))
    with pytest.warns(UserWarning, match="says steps; unit=uV overrules it"):
        read = formats.read(tmp_path / "r.csv", options=ReadOptions(fs=250, unit="uV"))
    np.testing.assert_allclose(read.signal[:, 0], SIGNAL[:, 0] / 1000)


def _of_unit(folder: Path, dimension: bytes, label: str = "ECG II", **stated: Any) -> Recording:
    """An EDF file of pyEDFlib in uV, with another unit in its header, as it is read."""
    pyedflib = pytest.importorskip("pyedflib")
    head = pyedflib.highlevel.make_signal_header(
        label, dimension="uV", sample_frequency=250, physical_min=-9000, physical_max=9000
    )
    path = folder / "r.edf"
    pyedflib.highlevel.write_edf(str(path), SIGNAL[:, :1].T * 2000, [head])
    data = bytearray(path.read_bytes())
    at = data.index(b"uV      ")
    data[at : at + 8] = dimension.ljust(8)
    path.write_bytes(data)
    return formats.read(path, options=ReadOptions(**stated))


def test_arrays_without_units_are_in_the_stated_one_without_a_warning(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", ecg=SIGNAL, other=np.zeros(7), fs=250)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = ipmdae.read(tmp_path / "r.npz", options=ReadOptions(unit="0.5uV"))
    np.testing.assert_allclose(read.signal, SIGNAL * 0.5e-3)


def test_leads_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    formats.write(RECORDING, tmp_path / "r.edf")
    read = formats.read(tmp_path / "r.edf", options=ReadOptions(columns=("V1",)))
    assert read.leads == ("V1",)
    assert formats.read(tmp_path / "r.edf", options=ReadOptions(columns=("2", "II"))).leads == (
        "V1",
        "II",
    )
    with pytest.raises(formats.FormatError, match="has no column V9; there are II, V1"):
        formats.read(tmp_path / "r.edf", options=ReadOptions(columns=("V9",)))


def test_the_array_of_the_signal_is_chosen_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", ecg=SIGNAL, raw=SIGNAL[:500] * 2, fs=250, units="mV")
    assert formats.read(tmp_path / "r.npz", options=ReadOptions(array="raw")).samples == 500
    with pytest.raises(formats.FormatError, match="no array of numbers called x; found are ecg"):
        formats.read(tmp_path / "r.npz", options=ReadOptions(array="x"))
    formats.write(RECORDING, tmp_path / "r.edf")
    with pytest.warns(UserWarning, match="no named arrays"):
        formats.read(tmp_path / "r.edf", options=ReadOptions(array="raw"))


def test_a_channel_at_another_rate_keeps_its_duration(tmp_path: Path) -> None:
    edfio = pytest.importorskip("edfio")
    ecg = edfio.EdfSignal(SIGNAL[:, 0], 250, label="ECG", physical_dimension="mV")
    other = edfio.EdfSignal(SIGNAL[:100, 1], 25, label="Resp", physical_dimension="Ohm")
    edfio.Edf([ecg, other]).write(tmp_path / "r.edf")
    with pytest.warns(UserWarning, match="overrules"):
        read = formats.read(tmp_path / "r.edf", fs=500)
    assert [p.fs for p in read.auxiliary] == [50]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fs": 0}, "must be positive"),
        ({"fs": float("nan")}, "must be positive"),
        ({"unit": "bpm"}, "'bpm' is not a unit of voltage"),
        ({"unit": "1.2.3uV"}, "not a unit of voltage"),
        ({"unit": "0uV"}, "not a unit of voltage"),
    ],
)
def test_senseless_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReadOptions(**options)


@pytest.mark.parametrize(
    ("unit", "scale"), [("uV", 1e-3), ("µV", 1e-3), ("nV", 1e-6), ("V", 1e3), ("2.5e-1 uV", 2.5e-4)]
)
def test_units_may_be_multiples(unit: str, scale: float) -> None:
    assert ReadOptions(unit=unit).scale == pytest.approx(scale)


@pytest.mark.slow
def test_the_commands_take_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("r.npz", ecg=np.tile(SIGNAL, (4, 1)), raw=SIGNAL)
    stated = ["--fs", "500", "--unit", "uV", "--array", "ecg", "--columns", "lead 2"]

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli.app, [*arguments, *stated])
        assert result.exit_code == 0, result.output
        return result.stdout

    (told,) = json.loads(run("info", "r.npz", "--json"))
    assert (told["fs"], told["samples"]) == (500, 4000)
    assert [lead["name"] for lead in told["leads"]] == ["lead 2"]
    run("plot", "r.npz", "-o", "r.png")
    run("denoise", "r.npz", "-o", "r.edf", "--method", "iir", "--report", "r.html")
    cleaned = ipmdae.read("r.edf")
    assert (cleaned.fs, cleaned.leads) == (500, ("lead 2",))
