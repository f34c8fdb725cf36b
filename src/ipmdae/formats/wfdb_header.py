"""WFDB headers: https://wfdb.io/spec/header-files/. They are decoded by the ``wfdb`` package."""

from __future__ import annotations

import math
import os
import re
from datetime import date, datetime
from datetime import time as clock
from pathlib import Path
from typing import Any

from ipmdae.formats.dates import MONTHS
from ipmdae.formats.description import PATIENT, TIME_OF_DAY, metadata_in
from ipmdae.formats.errors import LONGEST_NAME, FormatError, check_name, reason
from ipmdae.recording import millivolts

_LARGEST = 1 << 24
"""Bytes that a header may have."""

_MOST_SIGNALS = 4096
"""Signals that a header may describe."""

_DEFAULT_RATE = "250"
DEFAULT_GAIN = 200.0
"""Steps per unit of a signal without a gain, by the specification."""

_RATE = re.compile(r"([\d.eE+-]+)(?:/[^()]*)?(?:\([^()]*\))?")
"""A rate in Hz, perhaps with the frequency of a counter and its first value."""

TIME = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(?:\.(\d{1,6})\d*)?")
"""A time of the day."""

_DAY = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
"""A date as the PhysioNet Challenges since 2020 write it, before the time."""

UNIT = "unit"
"""Beginning of a comment that has a unit with blanks, which its line has with ``_``."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""A record's name."""

_GAIN = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(([+-]?\d+)\))?(?:/(\S+))?(?:\s+|$)"
)
_NUMBER = re.compile(r"(-?\d+)(?:\s+|$)")
_NUMBERS = 5
"""Whole numbers after the gain: resolution, zero, first value, checksum and block size."""


def header_path(path: Path) -> Path:
    """The header of a record given by its name, its header or its signal file."""
    return path.with_name(path.name.removesuffix(".hea").removesuffix(".dat") + ".hea")


def names_in(header: Path) -> set[str]:
    """Names of the signal files, or of the segments, that a header lists; none if it is missing."""
    if not header.is_file():
        return set()
    with header.open("rb") as file:
        lines = file.read(_LARGEST).decode("latin-1").splitlines()
    described = [line.split() for line in lines if line.strip() and not line.startswith("#")][1:]
    names = {fields[0] for fields in described if fields}
    return {name for name in names if "\0" not in name and len(name.encode()) <= LONGEST_NAME}


def files(path: Path) -> list[Path]:
    """Header, usual signal file, and what the header lists, of a record and of its segments.

    None for the path of another format. Annotations do not count.
    """
    header = header_path(path)
    is_other = path.suffix == "" and path.is_file() and not header.is_file()
    if is_other or path.suffix not in ("", ".hea", ".dat"):
        return []
    found = {header: None, header.with_suffix(".dat"): None}
    for name in sorted(names_in(header)):
        segment = header.with_name(f"{name}.hea") if _PLAIN.fullmatch(name) else None
        if segment and segment.is_file():
            parts = sorted(names_in(segment))
            found |= dict.fromkeys([segment, *(header.parent / part for part in parts)])
        else:
            found[header.parent / name] = None
    return list(found)


def read_header(header: Path) -> Any:
    """The fields of a header, a ``wfdb.Record`` or ``wfdb.MultiRecord`` without signals.

    What the ``wfdb`` package misreads without a word is corrected (rates such as ``1e3``, units and
    names that are not ASCII) or refused (numbers of which it takes a part).

    Raises:
        FileNotFoundError: the header does not exist.
        FormatError: it is malformed, announces no signals, or leads out of its folder.
    """
    if not header.is_file():
        raise FileNotFoundError(
            f"{header}: there is no such header; a WFDB record is a .hea file and its signal files"
        )
    lines, comments = _lines(header)
    # Not with this module: it takes half a second, also where an array is cleaned.
    import wfdb  # type: ignore[import-untyped]

    try:
        fields: Any = wfdb.rdheader(str(header.with_suffix("")))
        _correct_record(fields, lines[0].split())
        if not is_segmented(fields):
            _correct_signals(fields, lines[1:])
        elif not all(re.fullmatch(r"\S+\s+\d+", line) for line in lines[1:]):
            raise ValueError("a segment is a name and a number of samples")
    except Exception as error:
        raise FormatError(header, f"the WFDB header is malformed ({reason(error)})") from error
    fields.comments = _without_units(fields, comments)
    if is_segmented(fields):
        kind, announced, described = "segments", fields.n_seg, fields.seg_name
    else:
        kind, announced, described = "signals", fields.n_sig, fields.file_name
    if announced != len(described or ()):
        raise FormatError(
            header,
            f"the WFDB header is malformed (it announces {announced} {kind} and describes "
            f"{len(described or ())})",
        )
    if not announced or not fields.n_sig or fields.sig_len == 0:
        raise FormatError(header, "the WFDB header announces no signals, or none of their samples")
    return fields


def is_segmented(fields: Any) -> bool:
    """True if a header describes segments (``wfdb.MultiRecord``)."""
    return hasattr(fields, "seg_name")


def beside(header: Path, name: str) -> Path:
    """The path of a file that belongs to a record.

    Raises:
        FormatError: it is elsewhere than in the folder of the header or below it, or a link to
            such a place, or its name is too long.
    """
    check_name(header, name)
    path = header.parent / name
    folder = os.path.realpath(header.parent)
    if not Path(os.path.realpath(path)).is_relative_to(folder):
        raise FormatError(
            header, f"its file {name} leads out of the folder; copy it there if you trust it"
        )
    return path


