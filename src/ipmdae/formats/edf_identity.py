"""Time, patient and recording in the header of an EDF file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ipmdae.formats import fields
from ipmdae.formats.edf_text import plain

_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_PATIENT = (fields.PATIENT_ID, fields.SEX, fields.BIRTH_DATE, fields.PATIENT_NAME)
_STUDY = (fields.STUDY_ID, fields.TECHNICIAN, fields.DEVICE)
_SPOKEN = (fields.PATIENT_NAME, fields.TECHNICIAN, fields.DEVICE)
"""Subfields whose ``_`` stand for blanks."""

_DAY = rf"\d\d-(?:{'|'.join(_MONTHS)})-\d{{4}}"
_PATIENT_LAYOUT = re.compile(rf"\S+ [MFX] (?:{_DAY}|X) \S+(?: .*)?")
_STUDY_LAYOUT = re.compile(rf"Startdate (?:{_DAY}|X) \S+ \S+ \S+(?: .*)?")

SIZE = 80
"""Characters of each of the two fields."""


def start_of(header: Any) -> datetime | None:
    """Start of the recording; ``None`` if the date was removed or is invalid."""
    try:
        start: datetime = header.startdatetime
        return start
    except (ValueError, IndexError, OverflowError):
        return None


def metadata_of(header: Any) -> dict[str, str]:
    """Metadata of patient and recording in the header."""
    result: dict[str, str] = {}
    if start_of(header) is None:
        result[fields.TIME_OF_DAY] = _time_of_day(header)
    result |= parse(
        header.local_patient_identification,
        header.local_recording_identification,
        plus="+" in header.reserved[:4],
    )
    return {key: value for key, value in result.items() if value}


def parse(patient: str, study: str, *, plus: bool) -> dict[str, str]:
    """The subfields of EDF+, of which ``X`` means unknown, or the whole texts of EDF.

    Much software writes the subfields of EDF+ to plain EDF as well.
    """
    if plus or _PATIENT_LAYOUT.fullmatch(patient):
        known = _subfields(patient.split(), _PATIENT, fields.PATIENT_NOTE)
    else:
        known = {fields.PATIENT_NOTE: patient}
    if plus or _STUDY_LAYOUT.fullmatch(study):
        known |= _subfields(study.split()[2:], _STUDY, fields.RECORDING_NOTE)
    else:
        known[fields.RECORDING_NOTE] = study
    birth = known.get(fields.BIRTH_DATE, "")
    if re.fullmatch(_DAY, birth):
        known[fields.BIRTH_DATE] = _iso(birth)
    return {key: value for key, value in known.items() if value not in ("", "X")}


def compose(metadata: Mapping[str, str], start: datetime | None) -> tuple[str, str]:
    """The two fields of EDF+, cut to their size; :func:`parse` describes them."""
    known = dict(metadata)
    birth = known.get(fields.BIRTH_DATE, "")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", birth):
        known[fields.BIRTH_DATE] = _edf(birth)
    if known.get(fields.SEX) not in ("F", "M"):
        known[fields.SEX] = "X"
    patient = [_subfield(known.get(name, "")) for name in _PATIENT]
    study = ["Startdate", _edf(start.date().isoformat()) if start else "X"]
    study += [_subfield(known.get(name, "")) for name in _STUDY]
    notes = known.get(fields.PATIENT_NOTE, ""), known.get(fields.RECORDING_NOTE, "")
    return (
        plain(" ".join([*patient, notes[0]]), SIZE),
        plain(" ".join([*study, notes[1]]), SIZE),
    )


def _subfields(words: list[str], names: tuple[str, ...], note: str) -> dict[str, str]:
    known = dict(zip(names, words, strict=False))
    known[note] = " ".join(words[len(names) :])
    return {key: v.replace("_", " ") if key in _SPOKEN else v for key, v in known.items()}


def _subfield(text: str) -> str:
    # In ASCII first: some signs become blanks there.
    return "_".join(plain(text, SIZE).split()) or "X"


def _edf(day: str) -> str:
    """A date YYYY-MM-DD in the form of EDF+; an invalid one is kept as text."""
    try:
        known = date.fromisoformat(day)
    except ValueError:
        return day
    return f"{known.day:02}-{_MONTHS[known.month - 1]}-{known.year:04}"


def _iso(day: str) -> str:
    """The inverse of :func:`_edf`."""
    number, month, year = day.split("-")
    try:
        return date(int(year), _MONTHS.index(month) + 1, int(number)).isoformat()
    except ValueError:
        return day


def _time_of_day(header: Any) -> str:
    try:
        time = header.starttime.isoformat()
    except (ValueError, IndexError, OverflowError):
        return ""
    return "" if time == "00:00:00" else str(time)
