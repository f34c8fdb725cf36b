"""XDF, the recordings of the lab streaming layer (``.xdf``, ``.xdfz``), read by pyxdf.

Specification: https://github.com/sccn/xdf/wiki/Specifications. pyxdf believes what a file
announces; here each chunk is checked before against what is there, and headers are refused that
define entities.
"""

from __future__ import annotations

import gzip
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import isolated
from ipmdae.formats.blocks import SignalReader, WholeReader, read_whole
from ipmdae.formats.documents import parse_xml
from ipmdae.formats.errors import FormatError, check_expansion, check_samples, reason
from ipmdae.formats.names import is_ecg
from ipmdae.formats.optional import needs, quiet, require
from ipmdae.formats.options import DEFAULTS, ReadOptions
from ipmdae.formats.signals import Signal, from_signals
from ipmdae.recording import Annotations, Recording

NAME = "XDF"
SUFFIXES: tuple[str, ...] = (".xdf", ".xdfz", ".xdf.gz")
LIBRARY = "pyxdf"
OPTIONS = frozenset({"array", "unit"})

_TYPES = ("ecg", "ekg", "exg", "biosignals", "eeg")
"""Types of streams that may hold an ECG, the likeliest first."""

_SAME_RATE = 0.005
"""Share by which a measured rate differs from the stated one through drift of clocks alone."""

_LONGEST_GAP = 86400.0
"""Seconds between two parts of a stream."""


def recognises(path: Path) -> bool:
    """True if the file begins as XDF does, compressed or not."""
    return path.is_file() and is_xdf(path)


