"""EDF, EDF+, BDF and BDF+: polysomnography, Holters, BioSemi.

Specifications: https://www.edfplus.info/specs/ and https://www.biosemi.com/faq/file_format.htm.

What is no ECG, or has another rate than the ECG, travels along as
:attr:`~ipmdae.recording.Recording.auxiliary` and is written back to EDF unchanged.

edfio (0.4) decodes the header. It is not used for samples: of BDF it decodes all signals of a whole
file where one is wanted, and EDF files it maps, which ends the process where one is cut off
meanwhile. Files with interruptions (EDF+D) it does not lay out in time.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import description, edf_text, edf_writer
from ipmdae.formats.blocks import SignalReader, SignalWriter, SpoolingWriter
from ipmdae.formats.description import metadata_in
from ipmdae.formats.edf_range import EdfResolution
from ipmdae.formats.edf_text import COMMENT, ENDS, MISSING, RESERVED, Channel, Event
from ipmdae.formats.errors import MAX_SAMPLES, FormatError, check_samples, first_bytes, reason
from ipmdae.formats.names import is_ecg, symbol
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.recording import Annotations, AuxiliaryChannel, Header, Recording, millivolts
from ipmdae.text import enumerated

__all__ = ["NAME", "SUFFIXES", "open_reader", "open_writer", "read", "recognises", "write"]

NAME = "EDF/BDF"
SUFFIXES: tuple[str, ...] = (".edf", ".bdf", ".rec")

_MAGIC = {b"0       ": 2, b"\xffBIOSEMI": 3}
"""First bytes of a file, and the width in bytes of its samples."""

_NOTES = tuple(label.encode() for label in RESERVED)

_SIGNS = b"+-"
"""Signs with which a time begins."""

_BLOCK = 1 << 20
"""Bytes of data records that are read at once."""


def recognises(path: Path) -> bool:
    """True if the file begins as EDF or BDF does."""
    return first_bytes(path, 8) in _MAGIC


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file whole; see :func:`open_reader`."""
    reader = EdfReader(path, annotations=annotations)
    info = reader.info
    kept = tuple(_kept(channel) for channel in info.auxiliary)
    signal = reader.read(0, info.samples)
    return Recording.from_header(dataclasses.replace(info, auxiliary=kept), signal)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a file.

    Its leads are the signals that are named as ECGs are, or, where none is, all in a unit of
    voltage, or, where none is, all; of these, those of the highest rate. Signals of the same rate
    that are not voltages (respiration) are leads too, in their own unit. All others are auxiliary.

    Args:
        path: the file.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: the header is malformed or the file cut off.
    """
    return EdfReader(path)


def open_writer(header: Header, path: Path) -> SignalWriter:
    """Open a file; the samples wait in another until all are there and their range is known."""
    return SpoolingWriter(header, path, edf_writer.compose)


def write(recording: Recording, path: Path) -> None:
    """Write EDF+ (16 bits), or BDF+ (24 bits) where the suffix is ``.bdf``.

    Physical and digital ranges that a signal had are kept if its values fit them, its step always
    if they fit the bits. Missing samples, for which EDF has no mark, are stored as the lowest
    digital value with an annotation ``missing: LABEL``. Comments become annotations at the
    beginning. A last data record that is not full is filled up, with the standard annotation
    ``Recording ends``.

    Raises:
        FormatError: the rates have no data record in common, or values do not fit the header.
        OSError: the file cannot be written.
    """
    edf_writer.compose(recording.header, lambda i, j: recording.signal[i:j], path)


class EdfReader(SignalReader):
    """A file that is read block by block."""

    def __init__(self, path: Path, *, annotations: bool = True) -> None:
        """Read header and annotations; see :func:`open_reader`."""
        self._records = _Records(path)
        for doubt in self._records.doubts():
            warnings.warn(f"{path}: {doubt}", stacklevel=4)
        channels, events = self._records.channels, self._records.events
        leads, others, comments = _parted(path, channels, events)
        self._channels, fs = leads, leads[0].fs
        # Without annotations, missing samples would look like samples.
        marks, self._missing, end = _marks(events, fs)
        stored = self._records.samples(leads[0])
        samples = end if end is not None and stored - leads[0].count < end <= stored else stored
        check_samples(path, samples, len(leads))
        self._scales = [millivolts(c.unit) or 1.0 for c in leads]
        cut = (stored - samples) / fs
        try:
            self.info = Header(
                samples=samples,
                fs=fs,
                leads=tuple(c.label or f"lead {i + 1}" for i, c in enumerate(leads)),
                units=tuple("mV" if millivolts(c.unit) else c.unit for c in leads),
                start=self._records.start,
                annotations=marks if annotations else {},
                resolution=tuple(c.resolution for c in leads),
                comments=comments,
                metadata=self._records.metadata | metadata_in(comments, description.ALL),
                auxiliary=tuple(self._auxiliary(channel, cut) for channel in others),
            )
        except ValueError as error:
            raise FormatError(path, str(error)) from error

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        return self._read(self._channels, first, stop) * self._scales

    def _read(self, channels: Sequence[Channel], first: int, stop: int) -> NDArray[np.float64]:
        values = self._records.read(channels, first, stop)
        for column, channel in zip(values.T, channels, strict=True):
            for a, b in self._missing.get(channel.place, ()):
                begin, end = round(a * channel.fs) - first, round(b * channel.fs) - first
                if end > 0:
                    column[max(begin, 0) : end] = np.nan
        return values

    def _auxiliary(self, channel: Channel, cut: float) -> AuxiliaryChannel:
        """A signal that is copied, less the last ``cut`` seconds that were filled up."""

        def values(first: int, stop: int) -> NDArray[np.float64]:
            return self._read([channel], first, stop)[:, 0] if stop > first else np.empty(0)

        return AuxiliaryChannel(
            name=channel.label,
            unit=channel.unit,
            fs=channel.fs,
            samples=self._records.samples(channel) - round(cut * channel.fs),
            place=channel.place,
            read=values,
            resolution=channel.resolution,
        )


class _Records:
    """The data records of a file.

    Attributes:
        channels: the signals that are not annotations.
        start: when the first sample was taken, if known.
        metadata: patient and recording as in the header, see :mod:`ipmdae.formats.description`.
        events: all annotations, in s from the first sample, without the time stamps of records.
    """

    def __init__(self, path: Path) -> None:
        """Read the header and the annotations.

        Raises:
            FormatError: they are malformed, or the file is shorter than it says.
        """
        self._path = path
        self._last: tuple[int, NDArray[np.uint8]] = -1, np.zeros((0, 0), np.uint8)
        try:
            # edfio warns of start dates that differ.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                header = self._read_header()
                first = self._read_events()
                self.start, self.metadata = edf_text.identity(header, self._day, first)
        except (FormatError, OSError):
            raise
        except (ZeroDivisionError, UnboundLocalError) as error:  # in edfio
            why = "a data record holds no samples, or lasts 0 s"
            raise FormatError(path, f"the EDF header is malformed ({why})") from error
        except Exception as error:
            raise FormatError(path, f"the EDF header is malformed ({reason(error)})") from error

    def _read_header(self) -> Any:
        """The header, as edfio reads it."""
        import edfio

        with self._path.open("rb") as file:
            head = file.read(256)
            if not head:
                raise FormatError(self._path, "is empty")
            self._width = _MAGIC[head[:8]]
            count = int(head[252:256])
            self._day = head[168:176].decode("latin-1").rstrip()
            head += file.read(256 * count)
            if len(head) < 256 * (count + 1):
                raise FormatError(self._path, "the file is cut off in its header; fetch it again")
            head = _with_points(head, count)
            if count < 1 or int(head[184:192]) != len(head):
                raise ValueError(f"{count} signals, but {int(head[184:192])} bytes of header")
            self._data, size = len(head), file.seek(0, 2) - len(head)
        labels = [head[at : at + 16] for at in range(256, 256 + 16 * count, 16)]
        notes = [i for i in range(count) if labels[i].rstrip() in _NOTES]
        if len(notes) == count:
            raise FormatError(self._path, "holds annotations only, no signal")
        for i in notes:
            labels[i] = b"notes".ljust(16)  # lest edfio decode them
        read: Any = edfio.read_bdf if self._width == 3 else edfio.read_edf
        header = read(
            b"".join([head[:236], b"0       ", head[244:256], *labels, head[256 + 16 * count :]]),
            header_encoding="latin-1",
        )
        self._describe(header, notes)
        announced, found = int(head[236:244]), max(size, 0) // self._size
        if announced > found:
            raise FormatError(
                self._path,
                f"the file is cut off: its header announces {announced} data records, {found} are "
                "there; fetch it again",
            )
        self._count, self._announced = found, found if announced < 0 else announced
        if not found:
            raise FormatError(self._path, "holds no samples")
        return header

    def _describe(self, header: Any, notes: Sequence[int]) -> None:
        """Place of each signal in a record, and scaling of its values."""
        self._duration = float(header.data_record_duration)
        if not 0 < self._duration < np.inf:
            raise ValueError(f"data records of {self._duration:g} s")
        self._interrupted = header.reserved[3:5] == "+D"
        counts = [signal.samples_per_data_record for signal in header.signals]
        if min(counts) < 0:
            raise ValueError("a data record holds no samples")
        ends = (np.cumsum(counts) * self._width).tolist()
        parts = [slice(end - n * self._width, end) for end, n in zip(ends, counts, strict=True)]
        known = [_resolution(signal, 8 * self._width) for signal in header.signals]
        self._size = ends[-1]
        self._step = max(_BLOCK // self._size, 1)
        self._notes = [parts[i] for i in notes]
        self.channels = [
            Channel(
                place=i,
                label=signal.label,
                unit=_unit(signal) if how else "",
                fs=counts[i] / self._duration,
                part=parts[i],
                count=counts[i],
                resolution=how or _steps(signal, 8 * self._width),
            )
            for i, (signal, how) in enumerate(zip(header.signals, known, strict=True))
            if i not in notes
        ]
        self._in_steps = [
            c.label or f"signal {c.place + 1}"
            for c in self.channels
            if c.count and not known[c.place]
        ]

    def doubts(self) -> Iterator[str]:
        """Statements that the header lacks or that the file contradicts, for warnings."""
        if self._in_steps:
            names, whose = (
                enumerated(self._in_steps),
                "its" if len(self._in_steps) == 1 else "their",
            )
            yield f"states no valid range of {names}; {whose} values are steps of the converter"
        if self._count > self._announced:
            yield (
                f"its header announces {self._announced} data records, {self._count} are there; "
                "all are read"
            )

    def _read_events(self) -> float:
        """Read the annotations of all records; return the time of the first record, if said."""
        records = self._read_notes() if self._notes else []
        timed = bool(records) and all(map(_is_timed, records))
        begin = records[0][0].onset if timed else 0.0
        self.events = [
            Event(event.onset - begin, event.duration, event.text)
            for events in records
            for event in events[1 if timed else 0 :]
            if event.text
        ]
        self._onsets = np.arange(self._count) * self._duration
        if self._interrupted:
            if not timed:
                raise FormatError(self._path, "is interrupted (EDF+D), but does not say when")
            self._onsets = np.array([events[0].onset for events in records]) - begin
            if (np.diff(self._onsets) < self._duration * (1 - 1e-6)).any():
                raise FormatError(
                    self._path, "is interrupted (EDF+D), and its records overlap in time"
                )
        return begin

    def _read_notes(self) -> list[list[Event]]:
        """Read the annotations of each record.

        Records beyond the announced ones end where one does not begin with its time as the first.
        """
        records: list[list[Event]] = []
        blocks = range(-(-self._count // self._step))
        for record in (record for number in blocks for record in self._block(number)):
            beyond = len(records) >= max(self._announced, 1)
            if (
                beyond
                and _is_timed(records[0])
                and record[self._notes[0]][:1].tobytes() not in _SIGNS
            ):
                self._count = len(records)
                break
            records.append(self._events_in(record))
        return records

    def _events_in(self, record: NDArray[np.uint8]) -> list[Event]:
        try:
            return edf_text.decode(b"\0".join(record[part].tobytes() for part in self._notes))
        except ValueError as error:
            raise FormatError(self._path, f"the annotations are malformed ({error})") from error

    def _starts(self, channel: Channel) -> NDArray[np.int64]:
        """First sample of each record."""
        if not self._interrupted:
            return np.arange(self._count) * channel.count
        return np.rint(self._onsets * channel.fs).astype(np.int64)

    def samples(self, channel: Channel) -> int:
        """Number of samples of a signal, those of interruptions included.

        Raises:
            FormatError: interruptions of absurd length.
        """
        if not self._count or not channel.count:
            return 0
        end = (self._onsets[-1] + self._duration) * channel.fs
        if self._interrupted and end > MAX_SAMPLES:
            raise FormatError(self._path, f"is interrupted (EDF+D) for {end / channel.fs:g} s")
        return int(self._starts(channel)[-1]) + channel.count

    def read(self, channels: Sequence[Channel], first: int, stop: int) -> NDArray[np.float64]:
        """Samples ``first`` to ``stop`` (not included) of signals of one rate, in their units.

        Returns:
            (time, signals); NaN where the recording was interrupted.
        """
        check_samples(self._path, stop - first, len(channels))
        out = np.full((stop - first, len(channels)), np.nan)
        starts, count = self._starts(channels[0]), channels[0].count
        begin = max(int(np.searchsorted(starts, first, "right")) - 1, 0)
        end = int(np.searchsorted(starts, stop, "left"))
        for number in range(begin // self._step, -(-end // self._step)):
            low = number * self._step
            a, b = max(begin, low), min(end, low + self._step)
            block = self._block(number)[a - low : b - low]
            runs = _runs(starts[a:b], count, first, stop)
            for column, channel in zip(out.T, channels, strict=True):
                octets = block[:, channel.part].reshape(-1, self._width)
                for at, part in runs:
                    digital = _integers(octets[part])
                    column[at : at + len(digital)] = channel.resolution.to_physical(digital)
        return out

    def _block(self, number: int) -> NDArray[np.uint8]:
        """A block of records as bytes (records, bytes); the last one is kept."""
        held, block = self._last
        if held != number:
            first = number * self._step
            size = min(self._step, self._count - first) * self._size
            with self._path.open("rb") as file:
                file.seek(self._data + first * self._size)
                block = np.fromfile(file, np.uint8, size)
            if len(block) < size:
                raise FormatError(self._path, "was cut off while it was read")
            block = block.reshape(-1, self._size)
            self._last = number, block
        return block


def _is_timed(record: Sequence[Event]) -> bool:
    """True if the annotations of a record begin with its time, as those of EDF+ do."""
    return bool(record) and not record[0].text


def _integers(octets: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Samples of 16 or 24 bits, as bytes (samples, 2 or 3)."""
    width = octets.shape[1]
    # Sign-extended by shifting: the bytes of a sample become the upper ones of 32 bits.
    padded = np.zeros((len(octets), 4), np.uint8)
    padded[:, 4 - width :] = octets
    integers: NDArray[np.int32] = padded.view("<i4")[:, 0] >> (32 - 8 * width)
    return integers


