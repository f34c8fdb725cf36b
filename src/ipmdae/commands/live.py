"""Sources and sinks of live signals: lines of numbers, and the Lab Streaming Layer (LSL)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ipmdae.commands.interruption import CTRL_C
from ipmdae.console import complain
from ipmdae.recording import millivolts

_READ = 1 << 16  # bytes at once at most; what has come is taken, however little it is
_LONGEST_LINE = 1 << 20  # bytes
_FIRST_LINES = 16  # by which the number of columns is found
_TIMES = {"t", "time", "seconds", "timestamp", "timestamps", "sample", "index"}

_ANSWER = 5.0  # s to wait for a source
_GAP = 0.5  # s between time stamps from which on samples are missing: clocks jitter
_UNITS = {"microvolts": "uV", "microvolt": "uV", "millivolts": "mV", "volts": "V", "volt": "V"}

Chunk = tuple[list[str], NDArray[np.float64]]
"""Times, as text, where the source has a column of them; and samples (time, leads) in mV."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """A signal that is coming in.

    Attributes:
        fs: sampling rate in Hz.
        leads: their names.
        header: headings of all columns, where the source gave them.
        scale: (leads,) millivolts in one unit of the source, which is that of the output too.
        chunks: what comes, until it ends.
        bad: lines that were not samples; each is a missing sample of all leads.
    """

    fs: float
    leads: tuple[str, ...]
    header: tuple[str, ...]
    scale: NDArray[np.float64]
    chunks: Iterator[Chunk]
    bad: BadLines = field(default_factory=lambda: BadLines())


@dataclass
class BadLines:
    """Lines that could not be read as samples.

    Attributes:
        count: how many there were.
        first: the first of them, with its number and what is wrong.
        good: how many lines were samples.
    """

    count: int = 0
    first: str = ""
    good: int = 0

    def add(self, complaint: str) -> None:
        """Count one."""
        self.first = self.first or complaint
        self.count += 1


@contextmanager
def open_lines(source: BinaryIO, fs: float | None) -> Iterator[Live]:
    """Lines of numbers, separated by commas, semicolons, tabs or spaces.

    They are mV where the headings say nothing else, such as ``II (uV)``. A line that has other
    columns than most of the first lines, or holds other than numbers, counts as a missing sample:
    serial ports lose bytes.

    Raises:
        ValueError: the rate is not given, there is nothing, or a column is not a voltage.
    """
    if fs is None:
        raise ValueError("lines of numbers have no rate: give it, e.g. --fs 360")
    batches = _batches(source)
    number, lines = next(((at, some) for at, some in batches if some), (0, []))
    if not lines:
        raise ValueError("there is nothing to clean on stdin")
    separator = next((sign for sign in ";\t," if any(sign in line for line in lines[:2])), None)
    columns = [text.strip().strip('"') for text in lines[0].split(separator)]
    named = any(text and not _is_number(text, separator) for text in columns)
    if not named:
        columns = [""] * _width(lines, separator)
    timed = named and columns[0].lower().split("(")[0].strip() in _TIMES
    leads = columns[timed:] if named else [f"lead {i + 1}" for i in range(len(columns))]
    scale = np.array([_millivolts(lead) for lead in leads])

    bad = BadLines()

    def parse(number: int, lines: list[str]) -> Iterator[Chunk]:
        rows, times = [], []
        for at, line in enumerate(lines, number + 1):
            fields = line.split(separator)
            row = [np.nan] * len(leads)
            try:
                if len(fields) != len(columns):
                    raise ValueError(f"has {len(fields)} columns, others {len(columns)}")
                row = [_number(text, separator) for text in fields[timed:]]
                bad.good += 1
            except ValueError as error:
                known = str(error) if "columns" in str(error) else "is not numbers"
                bad.add(f"line {at} {known}: {line[:80]}")
            rows.append(row)
            times += fields[:1] if timed else []
        yield times, np.array(rows, np.float64).reshape(-1, len(leads)) * scale

    def chunks() -> Iterator[Chunk]:
        yield from parse(number + named, lines[named:])
        for at, some in batches:
            yield from parse(at, some)

    yield Live(
        fs=fs,
        leads=tuple(leads),
        header=tuple(columns) if named else (),
        scale=scale,
        chunks=chunks(),
        bad=bad,
    )


def _width(lines: list[str], separator: str | None) -> int:
    """How many columns most of the first lines have; the first may have lost its beginning."""
    widths = Counter(len(line.split(separator)) for line in lines[:_FIRST_LINES])
    return widths.most_common(1)[0][0]


def _millivolts(heading: str) -> float:
    """Millivolts in one of the unit of a column, by its heading."""
    unit = re.search(r"[(\[]([^()\[\]]+)[)\]]$", heading)
    known = millivolts(unit[1]) if unit else 1.0
    if known is None:
        raise ValueError(f"column {heading} is not a voltage: leave it out")
    return known


def _batches(source: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Whole lines as they come, without empty ones, and how many came before them."""
    number, rest = 0, b""
    read = getattr(source, "read1", source.read)
    while True:
        with CTRL_C.welcome():
            data = read(_READ)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise ValueError("the input has no lines: it must be text, a line for each sample")
        yield number, _texts(lines)
        number += len(lines)
    yield number, _texts([rest])


