from __future__ import annotations

import dataclasses
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae import formats
from ipmdae.formats import FormatError
from ipmdae.recording import Recording


def signal(label: str, fs: float, unit: str, **fields: Any) -> edfio.EdfSignal:
    """Ten seconds of noise, digitised by 16 bits between -3200 and 3200."""
    n = round(10 * fs)
    digital = np.random.default_rng(len(label)).integers(-3000, 3000, n).astype(np.int16)
    return edfio.EdfSignal.from_digital(
        digital, fs, label=label, physical_dimension=unit, physical_range=(-3200, 3200), **fields
    )


@pytest.fixture
def polysomnography(tmp_path: Path) -> Path:
    """A file as edfio writes it: two ECG leads among signals of other rates and organs."""
    path = tmp_path / "psg.edf"
    edfio.Edf(
        [
            signal("EEG Fpz-Cz", 100, "uV"),
            signal("ECG II", 250, "uV", prefiltering="HP:0.1Hz", transducer_type="AgAgCl"),
            signal("Resp chest", 25, "V"),
            signal("ECG V5", 250, "uV"),
            signal("Pressure", 250, "mmHg"),
            signal("SpO2", 1, "%"),
        ],
        patient=edfio.Patient(
            code="MCH-02", sex="F", birthdate=date(1951, 5, 2), name="Haagse_Hana"
        ),
        recording=edfio.Recording(startdate=date(2002, 3, 2), equipment_code="Rec"),
        starttime=time(22, 1, 2, 500000),
        annotations=[
            edfio.EdfAnnotation(1.5, 3, "Apnea"),
            edfio.EdfAnnotation(2, None, "Lights off"),
        ],
    ).write(path)
    return path


# Reading


def test_ecg_leads_are_read_and_the_others_ride_along(polysomnography: Path) -> None:
    r = formats.read(polysomnography)
    assert (r.fs, r.leads) == (250, ("ECG II", "ECG V5", "Pressure"))
    assert r.units == ("mV", "mV", "mmHg")
    theirs = edfio.read_edf(polysomnography)
    assert_allclose(r.signal[:, 1], theirs.get_signal("ECG V5").data / 1e3)
    assert_allclose(r.signal[:, 2], theirs.get_signal("Pressure").data)
    assert [(p.name, p.fs, p.unit, p.samples) for p in r.auxiliary] == [
        ("EEG Fpz-Cz", 100, "uV", 1000),
        ("Resp chest", 25, "V", 250),
        ("SpO2", 1, "%", 10),
    ]
    assert_allclose(r.auxiliary[1].read(3, 9), theirs.get_signal("Resp chest").data[3:9])


def test_time_patient_and_annotations_are_read(polysomnography: Path) -> None:
    r = formats.read(polysomnography)
    assert r.start == datetime(2002, 3, 2, 22, 1, 2, 500000)
    assert dict(r.metadata) == {
        "patient id": "MCH-02",
        "sex": "F",
        "birth date": "1951-05-02",
        "patient name": "Haagse Hana",
        "device": "Rec",
    }
    marks = r.annotations["events"]
    assert_array_equal(marks.sample, [375, 500])
    assert marks.note == ("Apnea [3 s]", "Lights off")


def test_all_that_is_not_cleaned_is_written_again_digitally_equal(
    polysomnography: Path, tmp_path: Path
) -> None:
    r = formats.read(polysomnography)
    cleaned = r.with_signal(r.signal * [0.5, 0.5, 1])
    formats.write(cleaned, tmp_path / "out.edf")
    before, after = edfio.read_edf(polysomnography), edfio.read_edf(tmp_path / "out.edf")
    assert after.labels == before.labels
    for old, new in zip(before.signals, after.signals, strict=True):
        if not old.label.startswith("ECG"):
            assert_array_equal(new.digital, old.digital)
        for field in ("physical_range", "digital_range", "sampling_frequency", "prefiltering"):
            assert getattr(new, field) == getattr(old, field)
        for field in ("transducer_type", "physical_dimension", "samples_per_data_record"):
            assert getattr(new, field) == getattr(old, field)
    assert after.annotations == before.annotations
    assert after.startdatetime == before.startdatetime
    assert after.local_patient_identification == before.local_patient_identification
    assert after.local_recording_identification == before.local_recording_identification


