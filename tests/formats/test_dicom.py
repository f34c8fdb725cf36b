from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ipmdae import formats
from ipmdae.formats import FormatError
from ipmdae.formats.dicom_terms import STANDARD, code
from ipmdae.recording import Recording, Resolution

pydicom = pytest.importorskip("pydicom")


@pytest.fixture
def example() -> Path:
    """A 12-lead ECG that ships with pydicom."""
    return Path(pydicom.__file__).parent / "data" / "test_files" / "waveform_ecg.dcm"


def recording(samples: int, leads: tuple[str, ...], **fields: Any) -> Recording:
    signal = np.random.default_rng(0).integers(-900, 900, (samples, len(leads))) / 200
    how = (Resolution(gain=200),) * len(leads)
    known: dict[str, Any] = {"signal": signal, "fs": 500, "leads": leads, "resolution": how}
    return Recording(**(known | fields))


def test_a_12_lead_ecg_of_a_device(example: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="left out: waveform group 2 MEDIAN BEAT"):
        r = formats.read(example)
    theirs = pydicom.dcmread(example)
    assert_allclose(r.signal, theirs.waveform_array(0) / 1e3)
    assert (r.fs, r.leads) == (1000, STANDARD)
    assert r.start == datetime(2013, 1, 25, 10, 59, 19)
    assert (r.metadata["patient id"], r.metadata["birth date"]) == ("642341", "1971-01-23")
    assert r.metadata["QT Interval"] == "368 ms"
    assert "RITMO SINUSALE" in r.comments
    formats.write(r, tmp_path / "x.dcm")
    again, ours = formats.read(tmp_path / "x.dcm"), pydicom.dcmread(tmp_path / "x.dcm")
    assert_allclose(ours.waveform_array(0), theirs.waveform_array(0))
    assert ours.SOPClassUID == theirs.SOPClassUID == pydicom.uid.TwelveLeadECGWaveformStorage
    assert ours.StudyInstanceUID == theirs.StudyInstanceUID
    assert ours.SOPInstanceUID != theirs.SOPInstanceUID
    for field in ("metadata", "comments", "start", "resolution", "leads"):
        assert getattr(again, field) == getattr(r, field)


@pytest.mark.parametrize(
    ("age", "stored"),
    [("74", "074Y"), ("101", "101Y"), ("006M", "006M"), ("074Y", "074Y"), ("74 years", ""),
     ("074", "074Y"), ("1234", ""), ("٧٤", "")],
)  # fmt: skip
def test_ages(tmp_path: Path, age: str, stored: str) -> None:
    formats.write(recording(300, ("I",), metadata={"age": age}), tmp_path / "x.dcm")
    assert pydicom.dcmread(tmp_path / "x.dcm").PatientAge == stored
    assert formats.read(tmp_path / "x.dcm").metadata["age"] == age


@pytest.mark.parametrize(
    ("elements", "start"),
    [
        (
            {"AcquisitionDate": "20260314", "AcquisitionTime": "091502.25"},
            datetime(2026, 3, 14, 9, 15, 2, 250_000),
        ),
        ({"AcquisitionDate": "20260314", "AcquisitionTime": "0915"}, datetime(2026, 3, 14, 9, 15)),
        ({"AcquisitionDateTime": "202603140915"}, datetime(2026, 3, 14, 9, 15)),
        (
            {"AcquisitionDateTime": "20260314091502.25+0100"},
            datetime(2026, 3, 14, 9, 15, 2, 250_000),
        ),
        ({"AcquisitionDateTime": "2026031409"}, None),
        ({"AcquisitionDate": "20260314"}, None),
        ({"AcquisitionTime": "091502"}, None),
    ],
)
def test_starts(tmp_path: Path, elements: dict[str, str], start: datetime | None) -> None:
    path = tmp_path / "x.dcm"
    formats.write(recording(300, ("I",)), path)
    dataset = pydicom.dcmread(path)
    for name, text in elements.items():
        setattr(dataset, name, text)
    dataset.save_as(path)
    assert formats.read(path).start == start


@pytest.mark.parametrize(
    ("samples", "leads", "fs", "kind"),
    [
        (5000, STANDARD, 500, "12-lead ECG"),
        (5000, ("I", "II"), 500, "General ECG"),
        (20_000, STANDARD, 500, "General ECG"),
        (200_000, ("I", "II"), 500, "Ambulatory ECG"),
        (1000, ("I",), 128, "Ambulatory ECG"),
    ],
)
def test_the_kind_of_object(
    tmp_path: Path, samples: int, leads: tuple[str, ...], fs: float, kind: str
) -> None:
    formats.write(recording(samples, leads, fs=fs), tmp_path / "x.dcm")
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert kind in dataset.SOPClassUID.name
    source = dataset.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelSourceSequence[0]
    assert (source.CodeValue, source.CodingSchemeDesignator) == ("2:1", "MDC")


