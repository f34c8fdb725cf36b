"""How a text table is laid out: encoding, separator, decimal sign, headings, first row of data."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from ipmdae.formats.columns import Column, column
from ipmdae.formats.errors import FormatError, reason

HEAD = 1 << 16
"""Bytes of a file that are looked at."""

_SEPARATORS = (";", "\t", ",", "|", r"\s+")
EMPTY = {"", "nan", "na", "n/a", "null", "none", "-", "nil"}
_CLOCK = re.compile(r"\[?(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:[.,]\d*)?)\]?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?")

NUMBER, CLOCK, DATE = "number", "clock", "date"


@dataclass(frozen=True)
class Layout:
    """A text table.

    Attributes:
        encoding, separator, decimal: as pandas takes them.
        offset: first byte of the data.
        columns: one a column, by its heading.
        headed: whether there are headings.
        comments: what stands above the table.
        rows: the cells of the first rows.
    """

    encoding: str
    separator: str
    decimal: str
    offset: int
    columns: tuple[Column, ...]
    headed: bool
    comments: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def stamps(self, index: int) -> str:
        """What the cells of a column are: numbers, times of the day, or dates with times."""
        cells = [row[index] for row in self.rows if len(row) > index]
        if cells and all(_DATE.fullmatch(cell) for cell in cells):
            return DATE
        if cells and all(_CLOCK.fullmatch(cell) for cell in cells):
            return CLOCK
        return NUMBER


def open_bytes(path: Path) -> gzip.GzipFile | BufferedReader:
    """A file to read, expanded if it is compressed by gzip."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")


def sniff(path: Path) -> Layout:
    """Look at the beginning of a file.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is no text table of numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    with open_bytes(path) as file:
        try:
            head = file.read(HEAD)
            complete = not file.read(1)
        except (OSError, EOFError, zlib.error) as error:
            raise FormatError(path, f"cannot be expanded ({reason(error)})") from error
    encoding = _encoding(path, head)
    lines = head.split(b"\n")
    if not complete and len(lines) > 1:
        lines.pop()
    texts = [line.decode(encoding).lstrip("\ufeff").strip("\r") for line in lines]
    comments: list[str] = []
    filled = [i for i, text in enumerate(texts) if text.strip() and text.lstrip()[0] not in "#%"]
    if not filled:
        raise FormatError(path, "holds no table")
    separator = _separator([texts[i] for i in filled])
    decimal = _decimal([cell for i in filled for cell in split(texts[i], separator)], separator)
    first = next(
        (i for i in filled if _is_data(split(texts[i], separator), decimal)),
        None,
    )
    if first is None:
        raise FormatError(path, "holds no row of numbers")
    width = len(split(texts[first], separator))
    above = [split(texts[i], separator) for i in filled if i < first]
    headings = [row for row in above if len(row) == width][-2:]
    comments = [
        text.strip().lstrip("#%").strip()
        for i, text in enumerate(texts[:first])
        if text.strip() and (i not in filled or len(split(text, separator)) != width)
    ]
    names, units = _headings(headings, width)
    return Layout(
        encoding=encoding,
        separator=separator,
        decimal=decimal,
        offset=sum(len(line) + 1 for line in lines[:first]),
        columns=tuple(column(name, unit) for name, unit in zip(names, units, strict=True)),
        headed=bool(headings),
        comments=tuple(comments),
        rows=tuple(
            tuple(split(texts[i], separator)) for i in [j for j in filled if j >= first][:200]
        ),
    )


def split(text: str, separator: str) -> list[str]:
    """The cells of a row, without quotes and blanks around them."""
    if separator == r"\s+":
        parts = text.split()
    elif text.count('"') % 2 == 0 and '"' in text:
        parts = next(csv.reader([text], delimiter=separator, skipinitialspace=True))
    else:
        parts = text.split(separator)
    return [_unquoted(part.strip()).strip() for part in parts]


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def is_number(cell: str, decimal: str) -> bool:
    """Whether a cell is a number or says that there is none."""
    if cell.lower() in EMPTY:
        return True
    try:
        float(cell.replace(decimal, ".") if "." not in cell or decimal == "." else "?")
        return "_" not in cell
    except ValueError:
        return False


def clock_seconds(cell: str) -> float:
    """``12:34:56.7`` or ``34:56.7`` in s.

    Raises:
        ValueError: it is no time.
    """
    found = _CLOCK.fullmatch(cell.strip().strip("'\""))
    if not found:
        raise ValueError(f"{cell!r} is no time")
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def _encoding(path: Path, head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError(path, "is encoded in UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise FormatError(path, "is no text")
    try:
        # A character may be cut at the end of what was read.
        head[: len(head) - 3 if len(head) == HEAD else None].decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        return "latin-1"


def _separator(texts: Sequence[str]) -> str:
    """The separator by which the last lines, which are data, all have the same number of cells."""
    data = texts[-min(20, max(len(texts) - 1, 1)) :]
    for separator in _SEPARATORS:
        counts = {len(split(text, separator)) for text in data}
        if len(counts) == 1 and counts.pop() > 1:
            return separator
    return next((s for s in _SEPARATORS[:4] if any(s in text for text in data)), ",")


def _decimal(cells: Sequence[str], separator: str) -> str:
    commas = sum(bool(re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", cell)) for cell in cells)
    points = sum(bool(re.fullmatch(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", cell)) for cell in cells)
    return "," if separator != "," and commas > points else "."


def _is_data(cells: Sequence[str], decimal: str) -> bool:
    """Whether a row is data: numbers, stamps, perhaps a word, but not words only."""
    numbers = [cell for cell in cells if cell and is_number(cell, decimal)]
    stamps = [cell for cell in cells if _CLOCK.fullmatch(cell) or _DATE.fullmatch(cell)]
    words = len(cells) - len(numbers) - len(stamps) - sum(not cell for cell in cells)
    return bool(numbers) and len(numbers) + len(stamps) > words


def _headings(rows: Sequence[Sequence[str]], width: int) -> tuple[Sequence[str], Sequence[str]]:
    """Names and units of the columns, from no row, a row of names, or names and units."""
    if not rows:
        return [""] * width, [""] * width
    if len(rows) == 1:
        return rows[0], [""] * width
    return rows[0], rows[1]
