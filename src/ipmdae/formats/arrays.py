"""Recordings from named arrays, whoever made them (``.npz``, ``.mat``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description
from ipmdae.formats.errors import FormatError
from ipmdae.formats.lead_names import assume_units
from ipmdae.formats.limits import check_samples
from ipmdae.formats.options import DEFAULTS, ReadOptions, warn_unit
from ipmdae.recording import Recording, millivolts

SIGNALS = ("signal", "signals", "p_signal", "ecg", "x", "data", "val", "ecg_signal", "sig")
"""Names under which a signal is looked for, in this order; else the one numeric array there is."""

_RATES = ("fs", "sampling_rate", "sampling_frequency", "sample_rate", "samplingrate", "freq", "sf")
_LEADS = ("leads", "lead_names", "sig_name", "channels", "channel_names", "labels")
_UNITS = ("units", "unit")


def from_arrays(
    path: Path, arrays: Mapping[str, Any], options: ReadOptions = DEFAULTS
) -> Recording:
    """A recording of arrays by name, in lower or upper case.

    ``signal`` (or another of :data:`SIGNALS`) is (time,), (time, leads) or (leads, time): the
    longer axis is time, unless a description of ours says it. ``fs`` is the rate in Hz, ``leads``
    and ``units`` are names; without units, values are taken as mV.

    Args:
        path: the file.
        arrays: its content.
        options: ``fs`` is the rate where the file does not say it, ``array`` names the signal.

    Raises:
        FormatError: there is no signal, no rate, or they do not agree.
    """
    named = {name.lower(): value for name, value in arrays.items()}
    name = signal_name(path, named, options.array)
    signal = np.asarray(named[name])
    try:
        if description.KEY in named:
            known = description.from_json(_texts(named[description.KEY])[0])
            return Recording(signal=numbers(path, signal), **known)
        signal = numbers(path, signal)
        signal = signal.T if signal.shape[0] < signal.shape[1] else signal
        rate = _rate(path, named, options.fs)
        count = signal.shape[1]
        leads = _first(named, _LEADS) or [f"lead {i + 1}" for i in range(count)]
        units = _first(named, _UNITS) or [""]
        units = units * count if len(units) == 1 else units
        if len(leads) != count or len(units) != count:
            raise FormatError(
                path, f"has {count} leads, but {len(leads)} names and {len(units)} units of them"
            )
        if options.scale:
            warn_unit(path, units, options)
            scale, units = [options.scale] * count, ["mV"] * count
        else:
            units = assume_units(path, leads, units)
            scale = [millivolts(unit) or 1.0 for unit in units]
        return Recording(
            signal=signal * scale,
            fs=rate,
            leads=tuple(leads),
            units=tuple("mV" if millivolts(unit) else unit for unit in units),
        )
    except FormatError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(path, str(error)) from error


def signal_name(path: Path, shapes: Mapping[str, Any], wanted: str | None = None) -> str:
    """Which of some arrays, by lower-case name, is the signal; ``wanted`` overrules.

    Raises:
        FormatError: none, or no single one.
    """
    if wanted is not None:
        if wanted.lower() in shapes:
            return wanted.lower()
        found = ", ".join(sorted(shapes)) or "none"
        raise FormatError(path, f"has no array called {wanted}; found are {found}"[:300])
    for name in SIGNALS:
        if name in shapes and _is_signal(shapes[name]):
            return name
    others = [name for name, value in shapes.items() if _is_signal(value)]
    if len(others) == 1:
        return others[0]
    found = f"found are {', '.join(sorted(shapes)) or 'none'}"
    raise FormatError(path, f"has no array called {' or '.join(SIGNALS[:4])}; {found}"[:300])


def numbers(path: Path, signal: NDArray[Any]) -> NDArray[np.float64]:
    """A signal as (time, leads) or (leads, time) float64, as it is stored.

    Raises:
        FormatError: it holds no numbers, has another shape, or is too large.
    """
    if signal.dtype.kind not in "fiu" or signal.ndim not in (1, 2):
        raise FormatError(
            path, f"its signal is {signal.ndim}-dimensional {signal.dtype}, not numbers in 1 or 2"
        )
    signal = signal[:, None] if signal.ndim == 1 else signal
    check_samples(path, *signal.shape)
    values = signal.astype(np.float64)
    if np.isinf(values).any():
        raise FormatError(path, "the signal holds infinite values; mark missing samples by NaN")
    return values


def _is_signal(value: Any) -> bool:
    array = np.asanyarray(value)
    longest = max(array.shape, default=0)
    return array.dtype.kind in "fiu" and array.ndim in (1, 2) and longest > 1


def _rate(path: Path, named: Mapping[str, Any], fallback: float | None) -> float:
    for name in _RATES:
        if name in named:
            value = np.asarray(named[name])
            if value.size == 1 and value.dtype.kind in "fiu":
                return float(value.reshape(-1)[0])
    if fallback is not None:
        return fallback
    raise FormatError(path, "says no sampling rate; give it (fs=, --fs)")


def _first(named: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    found = next((named[name] for name in names if name in named), None)
    return [] if found is None else _texts(found)


def _texts(value: Any) -> list[str]:
    """Strings in an array of them, nested as MATLAB's cells are; blanks at their ends are off."""
    array = np.asarray(value)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype == object:
        return [text for item in array.reshape(-1) for text in _texts(item)]
    if array.dtype.kind != "U":
        return []
    return [str(text).strip() for text in array.reshape(-1)]