def test_values_that_need_32_bits(tmp_path: Path) -> None:
    how = (Resolution(gain=1e6, bits=24),)
    r = recording(300, ("I",), resolution=how, signal=np.linspace(-4, 4, 300)[:, None])
    formats.write(r, tmp_path / "x.dcm")
    assert pydicom.dcmread(tmp_path / "x.dcm").SOPClassUID.name.startswith("General 32-bit ECG")
    assert_allclose(formats.read(tmp_path / "x.dcm").signal, r.signal, atol=0.6e-6)


@pytest.mark.parametrize("outlier", [-32768, 9e6])
def test_an_outlier_leaves_the_others_their_resolution(tmp_path: Path, outlier: float) -> None:
    signal = np.sin(np.arange(600)).reshape(300, 2)
    signal[100:110, 0] = outlier
    r = recording(300, ("I", "II"), signal=signal, resolution=(None, None))
    formats.write(r, tmp_path / "x.dcm")
    assert_allclose(formats.read(tmp_path / "x.dcm").signal, r.signal, rtol=1e-9, atol=2e-3)


@pytest.mark.parametrize("name", ["Yamada^Tarou", "Müller^Jürgen=Mü", "山田^太郎=" + "a" * 64])
def test_names_of_patients_come_back(tmp_path: Path, name: str) -> None:
    formats.write(recording(300, ("I",), metadata={"patient name": name}), tmp_path / "x.dcm")
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert dataset.PatientName == name
    assert "WaveformAnnotationSequence" not in dataset  # for what no element holds
    assert formats.read(tmp_path / "x.dcm").metadata["patient name"] == name


def test_channels_with_a_skew_are_put_in_line(tmp_path: Path) -> None:
    r = recording(300, ("I", "II", "V1"), fs=500)
    formats.write(r, tmp_path / "x.dcm")
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    one, two, three = dataset.WaveformSequence[0].ChannelDefinitionSequence
    one.ChannelSampleSkew = 2
    del two.ChannelSampleSkew, three.ChannelSampleSkew
    two.ChannelTimeSkew, three.ChannelTimeSkew = 0.1, 0.0048
    dataset.save_as(tmp_path / "y.dcm")
    signal = formats.read(tmp_path / "y.dcm").signal
    assert_allclose(signal[:, [0, 2]], r.signal[:, [0, 2]])
    assert_allclose(signal[48:, 1], r.signal[:-48, 1])
    assert np.isnan(signal[:48, 1]).all()


def in_groups(tmp_path: Path, *groups: tuple[Recording, dict[str, Any]]) -> Path:
    """A file of several multiplex groups, with elements of their own; ``None`` removes one."""
    path, items = tmp_path / "groups.dcm", []
    for r, elements in groups:
        formats.write(r, path)
        dataset = pydicom.dcmread(path)
        (item,) = dataset.WaveformSequence
        for name, value in elements.items():
            setattr(item, name, value)
            if value is None:
                delattr(item, name)
        items.append(item)
    dataset.WaveformSequence = items
    dataset.save_as(path)
    return path


def offset(milliseconds: float, **others: Any) -> dict[str, Any]:
    return {"MultiplexGroupTimeOffset": milliseconds} | others


def test_groups_that_follow_in_time_are_one_recording(tmp_path: Path) -> None:
    first, second = recording(500, ("I", "II")), recording(300, ("I", "II"))
    start = datetime(2026, 3, 4, 9)
    later = Recording(
        signal=second.signal, fs=500, leads=second.leads, start=start, resolution=second.resolution
    )
    path = in_groups(tmp_path, (first, offset(1000)), (second, offset(0)), (later, offset(3000)))
    r = formats.read(path)
    assert (r.leads, r.samples, r.start) == (("I", "II"), 1800, start)
    assert r.resolution == first.resolution
    assert_allclose(r.signal[500:1000], first.signal)
    assert_allclose(r.signal[:300], second.signal)
    assert_allclose(r.signal[1500:], second.signal)
    assert np.isnan(r.signal[300:500]).all()
    assert np.isnan(r.signal[1000:1500]).all()


def test_groups_of_other_leads_are_leads(tmp_path: Path) -> None:
    limbs, chest = recording(500, ("I", "II")), recording(500, ("V1", "V2", "V3"))
    r = formats.read(in_groups(tmp_path, (limbs, offset(0)), (chest, offset(0))))
    assert r.leads == (*limbs.leads, *chest.leads)
    assert_allclose(r.signal, np.hstack([limbs.signal, chest.signal]))
    twice = [(one, offset(at)) for at in (0, 2000) for one in (limbs, chest)]
    r = formats.read(in_groups(tmp_path, *twice))
    assert (r.leads, r.samples) == ((*limbs.leads, *chest.leads), 1500)
    assert_allclose(r.signal[1000:], np.hstack([limbs.signal, chest.signal]))


