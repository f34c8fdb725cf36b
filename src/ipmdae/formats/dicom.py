"""DICOM waveforms (12-lead, general, general 32-bit and ambulatory ECG) by pydicom.

Standard: DICOM PS3.3 C.10.9 (Waveform Module), PS3.3 A.34 (the kinds of ECG objects).
"""

from __future__ import annotations

import dataclasses
import io
import re
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description
from ipmdae.formats.dicom_groups import Channels, Part, joined
from ipmdae.formats.dicom_terms import metadata_of, name_of
from ipmdae.formats.dicom_writer import write
from ipmdae.formats.errors import FormatError, check_samples, first_bytes, reason
from ipmdae.formats.optional import needs
from ipmdae.formats.options import DEFAULTS, ReadOptions, converted
from ipmdae.formats.signals import shifted
from ipmdae.recording import Recording, Resolution, millivolts
from ipmdae.text import enumerated, unique

__all__ = ["NAME", "SUFFIXES", "read", "recognises", "write"]

NAME = "DICOM"
SUFFIXES: tuple[str, ...] = (".dcm", ".dicom")
LIBRARY = "pydicom"

_TYPES = {(8, "SB"): "<i1", (8, "UB"): "<u1", (16, "SS"): "<i2", (16, "US"): "<u2"}
_TYPES |= {(32, "SL"): "<i4", (32, "UL"): "<u4"}

_MOMENT = re.compile(r"\s*(\d{12})(\d\d)?(\.\d{1,6})?\s*(?:[+-]|$)")
"""Date and time to the minute at least, seconds, their fraction, and perhaps a zone."""
_LAYOUT = "%Y%m%d%H%M%S.%f"


def recognises(path: Path) -> bool:
    """True if the file has DICOM's preamble."""
    return first_bytes(path, 132)[128:] == b"DICM"


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read the longest multiplex group of a waveform, and those that continue or complete it.

    Others (median beats, other sampling rates) are left out, with a warning that names them; see
    :func:`ipmdae.formats.dicom_groups.joined`.

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
        warnings.warn(f"{path}: left out: {enumerated(left_out)}", stacklevel=3)
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
    """The recording, its units (empty where none is stated), and the groups left out."""
    groups = list(dataset.get("WaveformSequence", []))
    if not groups:
        raise FormatError(path, "is a DICOM file without a waveform")
    parts = joined(groups, _channels)
    signal, leads, stated, resolution = _signal_of(path, groups, parts)
    units = ["mV" if millivolts(unit) else unit for unit in stated]
    group, firsts = groups[parts[0].number], {part.number + 1: part.first for part in parts}
    events, comments, measured = _annotations(dataset, firsts, parts[0].first)
    earliest = min(parts, key=lambda part: part.first)
    recording = Recording(
        signal=signal,
        fs=float(group.SamplingFrequency),
        leads=tuple(unique(leads)),
        units=tuple(units),
        resolution=tuple(resolution),
        start=_start(dataset, groups[earliest.number]),
        annotations=description.from_events(events) if annotations else {},
        comments=comments,
        metadata=metadata_of(dataset) | measured,
    )
    left_out = [
        f"waveform group {i + 1} {g.get('MultiplexGroupLabel', '')}".strip()
        for i, g in enumerate(groups)
        if i + 1 not in firsts
    ]
    return recording, units, left_out


