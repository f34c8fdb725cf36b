"""WFDB, the format of PhysioNet: a text header ``NAME.hea``, signal files, annotation files.

All signal formats are decoded by the ``wfdb`` package. https://wfdb.io/spec/signal-files/ specifies
them.
"""

from __future__ import annotations

import dataclasses
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Hashable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import wfdb_annotations, wfdb_header
from ipmdae.formats.blocks import SignalReader
from ipmdae.formats.errors import FormatError, check_expansion, check_samples
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.signals import shifted
from ipmdae.formats.wfdb_header import (
    DEFAULT_GAIN,
    beside,
    files,
    header_path,
    is_segmented,
    read_header,
)
from ipmdae.formats.wfdb_writer import open_writer, write
from ipmdae.pipeline.resample import resample
from ipmdae.recording import Header, Recording, Resolution, millivolts
from ipmdae.text import enumerated

__all__ = ["NAME", "SUFFIXES", "files", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "WFDB"
SUFFIXES: tuple[str, ...] = ("", ".hea", ".dat")

BITS = {"80": 8, "310": 10, "311": 10, "212": 12, "16": 16, "61": 16, "160": 16, "24": 24, "32": 32}
BITS |= {"8": 16, "508": 8, "516": 16, "524": 24}
"""The width in bits of samples in the formats that are read; 8 stores differences of 16 bits."""

_BYTES = {"212": Fraction(3, 2), "310": Fraction(4, 3), "311": Fraction(4, 3), "8": Fraction(1)}
_DECODED = 24
"""Bytes of memory that a sample takes while it is decoded."""

_COMPRESSED = {"508", "516", "524"}

SEEKABLE = frozenset(BITS) - _COMPRESSED - {"8"}
"""The formats whose samples can be decoded without those before."""


def recognises(path: Path) -> bool:
    """True if there is a header of this name."""
    return header_path(path).is_file()


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a record whole; see :func:`open_reader`."""
    header = header_path(path)
    reader = _open(header, annotations)
    return Recording.from_header(reader.info, reader.read(0, reader.info.samples))


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a record of one or several segments, given by its header's path with or without suffix.

    Voltages become mV; other leads keep their unit. Where a record samples its leads at different
    rates, all are brought to the highest. A lead that says nothing about its gain, or 0, has 200
    steps per mV, as the specification wants. What no segment holds is missing (NaN).

    Args:
        path: the header.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: the header, a segment's header or a signal file is missing.
        FormatError: the header is malformed, a signal file is shorter than the header says, or
            the signals cannot be decoded.
    """
    return _open(header_path(path), annotations=True)


def _open(header: Path, annotations: bool) -> Record | Segments:
    fields = read_header(header)
    segmented = is_segmented(fields)
    reader = (Segments if segmented else Record)(header, fields)
    if annotations:
        signal_files: frozenset[str] = frozenset(() if segmented else fields.file_name)
        marks = wfdb_annotations.read_all(header, fields.fs, reader.info.fs, signal_files)
        reader.info = dataclasses.replace(reader.info, annotations=marks)
    return reader


_LONGEST = 1 << 34
"""Samples a lead that segments may span, a year at 500 Hz: a gap of any length is a word to say."""

_SMALL = 1 << 12
"""Values up to which a record is kept in memory: many segments may be of a few samples."""


class Record(SignalReader):
    """A record, or a segment of one, that has its own signal files.

    Attributes:
        header: path of the header.

    Blocks are decoded when they are asked for. What cannot be decoded from its middle on is read
    whole: compressed or differenced samples, leads of different rates or skew, unknown length.
    """

    def __init__(self, header: Path, fields: Any) -> None:
        """Open a record whose header has been read.

        Raises:
            FileNotFoundError: a signal file is missing.
            FormatError: one is shorter than the header says, or cannot be decoded.
        """
        if is_segmented(fields):
            raise FormatError(header, "a segment cannot be made of segments")
        check_files(header, fields)
        self.header = header
        in_blocks = (
            fields.sig_len is not None
            and fields.agreed
            and SEEKABLE.issuperset(fields.fmt)
            and set(fields.samps_per_frame) == {1}
            and not any(fields.skew)
        )
        if fields.uncalibrated:
            warnings.warn(
                f"{header}: states no gain of {', '.join(fields.uncalibrated)}; "
                f"{DEFAULT_GAIN:g} steps per mV are assumed, as WFDB does",
                stacklevel=5,
            )
        record = self._decode(0, 1 if in_blocks else None)
        units = fields.units
        self._scale = np.array([millivolts(unit) or 1.0 for unit in units])
        self._whole: NDArray[np.float64] | None = None
        samples, fs = fields.sig_len, fields.fs
        try:
            if not in_blocks:
                most = max(record.samps_per_frame)
                fs *= most
                self._whole = self._join(record, fields.fs)
                if samples is not None:
                    self._whole = self._whole[: samples * most]
                samples = len(self._whole)
            elif samples * len(units) <= _SMALL:
                self._whole = self.read(0, samples)
            self.info = Header(
                samples=samples,
                fs=fs,
                leads=tuple(name or f"lead {i + 1}" for i, name in enumerate(fields.sig_name)),
                units=tuple("mV" if millivolts(unit) else unit for unit in units),
                resolution=tuple(
                    Resolution(gain=gain, baseline=baseline, unit=unit, bits=BITS[fmt])
                    for gain, baseline, unit, fmt in zip(
                        record.adc_gain, record.baseline, units, record.fmt, strict=True
                    )
                ),
                **wfdb_header.description(fields),
            )
        except ValueError as error:
            raise FormatError(header, str(error)) from error

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`ipmdae.formats.SignalReader.read`."""
        if self._whole is not None:
            return self._whole[first:stop]
        record = self._decode(first, stop)
        signal: NDArray[np.float64] = np.stack(record.e_p_signal, axis=1) * self._scale
        return signal

    def _decode(self, first: int, stop: int | None) -> Any:
        import wfdb  # type: ignore[import-untyped]

        try:
            return wfdb.rdrecord(
                str(self.header.with_suffix("")),
                sampfrom=first,
                sampto=stop,
                smooth_frames=False,
                # Applied in _join: the package fails where all leads have one.
                ignore_skew=True,
                return_res=64,
            )
        except Exception as error:
            raise FormatError(self.header, f"the signals cannot be decoded ({error})") from error

    def _join(self, record: Any, frames: float) -> NDArray[np.float64]:
        """All leads (time, leads) in line, at the highest rate; ``frames`` come in a second."""
        samples = max(map(len, record.e_p_signal))
        highest = frames * max(record.samps_per_frame)
        fields = record.e_p_signal, self._scale, record.samps_per_frame, record.skew
        return np.stack(
            [
                resample(
                    scale * shifted(lead, -rate * (skew or 0)), frames * rate, highest, samples
                )
                for lead, scale, rate, skew in zip(*fields, strict=True)
            ],
            axis=1,
        )


class Segments(SignalReader):
    """The segments of a record, one after the other; what none of them holds is missing.

    Where the layout is fixed, all have the same leads in the same order; where it is variable, the
    first segment has no samples, and leads are identified by name. A lead whose resolution changes
    gets the finest.
    """

    def __init__(self, header: Path, fields: Any) -> None:
        """Open a record whose header has been read.

        Raises:
            FileNotFoundError: a segment's header or a signal file is missing.
            FormatError: a segment is not as announced, or none holds samples.
        """
        self._parts, fs, samples = _segments(header, fields)
        if samples > _LONGEST:
            raise FormatError(header, f"{samples} samples a lead are longer than a year")
        self._starts = [start for start, _ in self._parts]
        self._columns: dict[Hashable, int] = {}
        first: list[tuple[Record, int]] = []
        resolution: list[Resolution] = []
        for _, part in self._parts:
            _check_order(header, self._parts[0][1].info.leads, part, fields.layout)
            for i, key in enumerate(self._keys(part, fields.layout)):
                step = part.info.resolution[i] or Resolution()
                if key not in self._columns:
                    self._columns[key] = len(first)
                    first.append((part, i))
                    resolution.append(step)
                column = self._columns[key]
                resolution[column] = min(resolution[column], step, key=lambda how: how.step)
        self._layout = fields.layout
        different = {part.header: part.info.samples for _, part in self._parts}
        check_samples(header, samples, len(first), held=sum(different.values()))
        self.info = Header(
            samples=samples,
            fs=fs,
            leads=tuple(part.info.leads[i] for part, i in first),
            units=tuple(part.info.units[i] for part, i in first),
            resolution=tuple(resolution),
            **wfdb_header.description(fields),
        )

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`ipmdae.formats.SignalReader.read`."""
        signal = np.full((stop - first, len(self._columns)), np.nan)
        begin = max(bisect_right(self._starts, first) - 1, 0)
        for start, part in self._parts[begin : bisect_left(self._starts, stop)]:
            low, high = max(first, start), min(stop, start + part.info.samples)
            if low < high:
                columns = [self._columns[key] for key in self._keys(part, self._layout)]
                signal[low - first : high - first, columns] = part.read(low - start, high - start)
        return signal

    @staticmethod
    def _keys(part: Record, layout: str) -> list[Hashable]:
        """Key that identifies the leads of a segment."""
        return list(range(len(part.info.leads)) if layout == "fixed" else part.info.leads)


def _segments(header: Path, fields: Any) -> tuple[list[tuple[int, Record]], float, int]:
    """The segments that hold samples, each with its first sample; their rate; samples in all."""
    parts: list[tuple[int, Record]] = []
    frame = 0
    rate = 1
    opened: dict[str, Record] = {}
    for name, frames in zip(fields.seg_name, fields.seg_len, strict=True):
        if name != "~" and frames:
            if name not in opened:
                path = wfdb_header.beside(header, f"{name}.hea")
                opened[name] = Record(path, wfdb_header.read_header(path))
            part = opened[name]
            info = part.info
            rate = round(info.fs / fields.fs)
            if info.fs != rate * fields.fs or info.samples != rate * frames:
                raise FormatError(
                    header,
                    f"segment {name} has {info.samples} samples at {info.fs:g} Hz, not {frames} "
                    f"at {fields.fs:g} Hz as announced",
                )
            parts.append((frame * rate, part))
        frame += frames
    if not parts:
        raise FormatError(header, "none of its segments holds samples")
    if len({part.info.fs for _, part in parts}) > 1:
        raise FormatError(header, "its segments have different sampling rates")
    return parts, parts[0][1].info.fs, frame * rate


def _check_order(header: Path, leads: tuple[str, ...], part: Record, layout: str) -> None:
    """Refuse a segment of a fixed layout that has the leads of the first in another order."""
    own = part.info.leads
    if layout == "fixed" and own != leads and sorted(own) == sorted(leads):
        raise FormatError(
            header,
            f"segment {part.header.stem} has the leads {enumerated(own)}, not {enumerated(leads)} "
            "as the first",
        )


def check_files(header: Path, fields: Any) -> None:
    """Compare the size of each signal file of a single segment with what its header announces.

    Raises:
        FileNotFoundError: a signal file is missing.
        FormatError: a format is unknown, or a file is too short; the message says by how much.
    """
    for name in dict.fromkeys(fields.file_name):
        path = beside(header, name)
        leads = [i for i, file in enumerate(fields.file_name) if file == name]
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: there is no such signal file; {header.name} stores {len(leads)} of its "
                f"{fields.n_sig} leads there"
            )
        format = fields.fmt[leads[0]]
        if format not in BITS:
            raise FormatError(
                header, f"signal format {format} is unknown; known are {', '.join(BITS)}"
            )
        rates = [fields.samps_per_frame[i] for i in leads]
        frame = sum(rates)
        if min(rates) < 1:
            raise FormatError(header, f"the WFDB header is malformed ({frame} samples a frame)")
        if fields.sig_len is None:
            continue
        # All leads are brought to the highest rate, and decoding takes a few copies.
        expanded = fields.sig_len * max(fields.samps_per_frame) * len(leads) * _DECODED
        check_expansion(path, path.stat().st_size, expanded)
        if format in _COMPRESSED:
            continue
        size = _BYTES.get(format, Fraction(BITS[format], 8))
        data = path.stat().st_size - (fields.byte_offset[leads[0]] or 0)
        found = max(int(data / size), 0) // frame
        if found < fields.sig_len:
            raise FormatError(
                path,
                f"the signal file is cut off: {header.name} announces {fields.sig_len} samples a "
                f"lead, {found} are there; fetch it again, or correct the number in the header to "
                "read those",
            )
