"""PLUX's devices (BITalino, biosignalsplux): OpenSignals' description of them and its HDF5 files.

An HDF5 file holds a group for each device, named by its address. The group's attributes describe
the device; ``raw/channel_1`` and so on are steps of the converter. What OpenSignals derives of them
(``support``, ``plugin``), its events and digital lines are not read.

Source of the transfer functions: PLUX, data sheets of the ECG sensors: mV = (steps / 2**bits - 1/2)
* supply / gain * 1000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.arrays import ATTRIBUTES, numbers, place_of, texts
from ipmdae.formats.columns import Column, column, units_of
from ipmdae.formats.dates import local_time
from ipmdae.formats.errors import FormatError
from ipmdae.formats.options import ReadOptions
from ipmdae.recording import Recording
from ipmdae.text import unique

_SUPPLY = {"bitalino": (3.3, 1100.0), "biosignalsplux": (3.0, 1019.0)}
"""Volts of the converter's range, and gain of the ECG sensor."""

_BITS = range(6, 33)
"""Resolutions that a channel of an ECG may have."""

_CHANNEL = re.compile(r"channel_(\d+)")


def columns_of(device: Mapping[str, Any]) -> Iterator[Column]:
    """The columns of a device, the steps of its ECG sensors in mV.

    Args:
        device: ``column`` are all names, ``label`` those of channels, ``sensor`` are of each
            channel, ``resolution`` (bits) of each or of all columns, ``device`` is the model.

    Yields:
        Columns; the steps of an ECG sensor whose resolution is not known are in counts.

    Raises:
        KeyError, IndexError, TypeError: the description is not complete.
    """
    model = str(device.get("device", ""))
    volts, gain = next((v for k, v in _SUPPLY.items() if model.startswith(k)), (0.0, 1.0))
    labels = [str(label) for label in device["label"]]
    headings = [str(heading) for heading in device["column"]]
    bits_of = _bits(device.get("resolution"), labels, headings)
    for heading in headings:
        if heading not in labels:
            kind = "index" if column(heading).kind == "index" else "other"
            yield Column(heading, heading, "", kind)
            continue
        sensor, bits = str(device["sensor"][labels.index(heading)]), bits_of.get(heading)
        name, ecg = f"{sensor} {heading}", sensor.upper().startswith("ECG")
        if ecg and volts and bits:
            scale = 1000 * volts / gain / 2.0**bits
            yield Column(heading, name, "", "lead", scale=scale, zero=2.0**bits / 2)
        elif ecg or sensor.upper() in ("RAW", "CUSTOM"):
            yield Column(heading, name, "counts", "lead")
        else:
            yield Column(heading, name, "", "other")


def _bits(stated: Any, labels: Sequence[str], columns: Sequence[str]) -> dict[str, int]:
    """The resolutions by name, as a BITalino states them of columns, and others of channels.

    Of another number than either, none is known; what an ECG cannot have is left out.
    """
    bits = _listed(stated)
    names = next((names for names in (columns, labels) if len(names) == len(bits)), [])
    return {name: int(n) for name, n in zip(names, bits, strict=False) if n in _BITS}


def in_units(columns: Sequence[Column], values: NDArray[np.float64]) -> list[Column]:
    """The columns of values, which are in the sensors' own units if they are not whole numbers."""
    known = values[np.isfinite(values)]
    if (known == np.rint(known)).all():
        return list(columns)
    return [Column(c.heading, c.name, "mV" if c.scale else "", c.kind) for c in columns]


def start_of(device: Mapping[str, Any]) -> datetime | None:
    """Start of the recording of a device: ``date`` (2026-3-4) and ``time`` (9:5:40.9)."""
    stamp = f"{device.get('date', '')} {str(device.get('time', '')).split('.')[0]}"
    return local_time(re.sub(r"(?<=[ :-])(\d)(?!\d)", r"0\1", stamp))


def is_opensignals(arrays: Mapping[str, Any], wanted: str | None) -> bool:
    """True if arrays are OpenSignals' HDF5 file and no other array than its channels is asked for.

    Args:
        arrays: by lower-case name.
        wanted: the device, or the channel as ``"device/raw/channel_1"`` or ``"channel_1"``.
    """
    return any(_channels(address, group, wanted) for address, group in arrays.items())


