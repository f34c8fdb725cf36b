"""Codes of ECG leads: DICOM PS3.16 CID 3001, whose numbers are those of ISO/IEEE 11073 and SCP."""

from __future__ import annotations

NAMES = {
    "1": "I",
    "2": "II",
    "3": "V1",
    "4": "V2",
    "5": "V3",
    "6": "V4",
    "7": "V5",
    "8": "V6",
    "9": "V7",
    "61": "III",
    "62": "aVR",
    "63": "aVL",
    "64": "aVF",
    "66": "V8",
    "67": "V9",
    "68": "V8R",
    "69": "V9R",
    "10": "V2R",
    "11": "V3R",
    "12": "V4R",
    "13": "V5R",
    "14": "V6R",
    "15": "V7R",
    "16": "X",
    "17": "Y",
    "18": "Z",
    "19": "CC5",
    "20": "CM5",
}
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
