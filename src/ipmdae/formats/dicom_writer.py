"""Writing DICOM waveforms: 12-lead, general, general 32-bit and ambulatory ECG objects.

Standard: DICOM PS3.3 C.10.9 (Waveform Module), PS3.3 A.34 (the kinds of ECG objects).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description
from ipmdae.formats.dicom_terms import ELEMENTS, OWN, age_of, code, is_twelve_lead, metadata_of
from ipmdae.formats.errors import FormatError
from ipmdae.formats.optional import needs
from ipmdae.recording import COARSE, Recording, Resolution, millivolts

_LONGEST = 1024
"""Characters that the text of an annotation may have."""

_MAX_TWELVE = 16384
"""Samples a channel that a 12-lead object may have."""


def write(recording: Recording, path: Path) -> None:
    """Write a waveform object: 12-lead, general (to 24 channels, 5 min), 32-bit, or ambulatory.

    Steps (sensitivities) that leads had are kept; a lead that never was digital gets the finest
    that 16 bits allow, of a voltage 5 µV at most. Missing samples become the padding value.
    Comments are annotations without a position. The object is new (its identifiers are), of the
    study it came from.

    Raises:
        FormatError: it is too large, has too many leads, or values do not fit 32 bits.
        OSError: the file cannot be written.
        ModuleNotFoundError: pydicom is not installed.
    """
    with needs("pydicom", "DICOM files"):
        import pydicom
        from pydicom.uid import ExplicitVRLittleEndian, generate_uid
    description.warn_lost(path, recording.header, "DICOM", lost={})
    start, now = recording.start, datetime.now()
    with warnings.catch_warnings():
        # Of texts that other formats allow to be longer, or to have other signs.
        warnings.simplefilter("ignore")
        group, bits = _group(path, recording)
        dataset = _item(
            SpecificCharacterSet="ISO_IR 192",
            SOPClassUID=_kind(path, recording, bits),
            SOPInstanceUID=generate_uid(prefix=None),
            **_elements(recording.metadata),
            SeriesInstanceUID=generate_uid(prefix=None),
            Modality="ECG",
            Manufacturer="",
            SeriesNumber=1,
            InstanceNumber=1,
            ReferringPhysicianName="",
            AccessionNumber="",
            StudyDate=f"{start:%Y%m%d}" if start else "",
            StudyTime=f"{start:%H%M%S.%f}" if start else "",
            ContentDate=f"{now:%Y%m%d}",
            ContentTime=f"{now:%H%M%S}",
            AcquisitionDateTime=f"{start:%Y%m%d%H%M%S.%f}" if start else "",
            SynchronizationFrameOfReferenceUID=generate_uid(prefix=None),
            SynchronizationTrigger="NO TRIGGER",
            AcquisitionTimeSynchronized="N",
            AcquisitionContextSequence=[],
            WaveformSequence=[group],
        )
        marks = _marks(path, recording, metadata_of(dataset))
        if marks:
            dataset.WaveformAnnotationSequence = marks
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        with replacing(path) as aside:
            dataset.save_as(aside, enforce_file_format=True)


def _item(**elements: Any) -> Any:
    """A data set of elements by their keywords."""
    from pydicom import Dataset

    item: Any = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def _group(path: Path, recording: Recording) -> tuple[Any, int]:
    """The multiplex group, and the width of its samples in bits."""
    from pydicom.valuerep import format_number_as_ds

    channels: list[Any] = []
    values = np.empty(recording.signal.shape)
    for i, (name, unit) in enumerate(zip(recording.leads, recording.units, strict=True)):
        had = recording.resolution[i]
        own = had.unit if had is not None and unit == "mV" and millivolts(had.unit) else unit
        lead = recording.signal[:, i] / ((millivolts(own) or 1.0) if unit == "mV" else 1.0)
        step, offset = map(format_number_as_ds, _step_and_offset(lead, unit, had))
        channel = _item(
            ChannelLabel=name[:16],
            ChannelSourceSequence=[_code(*code(name))],
            ChannelSensitivity=step,
            ChannelSensitivityUnitsSequence=[_code(own[:16] or "1", "UCUM", own or "no unit")],
            ChannelSensitivityCorrectionFactor=1,
            ChannelBaseline=offset,
            ChannelSampleSkew=0,
        )
        # What is stored is scaled by what was written, not by what was meant.
        values[:, i] = np.rint((lead - float(offset)) / float(step))
        channels.append(channel)
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if largest >= 2**31 - 1:
        raise FormatError(path, "its values do not fit 32 bits at the resolution they had")
    bits = 32 if largest > 32767 else 16
    for channel in channels:
        channel.WaveformBitsStored = bits
    padding, kind = -(1 << (bits - 1)), np.dtype(f"<i{bits // 8}")
    group = _item(
        MultiplexGroupTimeOffset=0,
        WaveformOriginality="DERIVED",
        NumberOfWaveformChannels=len(channels),
        NumberOfWaveformSamples=recording.samples,
        SamplingFrequency=format_number_as_ds(recording.fs),
        MultiplexGroupLabel="RHYTHM",
        ChannelDefinitionSequence=channels,
        WaveformBitsAllocated=bits,
        WaveformSampleInterpretation="SL" if bits == 32 else "SS",
    )
    missing = np.isnan(values)
    if missing.any():
        group.add_new("WaveformPaddingValue", "OW", np.array(padding, kind).tobytes())
    group.add_new("WaveformData", "OW", np.where(missing, padding, values).astype(kind).tobytes())
    return group, bits


def _step_and_offset(
    lead: NDArray[np.float64], unit: str, had: Resolution | None
) -> tuple[float, float]:
    """Size of a step and the value at digital 0, in the lead's unit."""
    if had is not None:
        return 1 / had.gain, -had.baseline / had.gain
    if np.isnan(lead).all():
        return 1.0, 0.0
    low, high = float(np.nanmin(lead)), float(np.nanmax(lead))
    step = (high - low) / 65000
    if unit == "mV" and step > COARSE:
        step = max((high - low) / 4e9, 1e-3)  # of 32 bits
    least = 1e-9 if unit == "mV" else 1e-13 * max(abs(low), abs(high))
    return max(step, least) or 1.0, (low + high) / 2