def from_opensignals(path: Path, arrays: Mapping[str, Any], options: ReadOptions) -> Recording:
    """A recording of the channels of a device; ECG sensors are in mV.

    Args:
        path: the file, for messages.
        arrays: its content by lower-case name.
        options: ``array`` names the device or a channel of it; ``unit`` is the size of a step.

    Raises:
        FormatError: there are several devices, their description is not complete, or the size of an
            ECG's steps is not known.
    """
    found = {
        address: channels
        for address, group in arrays.items()
        if (channels := _channels(address, group, options.array))
    }
    if len(found) > 1:
        raise FormatError(path, f"holds several devices; name one (array=): {', '.join(found)}")
    ((address, channels),) = found.items()
    raw, about = arrays[address]["raw"], _plain(arrays[address][ATTRIBUTES])
    parts = [numbers(path, np.asarray(raw[name])) for name in channels]
    if len({part.shape for part in parts}) > 1 or parts[0].shape[1] > 1:
        raise FormatError(path, "its channels are not of one length")
    values = np.hstack(parts)
    try:
        device = about | _described(about, raw, channels)
        columns = in_units(list(columns_of(device)), values)
        fs = float(about["sampling rate"])
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError) as error:
        raise FormatError(path, f"its description of {address} is not complete ({error})") from None
    # Columns are chosen afterwards: those that are not asked for are no leads by that.
    units = units_of(path, columns, list(values.T), replace(options, columns=None))
    try:
        return Recording(
            signal=(values - units.zero) * units.scale,
            fs=fs,
            leads=tuple(unique([column.name for column in columns])),
            units=units.names,
            start=start_of(about),
            comments=tuple(
                f"{key}: {about[key]}" for key in ("device", "firmware version") if key in about
            ),
        )
    except (ValueError, OverflowError) as error:
        raise FormatError(path, str(error)) from error


def _channels(address: str, group: Any, wanted: str | None) -> list[str]:
    """Names of a device's channels, of those that are wanted, by their numbers."""
    if not isinstance(group, Mapping) or "sampling rate" not in group.get(ATTRIBUTES, {}):
        return []
    raw = group.get("raw")
    names = [n for n in (raw if isinstance(raw, Mapping) else ()) if _CHANNEL.fullmatch(n)]
    if wanted is not None:
        wanted = place_of(wanted)
        names = [n for n in names if wanted == n or f"{address}.raw.{n}.".startswith(f"{wanted}.")]
    return sorted(names, key=lambda name: int(name.removeprefix("channel_")))


def _described(
    about: Mapping[str, Any], raw: Mapping[str, Any], channels: Sequence[str]
) -> dict[str, Any]:
    """Sensor and resolution of channels, as their own attributes or the device's state them.

    The device's are lists in the order of its channels, whose numbers ``channels`` states, or of
    its columns. A sensor that is not stated is ``"RAW"``, of steps of unknown size.
    """
    sensors, bits = _listed(about.get("sensor", [])), _listed(about.get("resolution", []))
    every = [str(number) for number in _listed(about.get("channels", []))]
    every = every or [str(i + 1) for i in range(len(sensors or bits))]
    labels = [str(label) for label in _listed(about.get("label", every))]
    by_label = _bits(bits, labels, [str(name) for name in _listed(about.get("column", []))])
    of_all = {
        "sensor": dict(zip(every, sensors, strict=False)),
        "resolution": dict(zip(every, map(by_label.get, labels), strict=False)),
    }
    described: dict[str, Any] = {
        "label": channels,
        "column": channels,
        "sensor": [],
        "resolution": [],
    }
    for name in channels:
        own = _plain(raw.get(f"{ATTRIBUTES}{name}", {}))
        for key in ("sensor", "resolution"):
            own.setdefault(key, of_all[key].get(name.removeprefix("channel_")))
        described["sensor"].append(own["sensor"] or "RAW")
        described["resolution"].append(own["resolution"])
    return described


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as numbers and texts; those of several values as lists."""
    plain: dict[str, Any] = {}
    for name, value in attributes.items():
        values = texts(value) or np.ravel(np.asarray(value)).tolist()
        plain[name] = values[0] if len(values) == 1 else values
    return plain