@pytest.mark.parametrize(
    ("other", "elements"),
    [
        (recording(300, ("I", "II")), offset(100)),
        (recording(300, ("I", "II")), {"MultiplexGroupTimeOffset": None}),
        (recording(200, ("I", "II"), fs=250), offset(5000)),
        (recording(500, ("V1",)), {"MultiplexGroupTimeOffset": None}),
        (recording(500, ("V1",)), offset(500)),
        (recording(500, ("II", "V1")), offset(0)),
        (recording(500, ("V1",)), offset(0, WaveformOriginality="ORIGINAL")),
    ],
)
def test_groups_that_are_something_else_are_named(
    tmp_path: Path, other: Recording, elements: dict[str, Any]
) -> None:
    main = recording(500, ("I", "II"))
    path = in_groups(
        tmp_path, (main, offset(0)), (other, elements | {"MultiplexGroupLabel": "OTHER"})
    )
    with pytest.warns(UserWarning, match="left out: waveform group 2 OTHER"):
        r = formats.read(path)
    assert_allclose(r.signal, main.signal)


@pytest.mark.parametrize("later", [6000, 3e7])
def test_a_group_of_much_later_is_left_out(tmp_path: Path, later: float) -> None:
    main = recording(500, ("I", "II"))
    with pytest.warns(UserWarning, match="left out: waveform group 2"):
        r = formats.read(in_groups(tmp_path, (main, offset(0)), (main, offset(later))))
    assert r.samples == 500


def test_annotations_of_groups_are_at_their_samples(tmp_path: Path) -> None:
    main = recording(500, ("I", "II"))
    path = in_groups(tmp_path, (main, offset(0)), (main, offset(2000)))
    dataset = pydicom.dcmread(path)
    marks = []
    for channels in ([1, 0], [2, 0], [3, 0], None):
        mark = pydicom.Dataset()
        mark.UnformattedTextValue = f"mark {channels and channels[0]}"
        mark.ReferencedSamplePositions = [11]
        if channels:
            mark.ReferencedWaveformChannels = channels
        marks.append(mark)
    dataset.WaveformAnnotationSequence = marks
    dataset.save_as(path)
    ((_, found),) = formats.read(path).annotations.items()
    assert found.sample.tolist() == [10, 10, 1010]
    assert found.note[2] == "mark 2"


def test_leads_of_any_name(tmp_path: Path) -> None:
    names = ("Lead II", "ecg aVF", "AVR", "patch 1", "I")
    formats.write(recording(300, names), tmp_path / "x.dcm")
    assert formats.read(tmp_path / "x.dcm").leads == names
    assert code("v6") == ("2:8", "MDC", "Lead V6")


def test_too_many_leads(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds 24 leads at most, not 25"):
        formats.write(recording(300, tuple(f"e{i}" for i in range(25))), tmp_path / "x.dcm")


def test_broken_files(example: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(example.read_bytes()[:50_000])
    with pytest.raises(FormatError, match=r"broken|cut off"):
        formats.read(path)
    dataset = pydicom.dcmread(example)
    dataset.WaveformSequence[0].NumberOfWaveformSamples = 4_000_000
    dataset.save_as(path)
    with pytest.raises(FormatError, match="is cut off: 4000000 samples of 12 channels are announc"):
        formats.read(path)
    dataset.WaveformSequence[0].NumberOfWaveformSamples = 4_000_000_000
    dataset.save_as(path)
    with pytest.raises(FormatError, match="more than memory can hold"):
        formats.read(path)
    del dataset.WaveformSequence
    dataset.save_as(path)
    with pytest.raises(FormatError, match="without a waveform"):
        formats.read(path)
    path.write_bytes(b"no DICOM")
    with pytest.raises(FormatError, match="broken"):
        formats.read(path)


def test_deflated_files_are_refused(example: Path, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(example)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "x.dcm")
    with pytest.raises(FormatError, match="deflated DICOM; expand it first"):
        formats.read(tmp_path / "x.dcm")


@pytest.mark.parametrize("sensitivity", [None, ""])
def test_steps_without_a_sensitivity_have_no_unit(tmp_path: Path, sensitivity: str | None) -> None:
    formats.write(recording(300, ("I",)), tmp_path / "x.dcm")
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    (channel,) = dataset.WaveformSequence[0].ChannelDefinitionSequence
    del channel.ChannelSensitivity
    if sensitivity is not None:
        channel.ChannelSensitivity = sensitivity
    dataset.save_as(tmp_path / "x.dcm")
    with pytest.warns(UserWarning, match="says no unit of I; .* steps of a converter"):
        formats.read(tmp_path / "x.dcm")
