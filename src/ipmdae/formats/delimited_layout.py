"""Layout of a text table: separator, decimal sign, header, headings, first row of data.

Files and live signals are looked at in the same way, by :func:`lay_out`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ipmdae.formats import dialects
from ipmdae.formats.columns import Column, by_shape, columns_of, is_unit, unquoted
from ipmdae.formats.dialects import Head

_SEPARATORS = (";", "\t", ",", "|", r"\s+")
_EMPTY = {"", "nan", "na", "n/a", "null", "none", "-", "nil"}
_CLOCK = re.compile(
    r"(?:\d{1,2}/\d{1,2}/\d{4}[T, ]+)?"
    r"\[?(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:[.,]\d*)?)\]?(?: ?([AP])M)?",
    re.IGNORECASE,
)
"""A time of the day, perhaps after a date that may begin with the day or with the month."""
_DATE = re.compile(
    r"(\d{4}[-/]\d\d[-/]\d\d|\d\d\.\d\d\.\d{4})[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?"
    r" ?(Z|[A-Z]{3,4}|[+-]\d\d:?\d\d)?"
)
_SEP_LINE = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)
_ROWS = 2000
"""Rows by which columns are judged."""

NUMBER, CLOCK, DATE = "number", "clock", "date"


@dataclass(frozen=True)
class Layout:
    """A text table.

    Attributes:
        separator, decimal: as pandas takes them.
        first: line where the data begin.
        width: cells in a row.
        columns: one a column, empty ones too.
        head: information from above the data.
        rows: the cells of the first rows.
    """

    separator: str
    decimal: str
    first: int
    width: int
    columns: tuple[Column, ...]
    head: Head
    rows: tuple[tuple[str, ...], ...]

    def cells(self, index: int) -> list[str]:
        """The first cells of a column."""
        return [row[index] for row in self.rows]

    def stamps(self, index: int) -> str:
        """Type of a column's cells: numbers, times of the day, or dates with times."""
        cells = [cell for cell in self.cells(index) if cell.lower() not in _EMPTY]
        for kind, pattern in ((DATE, _DATE), (CLOCK, _CLOCK)):
            if cells and all(pattern.fullmatch(cell) for cell in cells):
                return kind
        return NUMBER


def lay_out(texts: Sequence[str], stem: str = "", *, judged: bool = True) -> Layout:
    """Find the table in the lines that a text begins with.

    Args:
        texts: whole lines.
        stem: name of the file without suffixes.
        judged: whether kinds of columns are found by what they hold too, not by headings alone.

    Raises:
        ValueError: no line is a row of numbers.
    """
    filled = [i for i, text in enumerate(texts) if text.strip() and text.lstrip()[0] not in "#%"]
    stated = _SEP_LINE.fullmatch(texts[filled[0]].rstrip("\n")) if filled else None
    filled = filled[1:] if stated else filled
    if not filled:
        raise ValueError("holds no table")
    separator = stated[1] if stated else _separator([texts[i] for i in filled])
    cells = {i: split(texts[i], separator) for i in filled}
    decimal = _decimal(list(cells.values()), separator)
    if separator == "," and _is_single(list(cells.values())):
        separator, decimal = ";", ","
        cells |= {i: [texts[i].strip()] for i in filled if all(map(_is_whole, cells[i]))}
    first = next((i for i in filled if _is_data(cells[i], decimal)), None)
    if first is None:
        raise ValueError("holds no row of numbers")
    data = [cells[i] for i in filled if i >= first]
    width = Counter(map(len, data[:_ROWS])).most_common(1)[0][0]
    rows = tuple(tuple(row) for row in data[:_ROWS] if len(row) == width)
    above = [text for text in texts[:first] if text.strip() and not _SEP_LINE.fullmatch(text)]
    trailing = all(not row[-1] for row in rows)
    names, units, used = _headings(texts[:first], cells, separator, width, trailing)
    head = dialects.head(
        dialects.Sample(
            above=above[: len(above) - used],
            headed=bool(names),
            separator=separator,
            values=np.array([[number(cell, decimal) for cell in row] for row in rows]),
            stem=stem,
        )
    )
    columns = head.columns or columns_of(names or [""] * width, units)
    return _completed(separator, decimal, first, rows[head.skip :], columns, head, judged)


def _completed(
    separator: str,
    decimal: str,
    first: int,
    rows: tuple[tuple[str, ...], ...],
    columns: Sequence[Column],
    head: Head,
    judged: bool,
) -> Layout:
    """The layout, its columns corrected by what they hold."""
    values = [np.array([number(row[i], decimal) for row in rows]) for i in range(len(columns))]
    corrected = by_shape(columns, values if judged else [cells[:0] for cells in values])
    for i, found in enumerate(corrected):
        empty = not found.heading and all(not row[i] for row in rows)
        if found.kind in ("lead", "other", "index") and empty:
            corrected[i] = Column("", "", "", "empty")
    layout = Layout(separator, decimal, first, len(columns), tuple(corrected), head, rows)
    for i, found in enumerate(corrected):
        if found.kind != "time" and found.kind != "empty" and layout.stamps(i) != NUMBER:
            corrected[i] = Column(found.heading, found.name, found.unit, "time")
    return Layout(separator, decimal, first, len(columns), tuple(corrected), head, rows)


