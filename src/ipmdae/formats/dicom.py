"""DICOM waveforms (12-lead, general, general 32-bit and ambulatory ECG) by pydicom.

Standard: DICOM PS3.3 C.10.9 (Waveform Module), PS3.3 A.34 (the kinds of ECG objects).
"""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description
from ipmdae.formats.errors import FormatError, check_samples, first_bytes, reason
from ipmdae.formats.optional import needs
from ipmdae.formats.options import DEFAULTS, ReadOptions, converted
from ipmdae.formats.signals import shifted
from ipmdae.recording import COARSE, Recording, Resolution, millivolts
from ipmdae.text import unique

__all__ = ["NAME", "SUFFIXES", "read", "recognises", "write"]

NAME = "DICOM"
SUFFIXES: tuple[str, ...] = (".dcm", ".dicom")
LIBRARY = "pydicom"

_TYPES = {(8, "SB"): "<i1", (8, "UB"): "<u1", (16, "SS"): "<i2", (16, "US"): "<u2"}
_TYPES |= {(32, "SL"): "<i4", (32, "UL"): "<u4"}


def recognises(path: Path) -> bool:
    """True if the file has DICOM's preamble."""
    return first_bytes(path, 132)[128:] == b"DICM"


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read the longest multiplex group of a waveform; others (median beats) are left out, said so.

    Args:
        path: the file.
        annotations: whether to read the annotations that have a position, too.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is not a waveform, or broken.
        ModuleNotFoundError: pydicom is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    with needs("pydicom", "DICOM files"):
        import pydicom
    try:
        # pydicom warns of each unusual value; relevant ones are checked here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # In memory, so that no more is asked for than there is.
            content = path.read_bytes()
            deflated = pydicom.uid.DeflatedExplicitVRLittleEndian
            if deflated.encode() in content:
                meta = pydicom.filereader.read_file_meta_info(path)
                if meta.get("TransferSyntaxUID", "") == deflated:
                    raise FormatError(path, "is deflated DICOM; expand it first (dcmconv +te)")
            dataset: Any = pydicom.dcmread(io.BytesIO(content))
            recording, units, left_out = _recording(path, dataset, annotations)
    except (FormatError, PermissionError):
        raise
    except Exception as error:
        raise FormatError(path, f"the DICOM file is broken ({reason(error)})") from error
    if left_out:
        warnings.warn(f"{path}: left out: {', '.join(left_out)}", stacklevel=3)
    if options.scale is not None:
        return recording
    units, factors, as_stated = converted(path, recording.leads, units, options, recording.signal.T)
    return dataclasses.replace(
        recording,
        signal=recording.signal * factors,
        units=tuple(units),
        resolution=tuple(
            how if holds else None
            for how, holds in zip(recording.resolution, as_stated, strict=True)
        ),
    )


def _recording(
    path: Path, dataset: Any, annotations: bool
) -> tuple[Recording, list[str], list[str]]:
    """The recording, the units as they are stated, and the names of the groups left out."""
    groups = list(dataset.get("WaveformSequence", []))
    if not groups:
        raise FormatError(path, "is a DICOM file without a waveform")
    lengths = [int(g.NumberOfWaveformSamples) / float(g.SamplingFrequency) for g in groups]
    chosen = int(np.argmax(lengths))
    group = groups[chosen]
    channels = list(group.ChannelDefinitionSequence)
    digital, missing = _digital(path, group)
    if len(channels) != digital.shape[1]:
        raise ValueError(f"{digital.shape[1]} channels, {len(channels)} of them described")
    units, resolution = [], []
    skews = [_skew(channel, float(group.SamplingFrequency)) for channel in channels]
    signal = np.empty(digital.shape)
    for i, channel in enumerate(channels):
        unit, how, offset = _scale(channel, int(group.WaveformBitsAllocated))
        factor = millivolts(unit) or 1.0
        lead = np.where(missing[:, i], np.nan, (digital[:, i] / how.gain + offset) * factor)
        signal[:, i] = shifted(lead, skews[i] - min(skews))
        units.append("mV" if millivolts(unit) else unit)
        resolution.append(how)
    events, comments, measured = _annotations(dataset, chosen + 1)
    recording = Recording(
        signal=signal,
        fs=float(group.SamplingFrequency),
        leads=tuple(unique([_name(channel) for channel in channels])),
        units=tuple(units),
        resolution=tuple(resolution),
        start=_start(dataset, group),
        annotations=description.from_events(events) if annotations else {},
        comments=comments,
        metadata=metadata_of(dataset) | measured,
    )
    left_out = [
        f"waveform group {i + 1} {g.get('MultiplexGroupLabel', '')}".strip()
        for i, g in enumerate(groups)
        if i != chosen
    ]
    return recording, units, left_out


