"""Heads of text tables: rate, unit, lead and start above the data, and the layouts of vendors."""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import plux
from ipmdae.formats.columns import SECONDS, Column, column, epoch, epoch_scale, is_epoch, plain_unit
from ipmdae.formats.dates import local_time, plain_date
from ipmdae.formats.names import WORDS
from ipmdae.formats.steps import UNIT_KEY, step_of
from ipmdae.recording import millivolts

_RATE = re.compile(
    rf"(\d{{1,3}}(?: \d{{3}})+|\d+(?:[.,]\d+)?)\s*(k?)(?:{WORDS['hertz']}).*", re.IGNORECASE
)
_GROUPED = re.compile(r"[1-9]\d{0,2}(?: \d{3})+|[1-9][.,]\d{3}")
"""A rate with a thousands separator: nobody samples an ECG at 1.000 Hz."""
_RATE_KEY, _PLAIN_RATE, _INTERVAL_KEY, _FILTER_KEY = (
    re.compile(WORDS[key], re.IGNORECASE)
    for key in ("rate", "plain rate", "interval", "filter key")
)
_START_KEY, _NO_START_KEY, _PERSONAL, _ZERO_KEY, _LEAD_KEY = (
    re.compile(WORDS[key], re.IGNORECASE)
    for key in ("start key", "no start key", "personal", "zero key", "lead key")
)
_INTEGER = re.compile(r"-?\d+(?:[.,]0*)?")
_DAY = re.compile(r"\d{4}[-/]\d\d[-/]\d\d|\d\d\.\d\d\.\d{4}|\d{1,2}/\d{1,2}/\d{4}")
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[AP]M)?", re.IGNORECASE)
_NUMBER = re.compile(
    r"(\d{1,3}(?: \d{3})+|\d+(?:[.,]\d+)?(?:e[+-]?\d+)?)\s*([a-zµμ]*)", re.IGNORECASE
)
_INTERVALS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
_SAME = 1.01
"""Largest ratio of sizes of a step that are the same but for rounding."""
_LEAD = re.compile(r"(?<![A-Za-z])(I{1,3}|aV[RLF]|V[1-9])(?![A-Za-z])")


