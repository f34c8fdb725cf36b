"""WFDB, the format of PhysioNet: a text header ``NAME.hea``, signal files, annotation files.

Specification: https://wfdb.io/spec/header-files/. Headers and all signal formats are decoded by
the ``wfdb`` package.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Hashable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import wfdb  # type: ignore[import-untyped]

from ipmdae.formats import wfdb_annotations, wfdb_signals
from ipmdae.formats.errors import FormatError
from ipmdae.formats.wfdb_writer import TIME_OF_DAY, header_path, write
from ipmdae.recording import Recording, Resolution, millivolts
from ipmdae.resample import resample

__all__ = ["NAME", "SUFFIXES", "read", "recognises", "write"]

NAME = "WFDB"
SUFFIXES: tuple[str, ...] = ("", ".hea", ".dat")


def recognises(path: Path) -> bool:
    """Whether there is a header of this name."""
    return header_path(path).is_file()


def read(path: Path, *, annotations: bool = True) -> Recording:
    """Read a record of one or several segments, given by its header's path with or without suffix.

    Voltages become mV; other leads keep their unit. Where a record samples its leads at different
    rates, all are brought to the highest. A lead that says nothing about its gain, or 0, has 200
    steps per mV, as the specification wants. What no segment holds is missing (NaN).

    Raises:
        FileNotFoundError: the header, a segment's header or a signal file is missing.
        FormatError: the header is malformed, a signal file is shorter than the header says, or
            the signals cannot be decoded.
    """
    header = header_path(path)
    fields = _read_header(header)
    if isinstance(fields, wfdb.MultiRecord):
        recording = _read_segments(header, fields)
        signal_files: frozenset[str] = frozenset()
    else:
        recording = _read_segment(header, fields)
        signal_files = frozenset(fields.file_name)
    if not annotations:
        return recording
    marks = wfdb_annotations.read_all(header, fields.fs, recording.fs, signal_files)
    return dataclasses.replace(recording, annotations=marks)


def _read_header(header: Path) -> Any:
    if not header.is_file():
        raise FileNotFoundError(
            f"{header}: there is no such header; a WFDB record is a .hea file and its signal files"
        )
    try:
        fields: Any = wfdb.rdheader(str(header.with_suffix("")))
    except Exception as error:
        raise FormatError(header, f"the WFDB header is malformed ({error})") from error
    if isinstance(fields, wfdb.MultiRecord):
        kind, announced, described = "segments", fields.n_seg, fields.seg_name
    else:
        kind, announced, described = "signals", fields.n_sig, fields.file_name
    if announced != len(described or ()):
        raise FormatError(
            header,
            f"the WFDB header is malformed (it announces {announced} {kind} and describes "
            f"{len(described or ())})",
        )
    if not announced or not fields.n_sig or fields.sig_len == 0:
        raise FormatError(header, "the WFDB header announces no signals, or none of their samples")
    return fields


def _read_segment(header: Path, fields: Any) -> Recording:
    """Read a record, or a segment of one, that has its own signal files."""
    if isinstance(fields, wfdb.MultiRecord):
        raise FormatError(header, "a segment cannot be made of segments")
    wfdb_signals.check_files(header, fields)
    try:
        record: Any = wfdb.rdrecord(str(header.with_suffix("")), smooth_frames=False, return_res=64)
    except Exception as error:
        raise FormatError(header, f"the signals cannot be decoded ({error})") from error
    text = _text(header)
    units = _units(text, record.units)
    fs, samples = record.fs * max(record.samps_per_frame), max(map(len, record.e_p_signal))
    try:
        columns = [
            resample(lead * (millivolts(unit) or 1.0), record.fs * rate, fs, samples)
            for lead, unit, rate in zip(
                record.e_p_signal, units, record.samps_per_frame, strict=True
            )
        ]
        return Recording(
            signal=np.stack(columns, axis=1),
            fs=fs,
            leads=tuple(name or f"lead {i + 1}" for i, name in enumerate(record.sig_name)),
            units=tuple("mV" if millivolts(unit) else unit for unit in units),
            resolution=tuple(
                Resolution(gain=gain, baseline=baseline, unit=unit, bits=wfdb_signals.BITS[fmt])
                for gain, baseline, unit, fmt in zip(
                    record.adc_gain, record.baseline, units, record.fmt, strict=True
                )
            ),
            **_description(record, text),
        )
    except ValueError as error:
        raise FormatError(header, str(error)) from error


def _read_segments(header: Path, fields: Any) -> Recording:
    """Join the segments of a record, one after the other.

    Where the layout is fixed, all have the same leads in the same order; where it is variable, the
    first segment has no samples, and leads are told by their names. A lead whose resolution changes
    gets the finest.
    """
    parts, fs, samples = _segments(header, fields)
    places: dict[Hashable, list[tuple[int, Recording, int]]] = {}
    for start, part in parts:
        for i, name in enumerate(part.leads):
            key = i if fields.layout == "fixed" else name
            places.setdefault(key, []).append((start, part, i))
    try:
        signal = np.full((samples, len(places)), np.nan)
    except (MemoryError, ValueError) as error:
        raise FormatError(header, f"{samples} samples a lead do not fit the memory") from error
    for lead, pieces in zip(signal.T, places.values(), strict=True):
        for start, part, i in pieces:
            lead[start : start + part.samples] = part.signal[:, i]
    return Recording(
        signal=signal,
        fs=fs,
        leads=tuple(part.leads[i] for (_, part, i), *_ in places.values()),
        units=tuple(part.units[i] for (_, part, i), *_ in places.values()),
        resolution=tuple(
            min((part.resolution[i] or Resolution() for _, part, i in pieces), key=lambda r: r.step)
            for pieces in places.values()
        ),
        **_description(fields, _text(header)),
    )


def _segments(header: Path, fields: Any) -> tuple[list[tuple[int, Recording]], float, int]:
    """The segments that hold samples, each with its first sample; their rate; samples in all."""
    parts: list[tuple[int, Recording]] = []
    frame = 0
    rate = 1
    for name, frames in zip(fields.seg_name, fields.seg_len, strict=True):
        if name != "~" and frames:
            path = header.with_name(f"{name}.hea")
            part = _read_segment(path, _read_header(path))
            rate = round(part.fs / fields.fs)
            if part.fs != rate * fields.fs or part.samples != rate * frames:
                raise FormatError(
                    header,
                    f"segment {name} has {part.samples} samples at {part.fs:g} Hz, not {frames} "
                    f"at {fields.fs:g} Hz as announced",
                )
            parts.append((frame * rate, part))
        frame += frames
    if not parts:
        raise FormatError(header, "none of its segments holds samples")
    if len({part.fs for _, part in parts}) > 1:
        raise FormatError(header, "its segments have different sampling rates")
    return parts, parts[0][1].fs, frame * rate


def _text(header: Path) -> str:
    """The header's text; not every recorder writes UTF-8."""
    data = header.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _units(text: str, units: list[str]) -> list[str]:
    """The leads' units. The wfdb package drops what is not ASCII, which makes volts of ``µV``."""
    lines = [line.strip() for line in text.splitlines()]
    signals = [line for line in lines if line and not line.startswith("#")][1:]
    return [
        "uV" if re.search("[µμ]V", line) else unit
        for line, unit in zip(signals, units, strict=False)
    ]


def _description(fields: Any, text: str) -> dict[str, Any]:
    """Start, comments and metadata of a record, as arguments of :class:`Recording`."""
    lines = (line.strip() for line in text.splitlines())
    described: dict[str, Any] = {
        "comments": tuple(line[1:].strip() for line in lines if line.startswith("#"))
    }
    if fields.base_time is not None and fields.base_date is not None:
        described["start"] = datetime.combine(fields.base_date, fields.base_time)
    elif fields.base_time is not None:
        described["metadata"] = {TIME_OF_DAY: fields.base_time.isoformat()}
    return described
