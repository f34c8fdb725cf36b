"""Header and data records of EDF and BDF files.

edfio (0.4) decodes the header. It is not used for samples: of BDF it decodes all signals of a whole
file where one is wanted, and EDF files it maps, which ends the process where one is cut off
meanwhile. Files with interruptions (EDF+D) it does not lay out in time.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import edf_text
from ipmdae.formats.edf_range import EdfResolution
from ipmdae.formats.edf_text import RESERVED, Channel, Event
from ipmdae.formats.errors import MAX_SAMPLES, FormatError, check_samples, reason
from ipmdae.formats.names import symbol
from ipmdae.text import enumerated

MAGIC = {b"0       ": 2, b"\xffBIOSEMI": 3}
"""First bytes of a file, and the width in bytes of its samples."""

_NOTES = tuple(label.encode() for label in RESERVED)

_SIGNS = b"+-"
"""Signs with which a time begins."""

_BLOCK = 1 << 20
"""Bytes of data records that are read at once."""


class Records:
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
            self._width = MAGIC[head[:8]]
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
            names = enumerated(self._in_steps)
            whose = "its" if len(self._in_steps) == 1 else "their"
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
            untimed = record[self._notes[0]][:1].tobytes() not in _SIGNS
            if beyond and untimed and _is_timed(records[0]):
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
    """Segments of a block without interruption, as far as ``first`` to ``stop`` is in them.

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
    """The resolution of a signal whose ranges are invalid: steps of the converter."""
    return EdfResolution.of_steps(
        bits=bits, transducer=signal.transducer_type, prefiltering=signal.prefiltering
    )