@dataclass(frozen=True, kw_only=True)
class Head:
    """Information from above a table, or known from the vendor's layout.

    Attributes:
        device: the vendor's name where the layout is known.
        fs: rate in Hz, if stated.
        unit: of the leads whose headings state none.
        scale, zero: millivolts in one step of a converter, and the step that stands for zero, where
            values may be in steps.
        lead: name of the only lead.
        start: when the recording began.
        comments: the lines, without personal ones.
        columns: of a table without headings, where the layout says what they are.
        skip: rows at the beginning of the data that are not samples.
        remarks: whether rows may end in one cell more, which is a comment.
    """

    device: str = ""
    fs: float | None = None
    unit: str = ""
    scale: float | None = None
    zero: float = 0.0
    lead: str = ""
    start: datetime | None = None
    comments: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    skip: int = 0
    remarks: bool = False


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The beginning of a table, as the recognisers of layouts look at it.

    Attributes:
        above: the lines above the data, empty ones left out.
        names: headings of the columns, which ``above`` does not repeat; empty without any.
        separator: of the cells.
        values: (rows, columns) numbers of the first rows, NaN where a cell is not a number.
        stem: name of the file without suffixes.
    """

    above: Sequence[str]
    names: Sequence[str]
    separator: str
    values: NDArray[np.float64]
    stem: str


def head(sample: Sample) -> Head:
    """The head of a table: by the layout of a vendor, or else line by line."""
    return next((found for known in DIALECTS if (found := known(sample))), None) or _lines(sample)


def _pair(line: str) -> tuple[str, str]:
    """Key and value of a line such as ``Sample Rate,512 Hz`` or ``%Sample Rate = 250 Hz``."""
    text = unicodedata.normalize("NFKC", line.strip().lstrip("#%").strip())
    found = re.match(r"\"?([^,;:=\t\"]{1,60})\"?\s*[,;:=\t]\s*(.*)", text)
    if not found:
        found = re.match(
            r"(\D{1,60}) (\d+(?:[.,]\d+)? ?[a-zA-Z]*)$", text
        )  # Acquisition rate 250 Hz
        return (found[1], found[2]) if found and _RATE_KEY.search(found[1]) else ("", text)
    quoted = re.match(r'"([^"]*)"', found[2])
    return found[1].strip("' "), (quoted[1] if quoted else found[2]).strip(" ;,\t'\"")


def _lines(sample: Sample) -> Head:
    """A head of lines with a key and a value each, in any order."""
    pairs = [_pair(line) for line in sample.above]
    units = (_unit(value) for key, value in pairs if UNIT_KEY.search(key))
    unit = next(filter(millivolts, units), "")
    steps = [step for key, value in pairs if (step := step_of(key, value, unit))]
    zeros = [value for key, value in pairs if _ZERO_KEY.search(key) and _INTEGER.fullmatch(value)]
    public = [not _PERSONAL.search(key) for key, _ in pairs]
    comments = (line.strip().lstrip("#%").strip() for line in compress(sample.above, public))
    return Head(
        fs=_stated_rate(pairs),
        unit=unit,
        scale=steps[0] if steps and max(steps) < _SAME * min(steps) else None,
        zero=_only([*map(_float, zeros)]) or 0.0,
        lead=next((lead for key, value in pairs if (lead := _lead(key, value))), ""),
        start=_stated_start(list(compress(pairs, public))),
        comments=tuple(filter(None, comments)),
    )


def _lead(key: str, value: str) -> str:
    """The name of the only lead that a line such as ``Lead: Lead I`` states."""
    named = _LEAD.findall(value) if _LEAD_KEY.search(key) else []
    return named[0] if len(named) == 1 else ""


def _only(values: Sequence[float]) -> float | None:
    """The value that all have in common."""
    return values[0] if len({*values}) == 1 else None


def is_pair(cells: Sequence[str]) -> bool:
    """True if a row is a key and the rate, unit, size of a step or start that it states."""
    filled = [cell for cell in cells if cell]
    key, value = _pair("\t".join(filled))
    if not key or len(filled) > 3:  # the third may be the unit of a rate
        return False
    unit = UNIT_KEY.search(key) and millivolts(_unit(value))
    return bool(unit or _rate(key, value) or step_of(key, value) or local_time(value))


def _unit(value: str) -> str:
    """The unit in a value such as ``uV`` or ``1 mV``."""
    return plain_unit(re.sub(r"^1 ?(?=\D)", "", value))


def _stated_rate(pairs: Sequence[tuple[str, str]]) -> float | None:
    """The rate in Hz by the clearest key: of sampling, of a rate, or none; not of a filter."""
    found = []
    for key, value in pairs:
        rate = _rate(key, value)
        if rate and not _FILTER_KEY.search(key):
            clear = _RATE_KEY.search(key) or _INTERVAL_KEY.search(key)
            found.append((2 if not clear else bool(_PLAIN_RATE.search(key)), rate))
    return min(found, key=itemgetter(0), default=(0, None))[1]


def _stated_start(pairs: Sequence[tuple[str, str]]) -> datetime | None:
    """Start of the recording, by a key that says so, or by another, but not that of an export."""
    pairs = [(key, value) for key, value in pairs if key and not _NO_START_KEY.search(key)]
    pairs.sort(key=lambda pair: not _START_KEY.search(pair[0]))
    days, times = (
        [value for _, value in pairs if form.fullmatch(plain_date(value))]
        for form in (_DAY, _TIME_OF_DAY)
    )
    texts = [value for _, value in pairs]
    texts += [f"{day} {time}" for day, time in zip(days[:1], times[:1], strict=False)]
    return next(filter(None, map(local_time, texts)), None)


def _rate(key: str, value: str) -> float | None:
    """A rate in Hz that a line states, if it does."""
    stated = _RATE.fullmatch(value)
    number = _NUMBER.match(value)
    if stated:
        rate = 1000 * _float(stated[1]) if stated[2] else _hertz(stated[1])
    elif number and _INTERVAL_KEY.search(key):
        unit = number[2].lower() or ("ms" if "ms" in key else "s")
        interval = _INTERVALS.get(unit, 0.0) * _float(number[1])
        rate = 1 / interval if 0 < interval <= 1 else 0.0  # more is the year of a date
    elif number and _RATE_KEY.search(key) and not number[2]:
        rate = 1000 * _float(number[1]) if "khz" in key.lower() else _hertz(number[1])
    else:
        return None
    return rate if 0 < rate <= 1e6 else None


def _hertz(text: str) -> float:
    """A rate in Hz, perhaps with a thousands separator."""
    return float(re.sub("[., ]", "", text)) if _GROUPED.fullmatch(text) else _float(text)


def _float(text: str) -> float:
    return float(text.replace(" ", "").replace(",", "."))


def _apple_watch(sample: Sample) -> Head | None:
    """An ECG of Apple Health: nine lines of two cells, in the language of the phone.

    Name, date of birth, date, classification, symptoms, software, device, rate; after an empty line
    the lead and the unit. The order is the same in all languages.
    """
    pairs = [_pair(line) for line in sample.above]
    device = next((i for i, (_, value) in enumerate(pairs) if re.match(r"Watch\d+,\d+", value)), 0)
    if device < 3 or len(pairs) < device + 2 or sample.values.shape[1] > 2:
        return None
    number = _NUMBER.match(pairs[device + 1][1])
    after = [value for _, value in pairs[device + 2 :]]
    unit = next((plain_unit(value) for value in after if millivolts(plain_unit(value))), "uV")
    lead = next((found[1] for value in after if (found := _LEAD.search(value))), "")
    dated = next((i for i in range(device) if local_time(pairs[i][1])), 2)
    return Head(
        device="Apple Watch",
        fs=_float(number[1]) if number else None,
        unit=unit,
        lead=lead or "I",
        start=local_time(pairs[dated][1]),
        comments=tuple(f"{key}: {value}" for key, value in pairs[dated + 1 : device + 1] if value),
    )


def _openbci(sample: Sample) -> Head | None:
    """A text file of OpenBCI's GUI, whose older versions write no headings."""
    if not any(line.startswith("%OpenBCI") for line in sample.above):
        return None
    pairs = ((key.lower(), value) for key, value in map(_pair, sample.above))
    counts = (int(n) for key, n in pairs if key == "number of channels" and n.isdecimal())
    count, width = next(counts, 0), sample.values.shape[1]
    known = not sample.names and 0 < count < width
    columns = _numbered(width, count) if known else ()
    return dataclasses.replace(_lines(sample), device="OpenBCI", unit="uV", columns=columns)


