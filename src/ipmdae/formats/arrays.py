"""Recordings from named arrays, whoever made them (``.npz``, ``.mat``, HDF5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description
from ipmdae.formats.errors import FormatError, check_samples
from ipmdae.formats.names import symbol
from ipmdae.formats.options import DEFAULTS, ReadOptions, converted, restated
from ipmdae.recording import Header, Recording

SIGNALS = ("signal", "signals", "p_signal", "ecg", "x", "data", "val", "ecg_signal", "sig")
"""Names under which a signal is looked for, in this order; else the one numeric array there is."""

_RATES = (
    *("fs", "sampling_rate", "sampling_frequency", "sample_rate", "samplingrate", "samplerate"),
    *("sampling rate", "freq", "sf", "srate", "sfreq", "fsample", "rate"),
)
_LEADS = (
    *("leads", "lead_names", "leadnames", "lead", "sig_name", "channels", "channel_names"),
    *("ch_names", "chan", "chans", "labels", "label"),
)
_UNITS = ("units", "unit")

_MAX_NAMES = 4096


def from_arrays(
    path: Path, arrays: Mapping[str, Any], options: ReadOptions = DEFAULTS
) -> Recording:
    """A recording of arrays by name, in lower or upper case.

    ``signal`` (or another of :data:`SIGNALS`) is (time,), (time, leads) or (leads, time): the
    longer axis is time, unless a description of ours says it. ``fs`` is the rate in Hz, ``leads``
    and ``units`` are names; without units, values are taken as mV, or as uV by their size. Where no
    array at the top is a signal, a struct (or group) that holds one is read, together with its rate
    and names.

    Args:
        path: the file.
        arrays: its content: arrays, lists of texts, mappings of these for structs.
        options: ``fs`` is the rate where the file does not say it, ``unit`` that of voltages;
            ``array`` names the signal or the struct that holds it, ``"struct.field"`` one inside.

    Raises:
        FormatError: there is no signal, no rate, or they do not agree.
    """
    name, signal, scopes = _chosen(path, _lower(arrays), options.array)
    try:
        ours = name == SIGNALS[0] and len(scopes) == 1 and description.KEY in scopes[0]
        signal = numbers(path, signal)
        if ours:
            known = description.from_json(texts(scopes[0][description.KEY])[0])
            header = Header(samples=len(signal), **known)
            header, scales = restated(path, header, options)
            signal *= scales
            return Recording.from_header(header, signal)
        signal = signal.T if signal.shape[0] < signal.shape[1] else signal
        count = signal.shape[1]
        leads = _names(scopes, _LEADS) or [f"lead {i + 1}" for i in range(count)]
        units = _names(scopes, _UNITS) or [""]
        units = units * count if len(units) == 1 else units
        if len(leads) != count or len(units) != count:
            raise FormatError(
                path, f"has {count} leads, but {len(leads)} names and {len(units)} units of them"
            )
        rate = _rate(path, scopes, options.fs)
        units = [symbol(unit) for unit in units]
        units, factors, _ = converted(path, leads, units, options, signal.T)
        signal *= factors
        return Recording(signal=signal, fs=rate, leads=tuple(leads), units=tuple(units))
    except FormatError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(path, str(error)) from error


Struct = Mapping[str, Any]
"""Arrays by name, names in lower case."""

Chosen = tuple[str, NDArray[Any], list[Struct]]
"""Name of the signal, the signal, the struct that holds it and those around that, to the file."""


def _chosen(path: Path, arrays: Struct, array: str | None) -> Chosen:
    places = list(_places("", [arrays]))
    if array is not None:
        wanted = array.lower().replace("/", ".").strip(".")
        for at, scopes in places:
            if at == wanted and wanted:
                return _signal_of(path, at, scopes)
            for name, value in scopes[0].items():
                if _joined(at, name) == wanted and _is_numbers(value):
                    return name, np.asarray(value), scopes
        raise FormatError(path, f"has no array of numbers called {array}; {_found(places)}")
    if signal_name(arrays) is not None:
        return _signal_of(path, "", [arrays])
    holding = [place for place in places[1:] if signal_name(place[1][0]) is not None]
    if len(holding) == 1:
        return _signal_of(path, *holding[0])
    if holding or sum(map(_is_signal, arrays.values())) > 1:
        ask = "has several arrays that may be the signal; name one (array=, --array)"
    else:
        ask = f"has no array called {' or '.join(SIGNALS[:4])}"
    raise FormatError(path, f"{ask}; {_found(places)}")


def _signal_of(path: Path, at: str, scopes: list[Struct]) -> Chosen:
    name = signal_name(scopes[0])
    if name is None:
        raise FormatError(path, f"has no signal in {at}; {_found([(at, scopes)])}")
    return name, np.asarray(scopes[0][name]), scopes


def _places(at: str, scopes: list[Struct]) -> Iterator[tuple[str, list[Struct]]]:
    """All structs by their place, each with those around it."""
    yield at, scopes
    for name, value in scopes[0].items():
        if isinstance(value, Mapping):
            yield from _places(_joined(at, name), [value, *scopes])


def _lower(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays and structs with names in lower case; a cell that holds one array is that array."""
    lowered: dict[str, Any] = {}
    for name, value in arrays.items():
        if isinstance(value, Mapping):
            value = _lower(value)
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is not None:
            lowered[name.lower()] = value
    return lowered


def _joined(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _found(places: list[tuple[str, list[Struct]]]) -> str:
    """The arrays there are, with their shapes."""
    names = [
        _joined(at, name) + (f" {np.shape(value)}" if _is_numbers(value) else "")
        for at, scopes in places
        for name, value in scopes[0].items()
        if not isinstance(value, Mapping)
    ]
    more = ", ..." if len(names) > 12 else ""
    return f"found are {', '.join(names[:12]) or 'none'}{more}"


def signal_name(arrays: Mapping[str, Any]) -> str | None:
    """Name of the signal among arrays, by lower-case name; ``None`` if none or several match."""
    for name in SIGNALS:
        if name in arrays and _is_signal(arrays[name]):
            return name
    others = [name for name, value in arrays.items() if _is_signal(value)]
    return others[0] if len(others) == 1 else None


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


def _is_numbers(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return dtype is not None and dtype.kind in "fiu"


def _is_signal(value: Any) -> bool:
    if not _is_numbers(value):
        return False
    shape = np.shape(value)
    return len(shape) in (1, 2) and max(shape) > 1 and min(shape) > 0


def _rate(path: Path, scopes: list[Struct], fallback: float | None) -> float:
    for struct in scopes:
        for name in _RATES:
            if _is_numbers(struct.get(name)) and np.size(struct[name]) == 1:
                return float(np.reshape(struct[name], -1)[0])
    if fallback is not None:
        return fallback
    raise FormatError(path, "says no sampling rate; give it (fs=, --fs)")


def _names(scopes: list[Struct], keys: tuple[str, ...]) -> list[str]:
    """The texts under the first of the keys that has any."""
    for struct in scopes:
        for key in keys:
            found = texts(struct[key]) if key in struct else []
            if found:
                return found
    return []


def texts(value: Any) -> list[str]:
    """Strings in an array or a list of them; blanks at their ends are off."""
    if isinstance(value, (list, tuple)):
        return [text for item in value[:_MAX_NAMES] for text in texts(item)]
    array = np.asarray(value)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind != "U" or array.size > _MAX_NAMES:
        return []
    return [str(text).strip() for text in array.reshape(-1)]
