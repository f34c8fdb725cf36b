"""What the header of an EDF file says of time, patient and recording."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ipmdae.formats import fields


def start_of(header: Any) -> datetime | None:
    """When the recording began; ``None`` if the date was taken out or is none."""
    try:
        start: datetime = header.startdatetime
        return start
    except (ValueError, IndexError, OverflowError):
        return None


def metadata_of(header: Any) -> dict[str, str]:
    """Subfields of EDF+, or the whole texts of EDF; ``X`` means unknown."""
    patient, recording = header.patient, header.recording
    result: dict[str, str] = {}
    if start_of(header) is None:
        result[fields.TIME_OF_DAY] = _time_of_day(header)
    if "+" not in header.reserved[:4]:
        result[fields.PATIENT_NOTE] = header.local_patient_identification
        result[fields.RECORDING_NOTE] = header.local_recording_identification
    else:
        result |= {
            fields.PATIENT_ID: patient.code,
            fields.SEX: patient.sex,
            fields.BIRTH_DATE: _birth_date(patient),
            fields.PATIENT_NAME: patient.name.replace("_", " "),
            fields.PATIENT_NOTE: " ".join(patient.additional),
            fields.STUDY_ID: recording.hospital_administration_code,
            fields.TECHNICIAN: recording.investigator_technician_code.replace("_", " "),
            fields.DEVICE: recording.equipment_code.replace("_", " "),
            fields.RECORDING_NOTE: " ".join(recording.additional),
        }
    return {key: value for key, value in result.items() if value not in ("", "X")}


def _birth_date(patient: Any) -> str:
    try:
        birth: str = patient.birthdate.isoformat()
        return birth
    except ValueError:
        return str(patient.get_subfield(2))


def _time_of_day(header: Any) -> str:
    try:
        time = header.starttime.isoformat()
    except (ValueError, IndexError, OverflowError):
        return ""
    return "" if time == "00:00:00" else str(time)
