"""What the columns of a table are: times, leads in some unit, or something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from ipmdae.recording import millivolts
from ipmdae.text import unique

__all__ = ["Column", "column", "heading", "unique"]

_TIME_NAMES = (
    "time timestamp timestamps t seconds sec secs date datetime elapsed elapsedtime ms us ns "
    "milliseconds microseconds zeit temps tiempo"
).split()
_INDEX_NAMES = ("", "index", "sample", "samples", "sample #", "sample number", "n", "#", "unnamed")
_SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3}
_SECONDS |= {"msec": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "microseconds": 1e-6}
_SECONDS |= {"ns": 1e-9, "nanoseconds": 1e-9, "min": 60.0, "minutes": 60.0, "h": 3600.0}

_WITH_UNIT = re.compile(r"\s*(.*?)\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])\s*")
_SINCE = re.compile(r"(\w+) since (\d{4}-\d\d-\d\d[T ][\d:.]+)")


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        name, unit: from its heading, the unit empty where it says none.
        kind: ``"time"``, ``"index"`` (counts samples) or ``"lead"``.
        seconds: of one unit of a time column.
        start: the date and time that a time column counts from.
    """

    name: str
    unit: str
    kind: str
    seconds: float = 1.0
    start: datetime | None = None


def column(heading: str, unit: str = "") -> Column:
    """What a heading says: ``II (mV)``, ``ECG [uV]``, ``time_ms``, ``seconds since 2024-…``.

    Args:
        heading: the text at the head of the column.
        unit: from a row of units, if there is one.
    """
    heading, unit = heading.strip(), unit.strip().strip("'\"")
    name = heading
    found = _WITH_UNIT.fullmatch(heading)
    if found:
        name, unit = found[1], (found[2] or found[3] or "").strip()
    if millivolts(unit):
        return Column(name, unit, "lead")
    words = re.sub(r"[\s_-]+", " ", name.lower()).strip()
    stem, _, tail = words.rpartition(" ")
    since = _SINCE.fullmatch(unit)
    if since and since[1] in _SECONDS:
        return Column(name, since[1], "time", _SECONDS[since[1]], _date(since[2]))
    if words in _INDEX_NAMES or words.startswith(("unnamed:", "index level")):
        return Column(name, unit, "index")
    if words in _TIME_NAMES or words.replace(" ", "") in _TIME_NAMES:
        scale = _SECONDS.get(unit.lower()) or _SECONDS.get(words, 1.0)
        return Column(name, unit, "time", scale)
    if stem in _TIME_NAMES and tail in _SECONDS:
        return Column(name, tail, "time", _SECONDS[tail])
    if not found and not unit and millivolts(tail) and stem:
        return Column(name[: -len(tail)].rstrip(" _-"), name[-len(tail) :], "lead")
    return Column(name, unit, "lead")


def heading(name: str, unit: str) -> str:
    """The inverse of :func:`column` for a lead."""
    return f"{name} ({unit})" if unit else name


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
