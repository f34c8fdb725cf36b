"""CSV and other tables of text, also compressed by gzip: one row a sample, one column a lead."""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import delimited_layout as layouts
from ipmdae.formats.blocks import SignalReader, SignalWriter
from ipmdae.formats.columns import Column, unique
from ipmdae.formats.delimited_layout import Layout, open_bytes, sniff
from ipmdae.formats.delimited_times import Stamps, quantum
from ipmdae.formats.delimited_writer import DelimitedWriter, write
from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.lead_names import assume_units
from ipmdae.formats.limits import check_expansion, check_samples
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.times import Timeline
from ipmdae.recording import Header, Recording, millivolts

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "CSV/TSV"
SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")

_CHUNK = 1 << 23
"""Bytes that are parsed at once."""


def recognises(path: Path) -> bool:
    """Text has no mark of its own: the suffix decides."""
    return False


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a table whole; see :func:`open_reader`. It holds no annotations."""
    with DelimitedReader(path, options) as reader:
        return Recording.from_header(reader.info, reader.read(0, reader.info.samples))


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a table; separator, decimal comma, headings and units are found out.

    A time column (``time``, ``t``, ``timestamp``, ``ms``, …, in s unless it says otherwise, or
    clock times, or dates) tells the rate; rows left out become missing samples. Without one, ``fs``
    must be given. Units stand in headings, ``II (mV)`` or ``ecg_uV``, or in a second row of them.
    Columns of other units are kept; those that hold no numbers are left out with a warning.

    Args:
        path: the file.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is no table of numbers, or has no rate, or an irregular one.
    """
    return DelimitedReader(path, options)


def open_writer(header: Header, path: Path) -> SignalWriter:
    """Open a table to write; see :func:`~ipmdae.formats.delimited_writer.write`."""
    return DelimitedWriter(header, path)


@dataclass(frozen=True)
class _Chunk:
    """Whole rows: where they lie in the file, and which they are."""

    offset: int
    size: int
    row: int
    rows: int


