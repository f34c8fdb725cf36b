"""Writing EDF+ and BDF+: header, data records of all signals, annotations.

Not by edfio (0.4), which holds a file whole in memory, writes physical limits of 8 characters
otherwise than they are given (-1028.1 as -1028.09), so that the steps of a signal change, refuses
years after 2084, and makes all records as wide as the one with the most annotations.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import time as clock
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.files import replacing
from ipmdae.formats import description, edf_text
from ipmdae.formats.blocks import Read
from ipmdae.formats.edf_range import EdfResolution, choose, eight
from ipmdae.formats.edf_text import COMMENT, DURATION, ENDS, MISSING, Event, Signal, plain
from ipmdae.formats.errors import FormatError
from ipmdae.recording import Header, Resolution, millivolts

_BLOCK = 1 << 18
"""Samples of all signals together that are in work at once."""

_MOST_SIGNALS = 9998
"""Signals that a header can count, besides the annotations."""

_LONGEST_TEXT = 30_000
"""Bytes of an annotation, which lies in a data record of up to 61440."""

_LONGEST_LIST = 512
"""Bytes of annotations up to which a record is never full."""

_MAX_RECORD = 61440
"""Bytes a record may have, by the specification."""

_SHORTEST, _LONGEST = 0.2, 10.0
"""Seconds of a record within which a good length is looked for."""

_ROUND = (0.2, 0.25, 0.5, 2, 3, 4, 5, 6, 8, 10)
"""Durations in s that are tried besides those around a second."""

_NEAR = 50


@dataclass(frozen=True, kw_only=True)
class _Stored(Signal):
    """A lead or an auxiliary channel, ready to be stored."""

    samples: int
    lead: bool
    had: Resolution | None
    read: Callable[[int, int], NDArray[np.float64]]

    def part(self, first: int, stop: int) -> NDArray[np.float64]:
        """The samples ``first`` to ``stop`` (not included), as far as there are some."""
        return self.read(min(first, self.samples), min(stop, self.samples))


@dataclass
class _Extent:
    """Least and greatest value of a signal, and its gaps (first and stop sample)."""

    low: float = np.inf
    high: float = -np.inf
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def add(self, first: int, values: NDArray[np.float64]) -> None:
        """Take samples, of which the first is ``first``."""
        missing = np.isnan(values)
        if not missing.all():
            self.low = min(self.low, float(np.nanmin(values)))
            self.high = max(self.high, float(np.nanmax(values)))
        edges = np.flatnonzero(np.diff(missing, prepend=False, append=False)) + first
        for a, b in edges.reshape(-1, 2).tolist():
            begin = self.gaps.pop()[0] if self.gaps and self.gaps[-1][1] == a else a
            self.gaps.append((begin, b))

    def scale(self, path: Path, signal: _Stored, bits: int) -> EdfResolution:
        """The ranges to store the signal with."""
        extent = (self.low, self.high) if self.low <= self.high else (0.0, 0.0)
        gaps = bool(self.gaps)
        return choose(path, signal.label, signal.had, signal.unit, extent, bits, gaps=gaps)


def compose(header: Header, read: Read, path: Path) -> None:
    """Write a recording with its auxiliary channels, in blocks.

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
    layout = plan(path, [s.fs for s in signals], [s.samples for s in signals], bits // 8)
    extents = [_Extent() for _ in signals]
    for first, stop in layout.blocks():
        for signal, extent, count in zip(signals, extents, layout.counts, strict=True):
            extent.add(first * count, signal.part(first * count, stop * count))
    try:
        scales = [
            extent.scale(path, signal, bits)
            for signal, extent in zip(signals, extents, strict=True)
        ]
        notes = _notes(header, signals, extents, layout)
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    with replacing(path) as aside, aside.open("wb") as file:
        width = -(-max(map(len, notes)) // (bits // 8)) * (bits // 8)
        file.write(_header(header, signals, scales, layout, width, bits))
        for first, stop in layout.blocks():
            parts = [
                _octets(signal.part(first * count, stop * count), scale, count, stop - first, bits)
                for signal, scale, count in zip(signals, scales, layout.counts, strict=True)
            ]
            lists = b"".join(note.ljust(width, b"\0") for note in notes[first:stop])
            parts.append(np.frombuffer(lists, np.uint8).reshape(stop - first, width))
            file.write(np.concatenate(parts, axis=1).tobytes())


def _signals(header: Header, read: Read) -> list[_Stored]:
    """Leads and auxiliary channels in their original order."""
    # The leads are asked for the same samples, one after the other.
    read = lru_cache(maxsize=1)(read)
    signals = []
    for i, (name, unit, had) in enumerate(
        zip(header.leads, header.units, header.resolution, strict=True)
    ):
        own = had.unit if had is not None and unit == "mV" and millivolts(had.unit) else unit
        scale = (millivolts(own) or 1.0) if unit == "mV" else 1.0

        def lead(first: int, stop: int, i: int = i, scale: float = scale) -> NDArray[np.float64]:
            return read(first, stop)[:, i] / scale

        signals.append(
            _Stored(
                label=name,
                unit=own,
                fs=header.fs,
                samples=header.samples,
                lead=True,
                had=had,
                read=lead,
            )
        )
    for other in sorted(header.auxiliary, key=lambda channel: channel.place):
        mine = _Stored(
            label=other.name,
            unit=other.unit,
            fs=other.fs,
            samples=other.samples,
            lead=False,
            had=other.resolution,
            read=other.read,
        )
        signals.insert(min(other.place, len(signals)), mine)
    return signals


def _octets(
    values: NDArray[np.float64], scale: EdfResolution, count: int, records: int, bits: int
) -> NDArray[np.uint8]:
    """Data records of one signal as bytes (records, bytes); the last is filled up at its end."""
    digital = np.full(records * count, scale.digital[0], "<i4")
    stored = scale.to_digital(values)
    digital[: len(values)] = np.where(np.isnan(stored), scale.digital[0], stored)
    if len(values):
        digital[len(values) :] = digital[len(values) - 1]
    octets = digital.view(np.uint8).reshape(records, count, 4)
    return octets[..., : bits // 8].reshape(records, -1)


def _notes(
    header: Header, signals: list[_Stored], extents: list[_Extent], layout: Layout
) -> list[bytes]:
    """The annotation lists of each record: its time, and what happened in it."""
    fraction = _time(header).microsecond / 1e6
    duration = float(layout.duration)
    events = [Event(0.0, None, f"{COMMENT}{text}") for text in _comments(header, signals)]
    reserved = (COMMENT, MISSING, ENDS)
    for sample, text in description.to_events(header.annotations, reserved):
        found = re.fullmatch(DURATION, text, re.DOTALL)
        # A duration that is written otherwise would come back otherwise.
        if found and f"{float(found[2]):g}" == found[2]:
            events.append(Event(sample / header.fs, float(found[2]), found[1]))
        else:
            events.append(Event(sample / header.fs, None, text))
    for i, (signal, extent) in enumerate(zip(signals, extents, strict=True)):
        text = f"{MISSING}{i + 1} {signal.label}"
        events += [Event(a / signal.fs, (b - a) / signal.fs, text) for a, b in extent.gaps]
    if any(
        signal.samples < layout.records * count
        for signal, count in zip(signals, layout.counts, strict=True)
    ):
        events.append(Event(header.samples / header.fs, None, ENDS))
    lists = [
        bytearray(edf_text.encode(Event(i * duration + fraction, None, "")))
        for i in range(layout.records)
    ]
    placed = []
    for event in events:
        record = min(max(int(event.onset / duration), 0), layout.records - 1)
        moved = Event(event.onset + fraction, event.duration, event.text)
        placed.append((record, edf_text.encode(moved)))
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


def _comments(header: Header, signals: list[_Stored]) -> list[str]:
    """The comments, and all for which the header has no field."""
    held = edf_text.parse_identity(
        *edf_text.compose_identity(header.metadata, header.start), plus=True
    )
    held[description.TIME_OF_DAY] = header.metadata.get(description.TIME_OF_DAY, "")
    leads = [i for i, signal in enumerate(signals) if signal.lead]
    return [*description.as_comments(header, held), *edf_text.label_comments(signals, leads)]


def _time(header: Header) -> clock:
    """Time of the day of the start; midnight if it is not known."""
    if header.start:
        return header.start.time()
    try:
        return clock.fromisoformat(header.metadata.get(description.TIME_OF_DAY, ""))
    except ValueError:
        return clock()


def _header(
    header: Header,
    signals: list[_Stored],
    ranges: list[EdfResolution],
    layout: Layout,
    width: int,
    bits: int,
) -> bytes:
    """The header record; ``width`` is the number of bytes of the annotations."""
    name = "BDF" if bits == 24 else "EDF"
    start = header.start
    time = _time(header).isoformat("seconds")
    year = 85 if start is None else start.year % 100
    day = f"{start:%d.%m}.{year:02}" if start else "01.01.85"
    limits = str(-(1 << (bits - 1))), str((1 << (bits - 1)) - 1)
    count = len(signals) + 1
    columns: list[tuple[int, list[str]]] = [
        (16, [*(edf_text.label(s.label) for s in signals), f"{name} Annotations"]),
        (80, [*(r.transducer for r in ranges), ""]),
        (8, [*(edf_text.unit(s.unit) for s in signals), ""]),
        (8, [*(eight(r.physical[0]) for r in ranges), "-1"]),
        (8, [*(eight(r.physical[1]) for r in ranges), "1"]),
        (8, [*(str(r.digital[0]) for r in ranges), limits[0]]),
        (8, [*(str(r.digital[1]) for r in ranges), limits[1]]),
        (80, [*(r.prefiltering for r in ranges), ""]),
        (8, [*map(str, layout.counts), str(width // (bits // 8))]),
        (32, [""] * count),
    ]
    patient, study = edf_text.compose_identity(header.metadata, start)
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


@dataclass(frozen=True)
class Layout:
    """Data records of a file.

    Attributes:
        duration: of a record in s, as it is written.
        counts: samples a record has of each signal.
        records: number of records.
    """

    duration: str
    counts: tuple[int, ...]
    records: int

    def blocks(self) -> Iterator[tuple[int, int]]:
        """First and stop record of the blocks in which it is written."""
        step = max(_BLOCK // sum(self.counts), 1)
        for first in range(0, self.records, step):
            yield first, min(first + step, self.records)


def plan(path: Path, rates: Sequence[float], samples: Sequence[int], width: int) -> Layout:
    """Records of about a second that the signals fill, all or all but the last.

    Args:
        path: named where it cannot be done.
        rates: of the signals in Hz.
        samples: number of samples of each.
        width: bytes of a sample.

    Raises:
        FormatError: the rates have no record in common that is short enough.
    """
    exact = [Fraction(rate).limit_denominator(1_000_000) for rate in rates]
    # The shortest time in which every signal has a whole number of samples.
    numerator = math.lcm(*(rate.denominator for rate in exact))
    denominator = math.gcd(*(rate.numerator * (numerator // rate.denominator) for rate in exact))
    shortest = Fraction(numerator, denominator)
    per = [int(rate * shortest) for rate in exact]
    if sum(per) * width > _MAX_RECORD * 16 or shortest > 3600:
        raise FormatError(
            path,
            f"rates of {', '.join(f'{rate:g}' for rate in dict.fromkeys(rates))} Hz have no data "
            "record in common that EDF can hold",
        )
    longest = max(min(_MAX_RECORD // (sum(per) * width), int(_LONGEST / shortest)), 1)
    total = samples[0] // per[0]
    even = all(count == total * each for count, each in zip(samples, per, strict=True))

    def merit(k: int) -> tuple[float, bool, float]:
        """An exact rate counts most, then records that are all full, then about a second."""
        full = even and total % k == 0 and k * shortest >= _SHORTEST
        return _error(k * shortest), not full, abs(math.log(k * shortest))

    second = round(1 / shortest)
    tried = {1, *range(second - _NEAR, second + _NEAR), *(round(s / shortest) for s in _ROUND)}
    tried |= {k for k in range(1, longest + 1) if even and total % k == 0}
    k = min((k for k in tried if 1 <= k <= longest), key=merit)
    records = max(-(-count // (k * each)) for count, each in zip(samples, per, strict=True))
    return Layout(eight(float(k * shortest)), tuple(k * each for each in per), records)


def _error(duration: Fraction) -> float:
    """Relative error of a duration written in 8 characters, as far as it matters."""
    error = abs(Fraction(eight(float(duration))) - duration) / duration
    return float(error) if error > Fraction(1, 10**9) else 0.0
