"""Reading options for files that lack information or state it wrongly."""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.blocks import SignalReader
from ipmdae.formats.errors import FormatError
from ipmdae.recording import Header, millivolts

_UNIT = re.compile(r"\s*([\d.]+(?:[eE][+-]?\d+)?)?\s*([a-zµμ]+)\s*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Statements of the user about a file. They override the file, with a warning.

    Attributes:
        fs: sampling rate in Hz. A time column is then not used: rows are taken as even.
        unit: unit of the stored values: ``"uV"``, ``"mV"``, ``"nV"``, ``"V"``, or the size of one
            step of a converter, ``"0.298uV"``.
        columns: columns of a table to read as leads, by heading or by number from 1; in other
            formats the leads to read. All others are left out.
        array: name of the array that holds the signal, in files of named arrays.
        resample: whether unevenly sampled rows are interpolated to an even rate, which is ``fs`` or
            else the mean rate.

    Raises:
        ValueError: the rate is not positive, or the unit is not a voltage.
    """

    fs: float | None = None
    unit: str | None = None
    columns: tuple[str, ...] | None = None
    array: str | None = None
    resample: bool = False

    def __post_init__(self) -> None:
        if self.fs is not None and not 0 < self.fs < math.inf:
            raise ValueError(f"the sampling rate must be positive, got {self.fs} Hz")
        if self.columns is not None:
            object.__setattr__(self, "columns", tuple(self.columns) or None)
        if self.unit is not None and not self.scale:
            raise ValueError(
                f"{self.unit!r} is not a unit of voltage; known are V, mV, uV, nV, and multiples "
                "such as 0.298uV"
            )

    @property
    def scale(self) -> float | None:
        """Millivolts in one of ``unit``, if that is given."""
        found = _UNIT.fullmatch(self.unit or "")
        known = millivolts(found[2]) if found else None
        try:
            return known and float((found and found[1]) or 1.0) * known
        except ValueError:
            return None


DEFAULTS = ReadOptions()
"""Options that overrule nothing."""


def overrule(
    path: Path, reader: SignalReader, options: ReadOptions, heeded: frozenset[str]
) -> SignalReader:
    """Apply options to a reader of a format that does not apply them itself.

    Args:
        path: the file, for messages.
        reader: its reader.
        options: the user's statements.
        heeded: names of the options that the reader has applied.

    Raises:
        FormatError: there is no lead of a name in ``options.columns``.
    """
    if options.array and "array" not in heeded:
        warnings.warn(
            f"{path}: has no named arrays; array={options.array} is ignored", stacklevel=3
        )
    header = reader.info
    columns = None if "columns" in heeded else options.columns
    chosen = _chosen(path, header.leads, columns) if columns else list(range(len(header.leads)))
    scale = None if "unit" in heeded else options.scale
    scales = np.array([_scale(header, i, scale) for i in chosen])
    fs = options.fs or header.fs
    if abs(fs - header.fs) <= 1e-9 * fs and scale is None and columns is None:
        return reader
    if abs(fs - header.fs) > 1e-9 * fs:
        warnings.warn(f"{path}: says {header.fs:g} Hz; fs={fs:g} overrules it", stacklevel=3)
    if scale is not None:
        warn_unit(path, [_stored(header, i) for i in chosen], options)
    return _Overruled(reader, _header(header, fs, chosen, scale is not None), chosen, scales)


def warn_unit(path: Path, units: Sequence[str], options: ReadOptions) -> None:
    """Warn where ``options.unit`` overrules other units that the file states."""
    others = {
        unit for unit in units if unit not in ("", "NU") and millivolts(unit) != options.scale
    }
    if others:
        warnings.warn(
            f"{path}: says {', '.join(sorted(others))}; unit={options.unit} overrules it",
            stacklevel=4,
        )


def _chosen(path: Path, leads: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Indices of columns by name, else by number from 1."""
    for name in columns:
        if name not in leads and not (name.isdecimal() and 0 < int(name) <= len(leads)):
            raise FormatError(path, f"has no column {name}; there are {', '.join(leads)}"[:300])
    return [leads.index(name) if name in leads else int(name) - 1 for name in columns]


def _scale(header: Header, lead: int, scale: float | None) -> float:
    """Factor on the values of a lead for the requested unit."""
    if scale is None or header.units[lead] not in ("mV", "NU"):
        return 1.0
    return scale / (millivolts(_stored(header, lead)) or 1.0)


def _stored(header: Header, lead: int) -> str:
    """The unit of the values in the file."""
    how = header.resolution[lead]
    return how.unit if how else header.units[lead]


def _header(header: Header, fs: float, chosen: list[int], scaled: bool) -> Header:
    ratio = fs / header.fs
    units = [header.units[i] for i in chosen]
    of_each: dict[str, Any] = {"resolution": tuple(header.resolution[i] for i in chosen)}
    if scaled:
        units = ["mV" if known == "NU" else known for known in units]
        of_each["resolution"] = (None,) * len(chosen)
    return dataclasses.replace(
        header,
        fs=fs,
        leads=tuple(header.leads[i] for i in chosen),
        units=tuple(units),
        auxiliary=tuple(dataclasses.replace(p, fs=p.fs * ratio) for p in header.auxiliary),
        **of_each,
    )


class _Overruled(SignalReader):
    """A reader whose header and units are replaced."""

    def __init__(
        self, reader: SignalReader, info: Header, chosen: list[int], scales: NDArray[np.float64]
    ) -> None:
        self.info, self.rate_from = info, reader.rate_from
        self._reader, self._chosen, self._scales = reader, chosen, scales

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        signal: NDArray[np.float64] = self._reader.read(first, stop)[:, self._chosen] * self._scales
        return signal

    def __exit__(self, *details: object) -> None:
        self._reader.__exit__(*details)