def _runs(starts: NDArray[np.int64], count: int, first: int, stop: int) -> list[tuple[int, slice]]:
    """Stretches of a block without interruption, as far as ``first`` to ``stop`` is in them.

    Args:
        starts: first sample of each record.
        count: samples of a record.

    Returns:
        The place of each after ``first``, and where its samples lie in the block.
    """
    breaks = [0, *(np.flatnonzero(np.diff(starts) != count) + 1).tolist(), len(starts)]
    runs = []
    for a, b in pairwise(breaks):
        start = int(starts[a])
        low, high = max(start, first), min(start + (b - a) * count, stop)
        if low < high:
            shift = a * count - start
            runs.append((low - first, slice(low + shift, high + shift)))
    return runs


def _parted(
    path: Path, channels: Sequence[Channel], events: Sequence[Event]
) -> tuple[tuple[Channel, ...], list[Channel], tuple[str, ...]]:
    """The signals that make the recording, those that ride along, and the comments."""
    usable = [channel for channel in channels if channel.count]
    if not usable:
        raise FormatError(path, "holds no samples")
    texts = [event.text.removeprefix(COMMENT) for event in events if _is_comment(event)]
    usable, listed, comments = edf_text.restored(usable, texts)
    chosen = edf_text.leads_by_rule(usable) if listed is None else listed
    leads = tuple(usable[i] for i in chosen)
    named = [c for c in usable if millivolts(c.unit) and is_ecg(c.label)]
    slower = ", ".join(f"{c.label} ({c.fs:g} Hz)" for c in named if c.fs != leads[0].fs)
    if slower and listed is None:
        warnings.warn(
            f"{path}: leads are read at {leads[0].fs:g} Hz; carried along as they are: {slower}",
            stacklevel=5,
        )
    return leads, [c for c in usable if c not in leads], tuple(comments)