def _digital(path: Path, group: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Digital values (time, channels), and where they are missing."""
    key = int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation)
    if key not in _TYPES:
        raise FormatError(path, f"its samples are {key[1]} of {key[0]} bits, which is not read")
    samples, count = int(group.NumberOfWaveformSamples), int(group.NumberOfWaveformChannels)
    check_samples(path, samples, count)
    data, kind = bytes(group.WaveformData), np.dtype(_TYPES[key])
    if len(data) < samples * count * kind.itemsize:
        raise FormatError(
            path, f"is cut off: {samples} samples of {count} channels are announced; fetch it again"
        )
    values = np.frombuffer(data, kind, samples * count).reshape(samples, count)
    padding = group.get("WaveformPaddingValue", b"")
    missing = np.zeros(values.shape, bool)
    if isinstance(padding, bytes) and len(padding) >= kind.itemsize:
        missing = values == np.frombuffer(padding, kind, 1)[0]
    return values.astype(np.int64), missing


def _scale(channel: Any, bits: int) -> tuple[str, Resolution, float]:
    """Unit and resolution of a channel, and the value in that unit that stands at digital 0."""
    sensitivity = float(channel.get("ChannelSensitivity", None) or 1.0)
    sensitivity *= float(channel.get("ChannelSensitivityCorrectionFactor", None) or 1.0)
    offset = float(channel.get("ChannelBaseline", None) or 0.0)
    codes = channel.get("ChannelSensitivityUnitsSequence", None)
    unit = str(codes[0].get("CodeValue", "")) if codes else ""
    gain = 1 / sensitivity
    return unit, Resolution(gain=gain, baseline=round(-offset * gain), unit=unit, bits=bits), offset


def _skew(channel: Any, fs: float) -> int:
    """Samples from the start of the group to the channel's first."""
    time = float(channel.get("ChannelTimeSkew", None) or 0)
    return round(time * fs or float(channel.get("ChannelSampleSkew", None) or 0))


def _name(channel: Any) -> str:
    label = str(channel.get("ChannelLabel", "")).strip()
    source = channel.get("ChannelSourceSequence", None)
    if not source:
        return label
    return name_of(
        str(source[0].get("CodeValue", "")),
        str(source[0].get("CodingSchemeDesignator", "")),
        str(source[0].get("CodeMeaning", "")),
        label,
    )


def _start(dataset: Any, group: Any) -> datetime | None:
    text = str(dataset.get("AcquisitionDateTime", "") or "")
    # A zone, if there is one, follows the time; a recording's start is the local time.
    digits = text.partition("+")[0].partition("-")[0]
    for pattern in ("%Y%m%d%H%M%S.%f", "%Y%m%d%H%M%S", "%Y%m%d%H%M"):
        try:
            start = datetime.strptime(digits, pattern)
        except ValueError:
            continue
        return start + timedelta(milliseconds=float(group.get("MultiplexGroupTimeOffset", 0) or 0))
    return None


def _annotations(
    dataset: Any, group: int
) -> tuple[list[description.Event], tuple[str, ...], dict[str, str]]:
    """Texts at samples of a group (counted from 1), other texts, and measured values."""
    events, comments, measured = [], [], {}
    for item in dataset.get("WaveformAnnotationSequence", []):
        concept = item.get("ConceptNameCodeSequence", None)
        meaning = str(concept[0].get("CodeMeaning", "")) if concept else ""
        text = str(item.get("UnformattedTextValue", "") or "") or meaning
        channels = [int(n) for n in _values(item.get("ReferencedWaveformChannels", None))]
        positions = [int(n) for n in _values(item.get("ReferencedSamplePositions", None))]
        number = item.get("NumericValue", None)
        if positions and (not channels or channels[0] == group):
            events += [(position - 1, text) for position in positions]
        elif number is not None and meaning:
            codes = item.get("MeasurementUnitsCodeSequence", None)
            unit = str(codes[0].get("CodeValue", "")) if codes else ""
            measured[meaning] = f"{number} {unit}".strip()
        elif text and text != meaning and meaning and not positions:
            measured[meaning] = text
        elif text and not positions:
            comments.append(" ".join(text.split()))
    return events, tuple(comments), measured


def _values(value: Any) -> Iterator[Any]:
    """The values of an element that holds none, one or several."""
    if value is None:
        return
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        yield value
    else:
        yield from value


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
    return max(step, 1e-9), (low + high) / 2


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


# DICOM PS3.16 CID 3001, whose numbers are those of ISO/IEEE 11073 and SCP.
NAMES = {"1": "I", "2": "II", "61": "III", "62": "aVR", "63": "aVL", "64": "aVF"}
NAMES |= {str(n + 2): f"V{n}" for n in range(1, 8)} | {"66": "V8", "67": "V9"}
NAMES |= {str(n + 8): f"V{n}R" for n in range(2, 8)} | {"68": "V8R", "69": "V9R"}
NAMES |= {"16": "X", "17": "Y", "18": "Z", "19": "CC5", "20": "CM5"}
"""Names of leads by number."""

OWN = "99IPMDAE"
"""The coding scheme of leads that have no standard code; their meaning is their name."""

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

_CODES = {name.lower(): code for code, name in NAMES.items()}


def code(name: str) -> tuple[str, str, str]:
    """Value, scheme and meaning of the code of a lead; one of our own where there is no standard.

    Args:
        name: of the lead, in any case, with or without ``ECG``.
    """
    number = _CODES.get(name.lower().removeprefix("ecg "))
    if number is None:
        value = "".join(c for c in name if c.isascii() and c.isalnum())[:16] or "LEAD"
        return value, OWN, name
    standard = name.lower() == NAMES[number].lower()
    return f"2:{number}", "MDC", f"Lead {NAMES[number]}" if standard else name


def name_of(value: str, scheme: str, meaning: str, label: str) -> str:
    """The name of a lead by its code and its label, the inverse of :func:`code`."""
    known = NAMES.get(value.removeprefix("5.6.3-9-").removeprefix("2:"))
    if known and scheme in ("MDC", "SCPECG"):
        if code(meaning)[0] == f"2:{_CODES[known.lower()]}":
            return meaning
        return label if label.lower() == known.lower() else known
    if scheme == OWN:
        return meaning
    return meaning.removeprefix("Lead ").strip() or label


def is_twelve_lead(names: tuple[str, ...]) -> bool:
    """True if these are the twelve standard leads, in any order."""
    return sorted(name.lower() for name in names) == sorted(name.lower() for name in STANDARD)


_ELEMENTS = {
    description.PATIENT_ID: ("PatientID", 64),
    description.PATIENT_NAME: ("PatientName", 194),
    description.SEX: ("PatientSex", 16),
    description.AGE: ("PatientAge", 4),
    description.PATIENT_NOTE: ("PatientComments", 10240),
    description.STUDY_ID: ("StudyID", 16),
    description.TECHNICIAN: ("OperatorsName", 64),
    description.DEVICE: ("ManufacturerModelName", 64),
    description.RECORDING_NOTE: ("StudyDescription", 64),
}
"""The element of each, and how many characters it holds."""


def metadata_of(dataset: Any) -> dict[str, str]:
    """Metadata of patient, study and equipment of an object."""
    elements = {name: element for name, (element, _) in _ELEMENTS.items()}
    elements[description.STUDY_UID] = "StudyInstanceUID"
    known = {name: str(dataset.get(element, "") or "") for name, element in elements.items()}
    birth = str(dataset.get("PatientBirthDate", "") or "")
    if len(birth) == 8 and birth.isdigit():
        birth = f"{birth[:4]}-{birth[4:6]}-{birth[6:]}"
    known[description.BIRTH_DATE] = birth
    return {name: " ".join(value.split()) for name, value in known.items() if value.strip()}


def _elements(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Elements of an object, cut to what they hold; :func:`metadata_of` reads them."""
    from pydicom.uid import UID, generate_uid

    # A backslash would part the text in two.
    known: dict[str, Any] = {
        element: metadata.get(name, "").replace("\\", "/")[:size]
        for name, (element, size) in _ELEMENTS.items()
    }
    groups = known["PatientName"].split("=")[:3]
    known["PatientName"] = "=".join(group[:64] for group in groups)
    if known["PatientSex"] not in ("M", "F", "O"):
        known["PatientSex"] = ""
    birth = metadata.get(description.BIRTH_DATE, "").replace("-", "")
    known["PatientBirthDate"] = birth if len(birth) == 8 and birth.isdigit() else ""
    study = UID(metadata.get(description.STUDY_UID, ""))
    valid = study and study.is_valid
    return known | {"StudyInstanceUID": study if valid else generate_uid(prefix=None)}
