"""Layout of a text table: separator, decimal sign, header, headings, first row of data; its cells.

Files and live signals are looked at in the same way, by :func:`lay_out`.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import dialects
from ipmdae.formats.columns import (
    Column,
    by_shape,
    column,
    columns_of,
    is_even,
    is_unit,
    plain_unit,
    unquoted,
)
from ipmdae.formats.names import WORDS, are_plausible, is_counts, spread_of
from ipmdae.recording import millivolts

_SEPARATORS = (";", "\t", ",", "|", r"\s+")
_EMPTY = set(WORDS["missing"])
CLOCK = re.compile(
    r"(?:\d{1,2}[/-]\d{1,2}[/-](?:\d{4}|\d\d)[T, ]+|\d\d\.\d\d\.\d\d[T, ]+|(\d+) days?,? )?"
    r"\[?(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:[.,]\d*|(?<=:\d\d:\d\d):\d{3})?)\]?(?: ?([AP])M)?",
    re.IGNORECASE,
)
"""A time of the day, perhaps after a date whose order is not certain, or after days passed."""
DATE = re.compile(
    r"((\d{4}[-/.]\d\d[-/.]\d\d|\d\d\.\d\d\.\d{4}|\d\d?[- ][A-Z][A-Za-z]{2}[- ]\d{4}"
    r"|[A-Z][a-z]{2} \d\d?,? \d{4})[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?"
    r"|\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d([.,]\d+)?|\[\d\d:\d\d:\d\d(\.\d+)? \d\d/\d\d/\d{4}\]"
    r"|20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])[T_ ]?([01]\d|2[0-3])([0-5]\d){2}([.,]\d+)?)"
    r" ?(Z|[A-Z]{3,4}|[+-]\d\d:?\d\d)?(\[[\w/+-]+\])?"
)
DURATION = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)? ?s(?:ec)?")
"""A time in s that says its unit, as MATLAB writes it."""
_STAMPS = (DATE, CLOCK, DURATION)
_SEP_LINE = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_SMALL = re.compile(r"[+-]?\d{1,3}")
_PADDED = re.compile(r"[+-]?0\d+")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*")
_MARKED = re.compile(r"[+-]?[\d.,]*[.,][\d.,]*(?:[eE][+-]?\d+)?")
_GROUPED_DECIMAL = re.compile(_GROUPED.pattern + r"(?:(?!\1)[.,]\d*)?")
_ROWS = 2000
"""Rows by which columns are judged."""
_MANY = 40
"""Decimals of which some begin with a zero."""

Cells = Sequence[str]


@dataclass(frozen=True, eq=False)
class Layout:
    """A text table.

    Attributes:
        separator, decimal: as pandas takes them.
        thousands: sign that groups the thousands of numbers; empty where none does.
        first: line where the data begin.
        columns: one a column, empty ones too.
        stamps: of each column the pattern that all its cells match, :data:`DATE`, :data:`CLOCK`
            or :data:`DURATION`.
        head: information from above the data.
        rows: the cells of the first rows.
        values: their numbers (rows, columns), NaN where a cell is not a number.
    """

    separator: str
    decimal: str
    thousands: str
    first: int
    columns: tuple[Column, ...]
    stamps: tuple[re.Pattern[str] | None, ...]
    head: dialects.Head
    rows: tuple[Cells, ...]
    values: NDArray[np.float64]

    @property
    def width(self) -> int:
        """Cells in a row."""
        return len(self.columns)

    def cells(self, index: int) -> list[str]:
        """The first cells of a column."""
        return [row[index] for row in self.rows]

    def split(self, line: str) -> list[str]:
        """The cells of a row."""
        return _split(line, self.separator)

    def is_numeric(self, index: int) -> bool:
        """True if a column holds numbers; a stray word among them is an error later."""
        cells = self.cells(index)
        known = [cell for cell in cells if not is_empty(cell)]
        numbers = sum(map(self.is_number, known))
        return numbers >= 0.9 * len(known) and (numbers > 0 or not any(map(is_doubtful, cells)))

    def is_row(self, cells: Cells) -> bool:
        """True if cells below the first row of data are one, too; a footer is none."""
        return _is_row(cells, self.decimal, self.thousands)

    def number(self, cell: str) -> float:
        """The number in a cell; NaN where it is empty or none."""
        return _number(cell, self.decimal, self.thousands)

    def is_number(self, cell: str) -> bool:
        """True if a cell is a number or marks a missing one."""
        return _is_number(cell, self.decimal, self.thousands)


def lay_out(texts: Sequence[str], stem: str = "") -> Layout:
    """Find the table in the lines that a text begins with.

    Args:
        texts: whole lines.
        stem: name of the file without suffixes.

    Raises:
        ValueError: no line is a row of numbers, or a sign groups thousands and is a decimal one.
    """
    filled = [i for i, text in enumerate(texts) if text.strip() and text.lstrip()[0] not in "#%"]
    stated = _SEP_LINE.fullmatch(texts[filled[0]].rstrip("\n")) if filled else None
    filled = filled[1:] if stated else filled
    if not filled:
        raise ValueError("holds no table")
    separator = stated[1] if stated else _separator([texts[i] for i in filled])
    cells = {i: _split(texts[i], separator) for i in filled}
    decimal, thousands = _signs(list(cells.values()))
    if separator == "," and _is_single(list(cells.values())):
        separator, decimal = ";", ","
        cells |= {i: [texts[i].strip()] for i in filled if all(map(_WHOLE.fullmatch, cells[i]))}
    signs = decimal, thousands
    layout = _laid_out(texts, cells, separator, signs, stem)
    other = None if _is_plausible(layout) else _other_signs(list(cells.values()), signs)
    if other is None:
        return layout
    alternative = _laid_out(texts, cells, separator, other, stem)
    return alternative if _is_plausible(alternative) else layout


def _laid_out(
    texts: Sequence[str],
    cells: dict[int, list[str]],
    separator: str,
    signs: tuple[str, str],
    stem: str,
) -> Layout:
    """The table in lines whose cells are known; see :func:`lay_out`.

    Args:
        texts, stem: see :func:`lay_out`.
        cells: of the lines that are neither blank nor comments, by number.
        separator: of the cells.
        signs: the decimal sign, and that which groups thousands.
    """
    (decimal, thousands), filled = signs, [*cells]
    ends = [i for i in filled if texts[i].startswith(dialects.END_OF_HEADER)][:2]
    below = [i for i in filled if i > max(ends, default=-1)]
    first = next((i for i in below if _is_data(cells[i], decimal, thousands)), None)
    if first is None:
        raise ValueError("holds no row of numbers")
    data = [cells[i] for i in filled if i >= first][:_ROWS]
    width = Counter(map(len, data)).most_common(1)[0][0]
    rows = [row for row in data if len(row) == width and _is_row(row, decimal, thousands)]
    values = np.array([[_number(cell, decimal, thousands) for cell in row] for row in rows])
    trailing = all(not row[-1] for row in rows)
    names, units, taken = _headings(texts[:first], cells, separator, width, trailing)
    above = [texts[i] for i in range(first) if texts[i].strip() and i not in taken]
    above = [text for text in above if not _SEP_LINE.fullmatch(text)]
    head = dialects.head(
        dialects.Sample(above=above, names=names, separator=separator, values=values, stem=stem)
    )
    rows, values = rows[head.skip :], values[head.skip :]
    columns = by_shape(head.columns or columns_of(names or [""] * width, units), values.T)
    stamps = tuple(_stamps([row[i] for row in rows]) for i in range(width))
    for i, found in enumerate(columns):
        if found.kind in ("time", "empty"):
            continue
        if not found.heading and not any(row[i] for row in rows):
            columns[i] = Column("", "", "", "empty")
        elif stamps[i]:
            columns[i] = Column(found.heading, found.name, found.unit, "time")
    columns = [_in_steps(found, values[:, i], head) for i, found in enumerate(columns)]
    return Layout(
        *(separator, decimal, thousands, first, tuple(columns), stamps, head, tuple(rows), values)
    )


def _in_steps(column: Column, cells: NDArray[np.float64], head: dialects.Head) -> Column:
    """A lead of whole numbers without a unit, in the steps of a converter that the head states."""
    own = column.unit and not is_counts(column.unit)
    whole = (cells == np.rint(cells)) | np.isnan(cells)
    if not head.scale or column.kind != "lead" or own or column.scale or not whole.all():
        return column
    return dataclasses.replace(column, scale=head.scale, zero=head.zero)


def _stamps(cells: Cells) -> re.Pattern[str] | None:
    """The pattern that all cells of a column match: of dates, times of the day, or durations."""
    cells = [cell for cell in cells if not is_empty(cell)]
    kinds = (kind for kind in _STAMPS if cells and all(map(kind.fullmatch, cells)))
    return next(kinds, None)


def _split(text: str, separator: str) -> list[str]:
    """The cells of a row, without quotes and blanks around them."""
    text = text.replace("\u2212", "-")
    if separator == r"\s+":
        return [unquoted(part) for part in text.split()]
    parts = text.split(separator)
    if '"' in text and text.count('"') % 2 == 0:
        with suppress(csv.Error):  # no text, such as a carriage return within a cell
            parts = next(csv.reader([text], delimiter=separator, skipinitialspace=True), [])
    return [unquoted(part) for part in parts]


def _number(cell: str, decimal: str, thousands: str = "") -> float:
    """The number in a cell; NaN where it is empty or none."""
    if thousands and thousands in cell:
        grouped = _GROUPED_DECIMAL.fullmatch(cell)
        cell = cell.replace(thousands, "") if grouped and grouped[1] == thousands else ""
    if "_" in cell or (decimal == "," and "." in cell):
        return np.nan
    try:
        return float(cell.replace(",", ".") if decimal == "," else cell)
    except ValueError:
        return np.nan


def is_empty(cell: str) -> bool:
    """True if a cell marks a missing number."""
    return cell.lower() in _EMPTY


def is_doubtful(cell: str) -> bool:
    """True if a mark of a missing number may be a setting, or a line below headings, too."""
    return cell.lower() in ("off", "--", "---")


def _is_number(cell: str, decimal: str, thousands: str = "") -> bool:
    """True if a cell is a number or marks a missing one."""
    return is_empty(cell) or not np.isnan(_number(cell, decimal, thousands))


def _separator(texts: Sequence[str]) -> str:
    """The separator by which the last lines, which are data, have equally many cells of data."""
    data = texts[-min(40, max(len(texts) - 1, 1)) :]
    for separator in _SEPARATORS:
        rows = [_split(text, separator) for text in data]
        width, times = Counter(map(len, rows)).most_common(1)[0]
        good = [row for row in rows if len(row) == width and _is_data(row, ".,")]
        if width > 1 and times >= 0.8 * len(rows) and len(good) >= 0.5 * len(rows):
            return separator
    return next((s for s in _SEPARATORS[:4] if any(s in text for text in data)), ",")


def _signs(rows: Sequence[Cells]) -> tuple[str, str]:
    """The decimal sign of a table, and that which groups thousands; empty where none does.

    A sign that may do either groups thousands beside a column with the other decimal sign.

    Raises:
        ValueError: one sign is both.
    """
    width = Counter(map(len, rows)).most_common(1)[0][0]
    columns = list(zip(*(row for row in rows if len(row) == width), strict=True))
    for thousands in filter(None, map(_grouping, columns)):
        decimal, form = (".", _COMMA) if thousands == "," else (",", _POINT)
        if any(_is_decimal(cell, form) for cells in columns for cell in cells):
            raise ValueError(
                f"has columns whose thousands are grouped by {thousands!r}, which is the decimal "
                "sign of others; write one of them otherwise"
            )
        return decimal, thousands
    cells = [cell for row in rows for cell in row]
    commas, points = ([*filter(sign.fullmatch, cells)] for sign in (_COMMA, _POINT))
    for sign, form, others in ((".", _POINT, commas), (",", _COMMA, points)):
        if others and all(map(_GROUPED.fullmatch, others)) and _has_decimals(columns, form):
            return sign, "," if sign == "." else "."
    return ("," if len(commas) > len(points) else "."), ""


def _has_decimals(columns: Sequence[Cells], form: re.Pattern[str]) -> bool:
    """True if most cells of a column are numbers with a decimal sign that groups no thousands."""
    return any(2 * sum(_is_decimal(cell, form) for cell in cells) > len(cells) for cells in columns)


def _is_decimal(cell: str, form: re.Pattern[str]) -> bool:
    return bool(form.fullmatch(cell) and not _GROUPED.fullmatch(cell))


def _grouping(cells: Cells) -> str:
    """The sign that groups the thousands of a column, as ``-2,762`` beside ``-998`` and ``17``.

    A sign after which not always three digits follow is a decimal one, and so is one after a zero,
    or in a column of fewer than three different whole numbers, which may be marks such as ``-1``.
    """
    grouped = [_GROUPED.fullmatch(cell) for cell in cells if _MARKED.fullmatch(cell)]
    whole = [cell for cell in cells if _WHOLE.fullmatch(cell)]
    signs = {found[1] if found else "" for found in grouped}
    several = len({cell for cell in whole if cell.strip("+-0")}) > 2
    small = several and all(map(_SMALL.fullmatch, whole))
    return signs.pop() if len(signs) == 1 and small else ""


def _other_signs(rows: Sequence[Cells], signs: tuple[str, str]) -> tuple[str, str] | None:
    """Signs by which the numbers can be read too: three digits follow each sign in them."""
    decimal, thousands = signs
    sign = thousands or decimal
    marked = [cell for row in rows for cell in row if sign in cell and _MARKED.fullmatch(cell)]
    if not marked or not all(map(_GROUPED.fullmatch, marked)):
        return None
    return (sign, "") if thousands else ("." if decimal == "," else ",", decimal)


def _is_plausible(layout: Layout) -> bool:
    """True if leads in a stated unit of voltage have the spread of an ECG, or none has a unit."""
    units = (column.unit or layout.head.unit for column in layout.columns)
    spreads = [
        spread_of(layout.values[:, i]) * size
        for i, unit in enumerate(units)
        if layout.columns[i].kind == "lead" and (size := millivolts(unit))
    ]
    return are_plausible(spreads)


def _is_single(rows: Sequence[Cells]) -> bool:
    """True if rows of two cells, split by commas, are one column of numbers with decimal commas.

    Two names above say that they are not, a single one that they are. Otherwise the numbers do.
    """
    last = [row for row in rows[-_ROWS:] if len(row) <= 2 and all(map(_WHOLE.fullmatch, row))]
    pairs = [row for row in last if len(row) == 2]
    if len(last) < 0.8 * len(rows[-_ROWS:]) - 12 or len(pairs) < 2:
        return False
    whole = (i for i, row in enumerate(rows) if all(map(_WHOLE.fullmatch, row)))
    above = [row for row in rows[: next(whole)] if len(row) > 1 or not _is_statement(row)]
    if above and len(above[-1]) == 2 and not _is_keyed_unit(above[-1]):
        return False
    return _are_decimals(pairs, headed=bool(above) and len(above[-1]) == 1)


def _is_keyed_unit(row: Cells) -> bool:
    """True if two cells are a key and a unit of voltage, and not names: ``Unit,µV``, ``ms,uV``."""
    return bool(millivolts(plain_unit(row[1]))) and column(row[0]).kind in ("lead", "other")


def _are_decimals(pairs: Sequence[Cells], headed: bool) -> bool:
    """True if whole numbers before and after commas are parts of one number each.

    No whole number begins with a zero, but some of many decimals do (``0,012``). Where none does,
    small numbers before equally many digits are decimal ones, unless they rise as times do.

    Args:
        pairs: the cells before and after the comma.
        headed: whether one name stands above them.
    """
    wholes, decimals = zip(*pairs, strict=True)
    if not all(map(str.isdecimal, decimals)) or any(map(_PADDED.fullmatch, wholes)):
        return False
    if "-0" in wholes or any(map(_PADDED.fullmatch, decimals)):
        return True
    values, digits = np.array(wholes, np.float64), [*map(len, decimals)]
    small = bool((np.abs(values) < 10).all())
    if headed:
        return small or sum(n > 1 for n in digits) < _MANY
    return small and len({*digits}) == 1 < digits[0] and len(digits) > 2 and not is_even(values)


def _is_data(cells: Cells, decimals: str, thousands: str = "") -> bool:
    """True if a row is data: numbers, stamps, perhaps a word, but not words only.

    A row that begins with a key, such as LabChart's ``TopValue=``, is not data.
    """
    filled = [cell for cell in cells if cell]
    if _is_keyed(cells):
        return False
    known = [cell for cell in filled if not is_doubtful(cell)]
    numbers = sum(any(_is_number(cell, sign, thousands) for sign in decimals) for cell in known)
    stamps = sum(any(kind.fullmatch(cell) for kind in _STAMPS) for cell in filled)
    return numbers > 0 and 2 * (numbers + stamps) > len(filled)


def _is_row(cells: Cells, decimal: str, thousands: str) -> bool:
    """True if some number or stamp is among cells, or all are empty, and the first is no key."""
    filled = [cell for cell in cells if cell]
    numbers = any(_is_number(cell, decimal, thousands) for cell in filled)
    stamps = (kind.fullmatch(cell) for kind in _STAMPS for cell in filled)
    return not _is_keyed(cells) and (not filled or numbers or any(stamps))


def _is_keyed(cells: Cells) -> bool:
    """True if the first cell of a row is a key such as LabChart's ``ChannelTitle=``."""
    return any(cell.endswith("=") for cell in cells[:1])


