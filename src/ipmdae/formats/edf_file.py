"""EDF and BDF files as they lie on disk: the header by edfio, samples record by record.

Specifications: https://www.edfplus.info/specs/ and https://www.biosemi.com/faq/file_format.htm.
Samples are read in chunks, which edfio does for EDF only, and files with interruptions
(EDF+D) are laid out in time, which it does not do.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import edf_tal
from ipmdae.formats.edf_identity import metadata_of, start_of
from ipmdae.formats.edf_range import EdfResolution
from ipmdae.formats.errors import FormatError
from ipmdae.formats.limits import MAX_SAMPLES, check_samples

MAGIC = {b"0       ": 16, b"\xffBIOSEMI": 24}
"""First bytes of a file, and the width in bits of its samples."""

ENDS = "Recording ends"
"""Standard text of EDF+; ours mark by it where the last record, filled up, has no samples."""

MISSING = "missing: "
"""Beginning of our marks on samples that are missing, for which EDF has no other way.

The signal's number among all of the file, from 1, and its label follow.
"""

COMMENT = "# "
"""Prefix, at time 0, of texts about the whole recording."""

DURATION = r"(.*) \[(\d+(?:\.\d+)?) s\]"
"""Text form of the duration of an annotation outside of EDF."""

_BLOCK = 1 << 22
"""Bytes that are read at once."""


@dataclass(frozen=True)
class Channel:
    """One signal of a file.

    Attributes:
        place: its index among all signals of the file.
        fs: its sampling rate in Hz.
        offset, count: first byte and number of samples in a data record.
        resolution: its scaling; ``None`` where the header's ranges are invalid.
    """

    place: int
    label: str
    unit: str
    fs: float
    offset: int
    count: int
    resolution: EdfResolution | None


class EdfFile:
    """An open description of a file; it is read on demand.

    Attributes:
        channels: the signals that are not annotations.
        duration: of a data record, in s.
        start: when the first sample was taken, if known.
        metadata: patient and recording as in the header, see :mod:`ipmdae.formats.fields`.
    """

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            FormatError: the header is malformed, or the file is shorter than it says.
        """
        self.path = path
        try:
            self._read_header()
        except (FormatError, OSError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise FormatError(path, f"the EDF header is malformed ({reason})") from error

    def _read_header(self) -> None:
        import edfio

        with self.path.open("rb") as file:
            raw = file.read(256)
            if not raw:
                raise FormatError(self.path, "is empty")
            self.bits = MAGIC[raw[:8]]
            count = int(raw[252:256])
            raw += file.read(256 * count)
            if len(raw) < 256 * (count + 1):
                raise FormatError(self.path, "the file is cut off in its header; fetch it again")
            if count < 1 or int(raw[184:192]) != len(raw):
                raise ValueError(f"{count} signals, but {int(raw[184:192])} bytes of header")
            labels = [raw[256 + 16 * i : 272 + 16 * i].rstrip() for i in range(count)]
            at = 256 + 216 * count
            counts = [int(raw[at + 8 * i : at + 8 * i + 8]) for i in range(count)]
            if min(counts) < 0 or sum(counts) < 1:
                raise ValueError("a data record holds no samples")
            self._record_bytes = sum(counts) * self.bits // 8
            size = file.seek(0, 2) - len(raw)
            self.records = self._count(int(raw[236:244]), max(size, 0) // self._record_bytes)
            file.seek(len(raw))
            first = file.read(self._record_bytes)
        # The first record has fractions of the start's second; the others are read in chunks.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read: Any = edfio.read_bdf if self.bits == 24 else edfio.read_edf
            header = read(raw[:236] + b"1       " + raw[244:] + first, header_encoding="latin-1")
            self._describe(header, labels, counts, len(raw))
            self.start, self.metadata = start_of(header), metadata_of(header)
        self._data = len(raw)

    def _count(self, announced: int, found: int) -> int:
        if announced > found:
            raise FormatError(
                self.path,
                f"the file is cut off: its header announces {announced} data records, {found} are "
                "there; fetch it again",
            )
        return found if announced < 0 else announced

    def _describe(self, header: Any, labels: list[bytes], counts: list[int], start: int) -> None:
        """Position of each signal in a record, and scaling of its values."""
        self.duration = float(header.data_record_duration)
        self.interrupted = header.reserved[3:5] == "+D"
        offsets = np.cumsum([0, *counts]) * self.bits // 8
        notes = (b"EDF Annotations", b"BDF Annotations")
        self._annotations = [
            slice(int(offsets[i]), int(offsets[i + 1]))
            for i, label in enumerate(labels)
            if label in notes
        ]
        places = [i for i, label in enumerate(labels) if label not in notes]
        if not places:
            raise FormatError(self.path, "holds annotations only, no signal")
        if not 0 < self.duration < np.inf:
            raise ValueError(f"data records of {self.duration:g} s")
        self.channels = tuple(
            Channel(
                place=place,
                label=signal.label,
                unit=signal.physical_dimension.replace("µ", "u").strip(),
                fs=counts[place] / self.duration,
                offset=int(offsets[place]),
                count=counts[place],
                resolution=_resolution(signal, self.bits),
            )
            for place, signal in zip(places, header.signals, strict=True)
        )

    @cached_property
    def events(self) -> list[edf_tal.Event]:
        """All annotations, in s from the first sample, without the time stamps of records.

        Raises:
            FormatError: the annotations are malformed.
        """
        if not self._annotations:
            return []
        first = self._all_events[0][0].onset if self.has_times else 0.0
        return [
            edf_tal.Event(event.onset - first, event.duration, event.text)
            for events in self._all_events
            for event in events[1 if self.has_times else 0 :]
            if event.text
        ]

    @cached_property
    def has_times(self) -> bool:
        """True if each record begins with its time, as in EDF+."""
        return all(events and not events[0].text for events in self._all_events)

    @cached_property
    def _all_events(self) -> list[list[edf_tal.Event]]:
        """The events of each record."""
        result = []
        for first, stop in self._pieces(0, self.records):
            rows = self._raw(first, stop)
            for row in rows:
                data = b"\0".join(row[part].tobytes() for part in self._annotations)
                try:
                    result.append(edf_tal.decode(data))
                except ValueError as error:
                    raise FormatError(
                        self.path, f"the annotations are malformed ({error})"
                    ) from error
        return result

    @cached_property
    def _onsets(self) -> NDArray[np.float64]:
        """Start of each record, in s from the first; contiguous unless the header differs."""
        if not self.interrupted:
            return np.arange(self.records, dtype=np.float64) * self.duration
        if not self._annotations or not self.has_times:
            raise FormatError(self.path, "is interrupted (EDF+D), but does not say when")
        onsets: NDArray[np.float64] = np.array([events[0].onset for events in self._all_events])
        onsets -= onsets[0]
        if (np.diff(onsets) < self.duration * (1 - 1e-6)).any():
            raise FormatError(self.path, "is interrupted (EDF+D), and its records overlap in time")
        return onsets

    def _starts(self, channel: Channel) -> NDArray[np.int64]:
        if not self.interrupted:
            return np.arange(self.records, dtype=np.int64) * channel.count
        return np.rint(self._onsets * channel.fs).astype(np.int64)

    def samples(self, channel: Channel) -> int:
        """Number of samples of a signal, those of interruptions included.

        Raises:
            FormatError: interruptions of absurd length.
        """
        if not self.records or not channel.count:
            return 0
        end = (self._onsets[-1] + self.duration) * channel.fs if self.interrupted else 0.0
        if end > MAX_SAMPLES:
            raise FormatError(self.path, f"is interrupted (EDF+D) for {end / channel.fs:g} s")
        return int(self._starts(channel)[-1]) + channel.count

    def read(self, channels: tuple[Channel, ...], first: int, stop: int) -> NDArray[np.float64]:
        """Samples ``first`` to ``stop`` (not included) of signals of one rate, in their units.

        Returns:
            (time, signals); NaN where the recording was interrupted.
        """
        check_samples(self.path, stop - first, len(channels))
        out = np.full((stop - first, len(channels)), np.nan)
        starts = self._starts(channels[0])
        count = channels[0].count
        begin = int(np.searchsorted(starts, first, "right")) - 1
        end = int(np.searchsorted(starts, stop, "left"))
        for low, high in self._pieces(max(begin, 0), end):
            raw = self._raw(low, high)
            for column, channel in zip(out.T, channels, strict=True):
                values = _physical(raw, channel, self.bits)
                for at, row in _runs(starts[low:high], values, count):
                    a, b = max(at, first), min(at + len(row), stop)
                    if b > a:
                        column[a - first : b - first] = row[a - at : b - at]
        return out

    def _pieces(self, first: int, stop: int) -> list[tuple[int, int]]:
        step = max(_BLOCK // self._record_bytes, 1)
        return [(i, min(i + step, stop)) for i in range(first, stop, step)]

    def _raw(self, first: int, stop: int) -> NDArray[np.uint8]:
        """Data records as bytes, (records, bytes)."""
        with self.path.open("rb") as file:
            file.seek(self._data + first * self._record_bytes)
            raw = np.fromfile(file, np.uint8, (stop - first) * self._record_bytes)
        if len(raw) != (stop - first) * self._record_bytes:
            raise FormatError(self.path, "was cut off while it was read")
        return raw.reshape(stop - first, self._record_bytes)


def _physical(raw: NDArray[np.uint8], channel: Channel, bits: int) -> NDArray[np.float64]:
    """The values of a signal in data records (records, bytes): (records, samples)."""
    width = bits // 8
    part = raw[:, channel.offset : channel.offset + channel.count * width]
    part = np.ascontiguousarray(part).reshape(len(raw), channel.count, width)
    # Sign-extended by shifting: the bytes of a sample become the upper ones of 32 bits.
    padded = np.zeros((*part.shape[:2], 4), np.uint8)
    padded[..., 4 - width :] = part
    digital = padded.view("<i4")[..., 0] >> (32 - bits)
    if channel.resolution is None:
        return digital.astype(np.float64)
    return channel.resolution.to_physical(digital)


def _runs(
    starts: NDArray[np.int64], values: NDArray[np.float64], count: int
) -> list[tuple[int, NDArray[np.float64]]]:
    """Stretches without interruption: first sample and values (n,)."""
    breaks = [0, *(np.flatnonzero(np.diff(starts) != count) + 1).tolist(), len(starts)]
    return [(int(starts[a]), values[a:b].reshape(-1)) for a, b in pairwise(breaks) if b > a]


def _resolution(signal: Any, bits: int) -> EdfResolution | None:
    try:
        return EdfResolution.of(
            (signal.physical_min, signal.physical_max),
            (signal.digital_min, signal.digital_max),
            unit=signal.physical_dimension.replace("µ", "u").strip(),
            bits=bits,
            transducer=signal.transducer_type,
            prefiltering=signal.prefiltering,
        )
    except ValueError:
        return None
