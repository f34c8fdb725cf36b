"""Unisens 2.0, a folder of signals that ``unisens.xml`` describes (movisens and others).

Specification: https://github.com/Unisens. A value is ``(stored - baseline) * lsbValue``.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description
from ipmdae.formats.documents import load_xml, moment, number
from ipmdae.formats.errors import FormatError, check_exponents, check_samples, companion, reason
from ipmdae.formats.names import is_ecg
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.signals import Signal, from_signals
from ipmdae.recording import Annotations, Recording, Resolution

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "files", "read", "recognises"]

NAME = "Unisens"
SUFFIXES: tuple[str, ...] = (".xml",)
OPTIONS = frozenset({"unit"})

_ROOT = re.compile(rb"<([\w.-]+:)?unisens[\s>]")
_TYPES = {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4"}
_TYPES |= {"uint32": "u4", "float": "f4", "double": "f8"}
_PATIENT = {
    "subjectid": description.PATIENT_ID,
    "patientid": description.PATIENT_ID,
    "personid": "",
}
_PATIENT |= {"gender": description.SEX, "sex": description.SEX, "age": description.AGE}
_PATIENT |= {"sensortype": description.DEVICE}


def recognises(path: Path) -> bool:
    """True if the file begins with the root of a Unisens description."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _ROOT.search(file.read(4096).replace(b"\0", b"")) is not None


def files(path: Path) -> list[Path]:
    """The description and the files of its entries; none for the path of another format."""
    if path.suffix.lower() not in SUFFIXES or not recognises(path):
        return []
    try:
        names = [entry.get("id") or "" for entry in load_xml(path)]
    except FormatError:
        return [path]
    return [path, *(path.parent / name for name in names if name and "\0" not in name)]


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read the signals of a description; those at another rate than the ECG are auxiliary channels.

    Entries of events become annotations; those of values (heart rate, steps) are not read.

    Args:
        path: ``unisens.xml``; its signals lie in the same folder.
        annotations: whether to read entries of events.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file, or no file of a signal.
        FormatError: it is broken, names files elsewhere, or has no signals.
    """
    root = load_xml(path)
    signals = [signal for entry in root.iter("signalEntry") for signal in _signals(path, entry)]
    known = {
        "start": moment(root.get("timestampStart")),
        "comments": tuple(filter(None, [" ".join((root.get("comment") or "").split())])),
        "metadata": _metadata(root),
    }
    recording = from_signals(path, signals, options, **known)
    marks = _events(path, root, recording) if annotations else {}
    return from_signals(path, signals, options, annotations=marks, **known) if marks else recording


def _signals(path: Path, entry: Element) -> list[Signal]:
    """The channels of an entry."""
    name = entry.get("id") or ""
    fs = number(entry.get("sampleRate"))
    step, zero = number(entry.get("lsbValue", "1")), number(entry.get("baseline", "0"))
    if not fs or fs <= 0 or not step or zero is None:
        raise FormatError(path, f"entry {name} states no rate, or a scale that is not a number")
    channels = [" ".join((c.get("name") or "").split()) for c in entry.iter("channel")]
    if not channels:
        raise FormatError(path, f"entry {name} has no channels")
    file = companion(path, name)
    stored = (
        _from_binary(path, file, entry, len(channels))
        if entry.find("binFileFormat") is not None
        else _from_table(path, file, entry, len(channels))
    )
    unit = entry.get("unit") or ""
    kind = (entry.get("contentClass") or "").strip().upper()
    digital = unit and entry.get("dataType") not in ("float", "double")
    how = Resolution(gain=1 / step, baseline=round(zero), unit=unit) if digital else None
    return [
        Signal(
            name=_named(kind, channel),
            unit=unit,
            fs=fs,
            values=(column - zero) * step,
            resolution=how,
        )
        for channel, column in zip(channels, stored.T, strict=True)
    ]


def _named(kind: str, channel: str) -> str:
    """Name of a channel; that of an ECG channel always begins with ECG."""
    if kind != "ECG" or is_ecg(channel):
        return channel or kind.lower()
    return f"ECG {channel}".strip()


def _from_binary(path: Path, file: Path, entry: Element, channels: int) -> NDArray[np.float64]:
    """Samples (time, channels), interleaved."""
    kind = entry.get("dataType") or "int16"
    if kind not in _TYPES:
        raise FormatError(path, f"{file.name} has samples of the type {kind!r:.50}")
    layout = entry.find("binFileFormat")
    order = (layout.get("endianess") if layout is not None else None) or "LITTLE"
    dtype = np.dtype(_TYPES[kind]).newbyteorder(">" if order.upper() == "BIG" else "<")
    size = file.stat().st_size
    if size % (dtype.itemsize * channels):
        raise FormatError(path, f"{file.name} is cut off: its last sample is not whole")
    check_samples(path, size // (dtype.itemsize * channels), channels)
    return np.fromfile(file, dtype).reshape(-1, channels).astype(np.float64)


def _from_table(path: Path, file: Path, entry: Element, channels: int) -> NDArray[np.float64]:
    """Samples (time, channels), a row each."""
    import pandas as pd

    layout = entry.find("csvFileFormat")
    separator = (layout.get("separator") if layout is not None else None) or ";"
    decimal = (layout.get("decimalSeparator") if layout is not None else None) or "."
    data = file.read_bytes()
    check_exponents(path, data)
    try:
        table = pd.read_csv(
            io.BytesIO(data),
            sep=re.escape(separator) if len(separator) > 1 else separator,
            decimal=decimal,
            header=None,
            engine="c" if len(separator) == 1 else "python",
        )
        values = np.ascontiguousarray(table.to_numpy(np.float64))
    except Exception as error:
        text = f"{file.name} is not a table of numbers ({reason(error)})"
        raise FormatError(path, text) from error
    if values.shape[1] != channels:
        raise FormatError(path, f"{file.name} has {values.shape[1]} columns, not {channels}")
    return values


def _events(path: Path, root: Element, recording: Recording) -> dict[str, Annotations]:
    """Entries of events in tables: sample, type and comment in each row."""
    marks: dict[str, Annotations] = {}
    for entry in root.iter("eventEntry"):
        layout = entry.find("csvFileFormat")
        name, fs = entry.get("id") or "", number(entry.get("sampleRate"))
        if layout is None or not fs or fs <= 0:
            continue
        lines = companion(path, name).read_text("utf-8", "replace").splitlines()
        rows = [line.split(layout.get("separator") or ";") for line in lines if line.strip()]
        if any(number(row[0]) is None for row in rows):
            raise FormatError(path, f"{name} has an event whose sample is not a number")
        found = [(round(float(row[0]) * recording.fs / fs), row[1:]) for row in rows]
        inside = [(at, words) for at, words in sorted(found) if 0 <= at < recording.samples]
        if inside:
            marks[Path(name).stem] = Annotations(
                sample=np.array([at for at, _ in inside]),
                symbol=tuple(_symbol(words) for _, words in inside),
                note=tuple(" ".join(" ".join(words).split()) for _, words in inside),
            )
    return marks


def _symbol(words: list[str]) -> str:
    """A beat's type where it is one letter of PhysioNet's; a note else."""
    kind = words[0].strip() if words else ""
    return kind if len(kind) == 1 and kind.isalpha() else '"'


def _metadata(root: Element) -> dict[str, str]:
    known: dict[str, str] = {}
    for attribute in root.iter("customAttribute"):
        name = _PATIENT.get((attribute.get("key") or "").lower(), "")
        value = " ".join((attribute.get("value") or "").split())
        if name and value:
            known[name] = value
    return known
