"""Readers of the arrhythmia, fibrillation, hand-held and motion databases, on records made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ipmdae import formats
from ipmdae.lab.data import cinc2017, cudb, ecgnext, mitdb
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.recording import Annotations, Recording
from tools import convert_ecgnext


def write(path: Path, fs: float, leads: int, symbols: str = "", every: int = 100) -> Recording:
    """A record of 10 s of noise, with a mark every so many samples."""
    rng = np.random.default_rng(0)
    marks = Annotations(sample=np.arange(len(symbols)) * every, symbol=tuple(symbols))
    recording = Recording(
        signal=np.round(rng.standard_normal((round(10 * fs), leads)) * 200) / 200,
        fs=fs,
        leads=tuple(f"lead{i}" for i in range(leads)),
        annotations={"atr": marks} if symbols else {},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    formats.write(recording, path)
    return recording


def test_arrhythmia_records_come_with_their_beats(tmp_path: Path) -> None:
    written = write(tmp_path / "208", 360, 2, "NVNF")
    write(tmp_path / "x_208", 360, 2)
    assert mitdb.record_names(tmp_path) == ["208"]
    read = mitdb.read(tmp_path, "208")
    np.testing.assert_allclose(read.signal, written.signal, atol=1e-6)
    assert read.annotations["atr"].symbol == tuple("NVNF")


@pytest.mark.parametrize(
    ("symbols", "episodes"),
    [
        ("N[VV]N", [(0.4, 1.6)]),
        ("[V]N[!", [(0.0, 0.8), (1.6, 10.0)]),
        ("]NN", []),
        ("[[]]", [(0.0, 0.8)]),
    ],
)
def test_fibrillation_lies_between_its_marks(
    tmp_path: Path, symbols: str, episodes: list[tuple[float, float]]
) -> None:
    write(tmp_path / "cu01", 250, 1, symbols)
    assert cudb.fibrillation(cudb.read(tmp_path, "cu01")) == episodes


def test_fibrillation_without_marks_is_not_known(tmp_path: Path) -> None:
    write(tmp_path / "cu01", 250, 1)
    with pytest.raises(ValueError, match="no annotations"):
        cudb.fibrillation(cudb.read(tmp_path, "cu01"))


def test_hand_held_recordings_and_their_classes(tmp_path: Path) -> None:
    written = write(tmp_path / "A00" / "A00001", 300, 1)
    write(tmp_path / "A01" / "A01002", 300, 1)
    (tmp_path / "REFERENCE.csv").write_text("A01002,A\nA00001,N\nA00003,~\n")
    assert cinc2017.rhythms(tmp_path) == {"A00001": "N", "A01002": "A"}
    np.testing.assert_allclose(cinc2017.read(tmp_path, "A00001").signal, written.signal, atol=1e-3)


@pytest.mark.parametrize("line", ["A00001", "A00001,X", "A00001,N,1", ""])
def test_a_broken_list_of_classes_names_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "REFERENCE.csv").write_text(f"A00002,N\n{line}\n")
    with pytest.raises(ValueError, match=r"REFERENCE.csv, line 2"):
        cinc2017.rhythms(tmp_path)


def test_missing_databases_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        mitdb.record_names(tmp_path)
    for database in (mitdb, cudb):
        with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
            database.read(tmp_path, "100")
    with pytest.raises(DatasetNotFoundError, match="ipmdae download cinc2017"):
        cinc2017.rhythms(tmp_path)
    (tmp_path / "REFERENCE.csv").write_text("A00001,N\n")
    with pytest.raises(DatasetNotFoundError, match="ipmdae download cinc2017"):
        cinc2017.rhythms(tmp_path)
    for call in (ecgnext.record_names, lambda folder: ecgnext.read(folder, "ID001_ArmW")):
        with pytest.raises(ecgnext.NotConvertedError, match="convert_ecgnext"):
            call(tmp_path)


def person(path: Path, **changes: object) -> dict[str, np.ndarray]:
    """A MATLAB file as the repository has them, and the samples of its sessions in steps."""
    rng = np.random.default_rng(1)
    steps = {
        name: rng.integers(-3000, 3000, (length, 2))
        for name, length in (("ArmW", 700), ("Seg1_NoMot", 500))
    }
    content = {
        "ECG": {name: x[:, 0] * 3.125e-6 for name, x in steps.items()},
        "ECGn": {name: x[:, 1] * 3.125e-6 for name, x in steps.items()},
        "ecgSegInd": {"ArmW": [1, 700], "Seg1_NoMot": [101, 400]},
        "fs": 1000.0,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content | changes)
    return steps


def test_a_clone_is_converted_without_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = person(tmp_path / "clone" / "ECG_files" / "ECGs" / "ID001.mat")
    person(tmp_path / "clone" / "ECG_files" / "ECGs" / "ID002.mat")
    folder = tmp_path / "ecgnext"
    convert_ecgnext.main([str(tmp_path / "clone"), "--to", str(folder)])
    assert "4 records of 2 people" in capsys.readouterr().out
    names = ["ID001_ArmW", "ID001_Seg1_NoMot", "ID002_ArmW", "ID002_Seg1_NoMot"]
    assert ecgnext.record_names(folder) == names
    assert (folder / "RECORDS").read_text().split() == names
    recording = ecgnext.read(folder, "ID001_Seg1_NoMot")
    assert recording.leads == ecgnext.LEADS
    assert recording.fs == 1000
    np.testing.assert_array_equal(np.rint(-recording.signal * 320), steps["Seg1_NoMot"])
    assert ecgnext.clean_interval(recording) == slice(100, 400)
    assert ecgnext.person(names[2]) == "ID002"


def test_files_that_are_laid_out_otherwise_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no"):
        ecgnext.convert(tmp_path, tmp_path / "to")
    cases: dict[str, dict[str, object]] = {
        "no structures": {"ECG": 1.0},
        "differ in length": {"ECGn": {"ArmW": np.zeros(3), "Seg1_NoMot": np.zeros(500)}},
        "not in V": {"ECG": {"ArmW": np.full(700, 1.234567e-3), "Seg1_NoMot": np.zeros(500)}},
    }
    for message, changes in cases.items():
        person(tmp_path / "ID001.mat", **changes)
        with pytest.raises(formats.FormatError, match=message):
            ecgnext.convert(tmp_path, tmp_path / "to")
    (tmp_path / "ID001.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(formats.FormatError, match="broken"):
        ecgnext.convert(tmp_path, tmp_path / "to")
