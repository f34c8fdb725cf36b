"""Kinds of table columns: times, counters, leads, other measurements; by name, unit and shape."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError
from ipmdae.formats.names import WORDS, is_ecg, words
from ipmdae.recording import millivolts
from ipmdae.text import unique

__all__ = [
    "Column",
    "by_shape",
    "column",
    "columns_of",
    "heading",
    "is_counts",
    "is_epoch",
    "is_unit",
    "plain_unit",
    "select",
    "unique",
    "unquoted",
]

_SECONDS: dict[str, float] = WORDS["seconds"]
_TIME, _TIME_ALONE = words("time"), words("time alone")
_COUNTER = words("counter")
_PERHAPS_SAMPLES = {"sample", "samples", "n", ""}
"""Names that a column of counts may have, and a column of values."""

_NO_LEAD = words("no lead")
_SELDOM_LEAD = words("seldom lead")
"""Names of columns that are not leads, unless an ECG is named too."""

_COUNTS = words("counts")
"""Units of a converter's steps whose size is not known."""

_NO_UNIT: list[str] = WORDS["no unit"]
_UNIT_WORDS: dict[str, str] = WORDS["unit"]
_VOLTS = re.compile(r"(?:(milli|mi[ck]ro|nano)[ -]?v(?:olt\w*)?|volt\w*)", re.IGNORECASE)
_PREFIXES = {"milli": "m", "micro": "u", "mikro": "u", "nano": "n"}
_BRACKETS = re.compile(r"\((.*)\)|\[(.*)\]")

