"""What a user states about a file overrules the file, in every format, with a warning."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import ipmdae
from ipmdae import ReadOptions, cli, formats
from ipmdae.recording import Recording, Resolution

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
