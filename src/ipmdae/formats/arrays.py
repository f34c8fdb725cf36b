"""Recordings from named arrays, whoever made them (``.npz``, ``.mat``, HDF5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import array_times, calibration, description
from ipmdae.formats.errors import FormatError, check_samples
from ipmdae.formats.markers import without_markers
from ipmdae.formats.names import is_no_lead, other_electrodes, symbol
from ipmdae.formats.options import DEFAULTS, ReadOptions, converted, restated
from ipmdae.recording import Header, Recording

SIGNALS = tuple("signal signals p_signal ecg d_signal x data val ecg_signal sig".split())
"""Names under which a signal is looked for, in this order; else the one numeric array there is that
is not called as another measurement is (``emg``, ``acc``)."""

_RATES = (
    *("fs", "sampling_rate", "sampling_frequency", "sample_rate", "samplingrate", "samplerate"),
    *("sampling rate", "freq", "sf", "srate", "sfreq", "fsample", "rate"),
)
_LEADS = (
    *("leads", "lead_names", "leadnames", "lead", "sig_name", "channels", "channel_names"),
    *("ch_names", "chan", "chans", "labels", "label"),
)
_UNITS = ("units", "unit")

_NO_SIGNALS = {*_RATES, *_LEADS, *_UNITS, *calibration.NAMES}
"""Names of what describes a signal, in whatever number."""

ATTRIBUTES = "\0"
"""Key of a struct's attributes; with an array's name after it, key of those of the array. No signal
is looked for in them."""

_MAX_NAMES = 4096


Struct = Mapping[str, Any]
"""Arrays by name, names in lower case."""


def from_arrays(
    path: Path, arrays: Mapping[str, Any], options: ReadOptions = DEFAULTS
) -> Recording:
    """A recording of arrays by name, in lower or upper case.

    ``signal`` (or another of :data:`SIGNALS`) is (time,), (time, leads) or (leads, time): the
    longer axis is time, unless a description of ours says it. ``fs`` is the rate in Hz, ``leads``
    and ``units`` are names; without units, values are taken as mV, or as uV by their size. Whole
    numbers become physical values where a gain is stated (:mod:`ipmdae.formats.calibration`). A
    column of times, or else an array of them, gives rate, gaps and start. Where no array at the top
    is a signal, a struct (or group) that holds one is read, with what stands beside it.

    Args:
        path: the file.
        arrays: its content: arrays, lists of texts, mappings of these for structs, and of
            attributes (:data:`ATTRIBUTES`).
        options: ``fs`` is the rate where the file does not say it, ``unit`` that of voltages;
            ``array`` names the signal or the struct that holds it, ``"struct.field"`` one inside.

    Raises:
        FormatError: there is no signal, no rate, or they do not agree.
    """
    name, stored, structs = _chosen(path, lowered(arrays), options.array)
    try:
        signal = numbers(path, stored)
        if name == SIGNALS[0] and len(structs) == 1 and description.KEY in structs[0]:
            known = description.from_json(texts(structs[0][description.KEY])[0])
            header, scales = restated(path, Header(samples=len(signal), **known), options)
            return Recording.from_header(header, signal * scales)
        return _of_others(path, name, signal, structs, options)
    except FormatError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(path, str(error)) from error


def _of_others(
    path: Path, name: str, signal: NDArray[np.float64], structs: list[Struct], options: ReadOptions
) -> Recording:
    """The recording of an array of this name in the first of the structs."""
    signal = upright(signal)
    width = signal.shape[1]
    scopes = _scopes(name, structs)
    signal = calibration.without_codes(path, signal, scopes)
    leads, units = _names(scopes, _LEADS), _names(scopes, _UNITS)
    others = array_times.no_leads(leads, units, signal)
    kept = np.array([i not in others for i in range(width)])
    count = int(kept.sum())
    if not count:
        raise FormatError(path, f"its {name} holds times or counts, and no samples beside them")
    leads, units = ([*compress(n, kept)] if len(n) == width else n for n in (leads, units))
    leads = leads or [f"lead {i + 1}" for i in range(count)]
    units = (units or [""]) * (count if len(units) < 2 else 1)
    if len(leads) != count or len(units) != count:
        raise FormatError(
            path, f"has {count} leads, but {len(leads)} names and {len(units)} units of them"
        )
    times = [(known, signal[:, i]) for i, known in others.items() if known.kind == "time"]
    stamps = times[0] if times else _times_beside(path, structs[0], len(signal))
    signal = signal[:, kept]
    units = [symbol(unit) for unit in units]
    signal, units = calibration.physical(path, name, signal, scopes, kept, units, options)
    signal = without_markers(path, signal)
    signal, fs, start = array_times.in_time(path, signal, stamps, options, _rate(scopes))
    units, factors, _ = converted(path, leads, units, options, signal.T)
    signal = signal * factors
    return Recording(signal=signal, fs=fs, leads=tuple(leads), units=tuple(units), start=start)


def _times_beside(path: Path, arrays: Struct, rows: int) -> array_times.Stamps | None:
    """The array of times among arrays, in the unit that its attributes state."""
    units = {name: _names([arrays.get(f"{ATTRIBUTES}{name}", {})], _UNITS) for name in arrays}
    return array_times.beside(path, arrays, rows, {n: u[0] for n, u in units.items() if u})


Chosen = tuple[str, NDArray[Any], list[Struct]]
"""Name of the signal, the signal, the struct that holds it and those around that, to the file."""


def _chosen(path: Path, arrays: Struct, array: str | None) -> Chosen:
    places = list(_places("", [arrays]))
    if array is not None:
        wanted = place_of(array)
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
    if holding or len(_unnamed(arrays)) > 1:
        ask = "has several arrays that may be the signal; name one (array=, --array)"
    elif any(name in arrays and _has_shape(arrays[name]) for name in SIGNALS):
        ask = "has an array of times or counts, and no samples beside them"
    else:
        ask = f"has no array called {' or '.join(SIGNALS[:4])}; name it (array=, --array)"
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
        if isinstance(value, Mapping) and not name.startswith(ATTRIBUTES):
            yield from _places(_joined(at, name), [value, *scopes])


def _scopes(name: str, structs: list[Struct]) -> list[Struct]:
    """Places of the rate and the like of an array: its attributes, its struct, those around."""
    found = [structs[0].get(f"{ATTRIBUTES}{name}", {})]
    for struct in structs:
        found += [struct, struct.get(ATTRIBUTES, {})]
    return [struct for struct in found if isinstance(struct, Mapping)]


def place_of(array: str) -> str:
    """The place of an array that ``"Struct/Field"`` or ``"struct.field"`` names."""
    return array.lower().replace("/", ".").strip(".")


def lowered(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays and structs with names in lower case; a cell that holds one array is that array."""
    found: dict[str, Any] = {}
    for name, value in arrays.items():
        if isinstance(value, Mapping):
            value = lowered(value)
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
        if value is not None:
            found[name.lower()] = value
    return found


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
    if description.KEY in arrays and _has_shape(arrays.get(SIGNALS[0])):
        return SIGNALS[0]
    for name in SIGNALS:
        if name in arrays and _is_signal(name, arrays[name]):
            return name
    others = _unnamed(arrays)
    return others[0] if len(others) == 1 else None


