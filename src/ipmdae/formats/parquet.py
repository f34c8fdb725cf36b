"""Apache Parquet by pyarrow: a row a sample, a column a lead; read and written in row groups."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description, isolated
from ipmdae.formats.blocks import SignalReader, SignalWriter, check_length, read_whole
from ipmdae.formats.columns import (
    Column,
    Units,
    by_shape,
    column,
    heading,
    select,
    units_of,
)
from ipmdae.formats.documents import zone
from ipmdae.formats.errors import FormatError, check_expansion, check_samples, first_bytes, reason
from ipmdae.formats.optional import needs, require
from ipmdae.formats.options import DEFAULTS, ReadOptions, of_leads, restated
from ipmdae.formats.resampling import resampled
from ipmdae.formats.times import Places, Timeline, of_numbers, placed
from ipmdae.recording import Header, Recording
from ipmdae.text import unique

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "Parquet"
SUFFIXES: tuple[str, ...] = (".parquet", ".pq")
LIBRARY = "pyarrow"

OPTIONS = frozenset({"unit", "columns", "resample"})

_MAGIC = b"PAR1"
_HEAD = 2000
"""Rows by which columns are judged."""

_DATES = "time"
"""The column of dates in a table of ours."""

_GROUP = 1 << 18
"""Rows of a row group that is written."""


def recognises(path: Path) -> bool:
    """True if the file begins as Parquet does."""
    return first_bytes(path, 4) == _MAGIC


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a table whole; see :func:`open_reader`."""
    return read_whole(open_reader(path, options=options), annotations=annotations)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a table: ours, or another with a time column and leads, named as in CSV files.

    It is read in a child process, which a broken file may crash.

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

    Where the start is known, dates come last: pandas takes them for the index.

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
            self._open(options)
        except BaseException as error:
            self._file.close()
            if isinstance(error, (FormatError, PermissionError)) or not isinstance(
                error, Exception
            ):
                raise
            raise FormatError(path, f"the table is broken ({reason(error)})") from error

    def _open(self, options: ReadOptions) -> None:
        meta, schema = self._file.metadata, self._file.schema_arrow
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        check_expansion(
            self._path, self._path.stat().st_size, sum(max(g.total_byte_size, 0) for g in groups)
        )
        self._rows = np.cumsum([0, *(group.num_rows for group in groups)])
        self._last: tuple[int, NDArray[np.float64]] | None = None
        self._whole: NDArray[np.float64] | None = None
        rows = int(self._rows[-1])
        if len(set(schema.names)) != len(schema.names):
            raise FormatError(self._path, "has two columns of one name")
        text = (schema.metadata or {}).get(description.KEY.encode())
        known = None if text is None else description.from_json(text)
        columns, numeric, heads = self._kinds(schema)
        own = range(1, len(known["leads"]) + 1 if known else 1)
        leads = (
            list(own)
            if known and not options.columns
            else select(self._path, columns, numeric, options.columns)
        )
        # Of ours, a column that is no lead (the time) may be asked for too.
        ours = known if set(leads) <= set(own) else None
        if ours and len(columns) <= len(own):
            raise FormatError(self._path, "its description is of another table")
        self._columns = [schema.names[i] for i in leads]
        check_samples(self._path, rows, len(leads))
        check_expansion(self._path, self._path.stat().st_size, 8 * rows * (len(leads) + 1))
        self._places: Places = [(0, rows, 0)]
        if ours is not None:
            header = of_leads(Header(samples=rows, **ours), [i - 1 for i in leads])
            self.info, scale = restated(self._path, header, options)
            self._units = Units(self.info.units, scale, np.zeros(1))
            return
        chosen = [columns[i] for i in leads]
        self._units = units_of(self._path, chosen, [heads[i] for i in leads], options)
        time = next(
            (i for i, column in enumerate(columns) if column.kind == "time" and i not in leads),
            None,
        )
        start, timeline, times = None, None, np.zeros(0)
        self._metadata: dict[str, str] = {}
        if time is not None:
            start, timeline, times = self._times(schema.field(time), columns[time], len(leads))
        if options.resample and timeline and (timeline.is_uneven or options.fs):
            self._whole, rate = resampled(self._path, times, self.read(0, rows), options.fs)
            samples = len(self._whole)
        else:
            rate, self._places, samples = placed(self._path, rows, timeline, options.fs, None)
        check_samples(self._path, samples, len(leads), held=rows)
        names = tuple(unique([column.name for column in chosen]))
        self.info = Header(
            samples=samples,
            fs=rate,
            leads=names,
            units=self._units.names,
            start=start,
            metadata=self._metadata,
        )

    def _kinds(self, schema: Any) -> tuple[list[Column], list[bool], list[NDArray[np.float64]]]:
        """The columns, whether they hold numbers, and the first values of each."""
        from pyarrow import types

        batch = next(self._file.iter_batches(batch_size=_HEAD), None)
        columns, numeric, heads = [], [], []
        for i, field in enumerate(schema):
            found = column(field.name)
            stamps = types.is_timestamp(field.type) or types.is_duration(field.type)
            numeric.append(types.is_floating(field.type) or types.is_integer(field.type))
            if stamps:
                found = dataclasses.replace(found, kind="time")
            elif found.kind == "time" and not numeric[-1]:
                found = dataclasses.replace(found, kind="other")
            columns.append(found)
            values = batch.column(i).to_numpy(zero_copy_only=False) if batch else np.zeros(0)
            heads.append(values.astype(np.float64) if numeric[-1] else np.zeros(0))
        shaped = by_shape(columns, heads)
        kept = [c if n else old for c, n, old in zip(shaped, numeric, columns, strict=True)]
        return kept, numeric, heads

    def _times(
        self, field: Any, column: Column, leads: int
    ) -> tuple[datetime | None, Timeline | None, NDArray[np.float64]]:
        """The start and the times of a time column; no times if it counts samples."""
        import pandas as pd
        from pyarrow import types

        cells = self._file.read(columns=[field.name]).column(0)
        values, start = cells.to_numpy(), column.start
        if types.is_timestamp(field.type) or types.is_duration(field.type):
            if types.is_timestamp(field.type):
                # As a clock in its time zone showed it.
                date = pd.Timestamp(cells[0].as_py() if len(cells) else None)
                offset = zone(date.isoformat())
                self._metadata = {description.TIME_ZONE: offset} if offset else {}
                start = None if date is pd.NaT else date.tz_localize(None).to_pydatetime(warn=False)
            values = values.astype(f"{values.dtype.kind}8[ns]")
            times = (values - values[:1]) / np.timedelta64(1, "s")
            timeline = Timeline(self._path, _rounding(values[:_HEAD]), leads)
            timeline.add(times)
            return start, timeline, times
        found, known, times = of_numbers(self._path, values, column.seconds, leads)
        return start or found, known, times

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        if self._whole is not None:
            return self._whole[first:stop]
        out = np.full((stop - first, len(self._columns)), np.nan)
        for row, rows, sample in self._places:
            shift = sample - row
            a, end = max(sample, first), min(sample + rows, stop)
            while a < end:
                group = int(np.searchsorted(self._rows, a - shift, "right")) - 1
                begin = int(self._rows[group]) + shift
                b = min(int(self._rows[group + 1]) + shift, end)
                out[a - first : b - first] = self._group(group)[a - begin : b - begin]
                a = b
        out -= self._units.zero
        out *= self._units.scale
        return out

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _group(self, group: int) -> NDArray[np.float64]:
        """The leads in a row group; those of the last one are kept."""
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
        names = unique(["time (s)", *map(heading, header.leads, header.units)])
        fields = [(name, pa.float64()) for name in names]
        metadata = {description.KEY: description.to_json(header)}
        if header.start:
            # Nanoseconds since 1970 end in 2262.
            self._unit = "ns" if 1700 < header.start.year < 2200 else "us"
            fields.append((_DATES, pa.timestamp(self._unit)))
            metadata["pandas"] = _index_metadata(names, self._unit)
        self._schema = pa.schema(fields, metadata=metadata)
        self._header, self._path = header, path
        self._stack = ExitStack()
        self._samples = 0

    def __enter__(self) -> ParquetWriter:
        import pyarrow.parquet as pq

        aside = self._stack.enter_context(replacing(self._path))
        writer = pq.ParquetWriter(aside, self._schema, compression="zstd")
        self._file: Any = self._stack.enter_context(writer)
        self._stack.push(self._check)
        return self

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        import pyarrow as pa

        time = (self._samples + np.arange(len(block))) / self._header.fs
        columns: list[NDArray[Any]] = [time, *np.ascontiguousarray(np.asarray(block).T)]
        if self._header.start:
            start = np.datetime64(self._header.start.replace(tzinfo=None), "us")
            ticks = np.rint(time * (1e9 if self._unit == "ns" else 1e6))
            columns.append(start + ticks.astype(f"timedelta64[{self._unit}]"))
        arrays = [pa.array(values) for values in columns]
        self._file.write_table(pa.table(arrays, schema=self._schema), row_group_size=_GROUP)
        self._samples += len(block)

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _check(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            check_length(self._path, self._header, self._samples)


def _index_metadata(columns: list[str], unit: str) -> str:
    """Metadata by which pandas finds the index."""
    import pandas as pd
    import pyarrow as pa

    dates = pd.DatetimeIndex([], name=_DATES, dtype=f"datetime64[{unit}]")
    empty = pd.DataFrame(columns=columns, index=dates, dtype=np.float64)
    metadata = pa.Schema.from_pandas(empty).metadata
    return str(metadata[b"pandas"], "utf-8")


def _rounding(stamps: NDArray[Any]) -> float:
    """Step in s to which dates or durations are rounded; that of their type may be finer."""
    ticks = stamps[~np.isnat(stamps)].astype(np.int64)
    return next((10.0**-k for k in range(9) if not (ticks % 10 ** (9 - k)).any()), 1e-9)
