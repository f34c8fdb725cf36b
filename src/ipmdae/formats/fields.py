"""Names that all formats give to what they know of a patient and a recording (``metadata``)."""

PATIENT_ID = "patient id"
PATIENT_NAME = "patient name"
SEX = "sex"
"""``"M"``, ``"F"``, or another word of the file."""

BIRTH_DATE = "birth date"
"""As YYYY-MM-DD."""

AGE = "age"
PATIENT_NOTE = "patient note"
STUDY_ID = "study id"
TECHNICIAN = "technician"
DEVICE = "device"
RECORDING_NOTE = "recording note"
TIME_OF_DAY = "time of day"
"""Start of a recording whose date is not known."""

STUDY_UID = "study uid"
"""DICOM's identifier of the study, so that what is written belongs to it."""

PATIENT = (PATIENT_ID, PATIENT_NAME, SEX, BIRTH_DATE, AGE, PATIENT_NOTE)
"""Metadata fields of a patient."""

ALL = frozenset((*PATIENT, STUDY_ID, TECHNICIAN, DEVICE, RECORDING_NOTE, STUDY_UID))
"""All of these but the time of day, which is a part of a recording's start."""
