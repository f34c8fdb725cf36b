"""Columns of tables: their kinds by name, unit and shape, which of them are read, their units."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError
from ipmdae.formats.names import (
    WORDS,
    is_counts,
    is_ecg,
    is_measure,
    is_no_lead,
    parts,
    symbol,
    units_by_size,
    words,
)
from ipmdae.formats.options import ReadOptions, overruled
from ipmdae.recording import NO_UNIT, millivolts
from ipmdae.text import enumerated

SECONDS: dict[str, float] = WORDS["seconds"]
_TIME, _TIME_ALONE = words("time"), words("time alone")
_COUNTER = words("counter")
_PERHAPS_SAMPLES = {"sample", "samples", "n", ""}
"""Names that a column of counts may have, and a column of values."""

_BRACKETS = re.compile(r"\((.*)\)|\[(.*)\]")

_WITH_UNIT = re.compile(r"\s*(.*?)\s*(?:\(((?:[^()]|\([^()]*\))*)\)|\[([^\[\]]*)\])\s*")
_SINCE = re.compile(r"(\w+) since (\d{4}-\d\d-\d\d[T ][\d:.]+)")
_AMID = re.compile(r"[(\[<]([^()\[\]<>]*)[)\]>]")
_SUFFIXED = re.compile(r"(.*[^\s_:/,-])[\s_:/,-]+(\S+)")

_EPOCH = (1e9, 4.2e9)
"""Range of seconds since 1970 that is interpreted as a date: 2001 to 2103."""

DAY = 86_400.0
"""Seconds in a day."""
DAYS = {25_569: (20_000, 80_000), 719_529: (600_000, 800_000)}
"""Day number of 1 January 1970, and the day numbers that are dates, of Excel (from 1900) and of
MATLAB (from the year 0)."""


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
    name, unit = _in_brackets(heading) or (heading, unit)
    words = parts(name)
    known = {word.lower().rstrip("0123456789") or word for word in words}
    since, voltage = _SINCE.fullmatch(unit), millivolts(unit)
    if since and since[1] in SECONDS:
        return Column(heading, name, since[1], "time", SECONDS[since[1]], _date(since[2]))
    if not voltage and (known & _TIME or (len(words) == 1 and known <= _TIME_ALONE)):
        stated = [unit, *words[::-1]] if len(words) > 1 or unit else words
        seconds = next((SECONDS[u.lower()] for u in stated if u.lower() in SECONDS), None)
        return Column(heading, name, unit, "time", seconds)
    if not voltage and {word for word in known if not word.isdecimal()} <= _COUNTER:
        return Column(heading, name, unit, "index")
    suffixed = _SUFFIXED.fullmatch(name)
    if suffixed and not unit and _voltage(suffixed[2]):
        name, unit = suffixed[1], _voltage(suffixed[2])
    elif not unit and name.lower() != "v":  # a lead; but one headed "uV" states its unit
        unit = _voltage(name)
    other = is_no_lead(name) or (unit and not millivolts(unit) and not is_counts(unit))
    return Column(heading, name, unit, "other" if other else "lead")


def _voltage(word: str) -> str:
    """The unit of voltage that a word in a heading is; ``Voltage`` is none."""
    unit = symbol(word)
    return unit if millivolts(unit) and not word.lower().endswith("ge") else ""


def columns_of(headings: Sequence[str], units: Sequence[str]) -> list[Column]:
    """The columns of a row of headings, and of a row of units below it (``""`` for none).

    In a table whose columns all state their unit in brackets, after ``time (s)``, as this package
    writes them, names do not matter: a voltage is a lead whatever it is called.
    """
    found = [column(heading, unit) for heading, unit in zip(headings, units, strict=True)]
    own = [known for heading in headings if (known := _in_brackets(heading))]
    if len(own) < max(len(found), 1) or (found[0].kind, found[0].name) != ("time", "time"):
        return found
    for i, (name, unit) in enumerate(own[1:], 1):
        battery = found[i].kind == "other" and unit == "V"
        lead = (millivolts(unit) or is_counts(unit)) and not battery
        found[i] = Column(found[i].heading, name, unit, "lead" if lead else "other")
    return found


def _in_brackets(heading: str) -> tuple[str, str] | None:
    """Name and unit of a heading that ends in a unit in brackets, or has a voltage in them."""
    if voltage := _around_voltage(heading):
        return voltage
    found = _WITH_UNIT.fullmatch(heading)
    return (found[1], plain_unit(found[2] or found[3] or "")) if found else None


def _around_voltage(heading: str) -> tuple[str, str] | None:
    """Name and unit of a heading with a voltage in brackets, whatever follows it."""
    units = ((found, plain_unit(found[1])) for found in _AMID.finditer(heading))
    known = [(found, unit) for found, unit in units if millivolts(unit)]
    if not known:
        return None
    found, unit = known[-1]
    before, after = heading[: found.start()].rstrip(), heading[found.end() :].strip()
    return f"{before}{' ' * (after[:1] not in ',;:')}{after}".strip(), unit


def heading(name: str, unit: str) -> str:
    """The inverse of :func:`column` for a lead."""
    return f"{name} ({unit})" if unit else name


def plain_unit(text: str) -> str:
    """A unit in the spelling of this package; empty for words that mean no unit."""
    unit = unquoted(text)
    bracketed = _BRACKETS.fullmatch(unit)
    if bracketed:
        return plain_unit("".join(bracketed.groups("")))
    unit = symbol(unit)
    return "" if unit.lower() in WORDS["no unit"] else str(WORDS["unit"].get(unit.lower(), unit))


def is_unit(text: str) -> bool:
    """True if a cell of a row below the headings is a unit of a signal or a time, or says none."""
    unit = plain_unit(text).lower()
    known = unit in SECONDS or is_counts(unit) or not unit or millivolts(unit)
    return bool(known or is_measure(unit))


def unquoted(text: str) -> str:
    """Text without blanks and a pair of quotes around it."""
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1].strip() if quoted else text


def by_shape(columns: Sequence[Column], values: Sequence[NDArray[np.float64]]) -> list[Column]:
    """Correct the kinds that headings give, or do not give, by what the columns hold.

    Args:
        columns: by their headings.
        values: the first rows of each, NaN where a cell is not a number.
    """
    axes = {"x", "y", "z"} <= {column.name.lower() for column in columns}
    begin = next((i for i, cells in enumerate(values) if np.isfinite(cells).any()), 0)
    result = []
    for i, (column, cells) in enumerate(zip(columns, values, strict=True)):
        kind = _kind_by_shape(column, cells, axes)
        unnamed = column.name.lower() in _PERHAPS_SAMPLES
        first = i == begin < len(columns) - 1 and not column.heading and is_even(cells)
        if kind == "lead" and unnamed and (first or is_epoch(cells)):
            kind = "time"
        if kind != column.kind:
            seconds = SECONDS.get(column.unit.lower()) if kind == "time" else column.seconds
            column = dataclasses.replace(column, kind=kind, seconds=seconds)
        result.append(column)
    return result


def _kind_by_shape(column: Column, cells: NDArray[np.float64], axes: bool) -> str:
    """The kind of a column; ``axes`` is true where others are called x, y and z."""
    kind, name = column.kind, column.name.lower()
    if _tells_time(column, cells):
        return "time"
    may_be_values = name in _PERHAPS_SAMPLES and (len(cells) > 1 or not name)
    if kind == "index" and may_be_values and not _counts(cells):
        return "lead"
    if kind == "other" and name in ("x", "y", "z") and not axes:
        return "lead"
    if kind == "lead" and not is_ecg(column.name) and not millivolts(column.unit):
        if _counts(cells):
            return "index"
        if name and _is_flag(cells):
            return "other"
    return kind


def _tells_time(column: Column, cells: NDArray[np.float64]) -> bool:
    """True if a column holds times by its shape, whatever the language of its heading.

    It rises as a clock does, counts no samples, and is no measurement by its name or unit.
    """
    measured = column.kind == "other" and column.unit.lower() not in SECONDS
    if measured or millivolts(column.unit) or is_ecg(column.name) or not _is_clock(cells):
        return False
    return is_epoch(cells) or not (column.kind == "index" or _counts(cells))


def _counts(cells: NDArray[np.float64]) -> bool:
    """True if a column counts up by one, perhaps beginning anew at times (0 to 255)."""
    if len(cells) < 2 or not np.isfinite(cells).all():
        return False
    return bool((np.diff(cells) == 1).mean() > 0.95 and (cells == np.rint(cells)).all())


def epoch_scale(stamp: float) -> float | None:
    """Seconds in the unit of a stamp that counts s, ms, µs or ns since 1970, if it can be one."""
    scales = (1.0, 1e-3, 1e-6, 1e-9)
    return next((s for s in scales if _EPOCH[0] < stamp * s < _EPOCH[1]), None)


def epoch(stamp: float, scale: float) -> datetime | None:
    """The date of a stamp that counts from 1970, or in days as in :data:`DAYS`, if it can be one.

    That of days is one to the millisecond, since they are rounded.
    """
    if scale == DAY:
        first = next((first for first, (a, b) in DAYS.items() if a <= stamp < b), None)
        past = None if first is None else timedelta(milliseconds=round((stamp - first) * DAY * 1e3))
        return None if past is None else datetime(1970, 1, 1) + past
    if not _EPOCH[0] < stamp * scale < _EPOCH[1]:
        return None
    # Whole seconds first: a float of s since 1970 holds no more than 0.1 µs.
    whole = int(stamp * scale)
    rest = round((stamp - whole / scale) * scale * 1e6)
    return datetime(1970, 1, 1) + timedelta(seconds=whole, microseconds=rest)


def is_epoch(cells: NDArray[np.float64]) -> bool:
    """True if a column rises and holds s, ms, µs or ns since 1970 (2001 to 2103)."""
    if len(cells) < 2 or not np.isfinite(cells).all() or (np.diff(cells) < 0).any():
        return False
    return epoch_scale(float(cells[0])) is not None


def is_even(cells: NDArray[np.float64]) -> bool:
    """True if a column rises evenly, as times do."""
    steps = np.diff(cells)
    return bool(len(steps) > 1 and steps.min() > 0 and steps.max() < 3 * steps.min())


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
    return len(cells) >= 50 and len(known) <= 3 and 0 in known and bool((known % 1 == 0).all())


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
    if wanted is not None:
        return [_index(path, columns, numeric, name) for name in wanted]
    kept = [i for i, column in enumerate(columns) if column.kind in ("lead", "other")]
    texts = [columns[i].name or f"column {i + 1}" for i in kept if not numeric[i]]
    if texts:
        named = enumerated(texts)
        warnings.warn(f"{path}: {named} holds no numbers and is left out", stacklevel=5)
    found = [i for i in kept if numeric[i]]
    if not found:
        raise FormatError(path, "has no column of samples")
    return found


def warn_sparse(path: Path, columns: Sequence[Column], filled: Sequence[NDArray[np.bool_]]) -> None:
    """Warn of leads that have values in every second, third, ... row only.

    Args:
        path: named in the warning.
        columns: those that are read.
        filled: which of the first rows of each hold a value.
    """
    for i, (column, known) in enumerate(zip(columns, filled, strict=True)):
        steps = np.diff(np.flatnonzero(known))
        if column.kind == "lead" and len(steps) > 1 and steps[0] > 1 and np.ptp(steps) == 0:
            warnings.warn(
                f"{path}: {column.name or f'lead {i + 1}'} has a value in one of {steps[0]} rows "
                "only; keep those rows alone, in a file of their own",
                stacklevel=5,
            )


def _index(path: Path, columns: Sequence[Column], numeric: Sequence[bool], name: str) -> int:
    """The column of a heading, a name, or a number from 1."""
    called = [{column.heading.lower(), column.name.lower()} for column in columns]
    same = [i for i, names in enumerate(called) if name.lower() in names]
    if not same and name.isdecimal() and 0 < int(name) <= len(columns):
        same = [int(name) - 1]
    if not same:
        known = ", ".join(c.heading or f"column {i + 1}" for i, c in enumerate(columns))
        raise FormatError(path, f"has no column {name}; there are {known}"[:300])
    if not numeric[same[0]]:
        raise FormatError(path, f"holds no numbers in the column {name}")
    return same[0]


@dataclass(frozen=True)
class Units:
    """Conversion of stored values: (value - ``zero``) * ``scale``.

    Attributes:
        names: unit of each lead in the recording.
        scale, zero: (leads,).
    """

    names: tuple[str, ...]
    scale: NDArray[np.float64]
    zero: NDArray[np.float64]


def units_of(
    path: Path,
    columns: Sequence[Column],
    values: Sequence[NDArray[np.float64]],
    options: ReadOptions,
    unit: str = "",
) -> Units:
    """The units of columns: stated, known of the layout, found by size, or assumed with a warning.

    A voltage that is no ECG (a battery) stays in V, so that nothing takes it for one.

    Args:
        path: named in messages.
        columns: leads and others.
        values: the first rows of each, by which a unit that is not stated is found.
        options: ``unit`` overrules that of the leads; ``columns`` are leads whatever their names.
        unit: of the leads that state none, from the head of the table.

    Raises:
        FormatError: the leads are in steps of a converter whose size is not stated.
    """
    leads = [i for i, c in enumerate(columns) if c.kind == "lead" or options.columns]
    stated = [c.unit or (unit if i in leads else "") for i, c in enumerate(columns)]
    zero = np.array([column.zero for column in columns])
    unknown = [bool(c.unit) and not millivolts(c.unit) and is_ecg(c.name) for c in columns]
    may_be = [i for i in range(len(columns)) if i in leads or unknown[i]]
    overridden = overruled(
        path,
        [columns[i].name for i in may_be],
        [stated[i] for i in may_be],
        options,
        [i in leads for i in may_be],
    )
    own = [i for i, is_own in zip(may_be, overridden, strict=True) if is_own]
    zero[own] = 0.0
    if not options.scale:
        _check_counts(path, [(columns[i], stated[i]) for i in leads])
        any_ecg = not options.columns and any(is_ecg(columns[i].name) for i in leads)
        silent = [i for i in leads if not stated[i] and columns[i].scale is None]
        silent = [i for i in silent if not any_ecg or is_ecg(columns[i].name)]
        assumed = units_by_size(path, [(i, columns[i].name, values[i]) for i in silent])
        stated = [assumed.get(i, known) for i, known in enumerate(stated)]
    names, scale = [], np.ones(len(columns))
    for i, column in enumerate(columns):
        known = millivolts(stated[i])
        factor = options.scale if i in own else (column.scale or known) if i in leads else None
        if factor:
            scale[i] = factor
            names.append("mV")
        elif known:
            scale[i] = known / 1000
            names.append("V")
        else:
            rate = column.name.lower() in ("hr", "heart rate", "heartrate", "heart_rate")
            names.append(stated[i] or ("bpm" if rate else NO_UNIT))
    return Units(tuple(names), scale, zero)


def warn_of_steps(
    path: Path, leads: Sequence[Column], scale: float | None, options: ReadOptions
) -> None:
    """Warn of leads without a unit to which the size of a step is applied, in mV, of the head."""
    if not scale or options.scale:
        return
    named = [
        lead.name or f"lead {i + 1}"
        for i, lead in enumerate(leads)
        if lead.scale == scale and not lead.unit
    ]
    if named:
        warnings.warn(
            f"{path}: {enumerated(named)}: taken as the steps of {1000 * scale:.6g} uV that its "
            "head states; --unit overrules it",
            stacklevel=5,
        )


def _check_counts(path: Path, leads: Sequence[tuple[Column, str]]) -> None:
    steps = [lead.name for lead, unit in leads if is_counts(unit) and not lead.scale]
    if steps and len(steps) == len(leads):
        raise FormatError(
            path,
            f"gives {', '.join(steps[:12])} in steps of a converter whose size it does not say; "
            "state it, such as --unit 0.3uV (unit=)",
        )


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