def _texts(lines: list[bytes]) -> list[str]:
    texts = (line.decode("utf-8-sig", "replace").strip("\r ") for line in lines)
    return [text for text in texts if text]


def _number(text: str, separator: str | None) -> float:
    """A value; NaN where it is missing. Where commas separate nothing, they are decimal."""
    text = text.strip()
    value = float(text if separator == "," else text.replace(",", ".")) if text else np.nan
    if np.isinf(value):
        raise ValueError("infinite")
    return value


def _is_number(text: str, separator: str | None) -> bool:
    try:
        _number(text, separator)
    except ValueError:
        return False
    return True


@contextmanager
def open_lsl(name: str) -> Iterator[Live]:
    """A source of the Lab Streaming Layer, by its name; voltages become mV.

    Raises:
        ModuleNotFoundError: pylsl is not installed.
        ConnectionError: no source of that name answers.
        ValueError: the source has no regular rate, or no numbers.
    """
    pylsl = _pylsl()
    found = pylsl.resolve_byprop("name", name, timeout=_ANSWER)
    if not found:
        raise ConnectionError(f"no Lab Streaming Layer source named {name!r} answers")
    inlet = pylsl.StreamInlet(found[0], recover=False)
    try:
        info = inlet.info()
        fs = info.nominal_srate()
        if fs <= 0 or info.channel_format() == pylsl.cf_string:
            raise ValueError(f"the source {name!r} has no regular rate, or no numbers")
        leads, scale = _channels(info)
        yield Live(
            fs=fs,
            leads=leads,
            header=tuple(f"{lead} (mV)" for lead in leads),
            scale=np.ones(len(leads)),
            chunks=_pulled(inlet, fs, scale, _lost_error(pylsl)),
        )
    finally:
        inlet.close_stream()


def _channels(info: Any) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of a source's channels, and millivolts in one of their units."""
    names, scale = [], np.ones(info.channel_count())
    channel = info.desc().child("channels").child("channel")
    for i in range(info.channel_count()):
        names.append(channel.child_value("label") or f"lead {i + 1}")
        unit = channel.child_value("unit")
        known = millivolts(_UNITS.get(unit.lower(), unit))
        if known is None:
            complain("warning", f"channel {names[-1]} has the unit {unit!r}; taken for mV")
        scale[i] = known or 1.0
        channel = channel.next_sibling()
    return tuple(names), scale


def _pulled(
    inlet: Any, fs: float, scale: NDArray[np.float64], lost: type[Exception]
) -> Iterator[Chunk]:
    """What comes from a source until it is gone; samples that it left out are missing (NaN)."""
    last = np.inf
    while True:
        try:
            with CTRL_C.welcome():
                samples, stamps = inlet.pull_chunk(timeout=0.2)
        except lost:
            return
        if not stamps:
            continue
        gap = stamps[0] - last - 1 / fs
        if gap > _GAP:
            complain("warning", f"{gap:.1f} s are missing; they stay missing")
            yield [], np.full((round(gap * fs), len(scale)), np.nan)
        last = stamps[-1]
        yield [], np.asarray(samples, np.float64) * scale


@contextmanager
def open_outlet(
    name: str, leads: tuple[str, ...], fs: float, latency: float
) -> Iterator[Callable[[NDArray[np.float64]], None]]:
    """An outlet of the Lab Streaming Layer; gives what takes samples (time, leads) in mV.

    Samples are stamped with the time at which they were recorded: ``latency`` s ago.

    Raises:
        ModuleNotFoundError: pylsl is not installed.
    """
    pylsl = _pylsl()
    info = pylsl.StreamInfo(name, "ECG", len(leads), fs, pylsl.cf_float32, f"ipmdae-{name}")
    channels = info.desc().append_child("channels")
    for lead in leads:
        channel = channels.append_child("channel")
        channel.append_child_value("label", lead)
        channel.append_child_value("unit", "millivolts")
        channel.append_child_value("type", "ECG")
    outlet = pylsl.StreamOutlet(info)

    def push(samples: NDArray[np.float64]) -> None:
        if len(samples):
            values = np.ascontiguousarray(samples, np.float32)
            outlet.push_chunk(values, pylsl.local_clock() - latency)

    yield push


def _lost_error(pylsl: Any) -> type[Exception]:
    """The exception of a source that is gone, which versions of pylsl keep in different places."""
    home = pylsl if hasattr(pylsl, "LostError") else import_module("pylsl.util")
    error: type[Exception] = home.LostError
    return error


def _pylsl() -> Any:
    """The package pylsl.

    Raises:
        ModuleNotFoundError: it is not installed.
        RuntimeError: its library does not load.
    """
    try:
        import pylsl  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the Lab Streaming Layer needs the package pylsl: pip install "
            "'ultralight-ipm-dae[live]'"
        ) from error
    return pylsl
