"""Time stamps of arrays: columns that state times or count samples, and arrays of times beside."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.columns import Column, by_shape, column
from ipmdae.formats.errors import check_samples
from ipmdae.formats.options import ReadOptions
from ipmdae.formats.resampling import resampled
from ipmdae.formats.times import of_numbers, placed

_HEAD = 4000
"""Rows by which a column is known."""
_LEAST = 50
"""Rows from which on a column is known by its shape alone; a few samples of an ECG may rise."""

_UTC = re.compile(r"(?<=\d)\s*(UTC|Z|\+00:?00)$")
_MIDNIGHT = re.compile(r"( since \d{4}-\d\d-\d\d)$")

_FEW = 0.15
"""Share of steps that may go back, as where a counter begins anew or packets are out of order."""

Stamps = tuple[Column, NDArray[np.float64]]
"""A time column and its values."""


def no_leads(names: Sequence[str], units: Sequence[str], signal: NDArray[Any]) -> dict[int, Column]:
    """The columns of an array (time, columns) that are times or count samples, by their place.

    Without names, these are the first ones alone; an array of one column has none.

    Args:
        names, units: of the columns; empty where the file states none.
        signal: the array, as it is stored.
    """
    width = signal.shape[1]
    named = len(names) == width
    if width == 1 or (not named and len(signal) < _LEAST):
        return {}
    titles = names if named else [""] * width
    stated = units if len(units) == width else [""] * width
    found = _shaped(map(_column, titles, stated), signal)
    leads = (i for i, known in enumerate(found) if not _is_stamp(known))
    first = next(leads, width)
    return {i: c for i, c in enumerate(found) if _is_stamp(c) and (named or i < first)}


def tells_time(name: str, values: NDArray[Any]) -> bool:
    """True if a single array holds times or counts by its name and shape, or by its shape alone."""
    if values.ndim == 2 and min(values.shape) > 1:
        return False
    cells = np.reshape(values, (-1, 1))
    return any(
        _is_stamp(known) for title in {name, ""} for known in _shaped([_column(title)], cells)
    )


def beside(
    path: Path, arrays: Mapping[str, Any], rows: int, units: Mapping[str, str]
) -> Stamps | None:
    """The array of times among arrays, by lower-case name, if one has so many rows.

    Args:
        path: the file, for messages.
        arrays: by name.
        rows: of the signal.
        units: of arrays, where they are stated; one of another unit than of time is left out, with
            a warning.
    """
    for name, stored in arrays.items():
        value, stated = _in_nanoseconds(stored), units.get(name, "")
        if getattr(value, "dtype", np.dtype(bool)).kind in "fiu" and np.size(value) == rows:
            cells = np.reshape(value, (-1, 1))
            unit = stated if value is stored else "ns"
            (found,) = _shaped([_column(name, unit)], cells)
            if found.kind == "time" and unit and found.seconds is None:
                warnings.warn(f"{path}: its {name} is in {unit}; left out", stacklevel=5)
            elif found.kind == "time":
                return found, cells[:, 0].astype(np.float64)
    return None


def _in_nanoseconds(value: Any) -> Any:
    """An array of dates or durations as ns, since 1970 or in all; anything else as it is."""
    kind = getattr(value, "dtype", np.dtype(bool)).kind
    if kind not in "mM" or np.isnat(value).any():
        return value
    return value.astype("datetime64[ns]" if kind == "M" else "timedelta64[ns]").astype(np.int64)


def in_time(
    path: Path,
    signal: NDArray[np.float64],
    stamps: Stamps | None,
    options: ReadOptions,
    stated: float | None,
) -> tuple[NDArray[np.float64], float, datetime | None]:
    """Rows at their places in time; where a gap is between them, samples are missing.

    Args:
        path: the file, for messages.
        signal: (rows, leads).
        stamps: of the rows, if known.
        options: ``fs`` overrules the rate; ``resample`` interpolates uneven rows.
        stated: the rate in Hz that the file states.

    Returns:
        The signal (time, leads), its rate in Hz, and its start where the stamps are dates.

    Raises:
        FormatError: there is no rate, or the times are uneven and no rate is stated.
    """
    rows, count = signal.shape
    start, timeline, times = None, None, np.zeros(0)
    if stamps:
        known, values = stamps
        start, timeline, times = of_numbers(path, values, known.seconds, count)
        if known.start and known.seconds:
            first = float(values[np.isfinite(values)][0])
            start = known.start + timedelta(seconds=first * known.seconds)
    if options.resample and timeline and (timeline.is_uneven or options.fs):
        signal, fs = resampled(path, times, signal, options.fs)
        return signal, fs, start
    fs, places, samples = placed(path, rows, timeline, options.fs, stated)
    if samples == rows:
        return signal, fs, start
    check_samples(path, samples, count, held=rows)
    out = np.full((samples, count), np.nan)
    for row, length, sample in places:
        out[sample : sample + length] = signal[row : row + length]
    return out, fs, start


def _column(name: str, unit: str = "") -> Column:
    """The column of a name; of a number or of none, that of a lead.

    A unit may be netCDF's, as ``days since 2026-03-04`` or ``s since 2026-03-04T10:00:00Z``.
    """
    unit = _MIDNIGHT.sub(r"\1 00:00", _UTC.sub("", unit))
    return Column("", "", unit, "lead") if not name or name.isdecimal() else column(name, unit)


def _shaped(columns: Iterable[Column], cells: NDArray[Any]) -> list[Column]:
    """Columns with their kinds by name and shape; whatever its name, a time goes one way."""
    head = list(cells[:_HEAD].astype(np.float64).T)
    return [
        replace(known, kind="lead") if _is_stamp(known) and not _goes_one_way(values) else known
        for known, values in zip(by_shape(list(columns), head), head, strict=True)
    ]


def _goes_one_way(values: NDArray[np.float64]) -> bool:
    """True if most of the values that change rise, or most fall; those of an ECG do both."""
    steps = np.diff(values[np.isfinite(values)])
    rising, falling = int((steps > 0).sum()), int((steps < 0).sum())
    return min(rising, falling) < _FEW * (rising + falling)


def _is_stamp(known: Column) -> bool:
    return known.kind in ("time", "index")