_WITH_UNIT = re.compile(r"\s*(.*?)\s*(?:\(((?:[^()]|\([^()]*\))*)\)|\[([^\[\]]*)\])\s*")
_SINCE = re.compile(r"(\w+) since (\d{4}-\d\d-\d\d[T ][\d:.]+)")
_SUFFIXED = re.compile(r"(.*[^\s_-])[\s_-]+(\S+)")
_WORD_ENDS = re.compile(r"[\s_\W]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: as it stands in the file.
        name, unit: from the heading; the unit is empty where none is stated.
        kind: ``"time"``, ``"index"`` (counts samples), ``"lead"``, ``"other"`` (a measurement that
            is no ECG) or ``"empty"``.
        seconds: in one unit of a time column, if that is stated.
        start: the date and time that a time column counts from.
        scale, zero: millivolts in one step of a converter, and the step that stands for zero.
    """

    heading: str
    name: str
    unit: str
    kind: str
    seconds: float | None = None
    start: datetime | None = None
    scale: float | None = None
    zero: float = 0.0


def column(heading: str, unit: str = "") -> Column:
    """The column of a heading: ``II (mV)``, ``ECG [uV]``, ``time_ms``, ``seconds since 2024-…``.

    Args:
        heading: the text at the head of the column.
        unit: from a row of units, if there is one.
    """
    heading, unit = unquoted(heading), plain_unit(unit)
    name, bracketed = heading, _WITH_UNIT.fullmatch(heading)
    if bracketed:
        name, unit = bracketed[1], plain_unit(bracketed[2] or bracketed[3] or "")
    words = [word for word in _WORD_ENDS.split(name) if word]
    known = {word.lower().rstrip("0123456789") or word for word in words}
    since = _SINCE.fullmatch(unit)
    if since and since[1] in _SECONDS:
        return Column(heading, name, since[1], "time", _SECONDS[since[1]], _date(since[2]))
    timed = known & _TIME or (len(words) == 1 and known <= _TIME_ALONE)
    if timed and not millivolts(unit):
        stated = [unit, *words[::-1]] if len(words) > 1 or unit else words
        seconds = next((_SECONDS[u.lower()] for u in stated if u.lower() in _SECONDS), None)
        return Column(heading, name, unit, "time", seconds)
    if {word for word in known if not word.isdecimal()} <= _COUNTER and not millivolts(unit):
        return Column(heading, name, unit, "index")
    suffixed = _SUFFIXED.fullmatch(name)
    if suffixed and not unit and millivolts(suffixed[2]):
        name, unit = suffixed[1], suffixed[2]
    if (
        known & _NO_LEAD
        or known >= {"heart", "rate"}
        or (known & _SELDOM_LEAD and not is_ecg(name))
    ):
        return Column(heading, name, unit, "other")
    stated_other = unit and not millivolts(unit) and not is_counts(unit)
    return Column(heading, name, unit, "other" if stated_other else "lead")


def columns_of(headings: Sequence[str], units: Sequence[str]) -> list[Column]:
    """The columns of a row of headings, and of a row of units below it (``""`` for none).

    In a table whose columns all state their unit in brackets, after ``time (s)``, as this package
    writes them, names do not matter: a voltage is a lead whatever it is called.
    """
    found = [column(heading, unit) for heading, unit in zip(headings, units, strict=True)]
    own = [_WITH_UNIT.fullmatch(heading) for heading in headings]
    if not (all(own) and found and found[0].kind == "time" and found[0].name == "time"):
        return found
    result = found[:1]
    for known, bracketed in zip(found[1:], own[1:], strict=True):
        name, *units_in = bracketed.groups("") if bracketed else ("", "")
        unit = plain_unit("".join(units_in))
        kind = "lead" if millivolts(unit) or is_counts(unit) else "other"
        if known.kind == "other" and unit == "V":
            kind = "other"
        result.append(Column(known.heading, name, unit, kind))
    return result


def is_counts(unit: str) -> bool:
    """True if a unit is the step of a converter, of unknown size."""
    return unit.lower() in _COUNTS


def plain_unit(text: str) -> str:
    """A unit in the spelling of this package; empty for words that mean no unit."""
    unit = unquoted(text)
    bracketed, volts = _BRACKETS.fullmatch(unit), _VOLTS.fullmatch(unit)
    if bracketed:
        return plain_unit("".join(bracketed.groups("")))
    if volts:
        return _PREFIXES.get((volts[1] or "").lower(), "") + "V"
    return "" if unit.lower() in _NO_UNIT else _UNIT_WORDS.get(unit.lower(), unit)


def is_unit(text: str) -> bool:
    """True if a cell of a row below the headings is a unit of a signal or a time."""
    unit = plain_unit(text).lower()
    return bool(
        unit in _SECONDS
        or unit in _COUNTS
        or unit in _NO_UNIT
        or millivolts(unit)
        or re.fullmatch(r"hh?:mm:ss.*|yyyy.*|m?g|m/\(?s\^?2\)?|bpm|%|k?ohms?|°?c|deg/s|dps", unit)
    )


def by_shape(columns: Sequence[Column], values: Sequence[NDArray[np.float64]]) -> list[Column]:
    """Correct the kinds that headings give, or do not give, by what the columns hold.

    Args:
        columns: by their headings.
        values: the first rows of each, NaN where a cell is not a number.
    """
    axes = {"x", "y", "z"} <= {column.name.lower() for column in columns}
    result = []
    for i, (column, cells) in enumerate(zip(columns, values, strict=True)):
        kind = column.kind
        unnamed = column.name.lower() in _PERHAPS_SAMPLES
        if _tells_time(column, cells):
            kind = "time"
        elif (kind == "index" and _holds_values(column, cells)) or (
            kind == "other" and column.name.lower() in ("x", "y", "z") and not axes
        ):
            kind = "lead"
        elif kind == "lead" and not is_ecg(column.name) and not millivolts(column.unit):
            if counts(cells):
                kind = "index"
            elif column.name and _is_flag(cells):
                kind = "other"
        first = i == 0 and len(columns) > 1 and not column.heading and _is_even(cells)
        if kind == "lead" and unnamed and (first or is_epoch(cells)):
            kind = "time"
        if kind != column.kind:
            seconds = _SECONDS.get(column.unit.lower()) if kind == "time" else column.seconds
            column = dataclasses.replace(column, kind=kind, seconds=seconds)
        result.append(column)
    return result


def select(
    path: Path, columns: Sequence[Column], numeric: Sequence[bool], wanted: Sequence[str] | None
) -> list[int]:
    """Columns to read: the requested ones, or else the leads and auxiliary channels.

    Args:
        path: named in messages.
        columns: all of them.
        numeric: whether they hold numbers; others are left out with a warning.
        wanted: headings, names, or numbers from 1.

    Raises:
        FormatError: a requested column is missing or not numeric, or there are no columns to read.
    """
    if wanted is None:
        kept = [i for i, column in enumerate(columns) if column.kind in ("lead", "other")]
        words = [columns[i].name or f"column {i + 1}" for i in kept if not numeric[i]]
        if words:
            warnings.warn(
                f"{path}: {', '.join(words[:12])} holds no numbers and is left out", stacklevel=5
            )
        found = [i for i in kept if numeric[i]]
        if not found:
            raise FormatError(path, "has no column of samples")
        return found
    found = []
    for name in wanted:
        same = [
            i
            for i, column in enumerate(columns)
            if name.lower() in (column.heading.lower(), column.name.lower())
        ]
        if not same and name.isdecimal() and 0 < int(name) <= len(columns):
            same = [int(name) - 1]
        if not same:
            known = ", ".join(c.heading or f"column {i + 1}" for i, c in enumerate(columns))
            raise FormatError(path, f"has no column {name}; there are {known}"[:300])
        if not numeric[same[0]]:
            raise FormatError(path, f"holds no numbers in the column {name}")
        found += same[:1]
    return found


def _holds_values(column: Column, cells: NDArray[np.float64]) -> bool:
    """True if a column that may count samples, by its heading, does not."""
    enough = len(cells) > 1 or not column.name
    return enough and column.name.lower() in _PERHAPS_SAMPLES and not counts(cells)


def counts(cells: NDArray[np.float64]) -> bool:
    """True if a column counts up by one, perhaps beginning anew at times (0 to 255)."""
    if len(cells) < 2 or not np.isfinite(cells).all():
        return False
    steps = np.diff(cells)
    return bool((steps == 1).mean() > 0.95 and (cells == np.rint(cells)).all())


def is_epoch(cells: NDArray[np.float64]) -> bool:
    """True if a column rises and holds s, ms, µs or ns since 1970 (2001 to 2100)."""
    if len(cells) < 2 or not np.isfinite(cells).all() or (np.diff(cells) < 0).any():
        return False
    return any(1e9 < cells[0] * scale < 4.2e9 for scale in (1, 1e-3, 1e-6, 1e-9))


def unquoted(text: str) -> str:
    """Text without blanks and a pair of quotes around it."""
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1].strip() if quoted else text


def heading(name: str, unit: str) -> str:
    """The inverse of :func:`column` for a lead."""
    return f"{name} ({unit})" if unit else name


def _is_even(cells: NDArray[np.float64]) -> bool:
    """True if a column rises evenly, as times do."""
    steps = np.diff(cells)
    return bool(len(steps) > 1 and steps.min() > 0 and steps.max() < 3 * steps.min())


def _tells_time(column: Column, cells: NDArray[np.float64]) -> bool:
    """True if a column holds times by its shape, whatever the language of its heading.

    It rises as a clock does, counts no samples, and is no measurement by its name or unit.
    """
    measured = column.kind == "other" and column.unit.lower() not in _SECONDS
    if measured or millivolts(column.unit) or is_ecg(column.name) or not _is_clock(cells):
        return False
    return is_epoch(cells) or not (column.kind == "index" or counts(cells))


def _is_clock(cells: NDArray[np.float64]) -> bool:
    """True if a column of many rows never falls and mostly rises by its usual step; no ECG does."""
    known = cells[np.isfinite(cells)]
    steps = np.diff(known)
    if len(steps) < 50 or len(known) < 0.9 * len(cells):
        return False
    return bool(steps.min() >= 0 and steps.sum() < 3 * len(steps) * np.median(steps))


def _is_flag(cells: NDArray[np.float64]) -> bool:
    """True if a column has no more than three whole values, one of them zero, as marks have."""
    known = np.unique(cells[np.isfinite(cells)])
    whole = len(known) and (known == np.rint(known)).all()
    return bool(len(cells) >= 50 and 0 < len(known) <= 3 and whole and 0 in known)


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
