"""Codes of leads and elements of patient, study and equipment in DICOM waveforms."""

from __future__ import annotations

import re
from typing import Any

from ipmdae.formats import description

# DICOM PS3.16 CID 3001, whose numbers are those of ISO/IEEE 11073 and SCP.
_NAMES = {"1": "I", "2": "II", "61": "III", "62": "aVR", "63": "aVL", "64": "aVF"}
_NAMES |= {str(n + 2): f"V{n}" for n in range(1, 8)} | {"66": "V8", "67": "V9"}
_NAMES |= {str(n + 8): f"V{n}R" for n in range(2, 8)} | {"68": "V8R", "69": "V9R"}
_NAMES |= {"16": "X", "17": "Y", "18": "Z", "19": "CC5", "20": "CM5"}
"""Names of leads by number."""

OWN = "99IPMDAE"
"""The coding scheme of leads that have no standard code; their meaning is their name."""

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

_CODES = {name.lower(): code for code, name in _NAMES.items()}


def code(name: str) -> tuple[str, str, str]:
    """Value, scheme and meaning of the code of a lead; one of our own where there is no standard.

    Args:
        name: of the lead, in any case, with or without ``ECG``.
    """
    number = _CODES.get(name.lower().removeprefix("ecg "))
    if number is None:
        value = "".join(c for c in name if c.isascii() and c.isalnum())[:16] or "LEAD"
        return value, OWN, name
    standard = name.lower() == _NAMES[number].lower()
    return f"2:{number}", "MDC", f"Lead {_NAMES[number]}" if standard else name


def name_of(value: str, scheme: str, meaning: str, label: str) -> str:
    """The name of a lead by its code and its label, the inverse of :func:`code`."""
    known = _NAMES.get(value.removeprefix("5.6.3-9-").removeprefix("2:"))
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


ELEMENTS = {
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


_AGE = re.compile(r"[0-9]{3}[DWMY]")


def age_of(text: str) -> str:
    """An age as DICOM writes it (``074Y``), where the text is one or a number of years."""
    stated = f"{text:0>3}Y" if re.fullmatch(r"[0-9]{1,3}", text) else text
    return stated if _AGE.fullmatch(stated) else ""


def years_of(age: str) -> str:
    """The inverse of :func:`age_of`; an age in months or days stays as it is."""
    return str(int(age[:3])) if _AGE.fullmatch(age) and age[3] == "Y" else age


_ZONE = re.compile(r"([+-]\d\d)(\d\d)\s*$")
"""Offset from UTC at the end of a date and time."""


def metadata_of(dataset: Any) -> dict[str, str]:
    """Metadata of patient, study and equipment of an object."""
    elements = {name: element for name, (element, _) in ELEMENTS.items()}
    elements[description.STUDY_UID] = "StudyInstanceUID"
    known = {name: str(dataset.get(element, "") or "") for name, element in elements.items()}
    birth = str(dataset.get("PatientBirthDate", "") or "")
    if len(birth) == 8 and birth.isdigit():
        birth = f"{birth[:4]}-{birth[4:6]}-{birth[6:]}"
    known[description.BIRTH_DATE] = birth
    known[description.AGE] = years_of(known[description.AGE].strip())
    stamp = dataset.get("TimezoneOffsetFromUTC") or dataset.get("AcquisitionDateTime")
    zone = _ZONE.search(str(stamp or ""))
    known[description.TIME_ZONE] = f"{zone[1]}:{zone[2]}" if zone else ""
    return {name: " ".join(value.split()) for name, value in known.items() if value.strip()}
