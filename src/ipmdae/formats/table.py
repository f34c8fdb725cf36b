"""CSV and other tables of text, also compressed by gzip: one row a sample, one column a lead."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description
from ipmdae.formats.blocks import SignalReader, SignalWriter, check_length, read_whole
from ipmdae.formats.columns import heading, select, units_of, warn_of_steps, warn_sparse
from ipmdae.formats.errors import (
    FormatError,
    check_expansion,
    check_exponents,
    check_samples,
    reason,
)
from ipmdae.formats.markers import without_markers
from ipmdae.formats.names import WORDS
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.resampling import resampled
from ipmdae.formats.table_layout import is_empty
from ipmdae.formats.table_text import expanding, is_archive, open_text, sniff, stored_size
from ipmdae.formats.table_times import Stamps, chosen
from ipmdae.formats.times import Timeline, placed
from ipmdae.recording import Header, Recording, Resolution
from ipmdae.text import unique

NAME = "CSV/TSV"
SUFFIXES: tuple[str, ...] = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
OPTIONS = frozenset({"unit", "columns", "resample"})

_MINUS = "\u2212".encode()

_MISSING = [case(mark) for mark in WORDS["missing"] for case in (str, str.upper, str.capitalize)]
_MISSING += ["NaN(0)", "NaN(ind)", "-NaN(ind)"]

_OTHER_ENCODING = re.compile("[\x80-\xff]{3}")
"""Letters of Latin-1 as they stand in text of another encoding, and hardly in European names."""

_CHUNK = 1 << 23
"""Bytes that are parsed at once."""

_WIDE = 64
"""Columns from which on a table without headings may be transposed."""

_ROWS = 1 << 16
"""Rows that become text at once."""


def recognises(path: Path) -> bool:
    """True if it is a table in a zip archive, as Apple Health exports it, or text with a rate.

    Text of LabVIEW (``.lvm``) is read, and not written.

    Other text is recognised by its suffix.
    """
    if not path.name.lower().endswith((*SUFFIXES, ".lvm")) or not path.is_file():
        return is_archive(path)
    try:
        layout, _, _ = sniff(path)
    except (FormatError, OSError):
        return False
    timed = any(column.kind == "time" for column in layout.columns)
    return bool(layout.head.fs or (timed and len(layout.rows) > 2))


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a table whole; see :func:`open_reader`. It holds no annotations."""
    return read_whole(TableReader(path, options))


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a table; separator, decimal comma, head, headings, kinds and units are found out.

    The rate is that of the head (``Sample Rate,512 Hz``), or the mean rate of a time column (in s,
    ms, µs, ns, since 1970 or not, clock times, dates); rows left out become missing samples. Units
    stand in the head, in headings, ``II (mV)`` or ``ecg_uV``, or in a row of their own. Columns
    that are not leads (accelerometer, heart rate) are kept in their units; sample counters, times,
    and columns without numbers are left out.

    Args:
        path: the file, perhaps in a zip archive: ``export.zip/folder/ecg.csv``.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is not a table of numbers, or has no rate, or an irregular one.
    """
    return TableReader(path, options)


def open_writer(header: Header, path: Path) -> SignalWriter:
    """Open a table to write; see :func:`write`."""
    return TableWriter(header, path)


def write(recording: Recording, path: Path) -> None:
    """Write a table: ``time (s)``, or ``time (seconds since 2024-01-02T10:11:12)``, and the leads.

    Separated by commas, or by tabs if the suffix is ``.tsv``; compressed if it is ``.gz``. Values
    have as many decimals as it takes to find the digital ones again. A missing sample is ``nan``.
    Annotations and metadata are left out with a warning, comments and resolution silently.

    Raises:
        OSError: the file cannot be written.
    """
    with TableWriter(recording.header, path) as writer:
        writer.write(recording.signal)


class _Chunk(NamedTuple):
    """Whole rows: where they lie in the file, and which they are."""

    offset: int
    size: int
    row: int
    rows: int


class TableReader(SignalReader):
    """A table that is parsed in chunks; a first pass counts rows and checks their times."""

    def __init__(self, path: Path, options: ReadOptions = DEFAULTS) -> None:
        """Scan a table; see :func:`open_reader`."""
        self._path = path
        layout, self._offset, self._encoding = sniff(path)
        self._layout = layout
        filled = [[not is_empty(c) for c in layout.cells(i)] for i in range(layout.width)]
        numeric = [layout.is_numeric(i) for i in range(layout.width)]
        self._leads = select(path, layout.columns, numeric, options.columns)
        self._warn_of_encoding()
        warn_sparse(
            path,
            [layout.columns[i] for i in self._leads],
            [np.array(filled[i]) for i in self._leads],
        )
        times = [
            i
            for i, column in enumerate(layout.columns)
            if column.kind == "time" and i not in self._leads and (numeric[i] or layout.stamps[i])
        ]
        try:
            self._stamps = chosen(layout, times)
        except ValueError as error:
            raise FormatError(path, f"has an invalid time ({error})") from error
        self._chunks: list[_Chunk] = []
        self._last: tuple[_Chunk, NDArray[np.float64]] | None = None
        self._whole: NDArray[np.float64] | None = None
        self._stream = open_text(path)
        try:
            self.info = self._open(options)
        except BaseException:
            self._stream.close()
            raise

    def _open(self, options: ReadOptions) -> Header:
        layout, head, path = self._layout, self._layout.head, self._path
        self._check_transposed()
        columns = [layout.columns[i] for i in self._leads]
        rows, timeline, times = self._scan(keep=options.resample)
        check_samples(path, rows, len(columns))
        values = [layout.values[:, i] for i in self._leads]
        self._units = units_of(path, columns, values, options, head.unit)
        warn_of_steps(path, columns, layout.head.scale, options)
        self._places = [(0, rows, 0)]
        if options.resample and timeline and (timeline.is_uneven or options.fs):
            self._whole, rate = resampled(path, times, self.read(0, rows), options.fs)
            samples = len(self._whole)
        else:
            rate, self._places, samples = placed(path, rows, timeline, options.fs, head.fs)
        check_samples(path, samples, len(columns), held=rows)
        if head.fs or not self._stamps:
            by = f", as {head.device} writes it" if head.device else ""
            self.rate_from = f"from the head of the file{by}"
        else:
            index = self._stamps.index
            self.rate_from = (
                f"from the times in column {layout.columns[index].heading or index + 1}"
            )
        names = [column.name for column in columns]
        if head.lead and names == [""]:
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
            raise FormatError(path, str(error)) from error

    def _scan(self, keep: bool) -> tuple[int, Timeline | None, NDArray[np.float64]]:
        """Count the rows and gather their times, of which all are kept only if asked for."""
        stamps = self._stamps if self._stamps and self._stamps.scale else None
        timeline = Timeline(self._path, stamps.quantum, len(self._leads)) if stamps else None
        rows, kept = 0, [np.zeros(0)]
        for offset, data in self._pieces():
            cells = self._parse(data, [stamps.index if stamps else self._leads[0]]).iloc[:, 0]
            if stamps and timeline:
                times = self._times(stamps, cells)
                timeline.add(times)
                kept += [times] if keep else []
            self._check_width(data, rows, len(cells))
            if len(cells):
                self._chunks.append(_Chunk(offset, len(data), rows, len(cells)))
                rows += len(cells)
        return rows, timeline, np.concatenate(kept)

    def _times(self, stamps: Stamps, cells: Any) -> NDArray[np.float64]:
        try:
            return stamps.seconds(self._path, cells)
        except FormatError as error:
            raise self._refusal(error.reason) from error

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        if self._whole is not None:
            return self._whole[first:stop]
        out = np.full((stop - first, len(self._leads)), np.nan)
        for row, rows, sample in self._places:
            begin, end = row + max(first - sample, 0), row + min(stop - sample, rows)
            for chunk in self._chunks if end > begin else ():
                low, high = max(chunk.row, begin), min(chunk.row + chunk.rows, end)
                if high > low:
                    at = low - row + sample - first
                    values = self._values(chunk)[low - chunk.row : high - chunk.row]
                    out[at : at + len(values)] = values
        out -= self._units.zero
        out *= self._units.scale
        return out

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _values(self, chunk: _Chunk) -> NDArray[np.float64]:
        if self._last is None or self._last[0] is not chunk:
            self._stream.seek(chunk.offset)
            table = self._parse(self._stream.read(chunk.size), self._leads)
            values = np.ascontiguousarray(table.to_numpy(np.float64))
            if np.isinf(values).any() or len(values) != chunk.rows:
                raise FormatError(self._path, "holds infinite values; leave missing cells empty")
            self._last = chunk, without_markers(self._path, values)
        return self._last[1]

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines of the data, with their first byte."""
        stored, offset = stored_size(self._path), self._offset
        rest = b""
        self._stream.seek(offset)
        while True:
            with expanding(self._path):
                data = self._stream.read(_CHUNK)
            check_expansion(self._path, stored, offset + len(rest) + len(data))
            if not data:
                break
            whole, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                yield offset, whole + newline
                offset += len(whole) + 1
            elif len(rest) > 8 * _CHUNK:
                raise FormatError(self._path, "is not a table: a line of it never ends")
        if rest.strip():
            if len(self._layout.split(rest.decode(self._encoding, "replace"))) < self._layout.width:
                raise self._refusal(
                    "is cut off in its last row; fetch it again, or delete that row"
                )
            yield offset, rest

    def _warn_of_encoding(self) -> None:
        """Warn of names that seem to be of another encoding than the one assumed."""
        names = [self._layout.columns[i].heading for i in self._leads]
        strange = [name for name in names if _OTHER_ENCODING.search(name)]
        if self._encoding == "latin-1" and strange:
            warnings.warn(
                f"{self._path}: is not UTF-8; names such as {strange[0]!r} may be wrong: save it "
                "as UTF-8",
                stacklevel=4,
            )

    def _check_transposed(self) -> None:
        """Refuse a table that has a row for each lead instead of each sample."""
        rows = width = 0
        if any(column.heading for column in self._layout.columns):
            return
        for _, data in self._pieces() if self._layout.width > _WIDE else ():
            width = width or len(self._layout.split(data.split(b"\n", 1)[0].decode("latin-1")))
            rows += sum(map(bool, map(bytes.strip, data.split(b"\n"))))
        if 8 * rows < width:
            raise FormatError(
                self._path,
                f"has {rows} row{'s' * (rows > 1)} of {width} cells: one row per sample is needed; "
                "transpose it",
            )

    def _check_width(self, data: bytes, first: int, rows: int) -> None:
        """Refuse rows of more or fewer cells, which pandas would cut or fill up without a word."""
        mark, width = self._layout.separator, self._layout.width
        if len(mark) != 1 or b'"' in data:
            return
        if self._layout.head.remarks:
            lines = filter(bytes.strip, data.split(b"\n"))
            even = all(line.count(mark.encode()) in (width - 1, width) for line in lines)
        else:
            even = data.count(mark.encode()) == rows * (width - 1)
        if not even:
            raise self._refusal(
                f"not all of the rows {first + 1} to {first + rows} have {width} cells"
            )

    def _refusal(self, otherwise: str) -> FormatError:
        """The error of a table with a footer or another table below; or else what is wrong."""
        at, layout = 0, self._layout
        self._stream.seek(0)
        for number, line in enumerate(self._stream, 1):
            text = line.decode(self._encoding, "replace").strip("\r\n")
            below, at = at >= self._offset, at + len(line)
            if below and text.strip() and not layout.is_row(layout.split(text)):
                otherwise = (
                    f"line {number} is no row of numbers ({text.strip()[:40]!r}); "
                    "keep one table alone in the file, without what is below it"
                )
                break
        return FormatError(self._path, otherwise)

    def _parse(self, data: bytes, columns: list[int]) -> Any:
        """Columns of rows as a DataFrame, of numbers or of stamps that are texts."""
        import pandas as pd

        check_exponents(self._path, data)
        layout = self._layout
        textual = any(layout.stamps[i] for i in columns)
        try:
            table = pd.read_csv(
                io.BytesIO(data.replace(_MINUS, b"-") if _MINUS in data else data),
                sep=layout.separator,
                decimal=layout.decimal,
                header=None,
                usecols=columns,
                dtype=str if textual or layout.thousands else np.float64,
                encoding=self._encoding,
                encoding_errors="replace",
                skipinitialspace=True,
                na_values=_MISSING,
                engine="c",
            )
            if layout.thousands and not textual:
                table = table.apply(lambda cells: cells.map(self._ungrouped, na_action="ignore"))
        except Exception as error:
            raise self._refusal(
                f"is not a table of numbers ({reason(error)}); "
                "choose columns that are (columns=, --columns)"
            ) from error
        return table[columns]

    def _ungrouped(self, cell: str) -> float:
        """The number in a cell that may have thousands separators; pandas takes 1,5 for 15."""
        if not self._layout.is_number(cell):
            raise ValueError(f"could not convert string to float: {cell!r}")
        return self._layout.number(cell)


