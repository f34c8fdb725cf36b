"""Apache Parquet by pyarrow: a row a sample, a column a lead; read and written in row groups."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description, isolated
from ipmdae.formats.blocks import SignalReader, SignalWriter, check_length
from ipmdae.formats.columns import Column, column, heading, unique
from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.lead_names import assume_units
from ipmdae.formats.limits import check_expansion, check_samples
from ipmdae.formats.optional import needs, require
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.times import Timeline
from ipmdae.recording import Header, Recording, millivolts

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "Parquet"
SUFFIXES: tuple[str, ...] = (".parquet", ".pq")
LIBRARY = "pyarrow"

_MAGIC = b"PAR1"
_GROUP = 1 << 18
"""Rows of a row group that is written."""


def recognises(path: Path) -> bool:
    """Whether the file begins as Parquet does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == _MAGIC


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a table whole; see :func:`open_reader`."""
    with open_reader(path, options=options) as reader:
        info = reader.info if annotations else dataclasses.replace(reader.info, annotations={})
        return Recording.from_header(info, reader.read(0, info.samples))


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a table: ours, or another with a time column and leads, named as in CSV files.

    It is read in a process of its own, which a broken file may end.

    Args:
        path: the file.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is broken, or has no columns of numbers, or no rate.
        ModuleNotFoundError: pyarrow is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    require("pyarrow", "Parquet files")
    return isolated.open_reader(path, options, __name__)


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Open a table in this process; see :func:`open_reader`."""
    return ParquetReader(path, options)


def open_writer(header: Header, path: Path) -> SignalWriter:
    """Open a table to write; see :func:`write`."""
    return ParquetWriter(header, path)


def write(recording: Recording, path: Path) -> None:
    """Write columns ``time (s)`` and leads (mV, float64), and a description as file metadata.

    Raises:
        OSError: the file cannot be written.
        ModuleNotFoundError: pyarrow is not installed.
    """
    with ParquetWriter(recording.header, path) as writer:
        for first in range(0, recording.samples, _GROUP):
            writer.write(recording.signal[first : first + _GROUP])