def _headings(
    texts: Sequence[str], cells: dict[int, list[str]], separator: str, width: int, trailing: bool
) -> tuple[list[str], list[str], set[int]]:
    """Names and units of the columns, from rows of cells above the data, and the lines of these.

    Args:
        texts: the lines above the data.
        cells: those of lines by number, without comments.
        separator: of the cells.
        width: cells in a row of data.
        trailing: whether the last cell of all rows is empty.
    """
    lines = [i for i in range(len(texts)) if i in cells]
    if not lines and texts and texts[-1].lstrip()[:1] in ("#", "%"):
        lines = [len(texts) - 1]
        cells = {lines[0]: _split(texts[-1].lstrip("#% "), separator)}
    if width == 1:  # any line is a row of one cell
        lines = [i for i in lines[-4:] if len(cells[i]) == 1]
        lines = lines[-2:] if lines and _are_units(cells[lines[-1]]) else lines[-1:]
    lines = [i for i in lines if not _is_statement(cells[i])]
    rows = {i: cells[i] for i in lines[-4:] if len(cells[i]) == width} or {
        i: [*cells[i], ""] if trailing else ["", *cells[i]]
        for i in lines[-2:]
        if len(cells[i]) == width - 1
    }
    # A row that says the same of all columns (the device, CAL) is not that of their names.
    named = [i for i, row in rows.items() if len({*filter(None, row)}) > 1 or _are_units(row)]
    named = named if named and width > 1 else [*rows]
    units = rows[named.pop()] if len(named) > 1 and _are_units(rows[named[-1]]) else [""] * width
    if not named:
        return [], units, set()
    return rows[named[-1]], units, {i for i in rows if i >= named[-1]}


def _is_statement(row: Cells) -> bool:
    """True if a row above the data is a key and a value, and no heading of columns."""
    alone = len(row) == 1 and re.search(r"[:=;,]", row[0])
    filled = [cell for cell in row if cell]
    short = len(filled) in (2, 3) and len(row) - len(filled) > 1  # Record Length,2500,points,,
    stated = short and not np.isnan(_number(filled[1], "."))
    return bool(alone or stated) or _is_keyed(row) or dialects.is_pair(row)


def _are_units(row: Cells) -> bool:
    words = {cell.lower() for cell in row if cell}
    return bool(words - {"raw", "cal"}) and sum(map(is_unit, row)) > len(row) / 2