def read(path: Path, *, annotations: bool = True, options: ReadOptions = DEFAULTS) -> Recording:
    """Read the stream that holds an ECG; streams of text become annotations.

    The stream is that of ``options.array``, else one called or typed as an ECG, else the longest
    that has a rate. Clocks are synchronised and jitter is taken out by pyxdf; where a stream was
    interrupted, or its clock was reset, the time between is missing (NaN). pyxdf runs in a child
    process: of a broken file it may ask for more memory than the file holds.

    Args:
        path: the file.
        annotations: whether to return annotations.
        options: ``array`` is the name of a stream; ``fs`` the rate of one without.

    Raises:
        FileNotFoundError: there is no such file.
        FormatError: it is broken, cut off, or has no stream of samples.
        ModuleNotFoundError: pyxdf is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    require(LIBRARY, "XDF files")
    reader = isolated.open_reader(path, options, __name__)
    return read_whole(reader, annotations=annotations)


def open_here(path: Path, options: ReadOptions) -> SignalReader:
    """Open the stream in this process; see :func:`read`."""
    streams = headers(path)
    chosen = _choose(path, streams, options)
    texts = [stream.number for stream in streams if stream.text]
    loaded = _load(path, [chosen.number, *texts])
    main = loaded[chosen.number]
    places, fs = _places(path, chosen, main, options)
    samples = places[-1][2] + places[-1][1] - places[-1][0]
    count = chosen.channels
    check_samples(path, samples, count)
    check_expansion(path, path.stat().st_size, 8 * samples * count)
    signal = np.full((samples, count), np.nan)
    values = np.asarray(main["time_series"], np.float64)
    for first, stop, sample in places:
        signal[sample : sample + stop - first] = values[first:stop]
    labels = chosen.labels
    signals = [
        Signal(name=labels[i][0] or _numbered(chosen, i), unit=labels[i][1], fs=fs, values=column)
        for i, column in enumerate(signal.T)
    ]
    begun = float(main["time_stamps"][0])
    marks = _marks([loaded[number] for number in texts], begun, fs, samples)
    return WholeReader(from_signals(path, signals, options, annotations=marks))


def _choose(path: Path, streams: list[StreamHeader], options: ReadOptions) -> StreamHeader:
    """The stream to read.

    Raises:
        FormatError: no stream has the requested name, or none can be an ECG.
    """
    numeric = [stream for stream in streams if not stream.text and stream.samples]
    named = ", ".join(stream.name or str(stream.number) for stream in streams)[:200]
    if options.array:
        wanted = (options.array, options.array.lower())
        for stream in numeric:
            if stream.name in wanted or stream.name.lower() == wanted[1]:
                return stream
        raise FormatError(path, f"has no stream of samples {options.array}; there are {named}")
    regular = [stream for stream in numeric if stream.fs > 0 or options.fs]
    if not numeric:
        what = f"only streams of text ({named})" if streams else "no streams"
        raise FormatError(path, f"has no stream of samples, {what}")
    if not regular:
        raise FormatError(path, f"its streams of samples ({named}) have no rate; give it (--fs)")
    best = max(regular, key=_likelihood)
    if len(regular) > 1:
        warnings.warn(
            f"{path}: of the streams {named}, {best.name} is read; another one by --array",
            stacklevel=4,
        )
    return best


def _likelihood(stream: StreamHeader) -> tuple[bool, int, int]:
    type_ = stream.type.lower()
    ecg = is_ecg(stream.name) or any(is_ecg(label) for label, _ in stream.labels)
    return ecg, -_TYPES.index(type_) if type_ in _TYPES else -len(_TYPES), stream.samples


def _load(path: Path, numbers: list[int]) -> dict[int, dict[str, Any]]:
    """Streams as read by pyxdf, by number."""
    with needs(LIBRARY, "XDF files"):
        import pyxdf
    try:
        with quiet("pyxdf.pyxdf"), np.errstate(all="ignore"):
            loaded, _ = pyxdf.load_xdf(path, select_streams=sorted(set(numbers)))
    except Exception as error:
        raise FormatError(path, f"the XDF file is broken ({reason(error)})") from error
    return {int(stream["info"]["stream_id"]): stream for stream in loaded}


def _places(
    path: Path, header: StreamHeader, stream: dict[str, Any], options: ReadOptions
) -> tuple[list[tuple[int, int, int]], float]:
    """Positions of the segments of a stream, and its rate in Hz.

    Returns:
        First index, index after the last, and first sample of each part.

    Raises:
        FormatError: times are not numbers, or a gap is longer than a day.
    """
    times = np.asarray(stream["time_stamps"], np.float64)
    if len(times) != header.samples or not np.isfinite(times).all():
        raise FormatError(path, f"the times of stream {header.name} are broken")
    if header.fs <= 0:
        return [(0, len(times), 0)], float(options.fs or 0)
    fs = _rate(path, header, float(stream["info"]["effective_srate"]))
    result: list[tuple[int, int, int]] = []
    end = 0
    for first, last in _parts(stream["info"]):
        at = round((float(times[first]) - float(times[0])) * fs)
        if at - end > _LONGEST_GAP * fs:
            raise FormatError(path, f"stream {header.name} has a gap of {(at - end) / fs:g} s")
        if result and at < end - 1:
            warnings.warn(
                f"{path}: the clock of stream {header.name} goes back; its parts are joined",
                stacklevel=4,
            )
        at = max(at, end)
        result.append((first, last + 1, at))
        end = at + last + 1 - first
    if len(result) > 1:
        warnings.warn(
            f"{path}: stream {header.name} was interrupted or its clock reset "
            f"{len(result) - 1} times; what is between is missing",
            stacklevel=4,
        )
    return result, fs


def _parts(info: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """First and last index of the segments without interruption or reset of the clock."""
    segments, clocks = info["segments"], info["clock_segments"]
    starts = sorted({first for first, _ in (*segments, *clocks)})
    stop = max(last for _, last in segments)
    for first, following in zip(starts, [*starts[1:], stop + 1], strict=True):
        yield first, following - 1


def _rate(path: Path, header: StreamHeader, measured: float) -> float:
    if measured <= 0 or abs(measured - header.fs) <= _SAME_RATE * header.fs:
        return header.fs
    warnings.warn(
        f"{path}: stream {header.name} states {header.fs:g} Hz, but its time stamps run at "
        f"{measured:.6g} Hz, which is taken",
        stacklevel=5,
    )
    return measured


def _numbered(header: StreamHeader, index: int) -> str:
    return f"{header.name or 'lead'} {index + 1}" if header.channels > 1 else header.name


def _marks(
    streams: list[dict[str, Any]], begun: float, fs: float, samples: int
) -> dict[str, Annotations]:
    """Streams of text as annotations, by the name of the stream."""
    marks: dict[str, Annotations] = {}
    for stream in streams:
        times: NDArray[np.float64] = np.asarray(stream["time_stamps"], np.float64)
        at = np.round((times - begun) * fs)
        inside = np.flatnonzero((at >= 0) & (at < samples))
        inside = inside[np.argsort(at[inside], kind="stable")]
        if len(inside):
            name = str(stream["info"]["name"][0] or stream["info"]["stream_id"])
            notes = (" ".join(map(str, stream["time_series"][i])) for i in inside)
            marks[name] = Annotations(
                sample=at[inside].astype(np.int64),
                symbol=('"',) * len(inside),
                note=tuple(" ".join(note.split()) for note in notes),
            )
    return marks


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
    return parse_xml(path, content)


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
