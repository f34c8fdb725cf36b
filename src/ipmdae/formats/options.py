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
from ipmdae.formats.names import (
    assume_units,
    is_counts,
    is_ecg,
    is_measure,
    is_no_lead,
    warn_of_voltages,
)
from ipmdae.recording import NO_UNIT, Header, millivolts

_UNIT = re.compile(r"\s*([\d.]+(?:[eE][+-]?\d+)?)?\s*([a-zµμ]+)\s*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Statements of the user about a file. They override the file, with a warning.

    Attributes:
        fs: sampling rate in Hz. A time column is then not used: rows are taken as even.
        unit: unit of the stored values: ``"uV"``, ``"mV"``, ``"nV"``, ``"V"``, or the size of one
            step of a converter, ``"0.298uV"``. Leads in another unit (Ohm, bpm) stay as they are.
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
    if options.columns is None:
        warn_of_voltages(path, header)
    columns = None if "columns" in heeded else options.columns
    chosen = _chosen(path, header.leads, columns) if columns else list(range(len(header.leads)))
    stated = "unit" not in heeded and options.scale is not None
    fs = options.fs or header.fs
    if abs(fs - header.fs) <= 1e-9 * fs and not stated and columns is None:
        return reader
    if abs(fs - header.fs) > 1e-9 * fs:
        warnings.warn(f"{path}: says {header.fs:g} Hz; fs={fs:g} overrules it", stacklevel=3)
    header = of_leads(_at_rate(header, fs), chosen)
    scales = np.ones(len(chosen))
    if stated:
        header, scales = restated(path, header, options, as_stored=True)
    return _Overruled(reader, header, chosen, scales)


def overruled(
    path: Path,
    names: Sequence[str],
    units: Sequence[str],
    options: ReadOptions,
    leads: Sequence[bool] | None = None,
) -> list[bool]:
    """Signals whose unit is ``options.unit``, with a warning where the file states another.

    It is that of voltages and, unless they are called as other measurements are, of signals without
    a unit. Where the unit is unknown, it is that of signals called as leads of an ECG are.

    Args:
        path: the file, for the warning.
        names, units: of the signals, as the file states them; a unit may be empty.
        options: the user's statements.
        leads: which signals are leads whatever they are called; else all if
            ``options.columns`` chooses them.
    """
    if options.scale is None:
        return [False] * len(names)
    own, others = [], set()
    chosen = leads or [options.columns is not None] * len(names)
    for name, unit, is_lead in zip(names, units, chosen, strict=True):
        known = millivolts(unit)
        silent = unit in ("", NO_UNIT) or is_counts(unit)
        if known or silent:
            own.append(bool(known or is_lead or not is_no_lead(name)))
        else:
            own.append((is_lead or is_ecg(name)) and not is_measure(unit))
        if own[-1] and not silent and known != options.scale:
            others.add(unit)
    if others:
        warn_unit(path, sorted(others), options)
    return own


def warn_unit(path: Path, units: Sequence[str], options: ReadOptions) -> None:
    """Warn that ``options.unit`` overrules other units that the file states."""
    warnings.warn(
        f"{path}: says {', '.join(units)}; unit={options.unit} overrules it", stacklevel=5
    )


def converted(
    path: Path,
    names: Sequence[str],
    units: Sequence[str],
    options: ReadOptions,
    values: Sequence[NDArray[Any]] | None = None,
) -> tuple[list[str], list[float], list[bool]]:
    """Units of leads in a recording, factors on their values, and whether these are as stated.

    Args:
        path: the file, for messages.
        names, units: of the leads, as the file states them; a unit may be empty.
        options: the user's statements.
        values: of each lead; missing units are assumed by them (:func:`assume_units`).
    """
    own = overruled(path, names, units, options)
    by_file = [millivolts(unit) or 1.0 for unit in units]
    if options.scale is None and values is not None:
        units = assume_units(path, names, units, values)
    each = list(zip(own, units, strict=True))
    factors = [(is_own and options.scale) or millivolts(unit) or 1.0 for is_own, unit in each]
    return (
        ["mV" if is_own or millivolts(unit) else unit or NO_UNIT for is_own, unit in each],
        factors,
        [factor == stated for factor, stated in zip(factors, by_file, strict=True)],
    )


def restated(
    path: Path, header: Header, options: ReadOptions, *, as_stored: bool = False
) -> tuple[Header, NDArray[np.float64]]:
    """The header of leads in the unit that the user states, and the factors on their values.

    Args:
        path: the file, for messages.
        header: of the values as they were read.
        options: the user's statements.
        as_stored: whether the file holds values in the units of ``header.resolution``; else it
            holds them as they were read.
    """
    how = header.resolution if as_stored else (None,) * len(header.leads)
    stored = [r.unit if r else unit for r, unit in zip(how, header.units, strict=True)]
    own = overruled(path, header.leads, stored, options)
    units, resolution, scales = list(header.units), list(header.resolution), np.ones(len(own))
    for i in np.flatnonzero(own):
        read_by = millivolts(stored[i]) if units[i] == "mV" else None
        scales[i] = (options.scale or 1.0) / (read_by or 1.0)
        units[i], resolution[i] = "mV", None
    return dataclasses.replace(header, units=tuple(units), resolution=tuple(resolution)), scales


def _chosen(path: Path, leads: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Indices of columns by name, else by number from 1."""
    for name in columns:
        if name not in leads and not (name.isdecimal() and 0 < int(name) <= len(leads)):
            raise FormatError(path, f"has no column {name}; there are {', '.join(leads)}"[:300])
    return [leads.index(name) if name in leads else int(name) - 1 for name in columns]


def of_leads(header: Header, chosen: Sequence[int]) -> Header:
    """The header of some of the leads."""
    return dataclasses.replace(
        header,
        leads=tuple(header.leads[i] for i in chosen),
        units=tuple(header.units[i] for i in chosen),
        resolution=tuple(header.resolution[i] for i in chosen),
    )


def _at_rate(header: Header, fs: float) -> Header:
    ratio = fs / header.fs
    auxiliary = tuple(dataclasses.replace(p, fs=p.fs * ratio) for p in header.auxiliary)
    return dataclasses.replace(header, fs=fs, auxiliary=auxiliary)


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
