"""BIOPAC's AcqKnowledge files (``.acq``), read by bioread."""

from __future__ import annotations

import dataclasses
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ipmdae.formats import isolated
from ipmdae.formats.blocks import SignalReader, WholeReader, read_whole
from ipmdae.formats.errors import FormatError, check_samples, reason
from ipmdae.formats.names import symbol
from ipmdae.formats.optional import quiet, require
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.signals import Signal, from_signals
from ipmdae.recording import Annotations, Recording, Resolution

if TYPE_CHECKING:
    from bioread.biopac import Channel
    from bioread.reader import Reader

__all__ = ["NAME", "OPTIONS", "SUFFIXES", "read", "recognises"]

NAME = "AcqKnowledge"
SUFFIXES: tuple[str, ...] = (".acq",)
OPTIONS = frozenset({"unit"})
LIBRARY = "bioread"

_REVISIONS = range(30, 256)
"""Second field of a file, in one of the two byte orders."""

_MOST_CHANNELS = 256
_LONGEST_PATTERN = 1 << 16
"""Steps after which the order of the channels' samples repeats at most."""

_STEP = 1 << 20


def recognises(path: Path) -> bool:
    """True if a file of this suffix begins with a revision that AcqKnowledge has written."""
    return path.suffix.lower() in SUFFIXES and path.is_file() and _revision(path) is not None


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file: leads are the channels at the rate of the ECG, the others auxiliary channels.

    Event markers become annotations. The journal, which may identify the person, is not read.
    bioread runs in a child process: it may search a broken file without end.

    Args:
        path: the file.
        annotations: whether to read event markers.
        options: see :class:`~ipmdae.formats.options.ReadOptions`.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is broken, cut off, or announces more than it holds.
        ModuleNotFoundError: bioread is not installed.
    """
    if _revision(path) is None:
        raise FormatError(path, "does not begin as AcqKnowledge's files do")
    require(LIBRARY, "AcqKnowledge files")
    reader = isolated.open_reader(path, options, __name__)
    return read_whole(reader, annotations=annotations)


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Open the file in this process; see :func:`read`."""
    import bioread.reader
    from bioread.header_reader import GraphHeaderReader

    try:
        with _File(io.FileIO(path)) as file, quiet("bioread"):
            count = GraphHeaderReader.bootstrap(file).channel_count
            if not 0 < count <= _MOST_CHANNELS:
                raise FormatError(path, f"announces {count} channels")
            reader = bioread.reader.Reader.read_headers(file)
            _check(path, file, reader)
            reader._read_data(None)
        data = reader.datafile
        signals = [_signal(channel) for channel in data.channels]
        recording = from_signals(path, signals, options)
        if data.event_markers:
            marks = _marks(data.event_markers, recording.fs / data.samples_per_second, recording)
            recording = dataclasses.replace(recording, annotations=marks)
        return WholeReader(recording)
    except (FormatError, PermissionError, Warning):
        raise
    except Exception as error:
        raise FormatError(path, f"the AcqKnowledge file is broken ({reason(error)})") from error


class _File(io.BufferedReader):
    """A file that is asked for no more than it holds: ``read`` takes memory for all it is asked."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(-1 if size is None else min(size, os.fstat(self.fileno()).st_size))


def _revision(path: Path) -> int | None:
    with path.open("rb") as file:
        head = file.read(6)
    if len(head) < 6:
        return None
    found = (struct.unpack(f"{order}i", head[2:])[0] for order in "<>")
    return next((revision for revision in found if revision in _REVISIONS), None)


def _check(path: Path, file: BinaryIO, reader: Reader) -> None:
    """Refuse headers that announce more samples, or another order of them, than can be there."""
    size = path.stat().st_size
    if reader.datafile is None:
        raise FormatError(path, "the header of the AcqKnowledge file is broken or cut off")
    channels: list[Channel] = reader.datafile.channels
    fs = reader.datafile.samples_per_second
    if not 0 < fs < 1e9:
        raise FormatError(path, f"announces a rate of {fs:g} Hz")
    dividers = [int(channel.frequency_divider) for channel in channels]
    if min(dividers) < 1 or math.lcm(*dividers) > _LONGEST_PATTERN:
        raise FormatError(path, f"announces rates divided by {dividers}"[:200])
    if min(channel.point_count for channel in channels) < 0:
        raise FormatError(path, "announces a negative number of samples")
    for channel in channels:
        check_samples(path, max(channel.point_count, 1), 1)
    if not reader.is_compressed:
        stored = sum(channel.data_length for channel in channels)
        if reader.data_start_offset + stored > size:
            raise FormatError(path, "is cut off: it holds fewer samples than it announces")
        return
    for channel, header in zip(channels, reader.channel_compression_headers, strict=True):
        _check_compressed(path, file, channel, header)


def _check_compressed(path: Path, file: BinaryIO, channel: Channel, header: Any) -> None:
    """Refuse a channel that does not expand to the samples that are announced."""
    file.seek(header.compressed_data_offset)
    left, stream, expanded = header.compressed_data_len, zlib.decompressobj(), 0
    while left > 0 and not stream.eof and (data := file.read(min(left, _STEP))):
        left -= len(data)
        while data and expanded <= channel.data_length:
            expanded += len(stream.decompress(data, _STEP))
            data = stream.unconsumed_tail
    if expanded != channel.data_length:
        raise FormatError(path, f"{channel.name} does not hold the samples that it announces")


def _signal(channel: Channel) -> Signal:
    unit = symbol(channel.units)
    scale = float(channel.raw_scale_factor)
    digital = channel.dtype.kind != "f" and scale != 0 and np.isfinite(scale) and unit
    how = (
        Resolution(gain=1 / scale, baseline=round(-channel.raw_offset / scale), unit=unit)
        if digital
        else None
    )
    return Signal(
        name=" ".join(channel.name.split()),
        unit=unit,
        fs=float(channel.samples_per_second),
        values=np.asarray(channel.data, np.float64),
        resolution=how,
    )


def _marks(markers: Any, ratio: float, recording: Recording) -> dict[str, Annotations]:
    """Event markers that lie in the recording, as notes."""
    found = sorted(
        (round(marker.sample_index * ratio), " ".join(str(marker.text).split()))
        for marker in markers
    )
    inside = [(sample, text) for sample, text in found if 0 <= sample < recording.samples]
    if not inside:
        return {}
    return {
        "events": Annotations(
            sample=np.array([sample for sample, _ in inside]),
            symbol=('"',) * len(inside),
            note=tuple(text for _, text in inside),
        )
    }
