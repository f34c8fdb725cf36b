"""Writing EDF+ and BDF+: header, data records of all signals, annotations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import (
    annotation_text,
    description,
    edf_identity,
    edf_labels,
    edf_tal,
    fields,
)
from ipmdae.formats.edf_file import COMMENT, DURATION, ENDS, MISSING
from ipmdae.formats.edf_layout import Layout, plan
from ipmdae.formats.edf_range import EdfResolution, choose, eight
from ipmdae.formats.edf_text import plain
from ipmdae.formats.errors import FormatError
from ipmdae.formats.spool import Read
from ipmdae.recording import Header, Resolution, millivolts

_BLOCK = 1 << 18
"""Samples of a signal that are in work at once."""

_MOST_SIGNALS = 9998
"""Signals that a header can count, besides the annotations."""

_LONGEST_TEXT = 30_000
"""Bytes of an annotation, which lies in a data record of up to 61440."""

_LONGEST_LIST = 512
"""Bytes of annotations up to which a record is never full."""


@dataclass(frozen=True)
class _Signal:
    """A lead or an auxiliary channel, ready to be stored."""

    label: str
    unit: str
    fs: float
    samples: int
    lead: bool
    had: Resolution | None
    read: Callable[[int, int], NDArray[np.float64]]


@dataclass(frozen=True)
class _Extent:
    """Least and greatest value of a signal, and its gaps (first and stop sample)."""

    low: float
    high: float
    gaps: list[tuple[int, int]]


def compose(header: Header, read: Read, path: Path) -> None:
    """Write a recording with its auxiliary channels, in chunks.

    Args:
        header: all but the samples.
        read: the samples.
        path: ``.edf`` for 16 bits a sample, ``.bdf`` for 24.

    Raises:
        FormatError: the rates have no data record in common, or values do not fit the header.
    """
    bits = 24 if path.suffix.lower() == ".bdf" else 16
    signals = _signals(header, read)
    if len(signals) > _MOST_SIGNALS:
        raise FormatError(path, f"EDF holds {_MOST_SIGNALS} signals at most, not {len(signals)}")
    extents = [_extent(signal) for signal in signals]
    try:
        ranges = [
            choose(
                path,
                signal.label,
                signal.had,
                signal.unit,
                (extent.low, extent.high),
                bits,
                gaps=bool(extent.gaps),
            )
            for signal, extent in zip(signals, extents, strict=True)
        ]
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    layout = plan(path, [s.fs for s in signals], [s.samples for s in signals], bits // 8)
    try:
        notes = _notes(header, signals, extents, layout)
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    with replacing(path) as aside, aside.open("wb") as file:
        width = -(-max(map(len, notes)) // (bits // 8)) * (bits // 8)
        file.write(_header(header, signals, ranges, layout, width, bits))
        step = max(_BLOCK // max(layout.counts), 1)
        for first in range(0, layout.records, step):
            stop = min(first + step, layout.records)
            parts = [
                _stored(signal, scale, count, first, stop, bits)
                for signal, scale, count in zip(signals, ranges, layout.counts, strict=True)
            ]
            lists = b"".join(note.ljust(width, b"\0") for note in notes[first:stop])
            parts.append(np.frombuffer(lists, np.uint8).reshape(stop - first, width))
            file.write(np.concatenate(parts, axis=1).tobytes())


def _signals(header: Header, read: Read) -> list[_Signal]:
    """Leads and auxiliary channels in their original order."""
    signals = []
    for i, (name, unit, had) in enumerate(
        zip(header.leads, header.units, header.resolution, strict=True)
    ):
        own = had.unit if had is not None and unit == "mV" and millivolts(had.unit) else unit
        scale = (millivolts(own) or 1.0) if unit == "mV" else 1.0

        def lead(first: int, stop: int, i: int = i, scale: float = scale) -> NDArray[np.float64]:
            return read(first, stop)[:, i] / scale

        signals.append(_Signal(name, own, header.fs, header.samples, True, had, lead))
    for other in sorted(header.auxiliary, key=lambda channel: channel.place):
        mine = _Signal(
            other.name, other.unit, other.fs, other.samples, False, other.resolution, other.read
        )
        signals.insert(min(other.place, len(signals)), mine)
    return signals


def _extent(signal: _Signal) -> _Extent:
    low, high = np.inf, -np.inf
    gaps: list[tuple[int, int]] = []
    for first, values in _pieces(signal, 0, signal.samples):
        missing = np.isnan(values)
        if not missing.all():
            low = min(low, float(np.nanmin(values)))
            high = max(high, float(np.nanmax(values)))
        edges = np.flatnonzero(np.diff(missing, prepend=False, append=False))
        for a, b in edges.reshape(-1, 2).tolist():
            if gaps and gaps[-1][1] == first + a:
                gaps[-1] = (gaps[-1][0], first + b)
            else:
                gaps.append((first + a, first + b))
    return _Extent(low, high, gaps) if low <= high else _Extent(0.0, 0.0, gaps)


def _pieces(signal: _Signal, start: int, end: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for first in range(start, end, _BLOCK):
        yield first, signal.read(first, min(first + _BLOCK, end))


def _stored(
    signal: _Signal, scale: EdfResolution, count: int, first: int, stop: int, bits: int
) -> NDArray[np.uint8]:
    """Data records of one signal as bytes (records, bytes); the last is filled up at its end."""
    digital = np.full((stop - first) * count, scale.digital[0], np.int32)
    begin, end = first * count, min(stop * count, signal.samples)
    for at, values in _pieces(signal, begin, end):
        stored = scale.to_digital(values)
        digital[at - begin : at - begin + len(stored)] = np.where(
            np.isnan(stored), scale.digital[0], stored
        )
    if end > begin:
        digital[end - begin :] = digital[end - begin - 1]
    width = bits // 8
    octets = digital.astype("<i4").view(np.uint8).reshape(stop - first, count, 4)
    return octets[..., :width].reshape(stop - first, count * width)


def _notes(
    header: Header, signals: list[_Signal], extents: list[_Extent], layout: Layout
) -> list[bytes]:
    """The annotation lists of each record: its time, and what happened in it."""
    fraction = header.start.microsecond / 1e6 if header.start else 0.0
    duration = float(layout.duration)
    events = [edf_tal.Event(0.0, None, f"{COMMENT}{text}") for text in _comments(header, signals)]
    reserved = (COMMENT, MISSING, ENDS)
    for sample, text in annotation_text.to_events(header.annotations, reserved):
        found = re.fullmatch(DURATION, text, re.DOTALL)
        # A duration that is written otherwise would come back otherwise.
        if found and f"{float(found[2]):g}" == found[2]:
            events.append(edf_tal.Event(sample / header.fs, float(found[2]), found[1]))
        else:
            events.append(edf_tal.Event(sample / header.fs, None, text))
    for i, (signal, extent) in enumerate(zip(signals, extents, strict=True)):
        text = f"{MISSING}{i + 1} {signal.label}"
        events += [edf_tal.Event(a / signal.fs, (b - a) / signal.fs, text) for a, b in extent.gaps]
    if any(
        signal.samples < layout.records * count
        for signal, count in zip(signals, layout.counts, strict=True)
    ):
        events.append(edf_tal.Event(header.samples / header.fs, None, ENDS))
    lists = [
        bytearray(edf_tal.encode(edf_tal.Event(i * duration + fraction, None, "")))
        for i in range(layout.records)
    ]
    placed = []
    for event in events:
        record = min(max(int(event.onset / duration), 0), layout.records - 1)
        moved = edf_tal.Event(event.onset + fraction, event.duration, event.text)
        placed.append((record, edf_tal.encode(moved)))
    _fill(lists, placed)
    return [bytes(each) for each in lists]


def _fill(lists: list[bytearray], placed: list[tuple[int, bytes]]) -> None:
    """Append each text to the list of its record, or of the next one that is not full.

    All records have lists of one size: thousands of texts at one time would make all of them large.

    Raises:
        ValueError: a text is too long for any record.
    """
    longest = max((len(text) for _, text in placed), default=0)
    if longest > _LONGEST_TEXT:
        raise ValueError(
            f"a comment or note of {longest} bytes is longer than a data record can hold"
        )
    mean = sum(len(text) for _, text in placed) // len(lists)
    full = max(_LONGEST_LIST, 2 * (mean + longest)) + len(lists[-1])
    following = [*range(1, len(lists)), 0]
    for record, text in placed:
        passed = []
        while len(lists[record]) + len(text) > full:
            passed.append(record)
            record = following[record]
        for other in passed:
            following[other] = record
        lists[record] += text


def _comments(header: Header, signals: list[_Signal]) -> list[str]:
    """The comments, and all for which the header has no field."""
    held = edf_identity.parse(*edf_identity.compose(header.metadata, header.start), plus=True)
    held[fields.TIME_OF_DAY] = header.metadata.get(fields.TIME_OF_DAY, "")
    leads = [i for i, signal in enumerate(signals) if signal.lead]
    return [*description.as_comments(header, held), *edf_labels.comments(signals, leads)]


def _header(
    header: Header,
    signals: list[_Signal],
    ranges: list[EdfResolution],
    layout: Layout,
    width: int,
    bits: int,
) -> bytes:
    """The header record; ``width`` is the number of bytes of the annotations."""
    name = "BDF" if bits == 24 else "EDF"
    start = header.start
    known = re.match(r"\d\d:\d\d:\d\d", header.metadata.get(fields.TIME_OF_DAY, ""))
    time = start.time().isoformat("seconds") if start else (known[0] if known else "00:00:00")
    year = 85 if start is None else start.year % 100
    day = f"{start:%d.%m}.{year:02}" if start else "01.01.85"
    limits = str(-(1 << (bits - 1))), str((1 << (bits - 1)) - 1)
    count = len(signals) + 1
    columns: list[tuple[int, list[str]]] = [
        (16, [*(edf_labels.label(s.label) for s in signals), f"{name} Annotations"]),
        (80, [*(r.transducer for r in ranges), ""]),
        (8, [*(edf_labels.unit(s.unit) for s in signals), ""]),
        (8, [*(eight(r.physical[0]) for r in ranges), "-1"]),
        (8, [*(eight(r.physical[1]) for r in ranges), "1"]),
        (8, [*(str(r.digital[0]) for r in ranges), limits[0]]),
        (8, [*(str(r.digital[1]) for r in ranges), limits[1]]),
        (80, [*(r.prefiltering for r in ranges), ""]),
        (8, [*map(str, layout.counts), str(width // (bits // 8))]),
        (32, [""] * count),
    ]
    patient, study = edf_identity.compose(header.metadata, start)
    first: list[tuple[int, str]] = [
        (80, patient),
        (80, study),
        (8, day),
        (8, time.replace(":", ".")),
        (8, str(256 * (count + 1))),
        (44, f"{name}+C"),
        (8, str(layout.records)),
        (8, layout.duration),
        (4, str(count)),
    ]
    fixed = [plain(text, size).ljust(size) for size, text in first]
    fixed += [plain(text, size).ljust(size) for size, texts in columns for text in texts]
    return (b"\xffBIOSEMI" if bits == 24 else b"0       ") + "".join(fixed).encode("ascii")