def test_an_excerpt_takes_its_auxiliary_channels_along(
    polysomnography: Path, tmp_path: Path
) -> None:
    part = formats.read(polysomnography).excerpt(2, 3)
    assert [p.samples for p in part.auxiliary] == [300, 75, 3]
    formats.write(part, tmp_path / "part.edf")
    old, new = edfio.read_edf(polysomnography), edfio.read_edf(tmp_path / "part.edf")
    assert_array_equal(new.get_signal("SpO2").digital, old.get_signal("SpO2").digital[2:5])
    assert_array_equal(new.get_signal("Resp chest").digital[:75], old.signals[2].digital[50:125])


def test_other_formats_say_that_they_leave_auxiliary_channels_behind(
    polysomnography: Path, tmp_path: Path
) -> None:
    r = dataclasses.replace(formats.read(polysomnography), annotations={}, metadata={})
    with pytest.warns(UserWarning, match=r"loses, auxiliary channels \(EEG Fpz-Cz, Resp chest, S"):
        formats.write(r, tmp_path / "x.csv")


def test_auxiliary_channels_outlive_their_file(polysomnography: Path, tmp_path: Path) -> None:
    r = formats.read(polysomnography)
    polysomnography.unlink()
    formats.write(r, tmp_path / "x.edf")
    assert len(edfio.read_edf(tmp_path / "x.edf").signals) == 6


def test_a_file_is_replaced_by_what_was_read_from_it_in_blocks(polysomnography: Path) -> None:
    before = edfio.read_edf(polysomnography, lazy_load_data=False)
    with (
        formats.open_reader(polysomnography) as reader,
        formats.open_writer(reader.info, polysomnography) as writer,
    ):
        for first in range(0, 2500, 700):
            writer.write(reader.read(first, min(first + 700, 2500)))
    after = edfio.read_edf(polysomnography)
    for old, new in zip(before.signals, after.signals, strict=True):
        assert_array_equal(new.digital, old.digital)


@pytest.mark.parametrize(
    ("labels", "leads"),
    [
        (("a", "b"), ("a", "b")),
        (("EEG C3", "EKG"), ("EKG",)),
        (("EEG C3", "ecg1-ref"), ("ecg1-ref",)),
        (("EOG", "aVR", "V1"), ("aVR", "V1")),
        (("X", "MLII"), ("MLII",)),
        (("Fp1", "C3", "C4-A1", "ECG"), ("ECG",)),
        (("C1", "C2"), ("C1", "C2")),
        (("ECGL", "ECGR"), ("ECGL", "ECGR")),
        (("DI", "DII", "DIII", "-aVR"), ("DI", "DII", "DIII", "-aVR")),
        (("MCL1", "CC5", "Abl. I", "V1-ref"), ("MCL1", "CC5", "Abl. I", "V1-ref")),
        (("Fp1", "E1-M2", "Chin", "LAT", "C3", "heart"), ("heart",)),
    ],
)
def test_which_signals_are_leads(
    tmp_path: Path, labels: tuple[str, ...], leads: tuple[str, ...]
) -> None:
    edfio.Edf([signal(label, 100, "uV") for label in labels]).write(tmp_path / "x.edf")
    assert formats.read(tmp_path / "x.edf").leads == leads


