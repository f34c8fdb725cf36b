"""What an EDF header cannot hold: names, units, roles of signals, patients, many annotations."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import edfio
import numpy as np
import pytest

from ipmdae import formats
from ipmdae.formats import FormatError, description
from ipmdae.recording import Annotations, Recording


def recording(leads: tuple[str, ...] = ("MLII", "front"), samples: int = 1000) -> Recording:
    signal = np.random.default_rng(5).integers(-500, 500, (samples, len(leads))) / 200
    return Recording(signal=signal, fs=250, leads=leads)


def field(path: Path, first: int, size: int) -> str:
    return path.read_bytes()[first : first + size].decode("ascii").rstrip()


@pytest.mark.parametrize(
    ("leads", "labels"),
    [
        (("MLII", "front"), ["MLII", "front"]),
        (("Ableitung Ω", "II"), ["Ableitung ?", "II"]),
        (("EDF Annotations", "BDF Annotations"), ["?DF Annotations", "?DF Annotations"]),
        (("a name of more than 16", "a name of more than 17"), ["a name of more t"] * 2),
    ],
)
@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
def test_names_come_back_and_other_software_sees_labels(
    tmp_path: Path, leads: tuple[str, ...], labels: list[str], suffix: str
) -> None:
    path = tmp_path / f"x{suffix}"
    formats.write(recording(leads), path)
    again = formats.read(path)
    assert (again.leads, again.auxiliary, again.comments) == (leads, (), ())
    read = edfio.read_bdf if suffix == ".bdf" else edfio.read_edf
    assert [signal.label for signal in read(path).signals] == labels


def test_a_comment_about_a_label_counts_only_where_it_fits(tmp_path: Path) -> None:
    told = (
        "label 1: another",
        "label 9: x",
        "unit 1: V",
        "leads are signals 7",
        "leads are signals 0",
    )
    formats.write(dataclasses.replace(recording(), comments=told), tmp_path / "x.edf")
    again = formats.read(tmp_path / "x.edf")
    assert (again.leads, again.units) == (("MLII", "front"), ("mV", "mV"))
    assert again.comments == told


def test_auxiliary_channels_stay_auxiliary_channels_and_leads_stay_leads(tmp_path: Path) -> None:
    signals = [
        edfio.EdfSignal(np.sin(np.arange(2500)), 250, label="EEG Fpz", physical_dimension="uV"),
        edfio.EdfSignal(np.sin(np.arange(2500)), 250, label="ECG", physical_dimension="uV"),
        edfio.EdfSignal(np.sin(np.arange(250)), 25, label="Resp", physical_dimension="l"),
    ]
    edfio.Edf(signals).write(tmp_path / "x.edf")
    r = formats.read(tmp_path / "x.edf")
    formats.write(dataclasses.replace(r, leads=("chest strap",)), tmp_path / "y.edf")
    again = formats.read(tmp_path / "y.edf")
    assert again.leads == ("chest strap",)
    assert [p.name for p in again.auxiliary] == [p.name for p in r.auxiliary] != []


@pytest.mark.parametrize(
    ("patient", "known"),
    [
        ("P1 F 02-AUG-1951 Doe_Jane", ("P1", "F", "1951-08-02", "Doe Jane", None)),
        ("P1 F X Doe_Jane", ("P1", "F", None, "Doe Jane", None)),
        ("X M X Doe_John and a note", (None, "M", None, "Doe John", "and a note")),
        ("X X X X", (None, None, None, None, None)),
        ("Jane Doe, born 1951", (None, None, None, None, "Jane Doe, born 1951")),
        ("P1 f 02-AUG-1951 Doe", (None, None, None, None, "P1 f 02-AUG-1951 Doe")),
    ],
)
def test_plain_edf_with_the_patient_field_of_edf_plus(
    tmp_path: Path, patient: str, known: tuple[str | None, ...]
) -> None:
    path = tmp_path / "x.edf"
    edfio.Edf([edfio.EdfSignal(np.sin(np.arange(500)), 250, label="II")]).write(path)
    data = bytearray(path.read_bytes())
    data[8:168] = patient.ljust(80).encode() + b"Startdate X X X Holter_3".ljust(80)
    path.write_bytes(data)
    names = (
        *(description.PATIENT_ID, description.SEX, description.BIRTH_DATE),
        description.PATIENT_NAME,
    )
    for _ in range(2):
        r = formats.read(path)
        assert tuple(r.metadata.get(key) for key in (*names, description.PATIENT_NOTE)) == known
        assert r.metadata["device"] == "Holter 3"
        path = tmp_path / "y.edf"
        formats.write(r, path)
    plus = any(known[:4]) or not known[4]
    assert field(path, 8, 80) == (patient if plus else f"X X X X {patient}")


@pytest.mark.parametrize("key", description.PATIENT)
@pytest.mark.parametrize("value", ["Jörg  Müller_X", "1.2.1980", "X", "x" * 100, "a b c"])
def test_patients_come_back_whatever_the_header_holds(tmp_path: Path, key: str, value: str) -> None:
    before = dataclasses.replace(recording(), metadata={key: value})
    formats.write(before, tmp_path / "x.edf")
    assert formats.read(tmp_path / "x.edf").metadata[key] == value


def test_many_notes_at_one_time_do_not_widen_all_records(tmp_path: Path) -> None:
    notes = [f"note {i} " + "x" * 80 for i in range(2000)]
    marks = Annotations(sample=np.full(2000, 5), symbol=('"',) * 2000, note=tuple(notes))
    before = dataclasses.replace(recording(samples=250 * 600), annotations={"notes": marks})
    formats.write(before, tmp_path / "x.edf")
    assert (tmp_path / "x.edf").stat().st_size < 3 * before.signal.nbytes / 4
    found = formats.read(tmp_path / "x.edf").annotations["notes"]
    assert sorted(found.note) == sorted(notes)
    assert set(found.sample.tolist()) == {5}


def test_a_note_that_no_record_holds_is_refused(tmp_path: Path) -> None:
    before = dataclasses.replace(recording(), comments=("x" * 40_000,))
    with pytest.raises(FormatError, match="longer than a data record can hold"):
        formats.write(before, tmp_path / "x.edf")


def test_an_empty_file_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "x.edf").touch()
    with pytest.raises(FormatError, match=r"x\.edf: is empty"):
        formats.read(tmp_path / "x.edf")
