"""Units of the columns of tables: stated, known of the layout, found by size, or assumed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.columns import Column, is_counts
from ipmdae.formats.errors import FormatError
from ipmdae.formats.names import is_ecg
from ipmdae.formats.options import ReadOptions, warn_unit
from ipmdae.recording import NO_UNIT, millivolts

_MOST_MILLIVOLTS, _MOST_MICROVOLTS = 50.0, 50_000.0
"""Spread (5th to 95th percentile) of values up to which an ECG may be in mV, and in µV."""


@dataclass(frozen=True)
class Units:
    """Conversion of stored values: (value - ``zero``) * ``scale``.

    Attributes:
        names: unit of each lead in the recording.
        scale, zero: (leads,).
    """

    names: tuple[str, ...]
    scale: NDArray[np.float64]
    zero: NDArray[np.float64]


def units_of(
    path: Path,
    columns: Sequence[Column],
    values: Sequence[NDArray[np.float64]],
    options: ReadOptions,
    unit: str = "",
) -> Units:
    """The units of columns; what is assumed is said in a warning.

    A voltage that is no ECG (a battery) stays in V, so that nothing takes it for one.

    Args:
        path: named in messages.
        columns: leads and others.
        values: the first rows of each, by which a unit that is not stated is found.
        options: ``unit`` overrules that of the leads; ``columns`` are leads whatever their names.
        unit: of the leads that state none, from the head of the table.

    Raises:
        FormatError: the leads are in steps of a converter whose size is not stated.
    """
    leads = [i for i, c in enumerate(columns) if c.kind == "lead" or options.columns]
    stated = {i: c.unit or (unit if i in leads else "") for i, c in enumerate(columns)}
    zero = np.array([column.zero for column in columns])
    if options.scale:
        warn_unit(path, [stated[i] for i in leads if millivolts(stated[i])], options)
        zero[leads] = 0.0
    else:
        _check_counts(path, [columns[i] for i in leads], [stated[i] for i in leads])
        stated |= _assumed(path, columns, values, leads, stated, chosen=bool(options.columns))
    names, scale = [], np.ones(len(columns))
    for i, column in enumerate(columns):
        known = millivolts(stated[i])
        if i in leads and (options.scale or column.scale or known):
            scale[i] = options.scale or column.scale or known
            names.append("mV")
        elif known:
            scale[i] = known / 1000
            names.append("V")
        else:
            rate = column.name.lower() in ("hr", "heart rate", "heartrate", "heart_rate")
            names.append(stated[i] or ("bpm" if rate else NO_UNIT))
    return Units(tuple(names), scale, zero)


def _check_counts(path: Path, leads: Sequence[Column], units: Sequence[str]) -> None:
    pairs = zip(leads, units, strict=True)
    steps = [column.name for column, unit in pairs if is_counts(unit) and not column.scale]
    if steps and len(steps) == len(leads):
        raise FormatError(
            path,
            f"gives {', '.join(steps[:12])} in steps of a converter whose size it does not say; "
            "state it, such as --unit 0.3uV (unit=)",
        )


def _assumed(
    path: Path,
    columns: Sequence[Column],
    values: Sequence[NDArray[np.float64]],
    leads: Sequence[int],
    stated: dict[int, str],
    chosen: bool,
) -> dict[int, str]:
    """The units of leads that state none: by their size µV, or else mV."""
    any_ecg = any(is_ecg(columns[i].name) for i in leads)
    silent = [
        i
        for i in leads
        if not stated[i]
        and columns[i].scale is None
        and (chosen or is_ecg(columns[i].name) or not any_ecg)
    ]
    found = {}
    for i in silent:
        known = values[i][np.isfinite(values[i])]
        spread = float(np.subtract(*np.percentile(known, (95, 5)))) if len(known) else 0.0
        if spread > _MOST_MICROVOLTS:
            raise FormatError(
                path,
                f"says no unit of {columns[i].name or 'its lead'}, whose values are too large for "
                "mV and uV; state it, such as --unit nV, or the size of a converter's step, "
                "--unit 0.3uV (unit=)",
            )
        if spread > _MOST_MILLIVOLTS:
            found[i] = "uV"
    if found:
        named = ", ".join(columns[i].name or "its lead" for i in list(found)[:12])
        warnings.warn(
            f"{path}: says no unit of {named}; by their size the values are taken as uV; if they "
            "are steps of a converter, state it (unit=, --unit)",
            stacklevel=5,
        )
    rest = [i for i in silent if i not in found]
    if rest:
        named = ", ".join(columns[i].name or f"lead {i + 1}" for i in rest[:12])
        warnings.warn(f"{path}: says no unit of {named}; taken as mV", stacklevel=5)
    return found | dict.fromkeys(rest, "mV")