def _signal_of(
    path: Path, groups: list[Any], parts: list[Part]
) -> tuple[NDArray[np.float64], list[str], list[str], list[Resolution | None]]:
    """Signal (time, leads), names, units as they are stated and resolutions of joined groups.

    Samples between groups are missing.
    """
    lengths = [int(groups[part.number].NumberOfWaveformSamples) for part in parts]
    described = [_channels(groups[part.number]) for part in parts]
    samples = max(part.first + length for part, length in zip(parts, lengths, strict=True))
    count = max(part.lead + len(known) for part, known in zip(parts, described, strict=True))
    held = sum(length for part, length in zip(parts, lengths, strict=True) if part.lead == 0)
    check_samples(path, samples, count, held)
    names, units = [""] * count, [""] * count
    found: list[set[Resolution]] = [set() for _ in range(count)]
    signal = np.full((samples, count), np.nan)
    for part, known in zip(parts, described, strict=True):
        values, how = _values_of(path, groups[part.number])
        signal[part.first : part.first + len(values), part.lead : part.lead + len(known)] = values
        for i, (name, unit) in enumerate(known, part.lead):
            names[i], units[i] = name, unit
            found[i].add(how[i - part.lead])
    return signal, names, units, [known.pop() if len(known) == 1 else None for known in found]


def _channels(group: Any) -> Channels:
    """Names and units of the channels of a group."""
    return tuple((_name(c), _unit(c)) for c in group.ChannelDefinitionSequence)


def _values_of(path: Path, group: Any) -> tuple[NDArray[np.float64], list[Resolution]]:
    """Values (time, channels) of a group, in mV where they are voltages, and resolutions."""
    channels = list(group.ChannelDefinitionSequence)
    digital, missing = _digital(path, group)
    if len(channels) != digital.shape[1]:
        raise ValueError(f"{digital.shape[1]} channels, {len(channels)} of them described")
    skews = [_skew(channel, float(group.SamplingFrequency)) for channel in channels]
    signal, resolution = np.empty(digital.shape), []
    for i, channel in enumerate(channels):
        unit, how, offset = _scale(channel, int(group.WaveformBitsAllocated))
        factor = millivolts(unit) or 1.0
        lead = np.where(missing[:, i], np.nan, (digital[:, i] / how.gain + offset) * factor)
        signal[:, i] = shifted(lead, skews[i] - min(skews))
        resolution.append(how)
    return signal, resolution


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
    unit, gain = _unit(channel), 1 / sensitivity
    return unit, Resolution(gain=gain, baseline=round(-offset * gain), unit=unit, bits=bits), offset


def _unit(channel: Any) -> str:
    """The unit of the values; empty where no sensitivity is stated, and they are plain steps."""
    stated = channel.get("ChannelSensitivity", None)
    codes = channel.get("ChannelSensitivityUnitsSequence", None) if stated else None
    return str(codes[0].get("CodeValue", "")) if codes else ""


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
    if not text.strip():
        parts = [str(dataset.get(f"Acquisition{of}", "") or "").strip() for of in ("Date", "Time")]
        text = "".join(parts) if all(parts) else ""
    # A zone, if there is one, follows the time; a recording's start is the local time.
    found = _MOMENT.match(text)
    if not found:
        return None
    try:
        start = datetime.strptime(f"{found[1]}{found[2] or '00'}{found[3] or '.0'}", _LAYOUT)
    except ValueError:
        return None
    return start + timedelta(milliseconds=float(group.get("MultiplexGroupTimeOffset", 0) or 0))


def _annotations(
    dataset: Any, firsts: dict[int, int], first: int
) -> tuple[list[description.Event], tuple[str, ...], dict[str, str]]:
    """Texts at samples of the recording, other texts, and measured values.

    Args:
        dataset: the file.
        firsts: the first samples of the groups of the recording, by their numbers from 1.
        first: that of the group to which positions refer that name none.
    """
    events, comments, measured = [], [], {}
    for item in dataset.get("WaveformAnnotationSequence", []):
        concept = item.get("ConceptNameCodeSequence", None)
        meaning = str(concept[0].get("CodeMeaning", "")) if concept else ""
        text = str(item.get("UnformattedTextValue", "") or "") or meaning
        channels = [int(n) for n in _values(item.get("ReferencedWaveformChannels", None))]
        positions = [int(n) for n in _values(item.get("ReferencedSamplePositions", None))]
        number = item.get("NumericValue", None)
        if positions and (not channels or channels[0] in firsts):
            begin = firsts[channels[0]] if channels else first
            events += [(begin + position - 1, text) for position in positions]
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