def split(text: str, separator: str) -> list[str]:
    """The cells of a row, without quotes and blanks around them."""
    text = text.replace("\u2212", "-")
    if separator == r"\s+":
        parts = text.split()
    elif '"' in text and text.count('"') % 2 == 0:
        try:
            parts = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:  # no text, such as a carriage return within a cell
            parts = text.split(separator)
    else:
        parts = text.split(separator)
    return [unquoted(part) for part in parts]


def number(cell: str, decimal: str) -> float:
    """The number in a cell; NaN where it is empty or none."""
    text = cell
    if decimal == ",":
        text = "?" if "." in text else text.replace(",", ".")
    try:
        return float("?" if "_" in text else text)
    except ValueError:
        return float("nan")


def is_number(cell: str, decimal: str) -> bool:
    """True if a cell is a number or marks a missing one."""
    return cell.lower() in _EMPTY or not np.isnan(number(cell, decimal))


def clock_seconds(cell: str) -> float:
    """``12:34:56.7``, ``34:56.7`` or ``03/14/2026 12:34:56.7 PM`` in s since midnight.

    Raises:
        ValueError: it is not a time.
    """
    found = _CLOCK.fullmatch(cell.strip().strip("'\""))
    if not found:
        raise ValueError(f"{cell!r} is not a time")
    hours, minutes, seconds, half = found.groups("0")
    hour = int(hours) if half == "0" else int(hours) % 12 + 12 * (half in "Pp")
    return hour * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def _separator(texts: Sequence[str]) -> str:
    """The separator by which the last lines, which are data, have equally many cells of data."""
    data = texts[-min(40, max(len(texts) - 1, 1)) :]
    for separator in _SEPARATORS:
        rows = [split(text, separator) for text in data]
        width, times = Counter(map(len, rows)).most_common(1)[0]
        good = [row for row in rows if len(row) == width and _is_data(row, ".", ",")]
        if width > 1 and times >= 0.8 * len(rows) and len(good) >= 0.5 * len(rows):
            return separator
    return next((s for s in _SEPARATORS[:4] if any(s in text for text in data)), ",")


_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


def _decimal(rows: Sequence[Sequence[str]], separator: str) -> str:
    cells = [cell for row in rows for cell in row]
    commas = sum(bool(_COMMA.fullmatch(cell)) for cell in cells)
    points = sum(bool(_POINT.fullmatch(cell)) for cell in cells)
    return "," if commas > points else "."


def _is_single(rows: Sequence[Sequence[str]]) -> bool:
    """True if rows of two cells, split by commas, are one column of numbers with decimal commas."""
    last = [row for row in rows[-_ROWS:] if len(row) <= 2 and all(map(_is_whole, row))]
    pairs = [row for row in last if len(row) == 2]
    if len(last) < 0.8 * len(rows[-_ROWS:]) - 12 or len(pairs) < 2:
        return False
    if any(not row[1].isdecimal() for row in pairs):
        return False
    above = rows[: next(i for i, row in enumerate(rows) if all(map(_is_whole, row)))]
    if above and len(above[-1]) == 2 and not any(is_unit(cell) for cell in above[-1]):
        return False
    if above and len(above[-1]) == 1:
        return True
    digits = {len(row[1]) for row in pairs}
    return digits == {max(digits)} and max(digits) > 1 and len(pairs) > 2


def _is_whole(cell: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", cell) is not None


def _is_data(cells: Sequence[str], *decimals: str) -> bool:
    """True if a row is data: numbers, stamps, perhaps a word, but not words only."""
    numbers = [c for c in cells if c and any(is_number(c, decimal) for decimal in decimals)]
    stamps = [cell for cell in cells if _CLOCK.fullmatch(cell) or _DATE.fullmatch(cell)]
    words = len(cells) - len(numbers) - len(stamps) - sum(not cell for cell in cells)
    return bool(numbers) and len(numbers) + len(stamps) > words


def _headings(
    texts: Sequence[str], cells: dict[int, list[str]], separator: str, width: int, trailing: bool
) -> tuple[list[str], list[str], int]:
    """Names and units of the columns, from rows of cells above the data, and how many these are.

    Args:
        texts: the lines above the data.
        cells: those of lines by number, without comments.
        separator: of the cells.
        width: cells in a row of data.
        trailing: whether the last cell of all rows is empty.
    """
    rows = [cells[i] for i in range(len(texts)) if i in cells]
    if not rows and texts and texts[-1].lstrip()[:1] in ("#", "%"):
        rows = [split(texts[-1].lstrip("#% "), separator)]
    shorter = rows[-1:] if rows and len(rows[-1]) == width - 1 else []
    rows = [row for row in rows[-4:] if len(row) == width] or shorter
    if width == 1:  # any line is a row of one cell; one with a key and a value is not a heading
        rows = rows[-2:] if rows and _are_units(rows[-1]) else rows[-1:]
        rows = [row for row in rows if not re.search(r"[:=;,]", row[0])]
    missing = [[""] * (width - len(row)) for row in rows]
    rows = [row + m if trailing else m + row for row, m in zip(rows, missing, strict=True)]
    # A row that says the same of all columns (the device, CAL) is not that of their names.
    named = [row for row in rows if len({*filter(None, row)}) > 1 or _are_units(row)]
    named = named if named and width > 1 else [*rows]
    units = named.pop() if len(named) > 1 and _are_units(named[-1]) else [""] * width
    return (named[-1] if named else []), units, len(rows)


def _are_units(row: Sequence[str]) -> bool:
    words = {cell.lower() for cell in row if cell}
    return bool(words - {"raw", "cal"}) and sum(map(is_unit, row)) > len(row) / 2
