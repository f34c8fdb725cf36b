"""WAV, with the scale of its samples: a file of ours states it, for others it must be given.

Samples are whole numbers of 8 to 32 bits, or floating point. What we write is 32-bit floating point
in the unit of each lead, with a description (units, lead names, exact rate) as the comment of the
file, so that other programs find a plain WAV file.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description
from ipmdae.formats.blocks import SignalReader, SignalWriter, check_length, read_whole
from ipmdae.formats.errors import FormatError, check_samples, first_bytes
from ipmdae.formats.options import DEFAULTS, ReadOptions, restated
from ipmdae.recording import Header, Recording, Resolution

__all__ = [
    "NAME",
    "OPTIONS",
    "SUFFIXES",
    "open_reader",
    "open_writer",
    "read",
    "recognises",
    "write",
]

NAME = "WAV"
SUFFIXES: tuple[str, ...] = (".wav",)
OPTIONS = frozenset({"unit"})

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN = (0, 0xFFFFFFFF)
"""Sizes of the data of a file that was written to a pipe: all that follows."""

_DESCRIPTION = re.compile(rb"ICMT....ipmdae (\{[^\0]*\})", re.DOTALL)
_LONGEST_DESCRIPTION = 1 << 26
_LARGEST = (1 << 32) - 1


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Position and encoding of the samples of a file.

    Attributes:
        kind: :data:`_PCM` or :data:`_FLOAT`.
        channels: number of channels.
        rate: in Hz.
        width: bytes of a sample.
        offset, size: first byte and number of bytes of the samples.
        comment: the description that we have written, if any.
    """

    kind: int
    channels: int
    rate: int
    width: int
    offset: int = 0
    size: int = 0
    comment: bytes = b""


def recognises(path: Path) -> bool:
    """True if the file begins as WAV does."""
    head = first_bytes(path, 12)
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read a file whole; see :func:`open_reader`."""
    return read_whole(open_reader(path, options=options), annotations=annotations)


def open_reader(path: Path, *, options: ReadOptions = DEFAULTS) -> SignalReader:
    """Open a file.

    Args:
        path: the file.
        options: ``unit`` is what a step of whole numbers, or 1.0 of floating point, is worth.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is broken, cut off, compressed, or nobody states its scale.
    """
    return WavReader(path, options)


def write(recording: Recording, path: Path) -> None:
    """Write a recording; see :func:`open_writer`."""
    with open_writer(recording.header, path) as writer:
        writer.write(recording.signal)


def open_writer(header: Header, path: Path) -> SignalWriter:
    """Open a file to write 32-bit floating point; NaN is a missing sample.

    Raises:
        FormatError: there are more than 4 GiB of samples or 65535 leads.
        OSError: the file cannot be written.
    """
    return WavWriter(header, path)


class WavReader(SignalReader):
    """A file of which samples are read where they are asked for."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        """Open a file; see :func:`open_reader`."""
        self._path = path
        with ExitStack() as stack:
            self._file = stack.enter_context(path.open("rb"))
            self._layout = layout = _layout(path, self._file)
            frames = layout.size // (layout.width * layout.channels)
            check_samples(path, frames, layout.channels)
            self.info, self._scales = _header(path, layout, frames, options)
            stack.pop_all()

    def read(self, first: int, stop: int) -> NDArray[np.float64]:
        """See :meth:`SignalReader.read`."""
        layout = self._layout
        frame = layout.width * layout.channels
        self._file.seek(layout.offset + first * frame)
        data = self._file.read((stop - first) * frame)
        if len(data) != (stop - first) * frame:
            raise FormatError(self._path, "has become shorter while it was read")
        values = _decoded(layout, data).reshape(-1, layout.channels) * self._scales
        if np.isinf(values).any():
            raise FormatError(self._path, "holds infinite values")
        return values

    def __exit__(self, *_: object) -> None:
        self._file.close()


class WavWriter(SignalWriter):
    """A file of 32-bit floating point; see :func:`open_writer`."""

    def __init__(self, header: Header, path: Path) -> None:
        """Write what comes before the samples."""
        channels, size = len(header.leads), 4 * len(header.leads) * header.samples
        comment = f"ipmdae {description.to_json(header)}".encode()
        head = _head(header, comment)
        if channels > 0xFFFF or len(head) + size > _LARGEST:
            raise FormatError(path, "is too long for WAV; write EDF, WFDB or Parquet")
        description.warn_lost(path, header, "WAV", lost={})
        self._header, self._path, self._samples = header, path, 0
        self._stack = ExitStack()
        aside = self._stack.enter_context(replacing(path))
        self._file = self._stack.enter_context(aside.open("wb"))
        self._file.write(head)

    def write(self, block: NDArray[np.float64]) -> None:
        """See :meth:`SignalWriter.write`."""
        self._file.write(np.ascontiguousarray(block, "<f4").tobytes())
        self._samples += len(block)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            check_length(self._path, self._header, self._samples)


def _layout(path: Path, file: BinaryIO) -> _Layout:
    """Position of the samples; the first of several chunks of them.

    Raises:
        FormatError: the file is cut off, lacks a chunk, or stores samples in another way.
    """
    size = path.stat().st_size
    layout, comment = None, b""
    if file.read(12)[8:] != b"WAVE":
        raise FormatError(path, "does not begin as WAV does")
    for name, offset, length in _chunks(file, size):
        file.seek(offset)
        if name == b"fmt ":
            layout = _format(path, file.read(min(length, 40)))
        elif name == b"LIST" and length <= _LONGEST_DESCRIPTION:
            found = _DESCRIPTION.search(file.read(length))
            comment = found[1] if found else comment
        elif name == b"data":
            if layout is None:
                raise FormatError(path, "has samples before the chunk that states their format")
            stored = size - offset if length in _UNKNOWN else length
            if offset + stored > size:
                raise FormatError(path, "is cut off: it holds fewer samples than it announces")
            return replace(layout, offset=offset, size=stored, comment=comment)
    raise FormatError(path, "has no samples (a chunk 'data')")


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte of the content, and length of each chunk."""
    at = 12
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        yield head[:4], at + 8, length
        at += 8 + length + length % 2


