"""Patient, study and equipment in the elements of a DICOM object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipmdae.formats import fields

_ELEMENTS = {
    fields.PATIENT_ID: ("PatientID", 64),
    fields.PATIENT_NAME: ("PatientName", 64),
    fields.SEX: ("PatientSex", 16),
    fields.AGE: ("PatientAge", 4),
    fields.PATIENT_NOTE: ("PatientComments", 10240),
    fields.STUDY_ID: ("StudyID", 16),
    fields.TECHNICIAN: ("OperatorsName", 64),
    fields.DEVICE: ("ManufacturerModelName", 64),
    fields.RECORDING_NOTE: ("StudyDescription", 64),
}
"""The element of each, and how many characters it holds."""


def metadata_of(dataset: Any) -> dict[str, str]:
    """Metadata of patient, study and equipment of an object."""
    elements = {name: element for name, (element, _) in _ELEMENTS.items()}
    elements[fields.STUDY_UID] = "StudyInstanceUID"
    known = {name: str(dataset.get(element, "") or "") for name, element in elements.items()}
    birth = str(dataset.get("PatientBirthDate", "") or "")
    if len(birth) == 8 and birth.isdigit():
        birth = f"{birth[:4]}-{birth[4:6]}-{birth[6:]}"
    known[fields.BIRTH_DATE] = birth
    known[fields.PATIENT_NAME] = known[fields.PATIENT_NAME].replace("^", " ").strip()
    return {name: " ".join(value.split()) for name, value in known.items() if value.strip()}


def describe(dataset: Any, metadata: Mapping[str, str]) -> None:
    """Set the elements of an object, cut to what they hold; :func:`metadata_of` reads them."""
    from pydicom.uid import UID, generate_uid

    for name, (element, size) in _ELEMENTS.items():
        # A backslash would part the text in two.
        setattr(dataset, element, metadata.get(name, "").replace("\\", "/")[:size])
    if dataset.PatientSex not in ("M", "F", "O"):
        dataset.PatientSex = ""
    birth = metadata.get(fields.BIRTH_DATE, "").replace("-", "")
    dataset.PatientBirthDate = birth if len(birth) == 8 and birth.isdigit() else ""
    study = UID(metadata.get(fields.STUDY_UID, ""))
    dataset.StudyInstanceUID = study if study and study.is_valid else generate_uid(prefix=None)
