"""The chunks of an XDF file, walked through without reading samples.

pyxdf believes what a file announces; here each chunk is checked against what is there, and headers
are refused that define entities.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.limits import check_expansion
from ipmdae.formats.plain_xml import parse_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAGIC = b"XDF:"
_GZIP = b"\x1f\x8b"
_SIZES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8}
_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _CLOCK, _FOOTER = 1, 2, 3, 4, 6
_LONGEST_HEADER = 1 << 24
_MOST_CHANNELS = 4096


@dataclass(frozen=True, kw_only=True)
class StreamHeader:
    """Description of a stream in the file.

    Attributes:
        number: its number in the file.
        name, type: name and type of the stream.
        fs: its nominal rate in Hz; 0 if it has none.
        channels: number of channels.
        text: whether its samples are texts.
        size: bytes of a sample of numbers.
        samples: number of samples in the file.
        labels: name and unit of each channel; empty where they are not stated.
    """

    number: int
    name: str
    type: str
    fs: float
    channels: int
    text: bool
    size: int
    samples: int = 0
    labels: list[tuple[str, str]] = field(default_factory=list)


def is_xdf(path: Path) -> bool:
    """True if a file begins as XDF does, compressed by gzip or not."""
    try:
        with _open(path) as file:
            return file.read(4) == _MAGIC
    except (OSError, EOFError, zlib.error):
        return False


def headers(path: Path) -> list[StreamHeader]:
    """The streams of a file.

    Raises:
        FormatError: a chunk is broken, cut off, or announces more than it holds.
    """
    streams: dict[int, StreamHeader] = {}
    try:
        with _open(path) as file:
            if file.read(4) != _MAGIC:
                raise FormatError(path, "does not begin as XDF does")
            for tag, content in _chunks(path, file):
                if tag in (_STREAM_HEADER, _SAMPLES, _CLOCK, _FOOTER) and len(content) < 4:
                    raise FormatError(path, "has a chunk without the number of its stream")
                number = int.from_bytes(content[:4], "little")
                if tag == _STREAM_HEADER:
                    streams[number] = _header(path, number, content[4:])
                elif tag in (_FILE_HEADER, _FOOTER):
                    _xml(path, content if tag == _FILE_HEADER else content[4:])
                elif tag in (_SAMPLES, _CLOCK) and number not in streams:
                    raise FormatError(path, f"has samples of stream {number}, which has no header")
                elif tag == _SAMPLES:
                    count = _count(path, streams[number], content[4:])
                    streams[number] = replace(
                        streams[number], samples=streams[number].samples + count
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(path, f"cannot be read to its end ({reason(error)})") from error
    return list(streams.values())


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def _chunks(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each chunk."""
    size, expanded = path.stat().st_size, 0
    while head := file.read(1):
        length = _variable(path, head, file)
        if length < 2:
            raise FormatError(path, f"has a chunk of {length} bytes")
        expanded += length
        check_expansion(path, size, expanded)
        content = file.read(min(length, 1 << 30))
        if len(content) < length:
            raise FormatError(path, "is cut off in a chunk; fetch it again")
        yield struct.unpack("<H", content[:2])[0], content[2:]


def _variable(path: Path, head: bytes, file: BinaryIO) -> int:
    """An integer of 1, 4 or 8 bytes, whose width is ``head``."""
    width = head[0]
    data = file.read(width) if width in (1, 4, 8) else b""
    if len(data) != width or not data:
        raise FormatError(path, "has a broken or cut off chunk")
    return int.from_bytes(data, "little")


def _count(path: Path, stream: StreamHeader, content: bytes) -> int:
    """Number of samples in a chunk, from its first bytes."""
    width = content[0] if content else 0
    if width not in (1, 4, 8) or len(content) < 1 + width:
        raise FormatError(path, f"stream {stream.number} has a broken chunk of samples")
    count = int.from_bytes(content[1 : 1 + width], "little")
    least = count * (1 + (2 * stream.channels if stream.text else stream.size))
    most = least + 8 * count
    stored = len(content) - 1 - width
    if stored < least or (not stream.text and stored > most):
        raise FormatError(
            path, f"stream {stream.number} announces {count} samples in {stored} bytes"
        )
    return count


def _xml(path: Path, content: bytes) -> Element:
    """The root of a header."""
    if len(content) > _LONGEST_HEADER:
        raise FormatError(path, f"has a header of {len(content)} bytes")
    return parse_text(path, content)


def _header(path: Path, number: int, content: bytes) -> StreamHeader:
    root = _xml(path, content)

    def said(name: str) -> str:
        return " ".join((root.findtext(name) or "").split())

    try:
        channels, fs = int(said("channel_count")), float(said("nominal_srate"))
    except ValueError as error:
        raise FormatError(path, f"stream {number} does not state its channels or rate") from error
    kind = said("channel_format")
    if kind not in (*_SIZES, "string"):
        raise FormatError(path, f"stream {number} has samples of the kind {kind!r:.50}")
    if not 0 < channels <= _MOST_CHANNELS or not 0 <= fs < 1e9:
        raise FormatError(path, f"stream {number} announces {channels} channels at {fs:g} Hz")
    labels = [
        tuple(" ".join((channel.findtext(key) or "").split()) for key in ("label", "unit"))
        for channel in root.findall("desc/channels/channel")
    ]
    known = [(label, unit) for label, unit in labels]
    return StreamHeader(
        number=number,
        name=said("name"),
        type=said("type"),
        fs=fs,
        channels=channels,
        text=kind == "string",
        size=channels * _SIZES.get(kind, 0),
        labels=known if len(known) == channels else [("", "")] * channels,
    )
