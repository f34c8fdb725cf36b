"""CSV and other tables of text, also compressed by gzip: one row a sample, one column a lead."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import delimited_layout as layouts
from ipmdae.formats.blocks import SignalReader, SignalWriter
from ipmdae.formats.columns import select, unique
from ipmdae.formats.delimited_text import is_archive, open_text, sniff, stored_size
from ipmdae.formats.delimited_times import chosen
from ipmdae.formats.delimited_writer import DelimitedWriter, write
from ipmdae.formats.errors import (
    FormatError,
    check_expansion,
    check_exponents,
    check_samples,
    reason,
)
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.times import Timeline, placed, resampled
from ipmdae.formats.units import units_of
from ipmdae.recording import Header, Recording

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "CSV/TSV"
SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
OPTIONS = frozenset({"unit", "columns", "resample"})

_MINUS = "\u2212".encode()

_CHUNK = 1 << 23
"""Bytes that are parsed at once."""


def recognises(path: Path) -> bool:
    """True if it is a table in a zip archive, as Apple Health exports it, or text with a rate.

    Other text is recognised by its suffix.
    """
    if not path.name.lower().endswith(SUFFIXES) or not path.is_file():
        return is_archive(path)
    try:
        layout, _, _ = sniff(path)
    except (FormatError, OSError):
        return False
    timed = any(column.kind == "time" for column in layout.columns)
    return bool(layout.head.fs or (timed and len(layout.rows) > 2))


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a table whole; see :func:`open_reader`. It holds no annotations."""
    with DelimitedReader(path, options) as reader:
        return Recording.from_header(reader.info, reader.read(0, reader.info.samples))


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a table; separator, decimal comma, head, headings, kinds and units are found out.

    The rate is that of the head (``Sample Rate,512 Hz``), or the mean rate of a time column (in s,
    ms, µs, ns, since 1970 or not, clock times, dates); rows left out become missing samples. Units
    stand in the head, in headings, ``II (mV)`` or ``ecg_uV``, or in a row of their own. Columns
    that are not leads (accelerometer, heart rate) are kept in their units; sample counters,
    or times, or hold no numbers are left out.
    times, and columns without numbers are left out.

    Args:
        path: the file, perhaps in a zip archive: ``export.zip/folder/ecg.csv``.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is not a table of numbers, or has no rate, or an irregular one.
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
    """A table that is parsed in chunks; a first pass counts rows and checks their times."""

    def __init__(self, path: Path, options: ReadOptions = DEFAULTS) -> None:
        """Scan a table; see :func:`open_reader`."""
        self._path = path
        self._layout, self._offset, self._encoding = sniff(path)
        columns = self._layout.columns
        numeric = [self._is_numeric(i) for i in range(len(columns))]
        self._leads = select(path, columns, numeric, options.columns)
        times = [
            i
            for i, column in enumerate(columns)
            if column.kind == "time" and i not in self._leads
            if numeric[i] or self._layout.stamps(i) != layouts.NUMBER
        ]
        self._stamps = chosen(self._layout, times)
        self._chunks: list[_Chunk] = []
        self._last: tuple[_Chunk, NDArray[np.float64]] | None = None
        self._whole: NDArray[np.float64] | None = None
        self._stream = open_text(path)
        try:
            self.info = self._open(options)
        except BaseException:
            self._stream.close()
            raise

    def _is_numeric(self, index: int) -> bool:
        """True if nearly all first cells are numbers; a stray word is an error later."""
        cells = self._layout.cells(index)
        numbers = sum(layouts.is_number(cell, self._layout.decimal) for cell in cells)
        return numbers >= 0.9 * len(cells)

    def _open(self, options: ReadOptions) -> Header:
        columns = [self._layout.columns[i] for i in self._leads]
        decimal = self._layout.decimal
        values = [
            np.array([layouts.number(cell, decimal) for cell in self._layout.cells(i)])
            for i in self._leads
        ]
        head = self._layout.head
        rows, timeline, times = self._scan(keep=options.resample)
        check_samples(self._path, rows, len(self._leads))
        self._units = units_of(self._path, columns, values, options, head.unit)
        self._places = [(0, rows, 0)]
        if options.resample and timeline and (timeline.is_uneven or options.fs):
            signal = self.read(0, rows)
            self._whole, rate = resampled(self._path, times, signal, options.fs)
            samples = len(self._whole)
        else:
            rate, self._places, samples = placed(self._path, rows, timeline, options.fs, head.fs)
        check_samples(self._path, samples, len(self._leads), held=rows)
        self.rate_from = self._rate_from()
        names = [column.name for column in columns]
        if head.lead and len(names) == 1 and not names[0]:
            names = [head.lead]
        try:
            return Header(
                samples=samples,
                fs=rate,
                leads=tuple(unique(names)),
                units=self._units.names,
                start=(self._stamps and self._stamps.start) or head.start,
                comments=head.comments,
            )
        except ValueError as error:
            raise FormatError(self._path, str(error)) from error

    def _rate_from(self) -> str:
        """Source of the sampling rate, if the user does not state it."""
        head = self._layout.head
        if head.fs or not self._stamps:
            return f"from the head of the file{f', as {head.device} writes it' * bool(head.device)}"
        heading = self._layout.columns[self._stamps.index].heading
        return f"from the times in column {heading or self._stamps.index + 1}"

    def _scan(self, keep: bool) -> tuple[int, Timeline | None, NDArray[np.float64]]:
        """Count the rows and gather their times, of which all are kept only if asked for."""
        stamps = self._stamps if self._stamps and self._stamps.scale else None
        timeline = Timeline(self._path, stamps.quantum, len(self._leads)) if stamps else None
        rows, kept = 0, [np.zeros(0)]
        for offset, data in self._pieces():
            index = stamps.index if stamps else self._leads[0]
            cells = self._parse(data, [index]).iloc[:, 0]
            if stamps and timeline:
                times = stamps.seconds(self._path, cells)
                timeline.add(times)
                kept += [times] if keep else []
            self._check_width(data, rows, len(cells))
            if len(cells):
                self._chunks.append(_Chunk(offset, len(data), rows, len(cells)))
                rows += len(cells)
        return rows, timeline, np.concatenate(kept)

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        if self._whole is not None:
            return self._whole[first:stop]
        out = np.full((stop - first, len(self._leads)), np.nan)
        for row, rows, sample in self._places:
            a, b = max(sample, first), min(sample + rows, stop)
            for low, values in self._rows(row + a - sample, row + b - sample) if b > a else ():
                at = low - row + sample - first
                out[at : at + len(values)] = values
        out -= self._units.zero
        out *= self._units.scale
        return out

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _rows(self, first: int, stop: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The rows ``first`` to ``stop`` in chunks: the first row and the values of each."""
        for chunk in self._chunks:
            low, high = max(chunk.row, first), min(chunk.row + chunk.rows, stop)
            if high > low:
                yield low, self._values(chunk)[low - chunk.row : high - chunk.row]

    def _values(self, chunk: _Chunk) -> NDArray[np.float64]:
        if self._last is None or self._last[0] is not chunk:
            self._stream.seek(chunk.offset)
            table = self._parse(self._stream.read(chunk.size), self._leads)
            values = np.ascontiguousarray(table.to_numpy(np.float64))
            if np.isinf(values).any() or len(values) != chunk.rows:
                raise FormatError(self._path, "holds infinite values; leave missing cells empty")
            self._last = chunk, values
        return self._last[1]

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines of the data, with their first byte."""
        stored, offset = stored_size(self._path), self._offset
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
                raise FormatError(self._path, "is not a table: a line of it never ends")
            rest = tail
        if rest.strip():
            self._check_last(rest)
            yield offset, rest

    def _check_width(self, data: bytes, first: int, rows: int) -> None:
        """Refuse rows of more or fewer cells, which pandas would cut or fill up without a word."""
        mark = self._layout.separator
        expected = rows * (self._layout.width - 1)
        if len(mark) == 1 and b'"' not in data and data.count(mark.encode()) != expected:
            raise FormatError(
                self._path,
                f"not all of the rows {first + 1} to {first + rows} have "
                f"{self._layout.width} cells",
            )

    def _check_last(self, line: bytes) -> None:
        cells = layouts.split(line.decode(self._encoding, "replace"), self._layout.separator)
        if len(cells) < self._layout.width:
            raise FormatError(
                self._path, "is cut off in its last row; fetch it again, or delete that row"
            )

    def _parse(self, data: bytes, columns: list[int]) -> Any:
        """Columns of rows as a DataFrame, of numbers or of stamps that are texts."""
        import pandas as pd

        layout = self._layout
        numeric = all(layout.stamps(index) == layouts.NUMBER for index in columns)
        check_exponents(self._path, data)
        try:
            table = pd.read_csv(
                io.BytesIO(data.replace(_MINUS, b"-") if _MINUS in data else data),
                sep=layout.separator,
                decimal=layout.decimal,
                header=None,
                usecols=columns,
                dtype=np.float64 if numeric else str,
                encoding=self._encoding,
                encoding_errors="replace",
                skipinitialspace=True,
                na_values=["-", "nil"],
                engine="c",
            )
        except Exception as error:
            raise FormatError(self._path, f"is not a table of numbers ({reason(error)})") from error
        return table[columns]