def _is_comment(event: Event) -> bool:
    return event.onset == 0 and event.text.startswith(COMMENT)


def _marks(
    events: Sequence[Event], fs: float
) -> tuple[dict[str, Annotations], dict[int, list[tuple[float, float]]], int | None]:
    """Marks; what is missing of each signal, in s; where the recording ends, if said."""
    marks: list[tuple[int, str]] = []
    missing: dict[int, list[tuple[float, float]]] = {}
    end = None
    for event in events:
        length = event.duration
        gap = re.match(rf"{MISSING}(\d{{1,4}}) ", event.text)
        if gap and length is not None:
            missing.setdefault(int(gap[1]) - 1, []).append((event.onset, event.onset + length))
        elif event.text == ENDS:
            end = round(event.onset * fs)
        elif not _is_comment(event) and abs(event.onset * fs) < 2**62:
            note = event.text if length is None else f"{event.text} [{length:g} s]"
            marks.append((round(event.onset * fs), note))
    return description.from_events(marks), missing, end


def _kept(channel: AuxiliaryChannel) -> AuxiliaryChannel:
    """The same with its samples in memory, whatever becomes of the file."""
    values: Any = channel.read(0, channel.samples)
    return dataclasses.replace(channel, read=partial(_slice, values))


def _slice(values: NDArray[np.float64], first: int, stop: int) -> NDArray[np.float64]:
    return values[first:stop]


def _unit(signal: Any) -> str:
    unit: str = signal.physical_dimension
    with suppress(UnicodeError):  # read as Latin-1, as EDF has no other than ASCII
        unit = unit.encode("latin-1").decode("utf-8")
    return symbol(unit).replace("µ", "u").replace("μ", "u")


def _with_points(head: bytes, count: int) -> bytes:
    """The header with points for decimal commas in physical limits and the length of a record."""
    fields, limits = bytearray(head), 256 + 104 * count
    for part in (slice(244, 252), slice(limits, limits + 16 * count)):
        fields[part] = fields[part].replace(b",", b".")
    return bytes(fields)


def _resolution(signal: Any, bits: int) -> EdfResolution | None:
    """The scaling of a signal; ``None`` where its ranges cannot be read or make none."""
    try:
        return EdfResolution.of(
            tuple(signal.physical_range),
            tuple(signal.digital_range),
            unit=_unit(signal),
            bits=bits,
            transducer=signal.transducer_type,
            prefiltering=signal.prefiltering,
        )
    except ValueError:
        return None


def _steps(signal: Any, bits: int) -> EdfResolution:
    return EdfResolution.of_steps(
        bits=bits, transducer=signal.transducer_type, prefiltering=signal.prefiltering
    )
