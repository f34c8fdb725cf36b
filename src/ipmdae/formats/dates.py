"""Dates and times in ISO 8601 without a zone: the local time of a recorder."""

from __future__ import annotations

import re
from datetime import datetime

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
"""Abbreviations of the months, as in EDF."""

_DATE = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)(?:T|\s+)(\d\d?)(:\d\d)(?:(:\d\d)(?:[.,](\d{1,9}))?)?"
    r"(?: ?([AP])\.?M\b)?",
    re.IGNORECASE,
)
_SLASHED = re.compile(r"\b(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)[T, ]+(?=\d{1,2}:\d\d)")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]*")
_ENDS = r"(?:r?uary|ch|il|e|y|ust|t?(?:ember)?|ober)(?![a-z])"
_MONTH = rf"({'|'.join(MONTHS)}){_ENDS}"
_NAMED = re.compile(
    r"\b(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]*\s+)?"
    rf"(?:(\d\d?)[-.\s]\s?{_MONTH}[-.,\s]\s?(\d{{4}}|\d\d(?![\d:.]))"
    rf"|{_MONTH}\.?\s+(\d\d?)[.,]?\s+(\d{{4}}))\b,?",
    re.IGNORECASE,
)
_WRITTEN = (
    (re.compile(r"^\[(\d\d:\d\d:\d\d(?:\.\d+)?) (\d\d)[/-](\d\d)[/-](\d{4})\]$"), r"\4-\3-\2 \1"),
    (
        re.compile(r"\b([A-Z][a-z]{2}) +(\d\d?) (\d\d:\d\d:\d\d)(?: [A-Z]{3,4})? (\d{4})\b"),
        r"\1 \2 \4 \3",
    ),
    (re.compile(r"\[[\w/+-]+\]$"), ""),
    (re.compile(r"\b(\d{4})\.(\d\d)\.(\d\d)\b"), r"\1-\2-\3"),
    (re.compile(r"\b(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)\b"), r"\1 \2:\3:\4"),
    (
        re.compile(r"^(\d{4})(\d\d)(\d\d)[T_ ]?(\d\d)(\d\d)(\d\d)(?=$|[.,]\d*$)"),
        r"\1-\2-\3 \4:\5:\6",
    ),
)
"""Parts of dates that ISO 8601 has otherwise: WFDB's and C's order, a zone's name, points, low
lines, no signs at all."""


def local_time(text: str) -> datetime | None:
    """A date with a time as it stands, whatever its time zone: ``2026-03-14 09:15:00 -0400``.

    Of ``03/14/2026`` the number above 12 is the day; where none is, the date is not known.
    """
    text = re.sub(r"\b(\d\d)\.(\d\d)\.(\d{4})\b", r"\3-\2-\1", plain_date(text))
    found = _DATE.search(_SLASHED.sub(_iso, text))
    if not found:
        return None
    year, month, day, hour, minute, second, decimals, half = found.groups("")
    whole = int(hour) % 12 + 12 * (half in "Pp") if half else int(hour)
    try:
        at = datetime.fromisoformat(f"{year}-{month}-{day}T{whole:02}{minute}{second}")
    except ValueError:
        return None
    return at.replace(microsecond=int(f"{decimals:0<6.6}"))


def plain_date(text: str) -> str:
    """A date and time nearer to ISO 8601, of one such as ``14-Mar-2026``, ``2026.03.14``."""
    if _ISO.fullmatch(text):
        return text
    for form, plain in _WRITTEN:
        text = form.sub(plain, text)
    return _NAMED.sub(_numbered, text, count=1)


def _numbered(found: re.Match[str]) -> str:
    """A date with the name of its month, as ISO has it."""
    day, name, year = found.group(1, 2, 3) if found[1] else found.group(5, 4, 6)
    century = "20" * (len(year) == 2)
    return f"{century}{year}-{MONTHS.index(name.upper()) + 1:02}-{int(day):02}"


def _iso(found: re.Match[str]) -> str:
    """``3/14/2026`` as ISO has it; empty if day and month are ambiguous.

    In ``14/03/26`` the year may be the first number; in ``03/14/26`` it is the last.
    """
    month, day = sorted((int(found[1]), int(found[2])))
    year = found[3] if len(found[3]) == 4 else f"20{found[3]}"
    if (month != day or year != found[3]) and (day <= 12 or month > 12):
        return ""
    if year != found[3] and int(found[2]) != day:
        return ""
    return f"{year}-{month:02}-{day:02} "