def _unnamed(arrays: Mapping[str, Any]) -> list[str]:
    """Names of arrays that may be an ECG: any but those of other measurements."""
    return [n for n, value in arrays.items() if not _is_other(n) and _is_signal(n, value)]


def _is_other(name: str) -> bool:
    """True if an array is called as other measurements are; a letter (``y1``) says nothing."""
    says_more = len(name.rstrip("0123456789")) > 1
    return name in _NO_SIGNALS or (
        says_more and (is_no_lead(name) or any(other_electrodes([name])))
    )


def upright(signal: NDArray[Any]) -> NDArray[Any]:
    """An array as (time, leads): the longer axis is time."""
    signal = signal[:, None] if signal.ndim == 1 else signal
    return signal.T if signal.shape[0] < signal.shape[1] else signal


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


def _is_signal(name: str, value: Any) -> bool:
    """True if a value may be a signal: numbers in one or two dimensions, and no times."""
    return _has_shape(value) and not array_times.tells_time(name, value)


def _has_shape(value: Any) -> bool:
    """True if a value holds numbers in one or two dimensions."""
    shape = np.shape(value) if _is_numbers(value) else ()
    return len(shape) in (1, 2) and max(shape) > 1 and min(shape) > 0


def _rate(scopes: list[Struct]) -> float | None:
    """The rate in Hz, if it is stated."""
    for struct in scopes:
        for name in _RATES:
            if _is_numbers(struct.get(name)) and np.size(struct[name]) == 1:
                return float(np.reshape(struct[name], -1)[0])
    return None


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