def _lines(header: Path) -> tuple[list[str], list[str]]:
    """The lines that are not comments, and the comments; not every recorder writes UTF-8."""
    if header.stat().st_size > _LARGEST:
        raise FormatError(header, f"is larger than {_LARGEST >> 20} MiB, as no WFDB header is")
    data = header.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    # Where the wfdb package ends lines, which sees no more than ASCII.
    lines = [line.strip() for line in re.split("[\n\r\v\f\x1c-\x1e]", text)]
    described = [line for line in lines if line and not line.startswith("#")]
    if len(described) > _MOST_SIGNALS and "/" not in described[0].split()[0]:
        raise FormatError(header, f"describes more than {_MOST_SIGNALS} signals")
    return described, [line[1:].strip() for line in lines if line.startswith("#")]


def _correct_record(fields: Any, words: list[str]) -> None:
    """Set rate, length and start by the words of the record line.

    ``fields.agreed`` states if the ``wfdb`` package knows the length as well.

    Raises:
        ValueError: a word is malformed.
    """
    if not all(word.isdecimal() for word in (words[1], *words[3:4])):
        raise ValueError("numbers of signals and samples are whole")
    rate = words[2] if len(words) > 2 else _DEFAULT_RATE
    found = _RATE.fullmatch(rate)
    fs = float(found[1]) if found else math.nan
    if not 0 < fs < math.inf:
        raise ValueError(f"{rate} is not a sampling rate")
    fields.fs = int(fs) if fs == int(fs) else fs
    length = int(words[3]) if len(words) > 3 else None
    fields.agreed, fields.sig_len = fields.sig_len == length, length
    time, day, *_ = *words[4:6], "", ""
    if _DAY.fullmatch(time):
        time, day = day, time
    if time:
        parts = TIME.fullmatch(time)
        if not parts:
            raise ValueError(f"{time} is not a time of the day")
        hour, minute, second, fraction = parts.groups()
        microsecond = int((fraction or "0").ljust(6, "0"))
        fields.base_time = clock(int(hour or 0), int(minute or 0), int(second), microsecond)
    if day:
        fields.base_date = _date(day)


def _date(text: str) -> date:
    """A date such as ``31/12/2020`` or, in the PhysioNet Challenges, ``31-Dec-2020``."""
    named = _DAY.fullmatch(text)
    if not named:
        return datetime.strptime(text, "%d/%m/%Y").date()
    day, month, year = named.groups()
    if month.upper() not in MONTHS:
        raise ValueError(f"{text} is not a date")
    return date(int(year), MONTHS.index(month.upper()) + 1, int(day))


def _correct_signals(fields: Any, lines: list[str]) -> None:
    """Set units and names by the signal lines; ``fields.uncalibrated``: voltages without a gain.

    Raises:
        ValueError: a line is malformed, or the ``wfdb`` package understands another gain.
    """
    units: list[str] = []
    names: list[str] = []
    fields.uncalibrated = []
    for i, line in enumerate(lines):
        rest = line.split(maxsplit=2)[2:]
        gain, baseline, unit, name = _described(rest[0] if rest else "")
        if (gain or DEFAULT_GAIN, baseline) != (fields.adc_gain[i], fields.baseline[i]):
            raise ValueError(f"gain or baseline of signal {i + 1} cannot be understood")
        if not gain and millivolts(unit):
            fields.uncalibrated.append(name or f"lead {i + 1}")
        units.append(unit)
        names.append(name)
    fields.units, fields.sig_name = units, names


def _without_units(fields: Any, comments: list[str]) -> list[str]:
    """Comments without those that state units with blanks, which are applied."""
    result = []
    for comment in comments:
        found = re.fullmatch(rf"{UNIT} (\d{{1,4}}): (.*)", comment)
        place = int(found[1]) - 1 if found else -1
        units = [] if is_segmented(fields) else fields.units
        if found and 0 <= place < len(units) and found[2].replace(" ", "_") == units[place]:
            units[place] = found[2]
        else:
            result.append(comment)
    return result


def _described(text: str) -> tuple[float, int, str, str]:
    """Gain, baseline, unit and name of a signal from what follows its file and format.

    The gain is 0 where none is stated.
    """
    numbers: list[int] = []
    found = _GAIN.match(text)
    if not found:
        return 0.0, 0, "mV", text
    text = text[found.end() :]
    while len(numbers) < _NUMBERS and (number := _NUMBER.match(text)):
        numbers.append(int(number[1]))
        text = text[number.end() :]
    baseline = found[2] or (numbers[1] if len(numbers) > 1 else 0)
    unit = found[3] or "mV"
    if millivolts(unit):
        unit = unit.replace("µ", "u").replace("μ", "u")
    return float(found[1]), int(baseline), unit, text


def description(fields: Any) -> dict[str, Any]:
    """Start, comments and metadata of a record, as arguments of a recording's header."""
    comments: list[str] = fields.comments
    described: dict[str, Any] = {"comments": comments, "metadata": metadata_in(comments, PATIENT)}
    if fields.base_time is not None and fields.base_date is not None:
        described["start"] = datetime.combine(fields.base_date, fields.base_time)
    elif fields.base_time is not None:
        described["metadata"][TIME_OF_DAY] = fields.base_time.isoformat()
    return described
