"""Writing DICOM waveforms."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import annotation_text, description
from ipmdae.formats.dicom_identity import describe, metadata_of
from ipmdae.formats.dicom_leads import OWN, code, is_twelve_lead
from ipmdae.formats.errors import FormatError
from ipmdae.formats.optional import needs
from ipmdae.recording import Recording, Resolution, millivolts

_LONGEST = 1024
"""Characters that the text of an annotation may have."""

_MAX_TWELVE = 16384
"""Samples a channel that a 12-lead object may have."""


def write(recording: Recording, path: Path) -> None:
    """Write a waveform object: 12-lead, general (to 24 channels, 5 min), 32-bit, or ambulatory.

    Steps (sensitivities) that leads had are kept; a lead that never was digital gets the finest
    that 16 bits allow. Missing samples become the padding value. Comments are annotations without
    a position. The object is new (its identifiers are), of the study it came from.

    Raises:
        FormatError: it is too large, has too many leads, or values do not fit 32 bits.
        OSError: the file cannot be written.
        ModuleNotFoundError: pydicom is not installed.
    """
    with needs("pydicom", "DICOM files"):
        import pydicom
        from pydicom import uid
    description.warn_lost(path, recording.header, "DICOM", lost={})
    channels, digital, bits = _channels(path, recording)
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = _kind(path, recording, bits)
    meta.MediaStorageSOPInstanceUID = uid.generate_uid(prefix=None)
    dataset: Any = pydicom.Dataset()
    dataset.file_meta = meta
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    with warnings.catch_warnings():
        # Of texts that other formats allow to be longer, or to have other signs.
        warnings.simplefilter("ignore")
        _describe(dataset, recording)
        dataset.WaveformSequence = [_group(recording, channels, digital, bits)]
        marks = _marks(path, recording, metadata_of(dataset))
        if marks:
            dataset.WaveformAnnotationSequence = marks
        with replacing(path) as aside:
            dataset.save_as(aside, enforce_file_format=True)


def _channels(path: Path, recording: Recording) -> tuple[list[Any], NDArray[np.int64], int]:
    """Channel definitions, digital values (time, leads) and their width in bits."""
    from pydicom import Dataset
    from pydicom.valuerep import format_number_as_ds

    channels: list[Any] = []
    values = np.empty(recording.signal.shape)
    for i, (name, unit) in enumerate(zip(recording.leads, recording.units, strict=True)):
        had = recording.resolution[i]
        own = had.unit if had is not None and unit == "mV" and millivolts(had.unit) else unit
        lead = recording.signal[:, i] / ((millivolts(own) or 1.0) if unit == "mV" else 1.0)
        step, offset = _scale(lead, had)
        channel: Any = Dataset()
        channel.ChannelLabel = name[:16]
        channel.ChannelSourceSequence = [_code(*code(name))]
        channel.ChannelSensitivity = format_number_as_ds(step)
        channel.ChannelSensitivityUnitsSequence = [_code(own[:16] or "1", "UCUM", own or "no unit")]
        channel.ChannelSensitivityCorrectionFactor = 1
        channel.ChannelBaseline = format_number_as_ds(offset)
        channel.ChannelSampleSkew = 0
        channel.WaveformBitsStored = 16
        # What is stored is scaled by what was written, not by what was meant.
        values[:, i] = np.rint((lead - float(channel.ChannelBaseline)) / _step(channel))
        channels.append(channel)
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if largest >= 2**31 - 1:
        raise FormatError(path, "its values do not fit 32 bits at the resolution they had")
    bits = 32 if largest > 32767 else 16
    for channel in channels:
        channel.WaveformBitsStored = bits
    return channels, np.where(np.isnan(values), -(1 << (bits - 1)), values).astype(np.int64), bits


def _scale(lead: NDArray[np.float64], had: Resolution | None) -> tuple[float, float]:
    """Size of a step and the value at digital 0, in the lead's unit."""
    if had is not None:
        return 1 / had.gain, -had.baseline / had.gain
    if np.isnan(lead).all():
        return 1.0, 0.0
    low, high = float(np.nanmin(lead)), float(np.nanmax(lead))
    return max((high - low) / 65000, 1e-9), (low + high) / 2


def _step(channel: Any) -> float:
    return float(channel.ChannelSensitivity)