def _format(path: Path, chunk: bytes) -> _Layout:
    if len(chunk) < 16:
        raise FormatError(path, "has a broken chunk 'fmt '")
    kind, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", chunk[:16])
    if kind == _EXTENSIBLE and len(chunk) >= 26:
        kind = int.from_bytes(chunk[24:26], "little")
    width = bits // 8
    known = {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8)}
    if kind not in known:
        raise FormatError(path, f"is compressed (WAV format {kind}); store it as PCM")
    if bits % 8 or width not in known[kind]:
        raise FormatError(path, f"has samples of {bits} bits, which are not read")
    if not channels or frame != channels * width:
        raise FormatError(path, f"announces {channels} channels in frames of {frame} bytes")
    return _Layout(kind=kind, channels=channels, rate=rate, width=width)


def _header(
    path: Path, layout: _Layout, frames: int, options: ReadOptions
) -> tuple[Header, NDArray[np.float64]]:
    """The header, and by what stored values are multiplied."""
    if layout.comment:
        try:
            header = Header(samples=frames, **description.from_json(layout.comment))
        except ValueError as error:
            raise FormatError(path, str(error)) from error
        if len(header.leads) == layout.channels:
            if layout.rate != _whole(header.fs):
                warnings.warn(
                    f"{path}: its comment states {header.fs:g} Hz, its format {layout.rate} Hz, "
                    "which counts; was it resampled?",
                    stacklevel=5,
                )
                header = replace(header, fs=layout.rate)
            return restated(path, header, options)
    if options.scale is None:
        what = "1.0" if layout.kind == _FLOAT else "a step"
        raise FormatError(
            path, f"does not state its scale; give what {what} is worth (--unit 1mV, --unit 2.5uV)"
        )
    how = Resolution(gain=1 / options.scale, bits=8 * layout.width)
    try:
        header = Header(
            samples=frames,
            fs=layout.rate or options.fs or 0,
            leads=tuple(f"lead {i + 1}" for i in range(layout.channels)),
            resolution=(how if layout.kind == _PCM else None,) * layout.channels,
        )
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    return header, np.full(layout.channels, options.scale)


def _whole(fs: float) -> int:
    """The whole number of Hz that stands for a rate in the format."""
    return max(round(fs), 1)


def _decoded(layout: _Layout, data: bytes) -> NDArray[np.float64]:
    """Samples as they are stored; those of 8 bits are unsigned around 128."""
    if layout.kind == _FLOAT:
        return np.frombuffer(data, f"<f{layout.width}").astype(np.float64)
    if layout.width == 1:
        return np.frombuffer(data, np.uint8).astype(np.float64) - 128
    if layout.width == 3:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return (wide.view("<i4")[:, 0] >> 8).astype(np.float64)
    return np.frombuffer(data, f"<i{layout.width}").astype(np.float64)


def _head(header: Header, comment: bytes) -> bytes:
    """All that comes before the samples."""
    channels = len(header.leads)
    size = 4 * channels * header.samples
    rate = _whole(header.fs)
    frame = min(4 * channels, 0xFFFF)
    form = struct.pack("<HHIIHHH", _FLOAT, min(channels, 0xFFFF), rate, rate * frame, frame, 32, 0)
    text = b"INFO" + _chunk(b"ICMT", comment + b"\0")
    chunks = _chunk(b"fmt ", form) + _chunk(b"fact", struct.pack("<I", header.samples & _LARGEST))
    chunks += _chunk(b"LIST", text)
    length = 4 + len(chunks) + 8 + size
    return (
        b"RIFF"
        + struct.pack("<I", min(length, _LARGEST))
        + b"WAVE"
        + chunks
        + b"data"
        + struct.pack("<I", min(size, _LARGEST))
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