class ParquetReader(SignalReader):
    """A table of which the row groups that are asked for are read."""

    def __init__(self, path: Path, options: ReadOptions = DEFAULTS) -> None:
        """Read the schema, and the time column if the table is not ours."""
        with needs("pyarrow", "Parquet files"):
            import pyarrow.parquet as pq
        self._path = path
        try:
            self._file: Any = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
        except Exception as error:
            raise FormatError(path, f"the table is broken ({reason(error)})") from error
        try:
            self._open(options.fs)
        except BaseException as error:
            self._file.close()
            if isinstance(error, (FormatError, PermissionError)) or not isinstance(
                error, Exception
            ):
                raise
            raise FormatError(path, f"the table is broken ({reason(error)})") from error

    def _open(self, fs: float | None) -> None:
        meta, schema = self._file.metadata, self._file.schema_arrow
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        check_expansion(
            self._path, self._path.stat().st_size, sum(max(g.total_byte_size, 0) for g in groups)
        )
        self._rows = np.cumsum([0, *(group.num_rows for group in groups)])
        self._last: tuple[int, NDArray[np.float64]] | None = None
        known = (schema.metadata or {}).get(description.KEY.encode())
        if known is not None:
            self._open_own(schema.names[1:], known)
            return
        time, leads = _parts(self._path, schema)
        if not leads:
            raise FormatError(self._path, "has no column of numbers")
        self._columns = [name for name, _ in leads]
        check_samples(self._path, int(self._rows[-1]), len(leads))
        size = 8 * int(self._rows[-1]) * (len(leads) + 1)
        check_expansion(self._path, self._path.stat().st_size, size)
        rate, self._places, samples = self._timeline(time, fs)
        names = unique([column.name for _, column in leads])
        units = assume_units(self._path, names, [column.unit for _, column in leads])
        self._scales = np.array([millivolts(unit) or 1.0 for unit in units])
        units = ["mV" if millivolts(unit) else unit for unit in units]
        self.info = Header(samples=samples, fs=rate, leads=tuple(names), units=tuple(units))

    def _open_own(self, columns: list[str], known: bytes) -> None:
        """A table of ours: a time, then the leads, by whatever name, and a description."""
        rows = int(self._rows[-1])
        check_samples(self._path, rows, len(columns))
        check_expansion(self._path, self._path.stat().st_size, 8 * rows * (len(columns) + 1))
        self._columns, self._places = columns, [(0, rows, 0)]
        self._scales = np.ones(len(columns))
        self.info = Header(samples=rows, **description.from_json(known))
        if len(self.info.leads) != len(columns):
            raise FormatError(self._path, "its description is of another table")

    def _timeline(
        self, time: tuple[str, Column] | None, fs: float | None
    ) -> tuple[float, list[tuple[int, int, int]], int]:
        """Rate, and where the rows belong, see :meth:`Timeline.places`."""
        rows = int(self._rows[-1])
        if time is None:
            if fs is None:
                raise FormatError(self._path, "says no sampling rate; give it (fs=, --fs)")
            return fs, [(0, rows, 0)], rows
        timeline = Timeline(self._path, 1e-9)
        first: Any = None
        for group in range(len(self._rows) - 1):
            values = self._file.read_row_group(group, columns=[time[0]]).column(0).to_numpy()
            first = values[0] if first is None and len(values) else first
            steps = values - first
            if steps.dtype.kind == "m":
                seconds = steps / np.timedelta64(1, "s")
            else:
                seconds = steps.astype(np.float64) * time[1].seconds
            timeline.add(seconds)
        rate = timeline.rate()
        places, samples = timeline.places(rate)
        check_samples(self._path, samples, len(self._columns), held=rows)
        return rate, places, samples

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        out = np.full((stop - first, len(self._columns)), np.nan)
        for row, rows, sample in self._places:
            a, b = max(sample, first), min(sample + rows, stop)
            for low, values in self._pieces(row + a - sample, row + b - sample) if b > a else ():
                at = low - row + sample - first
                out[at : at + len(values)] = values
        out *= self._scales
        return out

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _pieces(self, first: int, stop: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        for group, (begin, end) in enumerate(zip(self._rows[:-1], self._rows[1:], strict=True)):
            low, high = max(int(begin), first), min(int(end), stop)
            if high > low:
                yield low, self._group(group)[low - int(begin) : high - int(begin)]

    def _group(self, group: int) -> NDArray[np.float64]:
        if self._last is None or self._last[0] != group:
            try:
                table = self._file.read_row_group(group, columns=self._columns)
                columns = [table.column(name).to_numpy() for name in self._columns]
                values = np.stack([np.asarray(c, np.float64) for c in columns], axis=1)
            except Exception as error:
                raise FormatError(self._path, f"the table is broken ({reason(error)})") from error
            if np.isinf(values).any():
                raise FormatError(self._path, "holds infinite values; leave missing cells empty")
            if len(values) != self._rows[group + 1] - self._rows[group]:
                raise FormatError(self._path, "the table is broken (rows are missing)")
            self._last = group, values
        return self._last[1]


class ParquetWriter(SignalWriter):
    """A table that is written in row groups."""

    def __init__(self, header: Header, path: Path) -> None:
        """Prepare the schema; see :func:`write`."""
        with needs("pyarrow", "Parquet files"):
            import pyarrow as pa
        description.warn_lost(path, header, "Parquet", lost={})
        names = unique(
            [heading(name, unit) for name, unit in zip(header.leads, header.units, strict=True)]
        )
        fields = [pa.field(name, pa.float64()) for name in ["time (s)", *names]]
        metadata = {description.KEY: description.to_json(header)}
        self._schema = pa.schema(fields, metadata=metadata)
        self._header, self._path = header, path
        self._stack = ExitStack()
        self._file: Any = None
        self._samples = 0

    def __enter__(self) -> ParquetWriter:
        import pyarrow.parquet as pq

        aside = self._stack.enter_context(replacing(self._path))
        writer = pq.ParquetWriter(aside, self._schema, compression="zstd")
        self._file = self._stack.enter_context(writer)
        return self

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        import pyarrow as pa

        time = (self._samples + np.arange(len(block))) / self._header.fs
        columns = [time, *np.ascontiguousarray(np.asarray(block).T)]
        arrays = [pa.array(values) for values in columns]
        self._file.write_table(pa.table(arrays, schema=self._schema), row_group_size=_GROUP)
        self._samples += len(block)

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        try:
            if kind is None:
                check_length(self._path, self._header, self._samples)
        except BaseException as error:
            self._stack.__exit__(type(error), error, None)
            raise
        self._stack.__exit__(kind, *others)  # type: ignore[arg-type]


def _parts(path: Path, schema: Any) -> tuple[tuple[str, Column] | None, list[tuple[str, Column]]]:
    """The time column, and those of samples, by their names in the table."""
    import pyarrow.types as types

    time, leads, words = None, [], []
    if len(set(schema.names)) != len(schema.names):
        raise FormatError(path, "has two columns of one name")
    for field in schema:
        found = column(field.name)
        stamps = types.is_timestamp(field.type) or types.is_duration(field.type)
        number = types.is_floating(field.type) or types.is_integer(field.type)
        if time is None and (stamps or (found.kind == "time" and number)):
            time = field.name, found
        elif found.kind == "index":
            continue
        elif number:
            leads.append((field.name, found))
        else:
            words.append(field.name)
    if words:
        warnings.warn(f"{path}: {', '.join(words)} holds no numbers and is left out", stacklevel=5)
    return time, leads