class TableWriter(SignalWriter):
    """A table that is written block by block."""

    def __init__(self, header: Header, path: Path) -> None:
        """Prepare the headings; see :func:`write`."""
        lost = {"annotations": header.annotations, "metadata": header.metadata}
        description.warn_lost(path, header, "a table", lost=lost)
        self._header, self._path, self._rows = header, path, 0
        name = path.name.lower()
        self._zipped = name.endswith(".gz")
        mark = "\t" if name.removesuffix(".gz").endswith(".tsv") else ","
        cells = map(_cell, header.resolution, header.units)
        self._format = mark.join([f"%.{_time_decimals(header.fs)}f", *cells]) + "\n"
        since = f"seconds since {header.start.isoformat()}" if header.start else "s"
        text = io.StringIO()
        titles = [heading("time", since), *map(heading, header.leads, header.units)]
        csv.writer(text, delimiter=mark, lineterminator="\n").writerow(titles)
        self._first = text.getvalue()
        self._stack = ExitStack()
        self._file: Any = None

    def __enter__(self) -> TableWriter:
        aside = self._stack.enter_context(replacing(self._path))
        file = gzip.open(aside, "wb", compresslevel=4) if self._zipped else aside.open("wb")
        self._file = self._stack.enter_context(file)
        self._file.write(self._first.encode())
        return self

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        for first in range(0, len(block), _ROWS):
            part = block[first : first + _ROWS]
            time = (self._rows + np.arange(len(part))) / self._header.fs
            cells: Sequence[float] = np.column_stack([time, part]).reshape(-1).tolist()
            self._file.write((self._format * len(part) % tuple(cells)).encode())
            self._rows += len(part)

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        try:
            if kind is None:
                check_length(self._path, self._header, self._rows)
        except BaseException as error:
            self._stack.__exit__(type(error), error, None)
            raise
        self._stack.__exit__(kind, *others)  # type: ignore[arg-type]


def _cell(how: Resolution | None, unit: str) -> str:
    """Format of a lead's values: to a quarter of a step, or 1 nV; 12 digits if not a voltage."""
    if how is None:
        return "%.6f" if unit == "mV" else "%.12g"
    return f"%.{min(max(math.ceil(math.log10(2 / how.step)), 0), 15)}f"


def _time_decimals(fs: float) -> int:
    """Decimals that the sampling interval has, up to 9."""
    return next((n for n in range(1, 9) if (10**n / fs).is_integer()), 9)