def _kind(path: Path, recording: Recording, bits: int) -> Any:
    """Kind of object that can hold the recording."""
    from pydicom import uid

    usual = 200 <= recording.fs <= 1000
    if bits == 32:
        kind, most = uid.General32bitECGWaveformStorage, 24
    elif is_twelve_lead(recording.leads) and recording.samples <= _MAX_TWELVE and usual:
        kind, most = uid.TwelveLeadECGWaveformStorage, 12
    elif recording.duration <= 300 and usual:
        kind, most = uid.GeneralECGWaveformStorage, 24
    else:
        kind, most = uid.AmbulatoryECGWaveformStorage, 12
    if len(recording.leads) > most:
        raise FormatError(
            path, f"{kind.name} holds {most} leads at most, not {len(recording.leads)}"
        )
    if recording.signal.size * bits // 8 >= 0xFFFFFFFE:
        raise FormatError(path, "is too long for DICOM, which ends at 4 GiB; write EDF or WFDB")
    return kind


def _marks(path: Path, recording: Recording, held: Mapping[str, str]) -> list[Any]:
    """Annotations, comments, and metadata other than those that are held elsewhere."""
    texts: list[tuple[str, str]] = []
    for comment in recording.comments:
        texts += [("", comment[i : i + _LONGEST]) for i in range(0, len(comment), _LONGEST)]
    texts += [item for item in recording.metadata.items() if held.get(item[0]) != item[1]]
    try:
        events = description.to_events(recording.annotations)
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    long = next((text for _, text in (*texts, *events) if len(text) > _LONGEST), None)
    if long is not None:
        raise FormatError(path, f"DICOM holds texts of {_LONGEST} characters, not {long[:40]!r}...")
    whole = {"ReferencedWaveformChannels": [1, 0], "AnnotationGroupNumber": 1}
    point = whole | {"TemporalRangeType": "POINT", "AnnotationGroupNumber": 2}
    marks = [_item(UnformattedTextValue=text, **whole) for _, text in texts]
    for mark, (name, _) in zip(marks, texts, strict=True):
        if name:
            mark.ConceptNameCodeSequence = [_code("NOTE", OWN, name)]
    return marks + [
        _item(UnformattedTextValue=text, ReferencedSamplePositions=sample + 1, **point)
        for sample, text in events
        if sample >= 0
    ]


def _code(value: str, scheme: str, meaning: str) -> Any:
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning[:64])


def _elements(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Elements of an object, cut to what they hold; :func:`metadata_of` reads them."""
    from pydicom.uid import UID, generate_uid

    # A backslash would part the text in two.
    known: dict[str, Any] = {
        element: metadata.get(name, "").replace("\\", "/")[:size]
        for name, (element, size) in ELEMENTS.items()
    }
    groups = known["PatientName"].split("=")[:3]
    known["PatientName"] = "=".join(group[:64] for group in groups)
    if known["PatientSex"] not in ("M", "F", "O"):
        known["PatientSex"] = ""
    known["PatientAge"] = age_of(metadata.get(description.AGE, ""))
    birth = metadata.get(description.BIRTH_DATE, "").replace("-", "")
    known["PatientBirthDate"] = birth if len(birth) == 8 and birth.isdigit() else ""
    zone = metadata.get(description.TIME_ZONE, "").replace(":", "")
    if re.fullmatch(r"[+-]\d{4}", zone):
        known["TimezoneOffsetFromUTC"] = zone
    study = UID(metadata.get(description.STUDY_UID, ""))
    valid = study and study.is_valid
    return known | {"StudyInstanceUID": study if valid else generate_uid(prefix=None)}