_BRAINFLOW: dict[int, dict[str, tuple[float, int]]] = {
    24: {"Cyton": (250.0, 8)},
    32: {"Cyton Daisy": (125.0, 16), "Synthetic": (250.0, 16)},
    15: {"Ganglion": (200.0, 4)},
}
"""Rate in Hz and number of channels of BrainFlow's boards, by the rows of their data."""


def _brainflow(sample: Sample) -> Head | None:
    """A file that BrainFlow writes: tabs, no headings; counter, channels, ..., time, marker."""
    width = sample.values.shape[1]
    boards = _BRAINFLOW.get(width)
    if not boards or sample.names or sample.above or sample.separator != "\t":
        return None
    stamps = sample.values[:, -2]
    if not is_epoch(stamps) or epoch_scale(stamps[0]) != 1:
        return None
    span = stamps[-1] - stamps[0]
    mean = (len(stamps) - 1) / span if span > 0 else 0.0
    name, (fs, channels) = min(boards.items(), key=lambda board: abs(board[1][0] - mean))
    return Head(
        device=f"BrainFlow ({name})",
        fs=fs if len(stamps) < 50 or abs(mean - fs) < 0.1 * fs else None,
        unit="uV",
        columns=_numbered(width, channels, time=width - 2),
    )


def _numbered(width: int, channels: int, time: int = -1) -> tuple[Column, ...]:
    """Columns without headings: a counter, the channels, others; and a time, if its place is known.

    The first column is number 0.
    """
    kinds = {0: "index", time: "time"} | dict.fromkeys(range(1, channels + 1), "lead")
    titles = [f"EXG Channel {i - 1}" if 0 < i <= channels else f"column {i + 1}"
              for i in range(width)]  # fmt: skip
    return tuple(Column(t, t, "", kinds.get(i, "other")) for i, t in enumerate(titles))


def _opensignals(sample: Sample) -> Head | None:
    """A file of OpenSignals: a line of JSON describes devices, columns, sensors and resolutions."""
    if not any("OpenSignals" in line for line in sample.above[:2]):
        return None
    described = next((line for line in sample.above if line.lstrip("# ").startswith("{")), "")
    try:
        devices: list[dict[str, Any]] = list(json.loads(described.lstrip("# ")).values())
        rate = float(devices[0]["sampling rate"])
        columns = [column for device in devices for column in plux.columns_of(device)]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError):
        return None
    first = devices[0]
    columns = plux.in_units(columns, sample.values)
    width = sample.values.shape[1]
    columns += [Column("", "", "", "empty")] * (width - len(columns))
    stated = [key for key in ("device", "firmware version") if key in first]
    return Head(
        device=f"OpenSignals ({first.get('device', '')})",
        fs=rate,
        start=plux.start_of(first),
        comments=tuple(f"{key}: {first[key]}" for key in stated),
        columns=tuple(columns[:width]),
    )


