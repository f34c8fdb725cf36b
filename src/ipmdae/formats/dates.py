"""Dates and times in ISO 8601 without a zone: the local time of a recorder."""

from __future__ import annotations

import re
from datetime import datetime

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
"""Abbreviations of the months, as in EDF."""

_DATE = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)")
_SLASHED = re.compile(
    r"\b(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d\d)[T, ]+"
    r"(\d{1,2})(:\d\d(?::\d\d(?:[.,]\d+)?)?)(?: ?([AP])M)?",
    re.IGNORECASE,
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]*")
_NAMED = re.compile(r"\b(?:(\d\d)-([A-Z][a-z]{2})-|([A-Z][a-z]{2}) (\d\d?),? )(\d{4})\b")
_WRITTEN = (
    (re.compile(r"\[[\w/+-]+\]$"), ""),
    (re.compile(r"\b(\d{4})\.(\d\d)\.(\d\d)\b"), r"\1-\2-\3"),
    (re.compile(r"\b(\d{4}-\d\d-\d\d)_(\d\d)-(\d\d)-(\d\d)\b"), r"\1 \2:\3:\4"),
    (
        re.compile(r"^(\d{4})(\d\d)(\d\d)[T_ ]?(\d\d)(\d\d)(\d\d)(?=$|[.,]\d*$)"),
        r"\1-\2-\3 \4:\5:\6",
    ),
)
"""Parts of dates that ISO 8601 has otherwise: a zone's name, points, low lines, no signs at all."""


def local_time(text: str) -> datetime | None:
    """A date with a time as it stands, whatever its time zone: ``2026-03-14 09:15:00 -0400``.

    Of ``03/14/2026`` the number above 12 is the day; where none is, the date is not known.
    """
    text = re.sub(r"\b(\d\d)\.(\d\d)\.(\d{4})\b", r"\3-\2-\1", plain_date(text))
    found = _DATE.search(_SLASHED.sub(_iso, text))
    if not found:
        return None
    whole, _, decimals = found[4].replace(",", ".").partition(".")
    try:
        at = datetime.fromisoformat(f"{found[1]}-{found[2]}-{found[3]}T{whole}")
    except ValueError:
        return None
    return at.replace(microsecond=int(f"{decimals:0<6.6}"))


def plain_date(text: str) -> str:
    """A date and time nearer to ISO 8601, of one such as ``14-Mar-2026``, ``2026.03.14``."""
    if _ISO.fullmatch(text):
        return text
    for form, plain in _WRITTEN:
        text = form.sub(plain, text)
    found = _NAMED.search(text)
    month = (found[2] or found[3]).upper() if found else ""
    if not found or month not in MONTHS:
        return text
    date = f"{found[5]}-{MONTHS.index(month) + 1:02}-{int(found[1] or found[4]):02}"
    return text[: found.start()] + date + text[found.end() :]


def _iso(found: re.Match[str]) -> str:
    """``3/14/2026 9:15:00 PM`` as ISO has it; empty if day and month are ambiguous.

    In ``14/03/26`` the year may be the first number; in ``03/14/26`` it is the last.
    """
    month, day = sorted((int(found[1]), int(found[2])))
    hour, year = int(found[4]), found[3] if len(found[3]) == 4 else f"20{found[3]}"
    if (month != day or year != found[3]) and (day <= 12 or month > 12):
        return ""
    if year != found[3] and int(found[2]) != day:
        return ""
    if found[6]:
        hour = hour % 12 + 12 * (found[6] in "Pp")
    return f"{year}-{month:02}-{day:02} {hour:02}{found[5]}"
