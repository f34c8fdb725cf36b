"""LabChart's exports to MATLAB: one row of samples, and arrays that say where each channel lies.

``data`` holds one channel after the other, block after block. ``datastart`` and ``dataend``
(channels, blocks) are the places of their first and last samples from 1, -1 where a channel was not
recorded; ``samplerate``, ``unittextmap`` (index into ``unittext``, from 1) and, for integers,
``scaleunits`` and ``scaleoffset`` have the same shape. ``blocktimes`` are MATLAB's dates, in days.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.arrays import texts
from ipmdae.formats.errors import MAX_SAMPLES, FormatError, check_samples
from ipmdae.formats.names import symbol
from ipmdae.formats.options import ReadOptions
from ipmdae.formats.signals import Signal, from_signals
from ipmdae.recording import Recording

_PLACES = ("datastart", "dataend")

_EPOCH = 719_529
"""MATLAB's date of 1970-01-01."""

_OVERLAP = 1.0
"""Seconds by which the clock of a computer and that of a converter may differ between blocks."""


def is_labchart(arrays: Mapping[str, Any]) -> bool:
    """True if arrays by lower-case name are such an export."""
    kinds = [getattr(arrays.get(name), "dtype", np.dtype(bool)).kind for name in ("data", *_PLACES)]
    return all(kind in "fiu" for kind in kinds)


def from_labchart(path: Path, arrays: Mapping[str, Any], options: ReadOptions) -> Recording:
    """A recording of the channels at the rate of the ECG; the others are auxiliary.

    What lies between blocks is missing, with a warning.

    Args:
        path: the file, for messages.
        arrays: its content by lower-case name.
        options: see :func:`~ipmdae.formats.signals.from_signals`.

    Raises:
        FormatError: the arrays contradict each other, or blocks are of different kinds.
    """
    export = _Export(path, arrays)
    signals = [export.signal(row) for row in export.rows]
    lengths = {
        fs: max(len(s.values) for s in signals if s.fs == fs) for fs in {s.fs for s in signals}
    }
    if export.blocks > 1:
        warnings.warn(
            f"{path}: holds {export.blocks} blocks; what lies between them is missing", stacklevel=5
        )
    filled = [replace(s, values=_filled(s.values, lengths[s.fs])) for s in signals]
    return from_signals(path, filled, options, start=export.start)


class _Export:
    """The arrays of an export.

    Attributes:
        rows: the channels that were recorded.
        blocks: the number of blocks in which any was.
        start: when the first of these began, if known.
    """

    def __init__(self, path: Path, arrays: Mapping[str, Any]) -> None:
        """Check the places of all channels."""
        self._path, self._arrays = path, arrays
        self._data = np.ravel(arrays["data"])
        self._shape = _columns(arrays["datastart"]).shape
        self._first, self._last = map(self._table, _PLACES)
        self._recorded = self._first > 0
        inside = (self._first >= 1) & (self._first <= self._last) & (self._last <= self._data.size)
        if (self._recorded & ~inside).any():
            raise FormatError(path, "its datastart and dataend lie outside of its data")
        used = np.flatnonzero(self._recorded.any(axis=0))
        self.rows = np.flatnonzero(self._recorded.any(axis=1)).tolist()
        self.blocks = len(used)
        if not self.blocks:
            raise FormatError(path, "holds no signal")
        if self.blocks > 1 or "blocktimes" in arrays:
            days = self._table("blocktimes")[0]
            self.start = _moment(days[used[0]])
            self._begins = (days - days[used[0]]) * 86_400
        else:
            self.start, self._begins = None, np.zeros(self._shape[1])

    def signal(self, row: int) -> Signal:
        """A channel with its blocks in their places."""
        fs = self._one("samplerate", row)
        if not 0 < fs < np.inf:
            raise FormatError(self._path, f"announces a rate of {fs:g} Hz")
        parts: list[NDArray[np.float64]] = []
        end = held = 0
        for block in np.flatnonzero(self._recorded[row]).tolist():
            part = self._part(row, block)
            begin = self._begins[block] * fs
            if not end - _OVERLAP * fs <= begin < MAX_SAMPLES:
                why = "its blocks do not follow one another in time; export them one by one"
                raise FormatError(self._path, why)
            gap = max(round(begin) - end, 0)
            end, held = end + gap + len(part), held + len(part)
            check_samples(self._path, end, len(self.rows), held)
            parts += [np.full(gap, np.nan), part]
        names = texts(self._arrays.get("titles"))
        return Signal(
            name=names[row] if row < len(names) else "",
            unit=self._unit(row),
            fs=fs,
            values=np.concatenate(parts),
        )

    def _part(self, row: int, block: int) -> NDArray[np.float64]:
        """The samples of a channel in a block, in its unit."""
        first, last = int(self._first[row, block]), int(self._last[row, block])
        part = self._data[first - 1 : last]
        if "scaleunits" in self._arrays:
            scale, offset = (
                self._table(f"scale{name}")[row, block] for name in ("units", "offset")
            )
            return np.asarray((part + offset) * scale, np.float64)
        if part.dtype.kind != "f":
            raise FormatError(self._path, "holds integers without their size (scaleunits)")
        return part.astype(np.float64)

    def _unit(self, row: int) -> str:
        known = texts(self._arrays.get("unittext"))
        number = self._one("unittextmap", row) if "unittextmap" in self._arrays else -1
        return symbol(known[int(number) - 1]) if 1 <= number <= len(known) else ""

    def _one(self, name: str, row: int) -> float:
        """The value of a channel in an array, which must be that of all its blocks."""
        found: set[float] = set(self._table(name)[row, self._recorded[row]].tolist())
        if len(found) > 1:
            raise FormatError(self._path, f"its blocks differ in {name}; export them one by one")
        return found.pop()

    def _table(self, name: str) -> NDArray[np.float64]:
        """An array (channels, blocks); a single row or value holds for all."""
        if getattr(self._arrays.get(name), "dtype", np.dtype(bool)).kind not in "fiu":
            raise FormatError(self._path, f"is an export of LabChart without {name}")
        try:
            return np.broadcast_to(_columns(self._arrays[name]), self._shape)
        except ValueError:
            why = f"its arrays {_PLACES[0]} and {name} are of different shapes"
            raise FormatError(self._path, why) from None


def _columns(values: Any) -> NDArray[np.float64]:
    """Numbers as (channels, blocks); a plain list is one block."""
    numbers = np.asarray(values, np.float64)
    return numbers[:, None] if numbers.ndim == 1 else numbers


def _moment(day: float) -> datetime | None:
    """The time of one of MATLAB's dates, to the millisecond."""
    try:
        return datetime(1970, 1, 1) + timedelta(milliseconds=round((day - _EPOCH) * 86_400_000))
    except (OverflowError, ValueError):
        return None


def _filled(values: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """A signal of so many samples, the last ones missing."""
    return np.pad(values, (0, samples - len(values)), constant_values=np.nan)