def _kind(path: Path, recording: Recording, bits: int) -> Any:
    """Kind of object that can hold the recording."""
    from pydicom import uid

    count = len(recording.leads)
    usual = 200 <= recording.fs <= 1000
    if bits == 32:
        kind, most = uid.General32bitECGWaveformStorage, 24
    elif is_twelve_lead(recording.leads) and recording.samples <= _MAX_TWELVE and usual:
        kind, most = uid.TwelveLeadECGWaveformStorage, 12
    elif recording.duration <= 300 and usual:
        kind, most = uid.GeneralECGWaveformStorage, 24
    else:
        kind, most = uid.AmbulatoryECGWaveformStorage, 12
    if count > most:
        raise FormatError(path, f"{kind.name} holds {most} leads at most, not {count}")
    if recording.signal.size * bits // 8 >= 0xFFFFFFFE:
        raise FormatError(path, "is too long for DICOM, which ends at 4 GiB; write EDF or WFDB")
    return kind


def _describe(dataset: Any, recording: Recording) -> None:
    """Patient, study, series, equipment and time."""
    from pydicom.uid import generate_uid

    describe(dataset, recording.metadata)
    dataset.SeriesInstanceUID = generate_uid(prefix=None)
    dataset.Modality = "ECG"
    dataset.Manufacturer = ""
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.ReferringPhysicianName = dataset.AccessionNumber = ""
    start = recording.start
    dataset.StudyDate = f"{start:%Y%m%d}" if start else ""
    dataset.StudyTime = f"{start:%H%M%S.%f}" if start else ""
    now = datetime.now()
    dataset.ContentDate, dataset.ContentTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    dataset.AcquisitionDateTime = f"{start:%Y%m%d%H%M%S.%f}" if start else ""
    dataset.SynchronizationFrameOfReferenceUID = generate_uid(prefix=None)
    dataset.SynchronizationTrigger = "NO TRIGGER"
    dataset.AcquisitionTimeSynchronized = "N"
    dataset.AcquisitionContextSequence = []


def _group(recording: Recording, channels: list[Any], digital: NDArray[np.int64], bits: int) -> Any:
    from pydicom import Dataset
    from pydicom.valuerep import format_number_as_ds

    kind = np.dtype(f"<i{bits // 8}")
    group: Any = Dataset()
    group.MultiplexGroupTimeOffset = 0
    group.WaveformOriginality = "DERIVED"
    group.NumberOfWaveformChannels = len(channels)
    group.NumberOfWaveformSamples = recording.samples
    group.SamplingFrequency = format_number_as_ds(recording.fs)
    group.MultiplexGroupLabel = "RHYTHM"
    group.ChannelDefinitionSequence = channels
    group.WaveformBitsAllocated = bits
    group.WaveformSampleInterpretation = "SL" if bits == 32 else "SS"
    if np.isnan(recording.signal).any():
        group.add_new("WaveformPaddingValue", "OW", np.array(-(1 << (bits - 1)), kind).tobytes())
    group.add_new("WaveformData", "OW", digital.astype(kind).tobytes())
    return group


def _marks(path: Path, recording: Recording, held: Mapping[str, str]) -> list[Any]:
    """Annotations, comments, and metadata other than those that are held elsewhere."""
    comments = [("", part) for text in recording.comments for part in _parts(text)]
    others = [item for item in recording.metadata.items() if held.get(item[0]) != item[1]]
    marks = [_mark(path, text, name=name) for name, text in (*comments, *others)]
    try:
        events = annotation_text.to_events(recording.annotations)
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    return marks + [_mark(path, text, sample=sample) for sample, text in events if sample >= 0]


def _parts(text: str) -> list[str]:
    return [text[i : i + _LONGEST] for i in range(0, len(text), _LONGEST)]


def _mark(path: Path, text: str, *, name: str = "", sample: int | None = None) -> Any:
    """A text annotation, of the whole recording or at a sample."""
    from pydicom import Dataset

    if len(text) > _LONGEST:
        raise FormatError(path, f"DICOM holds texts of {_LONGEST} characters, not {text[:40]!r}...")
    mark: Any = Dataset()
    if name:
        mark.ConceptNameCodeSequence = [_code("NOTE", OWN, name)]
    mark.UnformattedTextValue = text
    mark.ReferencedWaveformChannels = [1, 0]
    if sample is not None:
        mark.TemporalRangeType = "POINT"
        mark.ReferencedSamplePositions = sample + 1
    mark.AnnotationGroupNumber = 1 if sample is None else 2
    return mark


def _code(value: str, scheme: str, meaning: str) -> Any:
    from pydicom import Dataset

    item: Any = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning[:64]
    return item