def _empatica(sample: Sample) -> Head | None:
    """A file of Empatica's E4: the start (s since 1970) and the rate in the first two rows."""
    values = sample.values
    if sample.above or len(values) < 3:
        return None
    start, rate = values[0], values[1]
    if not ((start > 1e9) & (start < 4.2e9)).all() or not (np.ptp(start) == 0 == np.ptp(rate)):
        return None
    if not 0 < rate[0] <= 5000 or np.nanmax(np.abs(values[2:])) > 1e8:
        return None
    stem, several = sample.stem, len(start) > 1
    return Head(
        device="Empatica",
        fs=float(rate[0]),
        start=epoch(float(start[0]), 1.0),
        columns=tuple(column(f"{stem} {i + 1}" if several else stem) for i in range(len(start))),
        skip=2,
    )


def _labchart(sample: Sample) -> Head | None:
    """A text file of LabChart: rows such as ``ChannelTitle=`` name what follows the times."""
    cells = [line.rstrip().split("\t") for line in sample.above]
    rows = {row[0]: row[1:] for row in cells}
    titles, width = rows.get("ChannelTitle=", []), sample.values.shape[1]
    if not titles or len(titles) > width:
        return None
    units = [*rows.get("UnitName=", []), *[""] * width]
    columns = [column("time (s)")] * (len(titles) < width)
    columns += map(column, titles, units)
    comments = [Column("comment", "comment", "", "other")] * (width - len(columns))
    found = dataclasses.replace(_lines(sample), device="LabChart", remarks=True)
    return dataclasses.replace(found, columns=(*columns, *comments))


END_OF_HEADER = "***End_of_Header***"
"""The end of the file's header, and that of the table's, in a text file of LabVIEW."""


def _labview(sample: Sample) -> Head | None:
    """A text file of LabVIEW (``.lvm``): rows of a key and a cell for each channel.

    Above the data stand ``X_Value``, the channels' names and ``Comment``, a cell more than most
    rows have.
    """
    cells = [[cell.strip() for cell in line.split(sample.separator)] for line in sample.above]
    rows = {row[0]: row[1:] for row in cells}
    titles = sample.names or (cells[-1] if cells else [])
    if END_OF_HEADER not in rows or len(titles) < sample.values.shape[1]:
        return None
    units, columns = iter(rows.get("Y_Unit_Label", [])), list[Column]()
    for title, known in zip(titles, sample.values.T, strict=False):
        if title == "Comment" or (title == "X_Value" and np.isnan(known).all()):
            columns.append(Column(title, title, "", "empty"))
        elif title == "X_Value":
            columns.append(column("time (s)"))
        else:
            columns.append(column(title, next(units, "")))
    interval = _rate("interval", next(iter(rows.get("Delta_X", [])), ""))
    day, time = (next(iter(rows.get(key, [])), "") for key in ("Date", "Time"))
    return Head(
        device="LabVIEW",
        fs=interval,
        start=local_time(f"{day} {time}"),
        columns=tuple(columns),
        remarks=True,
    )


_PER_SAMPLE = re.compile(r"(\d+\.?\d*) (samples/sec|msec|sec)(?:/sample|ond)?")


def _acqknowledge(sample: Sample) -> Head | None:
    """A text file of AcqKnowledge.

    Its name, the rate, ``2 channels``, name and unit of each; above the data a row ``sec CH1 CH2``
    and one of numbers of samples, which leaves the times' column empty.
    """
    _, rate, count, *lines = [line.strip() for line in sample.above] + [""] * 3
    lines = [line for line in lines if line]
    known = np.isfinite(sample.values[0])
    stated, channels = _PER_SAMPLE.fullmatch(rate), map(column, lines[::2], lines[1::2])
    if not stated or count != f"{known.sum()} channels" or len(lines) != 2 * known.sum():
        return None
    unit = sample.names[0] if sample.names else ""
    time = Column(unit or "time", unit, unit, "time", SECONDS.get(unit.lower()))
    seconds = {"samples/sec": None, "msec": 1e-3, "sec": 1.0}[stated[2]]
    number = float(stated[1])
    return Head(
        device="AcqKnowledge",
        fs=(1 / (seconds * number) if seconds else number) if number else None,
        columns=tuple(
            next(channels) if filled else time if i == 0 else Column("", "", "", "empty")
            for i, filled in enumerate(known)
        ),
        skip=1,
    )


DIALECTS = (
    *(_apple_watch, _openbci, _opensignals, _brainflow, _empatica),
    *(_labchart, _acqknowledge, _labview),
)
"""Recognisers of vendors' layouts, in the order in which they are tried; headings and lines with a
rate or a unit, as Polar's, Movesense's and Shimmer's files have them, need none."""