@pytest.mark.parametrize(
    "labels",
    [("EEG Fpz-Cz", "EOG horizontal", "EMG submental"), ("C3-M2", "C4", "E1", "Chin1-Chin2")],
)
def test_sleep_recordings_without_an_ecg_are_refused(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    edfio.Edf([signal(label, 100, "uV") for label in labels]).write(tmp_path / "x.edf")
    with pytest.raises(FormatError, match="no ECG"):
        formats.read(tmp_path / "x.edf")


def test_a_voltage_is_a_lead_where_the_user_names_it(tmp_path: Path) -> None:
    for labels in (("Fp1", "E1"), ("aVR", "D1", "Fp1")):
        edfio.Edf([signal(label, 100, "uV") for label in labels]).write(tmp_path / "x.edf")
        r = formats.read(tmp_path / "x.edf", options=formats.ReadOptions(columns=labels[1:2]))
        assert r.leads == labels[1:2]


@pytest.mark.parametrize("labels", [("Rat 1", "Lateral"), ("M1", "M2"), ("LegECG", "China")])
def test_names_with_another_meaning_are_leads(tmp_path: Path, labels: tuple[str, ...]) -> None:
    edfio.Edf([signal(label, 100, "uV") for label in labels]).write(tmp_path / "x.edf")
    assert formats.read(tmp_path / "x.edf").leads == labels


def test_voltages_that_are_not_cleaned_are_named(tmp_path: Path) -> None:
    labels = ("aVR", "D1", "EEG C3", "Resp chest")
    edfio.Edf([signal(label, 100, "uV") for label in labels]).write(tmp_path / "x.edf")
    with pytest.warns(UserWarning, match=r"unchanged: D1 \(100 Hz\)$"):
        assert formats.read(tmp_path / "x.edf").leads == ("aVR",)


def test_a_lead_of_another_rate_is_named(tmp_path: Path) -> None:
    leads = [signal("ECG I", 250, "uV"), signal("ECG II", 125, "uV")]
    edfio.Edf(leads).write(tmp_path / "x.edf")
    with pytest.warns(UserWarning, match=r"250 Hz; .*unchanged: ECG II \(125 Hz\)"):
        assert formats.read(tmp_path / "x.edf").leads == ("ECG I",)


def test_24_bits(tmp_path: Path) -> None:
    digital = np.array([-8388608, -1, 0, 1, 8388607] * 20, np.int32)
    status = np.arange(100, dtype=np.int32)
    edfio.Bdf(
        [
            edfio.BdfSignal.from_digital(
                digital, 100, label="ECG", physical_dimension="uV", physical_range=(-262144, 262144)
            ),
            edfio.BdfSignal.from_digital(status, 100, label="Status", physical_dimension="Boolean"),
        ]
    ).write(tmp_path / "x.bdf")
    r = formats.read(tmp_path / "x.bdf")
    assert_allclose(r.signal[:, 0], edfio.read_bdf(tmp_path / "x.bdf").signals[0].data / 1e3)
    assert (r.leads, r.units) == (("ECG", "Status"), ("mV", "Boolean"))
    formats.write(r.excerpt(0.01, 0.98), tmp_path / "y.bdf")
    again = edfio.read_bdf(tmp_path / "y.bdf")
    assert_array_equal(again.signals[0].digital[:98], digital[1:99])
    assert_array_equal(again.signals[1].digital[:98], status[1:99])


def test_an_interruption_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.edf"
    formats.write(Recording.from_array(np.sin(np.arange(1000) / 20), 250, ("II",)), path)
    data = path.read_bytes().replace(b"EDF+C", b"EDF+D")
    # The records begin at 0, 1, 2 and 3 s; the last two are moved by 4 and 5.5 s.
    data = data.replace(b"+2\x14\x14", b"+6\x14\x14").replace(b"+3\x14\x14", b"+8\x14\x14")
    path.write_bytes(data)
    r = formats.read(path)
    assert r.samples == 9 * 250
    known = ~np.isnan(r.signal[:, 0])
    assert_array_equal(np.flatnonzero(np.diff(known)) + 1, [500, 1500, 1750, 2000])
    assert_allclose(r.signal[known, 0], np.sin(np.arange(1000) / 20), atol=1e-3)
    with formats.open_reader(path) as reader:
        assert_array_equal(reader.read(490, 1510), r.signal[490:1510])
    formats.write(r, tmp_path / "y.edf")
    assert_array_equal(np.isnan(formats.read(tmp_path / "y.edf").signal), np.isnan(r.signal))


def test_a_date_that_was_taken_out(tmp_path: Path) -> None:
    edfio.Edf([signal("ECG", 100, "uV")], starttime=time(3, 4, 5)).write(tmp_path / "x.edf")
    r = formats.read(tmp_path / "x.edf")
    assert r.start is None
    assert r.metadata["time of day"] == "03:04:05"
    formats.write(r, tmp_path / "y.edf")
    assert edfio.read_edf(tmp_path / "y.edf").starttime == time(3, 4, 5)


# Unusual headers


FIELDS = {
    "recording": (88, 80),
    "date": (168, 8),
    "time": (176, 8),
    "records": (236, 8),
    "duration": (244, 8),
    "unit": (352, 8),
    "low": (360, 8),
    "high": (368, 8),
    "least": (376, 8),
    "most": (384, 8),
}
"""Place and size of fields in the header of a file of one signal."""


def altered(path: Path, **fields: str) -> Path:
    """A file of one signal whose header has other fields; ten records of 1 s."""
    edfio.Edf([signal("ECG II", 100, "mV")], data_record_duration=1).write(path)
    data = bytearray(path.read_bytes())
    for name, text in fields.items():
        at, size = FIELDS[name]
        data[at : at + size] = text.encode().ljust(size)
    path.write_bytes(data)
    return path


READABLE = {
    "commas": {"low": "-32,768", "high": "32,767", "duration": "0,5"},
    "descending": {"low": "-32.767", "high": "32.768", "least": "32767", "most": "-32768"},
}
"""Unusual headers that say all there is to know."""


def steps() -> Any:
    return signal("ECG II", 100, "mV").digital[:, None]


def test_decimal_commas(tmp_path: Path) -> None:
    r = formats.read(altered(tmp_path / "x.edf", **READABLE["commas"]))
    assert (r.fs, r.units) == (200, ("mV",))
    assert_allclose(r.signal, steps() / 1000, atol=1e-9)


def test_a_digital_range_that_descends(tmp_path: Path) -> None:
    path = altered(tmp_path / "x.edf", **READABLE["descending"])
    r = formats.read(path)
    assert_allclose(r.signal, -steps() / 1000, atol=1e-9)
    assert_allclose(r.signal[:, 0], edfio.read_edf(path).signals[0].data, atol=1e-9)
    formats.write(r, tmp_path / "y.edf")
    written = edfio.read_edf(tmp_path / "y.edf").signals[0]
    assert written.digital_range == (-32768, 32767)
    assert_array_equal(written.digital, steps()[:, 0])
    assert_allclose(written.data, r.signal[:, 0], atol=1e-9)
    assert_array_equal(formats.read(tmp_path / "y.edf").signal, r.signal)


@pytest.mark.parametrize(
    "fields",
    [{"low": "0", "high": "0"}, {"least": "7", "most": "7"}, {"low": "low"}, {"most": ""}],
)
def test_without_a_valid_range_values_are_steps(tmp_path: Path, fields: dict[str, str]) -> None:
    path = altered(tmp_path / "x.edf", **fields)
    said = "x.edf: states no valid range of ECG II; its values are steps of the converter$"
    with pytest.warns(UserWarning, match=said):
        r = formats.read(path)
    assert r.units == ("NU",)
    assert_array_equal(r.signal, steps())
    formats.write(r, tmp_path / "y.edf")
    again = formats.read(tmp_path / "y.edf")
    assert again.units == ("NU",)
    assert_array_equal(again.signal, steps())
    with pytest.warns(UserWarning, match=said):
        stated = formats.read(path, options=formats.ReadOptions(unit="2uV"))
    assert stated.units == ("mV",)
    assert_allclose(stated.signal, steps() * 0.002)


def partly_in_steps(path: Path) -> list[edfio.EdfSignal]:
    """A file of three signals, of which two state no range."""
    signals = [signal(name, fs, "uV") for name, fs in (("ECG", 100), ("EEG", 100), ("EOG", 50))]
    edfio.Edf(signals).write(path)
    data = bytearray(path.read_bytes())
    at = 256 + 3 * 104
    data[at + 8 : at + 24] = data[at + 32 : at + 48] = b"0".ljust(8) * 2
    path.write_bytes(data)
    return signals


DATES = {
    "header": (
        {"date": "14.03.26", "recording": "Startdate X X X X"},
        datetime(2026, 3, 14, 9, 15),
    ),
    "slashes": ({"date": "14/03/26", "recording": "Startdate X"}, datetime(2026, 3, 14, 9, 15)),
    "removed": ({"date": "01.01.85", "recording": "Startdate X X X X"}, None),
    "plain": ({"date": "01.01.85", "recording": "Holter 3"}, datetime(1985, 1, 1, 9, 15)),
    "both": (
        {"date": "14.03.26", "recording": "Startdate 02-MAR-2025 X X X"},
        datetime(2025, 3, 2, 9, 15),
    ),
    "none": ({"date": "", "recording": "Startdate X X X X"}, None),
}
"""Fields of headers, and the start that they state."""


@pytest.mark.parametrize("name", DATES)
def test_starts(tmp_path: Path, name: str) -> None:
    fields, start = DATES[name]
    path = altered(tmp_path / "x.edf", time="09.15.00", **fields)
    r = formats.read(path)
    assert r.start == start
    assert r.metadata.get("time of day") == (None if start else "09:15:00")


def appended(path: Path, more: bytes) -> None:
    path.write_bytes(path.read_bytes() + more)


@pytest.mark.parametrize("announced", [0, 3])
def test_more_data_records_than_the_header_announces(tmp_path: Path, announced: int) -> None:
    path = altered(tmp_path / "x.edf", records=f"{announced}")
    appended(path, b"\0" * 199)  # of a record that is not complete
    said = f"x.edf: its header announces {announced} data records, 10 are there; all are read$"
    with pytest.warns(UserWarning, match=said):
        r = formats.read(path)
    assert_allclose(r.signal, (steps() + 0.5) * 6400 / 65535)


def interrupted_writing(path: Path) -> bytes:
    """A file of EDF+ with 4 data records that announces 2; the content without more."""
    formats.write(Recording.from_array(np.sin(np.arange(1000) / 20), 250, ("II",)), path)
    data = path.read_bytes()
    path.write_bytes(data[:236] + b"2       " + data[244:])
    return data


def test_more_data_records_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "x.edf"
    data = interrupted_writing(path)
    appended(path, b"\0" * 1560)  # a file that was allocated before
    with pytest.warns(UserWarning, match="announces 2 data records, 4 are there; all are read"):
        r = formats.read(path)
    path.write_bytes(data)
    assert_array_equal(r.signal, formats.read(path).signal)
    appended(path, b"\xff" * 1560)
    assert_array_equal(formats.read(path).signal, r.signal)


def test_other_signals_without_a_valid_range_are_steps_too(tmp_path: Path) -> None:
    path = tmp_path / "x.edf"
    signals = partly_in_steps(path)
    with pytest.warns(UserWarning, match="of EEG, EOG; their values are steps of the converter"):
        r = formats.read(path)
    assert (r.leads, r.units) == (("ECG", "EEG"), ("mV", "NU"))
    assert [(p.name, p.unit) for p in r.auxiliary] == [("EOG", "")]
    assert_array_equal(r.auxiliary[0].read(0, 500), signals[2].digital)


# Broken files


@pytest.mark.parametrize("kept", [2000, 10_000])
def test_a_file_that_was_cut_off(polysomnography: Path, kept: int) -> None:
    polysomnography.write_bytes(polysomnography.read_bytes()[:kept])
    with pytest.raises(
        FormatError, match=r"cut off(?: in its header|: its header announces 10 data records, )"
    ):
        formats.read(polysomnography)


def test_an_unknown_number_of_records_is_counted(polysomnography: Path) -> None:
    data = polysomnography.read_bytes()
    polysomnography.write_bytes(data[:236] + b"-1      " + data[244:])
    assert formats.read(polysomnography).samples == 2500


@pytest.mark.parametrize(
    ("at", "text", "message"),
    [
        (184, b"999     ", "malformed .7 signals, but 999 bytes"),
        (252, b"0   ", "malformed"),
        (252, b"many", "malformed"),
        (244, b"0       ", "malformed"),
        (244, b"nan     ", "malformed"),
        (256 + 7 * 216, b"-5      ", "malformed .a data record holds no samples"),
        (256 + 7 * 216, b"99999999", "cut off"),
    ],
)
def test_a_malformed_header(polysomnography: Path, at: int, text: bytes, message: str) -> None:
    data = polysomnography.read_bytes()
    polysomnography.write_bytes(data[:at] + text + data[at + len(text) :])
    with pytest.raises(FormatError, match=message):
        formats.read(polysomnography)


def test_malformed_annotations(polysomnography: Path) -> None:
    data = polysomnography.read_bytes().replace(b"+2.5\x14", b"two.5\x14")
    polysomnography.write_bytes(data)
    with pytest.raises(FormatError, match="annotations are malformed"):
        formats.read(polysomnography)
