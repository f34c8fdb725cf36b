"""Formats of hospitals' devices, read by ecgdatakit: HL7 aECG, GE MUSE XML, SCP-ECG, ISHNE."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.formats import fields
from ipmdae.formats.columns import unique
from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.lead_names import assume_units
from ipmdae.formats.limits import check_samples
from ipmdae.formats.optional import needs
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.recording import Recording, Resolution, millivolts

__all__ = ["NAME", "SUFFIXES", "read", "recognises"]

NAME = "HL7 aECG, GE MUSE XML, SCP-ECG, ISHNE"
SUFFIXES: tuple[str, ...] = (".xml", ".scp", ".ecg")

_XML = re.compile(rb"<([\w.-]+:)?(AnnotatedECG|RestingECG|MuseInfo)\b", re.IGNORECASE)

_NOT_SAID = ("auto_scale=False", "Sampling rate")
"""How ecgdatakit's warnings begin that do not apply: raw samples and the exact rate are used."""

_FAULT = -32768
"""ISHNE's value of a sample while the lead was off."""


def recognises(path: Path) -> bool:
    """Whether the beginning of the file is of one of these formats."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    return (
        head.startswith(b"ISHNE1.0")
        or head[16:22] == b"SCPECG"
        or _XML.search(head.replace(b"\0", b"")) is not None
    )


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file; the leads of the commonest rate and length, the others left out with a warning.

    Statements of the device's or a physician's reading become comments. These formats are for
    reading only.

    Args:
        path: the file.
        annotations: not used; these files mark no samples that are read.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is broken, or of a kind that ecgdatakit does not read.
        ModuleNotFoundError: ecgdatakit is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    with needs("ecgdatakit", "files of HL7 aECG, GE MUSE, SCP-ECG and ISHNE"):
        from ecgdatakit import FileParser
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            record: Any = FileParser.parse(path, auto_scale=False)
        recording = _recording(path, record)
    except (FormatError, FileNotFoundError):
        raise
    except ModuleNotFoundError as error:
        raise FormatError(path, f"cannot be read ({reason(error)})") from error
    except Exception as error:
        raise FormatError(path, f"cannot be decoded ({reason(error)})") from error
    for message in dict.fromkeys(" ".join(str(warning.message).split()) for warning in told):
        if not message.startswith(_NOT_SAID):
            warnings.warn(f"{path}: {message}", stacklevel=3)
    return recording


def _recording(path: Path, record: Any) -> Recording:
    kinds = Counter((lead.sampling_rate, len(lead.samples)) for lead in record.leads)
    if not kinds:
        raise FormatError(path, "holds no leads")
    (rate, samples), _ = max(kinds.items(), key=lambda item: (item[1], item[0][1]))
    leads = [x for x in record.leads if (x.sampling_rate, len(x.samples)) == (rate, samples)]
    check_samples(path, samples, len(leads))
    if len(leads) < len(record.leads):
        others = ", ".join(str(lead.label) for lead in record.leads if lead not in leads)
        warnings.warn(f"{path}: of another rate or length, left out: {others}", stacklevel=4)
    names = unique([str(lead.label) for lead in leads])
    units = assume_units(
        path, names, [str(lead.resolution_unit or lead.units or "") for lead in leads]
    )
    ishne = record.source_format == "ishne_holter"
    signal = np.empty((samples, len(leads)))
    for i, (lead, unit) in enumerate(zip(leads, units, strict=True)):
        values = np.asarray(lead.samples, np.float64)
        if lead.is_raw:
            values = np.where(ishne & (values == _FAULT), np.nan, values)
            values = values * float(lead.resolution) + float(lead.offset)
        signal[:, i] = values * (millivolts(unit) or 1.0)
    if np.isinf(signal).any():
        raise FormatError(path, "holds infinite values")
    bits = int(record.recording.acquisition.signal.bits_per_sample or 16)
    start = record.recording.date
    return Recording(
        signal=signal,
        fs=_rate(record, rate),
        leads=tuple(names),
        units=tuple("mV" if millivolts(unit) else unit for unit in units),
        start=start.replace(tzinfo=None) if start else None,
        resolution=tuple(
            _resolution(lead, unit, bits) for lead, unit in zip(leads, units, strict=True)
        ),
        comments=_comments(record),
        metadata=_metadata(record),
    )


def _rate(record: Any, rounded: float) -> float:
    """The rate in Hz, which ecgdatakit rounds, where the file says it more exactly (aECG)."""
    exact = float(
        (record.raw_metadata.get("rhythm_time") or {}).get("sampling_rate_exact", rounded)
    )
    return exact if abs(exact - rounded) > 1e-4 * rounded else float(rounded)


def _resolution(lead: Any, unit: str, bits: int) -> Resolution | None:
    if not lead.is_raw or not lead.resolution:
        return None
    gain = 1 / float(lead.resolution)
    return Resolution(gain=gain, baseline=round(-float(lead.offset) * gain), unit=unit, bits=bits)


def _comments(record: Any) -> tuple[str, ...]:
    statements = [" ".join(filter(None, pair)) for pair in record.interpretation.statements]
    others = [f"{name}: {value}" for name, value in record.annotations.items()]
    return tuple(" ".join(text.split()) for text in [*statements, *others] if text.strip())


def _metadata(record: Any) -> dict[str, str]:
    patient, info = record.patient, record.recording
    birth = patient.birth_date
    known = {
        fields.PATIENT_ID: patient.patient_id,
        fields.PATIENT_NAME: f"{patient.first_name} {patient.last_name}",
        fields.SEX: "" if patient.sex == "U" else patient.sex,
        fields.BIRTH_DATE: f"{birth:%Y-%m-%d}" if birth else "",
        fields.AGE: "" if patient.age is None else str(patient.age),
        fields.PATIENT_NOTE: patient.clinical_history,
        fields.TECHNICIAN: info.technician,
        fields.DEVICE: " ".join(filter(None, (info.device.manufacturer, info.device.model))),
    }
    return {name: " ".join(text.split()) for name, text in known.items() if text and text.strip()}