class DelimitedReader(SignalReader):
    """A table that is parsed piece by piece; a first pass counts rows and checks their times."""

    def __init__(self, path: Path, options: ReadOptions = DEFAULTS) -> None:
        """Scan a table; see :func:`open_reader`."""
        self._path, fs = path, options.fs
        self._layout = layout = sniff(path)
        self._leads, self._time = _parts(path, layout, fs)
        if not self._leads:
            raise FormatError(path, "has no column of samples")
        self._chunks: list[_Chunk] = []
        self._start = layout.columns[self._time].start if self._time is not None else None
        self._stream = open_bytes(path)
        try:
            rate = self._scan(fs)
            self.info = self._header(rate)
        except BaseException:
            self._stream.close()
            raise
        self._last: tuple[_Chunk, NDArray[np.float64]] | None = None

    def _scan(self, fs: float | None) -> float:
        """Count the rows, and find out rate and gaps if there is a time column."""
        column = self._time
        timeline = Timeline(self._path, quantum(self._layout, column))
        rows, stamps = 0, Stamps(self._layout, column)
        for offset, data in self._pieces():
            first = self._leads[0][0]
            table = self._parse(data, [column if column is not None else first], column is not None)
            cells = table.iloc[:, 0]
            if column is not None:
                timeline.add(stamps.seconds(self._path, cells))
            self._check_width(data, rows, len(cells))
            if len(cells):
                self._chunks.append(_Chunk(offset, len(data), rows, len(cells)))
                rows += len(cells)
        check_samples(self._path, rows, len(self._leads))
        if column is None:
            if fs is None:
                raise FormatError(self._path, "says no sampling rate; give it (fs=, --fs)")
            self._places, self._samples = [(0, rows, 0)], rows
            return fs
        self._start = self._start or stamps.start
        rate = timeline.rate()
        self._places, self._samples = timeline.places(rate)
        check_samples(self._path, self._samples, len(self._leads), held=rows)
        return rate

    def _header(self, rate: float) -> Header:
        columns = [column for _, column in self._leads]
        names = unique([column.name for column in columns])
        units = assume_units(self._path, names, [column.unit for column in columns])
        self._scales = np.array([millivolts(unit) or 1.0 for unit in units])
        try:
            return Header(
                samples=self._samples,
                fs=rate,
                leads=tuple(names),
                units=tuple("mV" if millivolts(unit) else unit for unit in units),
                start=self._start,
                comments=self._layout.comments,
            )
        except ValueError as error:
            raise FormatError(self._path, str(error)) from error

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        out = np.full((stop - first, len(self._leads)), np.nan)
        for row, rows, sample in self._places:
            a, b = max(sample, first), min(sample + rows, stop)
            for low, values in self._rows(row + a - sample, row + b - sample) if b > a else ():
                at = low - row + sample - first
                out[at : at + len(values)] = values
        out *= self._scales
        return out

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _rows(self, first: int, stop: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The rows ``first`` to ``stop`` in pieces: the first row and the values of each."""
        for chunk in self._chunks:
            low, high = max(chunk.row, first), min(chunk.row + chunk.rows, stop)
            if high > low:
                yield low, self._values(chunk)[low - chunk.row : high - chunk.row]

    def _values(self, chunk: _Chunk) -> NDArray[np.float64]:
        if self._last is None or self._last[0] is not chunk:
            self._stream.seek(chunk.offset)
            data = self._stream.read(chunk.size)
            table = self._parse(data, [index for index, _ in self._leads], False)
            values = np.ascontiguousarray(table.to_numpy(np.float64))
            if np.isinf(values).any() or len(values) != chunk.rows:
                raise FormatError(self._path, "holds infinite values; leave missing cells empty")
            self._last = chunk, values
        return self._last[1]

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines of the data, with their first byte."""
        stored, offset = self._path.stat().st_size, self._layout.offset
        rest = b""
        self._stream.seek(offset)
        while True:
            try:
                data = self._stream.read(_CHUNK)
            except (OSError, EOFError, zlib.error) as error:
                raise FormatError(self._path, f"cannot be expanded ({reason(error)})") from error
            check_expansion(self._path, stored, offset + len(rest) + len(data))
            if not data:
                break
            whole, newline, tail = (rest + data).rpartition(b"\n")
            if newline:
                yield offset, whole + newline
                offset += len(whole) + 1
            elif len(tail) > 8 * _CHUNK:
                raise FormatError(self._path, "is no table: a line of it never ends")
            rest = tail
        if rest.strip():
            self._check_last(rest)
            yield offset, rest

    def _check_width(self, data: bytes, first: int, rows: int) -> None:
        """Refuse rows of more or fewer cells, which pandas would cut or fill up without a word."""
        mark = self._layout.separator
        expected = rows * (len(self._layout.columns) - 1)
        if len(mark) == 1 and b'"' not in data and data.count(mark.encode()) != expected:
            raise FormatError(
                self._path,
                f"not all of the rows {first + 1} to {first + rows} have "
                f"{len(self._layout.columns)} cells",
            )

    def _check_last(self, line: bytes) -> None:
        cells = layouts.split(line.decode(self._layout.encoding, "replace"), self._layout.separator)
        if len(cells) < len(self._layout.columns):
            raise FormatError(
                self._path, "is cut off in its last row; fetch it again, or delete that row"
            )

    def _parse(self, data: bytes, columns: list[int], texts: bool) -> Any:
        """Columns of rows as a DataFrame, of numbers unless stamps may be ``texts``."""
        import pandas as pd

        layout = self._layout
        numeric = not texts or layout.stamps(columns[0]) == layouts.NUMBER
        try:
            table = pd.read_csv(
                io.BytesIO(data),
                sep=layout.separator,
                decimal=layout.decimal,
                header=None,
                usecols=columns,
                dtype=np.float64 if numeric else str,
                encoding=layout.encoding,
                encoding_errors="replace",
                skipinitialspace=True,
                na_values=["-", "nil"],
                engine="c",
            )
        except Exception as error:
            raise FormatError(self._path, f"is no table of numbers ({reason(error)})") from error
        return table[columns]


def _parts(
    path: Path, layout: Layout, fs: float | None
) -> tuple[list[tuple[int, Column]], int | None]:
    """The columns of samples, by index, and the index of the time column if there is one."""
    leads, time, words = [], None, []
    for i, column in enumerate(layout.columns):
        cells = [row[i] for row in layout.rows if len(row) > i]
        kind = layout.stamps(i)
        if time is None and (column.kind == "time" or kind != layouts.NUMBER):
            time = i
        elif column.kind == "index" and layout.headed:
            continue
        elif not all(layouts.is_number(cell, layout.decimal) for cell in cells):
            words.append(column.name or f"column {i + 1}")
        elif i == 0 and not layout.headed and len(layout.columns) > 1 and _counts(cells, layout):
            step = _value(cells[1], layout) - _value(cells[0], layout)
            time = i if step < 1 and fs is None else None
        else:
            leads.append((i, column))
    if words:
        warnings.warn(f"{path}: {', '.join(words)} holds no numbers and is left out", stacklevel=6)
    return leads, time


def _counts(cells: list[str], layout: Layout) -> bool:
    """Whether a column without a heading counts up evenly, as times and sample numbers do."""
    if len(cells) < 3 or any(cell.lower() in layouts.EMPTY for cell in cells):
        return False
    steps = np.diff([_value(cell, layout) for cell in cells])
    return bool(steps.min() > 0 and steps.max() < 3 * steps.min())


def _value(cell: str, layout: Layout) -> float:
    return float(cell.replace(layout.decimal, "."))
