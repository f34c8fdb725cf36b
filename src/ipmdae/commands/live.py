"""Sources and sinks of live signals: lines of numbers, and the Lab Streaming Layer (LSL)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ipmdae.commands.interruption import CTRL_C
from ipmdae.console import complain
from ipmdae.formats.columns import unique
from ipmdae.formats.delimited_layout import Layout, is_number, lay_out, split
from ipmdae.formats.delimited_layout import number as number_in
from ipmdae.formats.lead_names import is_ecg
from ipmdae.recording import millivolts

_READ = 1 << 16  # bytes at once at most; what has come is taken, however little it is
_LONGEST_LINE = 1 << 20  # bytes
_LONGEST_HEAD = 1000  # lines

_ANSWER = 5.0  # s to wait for a source
_GAP = 0.5  # s between time stamps from which on samples are missing: clocks jitter
_UNITS = {"microvolts": "uV", "microvolt": "uV", "millivolts": "mV", "volts": "V", "volt": "V"}

Chunk = tuple[list[str], NDArray[np.float64]]
"""Cells that are passed through, as text, a line's together, if there are any; and samples (time,
leads) in mV."""


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
    """Lines of numbers, laid out as text files are; see :mod:`ipmdae.formats.delimited_layout`.

    They are mV where the head or the headings say nothing else, such as ``II (uV)``. Columns that
    are no leads (times, counters, accelerometers) are passed through as text. A line that has other
    columns than the first, or other than numbers, counts as a missing sample: serial ports lose
    bytes.

    Raises:
        ValueError: the rate is not given, there is nothing, or no column is a lead.
    """
    batches = _batches(source)
    texts: list[str] = []
    layout = None
    for texts in _growing(batches):
        layout = _layout(texts)
        if layout:
            break
    fs = fs or (layout.head.fs if layout else None)
    if fs is None:
        raise ValueError("lines of numbers have no rate: give it, e.g. --fs 360")
    if layout is None:
        first = next(filter(None, texts), "")
        raise ValueError(
            f"no line of the input is numbers: {first[:80]}"
            if first
            else "there is nothing to clean on stdin"
        )
    rows = _Rows(layout)

    def chunks() -> Iterator[Chunk]:
        yield from rows.parsed(layout.first, texts[layout.first :])
        number = len(texts)
        for lines in batches:
            yield from rows.parsed(number, lines)
            number += len(lines)

    yield Live(
        fs=fs,
        leads=rows.names,
        header=rows.header,
        scale=rows.scale,
        chunks=chunks(),
        bad=rows.bad,
    )


def _growing(batches: Iterator[list[str]]) -> Iterator[list[str]]:
    """All lines so far, after each batch."""
    texts: list[str] = []
    for lines in batches:
        texts += lines
        yield texts
        if len(texts) > _LONGEST_HEAD:
            raise ValueError(f"the first {_LONGEST_HEAD} lines of the input are no numbers")


def _layout(texts: Sequence[str]) -> Layout | None:
    """The layout of lines, once one of them is numbers."""
    try:
        return lay_out(texts, judged=False) if any(texts) else None
    except ValueError:
        return None


class _Rows:
    """Turns lines into samples, and what is passed through.

    Attributes:
        names: of the leads.
        header: headings of the columns as they come out, where there are any.
        scale: (leads,) millivolts in one of each lead's unit.
        bad: lines that were not samples.
    """

    def __init__(self, layout: Layout) -> None:
        columns = layout.columns
        self._layout = layout
        self.bad = BadLines()
        leads = [i for i, column in enumerate(columns) if column.kind == "lead"]
        ecgs = [i for i in leads if is_ecg(columns[i].name) or columns[i].unit]
        self._leads = ecgs or leads
        self._passed = [i for i in range(len(columns)) if i not in self._leads]
        if not self._leads:
            raise ValueError("no column of the input is a lead")
        headed = any(column.heading for column in columns)
        order = [*self._passed, *self._leads]
        self.header = tuple(columns[i].heading for i in order) if headed else ()
        only = layout.head.lead if len(self._leads) == 1 else ""
        self.names = tuple(unique([columns[i].name or only for i in self._leads]))
        units = [columns[i].unit or layout.head.unit or "mV" for i in self._leads]
        self.scale = np.array([millivolts(unit) or np.nan for unit in units])
        for i in np.array(self._leads)[np.isnan(self.scale)]:
            raise ValueError(f"column {columns[i].heading} is no voltage: leave it out")

    def parsed(self, number: int, lines: Sequence[str]) -> Iterator[Chunk]:
        """What some lines hold; a broken line is a missing sample, and counted.

        Args:
            number: how many lines came before.
            lines: the next ones; empty ones are left out.
        """
        rows, passed = [], []
        for at, line in enumerate(lines, number + 1):
            if not line:
                continue
            cells = split(line, self._layout.separator)
            wrong = self._wrong(cells)
            if wrong:
                self.bad.add(f"line {at} {wrong}: {line[:80]}")
                rows.append([np.nan] * len(self._leads))
                cells = [""] * self._layout.width
            else:
                self.bad.good += 1
                rows.append([number_in(cells[i], self._layout.decimal) for i in self._leads])
            passed += [",".join(self._cell(cells[i]) for i in self._passed)] * bool(self._passed)
        yield passed, np.array(rows, np.float64).reshape(-1, len(self._leads)) * self.scale

    def _cell(self, text: str) -> str:
        """A cell that is passed through, as CSV with decimal points has it."""
        if "," not in text:
            return text
        is_decimal = self._layout.decimal == "," and is_number(text, ",")
        return text.replace(",", ".") if is_decimal else '"{}"'.format(text.replace('"', '""'))

    def _wrong(self, cells: Sequence[str]) -> str:
        """Why cells are not samples; empty if they are."""
        if len(cells) != self._layout.width:
            return f"has {len(cells)} columns, the first {self._layout.width}"
        decimal = self._layout.decimal
        samples = [cells[i] for i in self._leads]
        if all(is_number(c, decimal) and not np.isinf(number_in(c, decimal)) for c in samples):
            return ""
        return "is not numbers"


def _batches(source: BinaryIO) -> Iterator[list[str]]:
    """Whole lines as they come."""
    rest = b""
    read = getattr(source, "read1", source.read)
    while True:
        with CTRL_C.welcome():
            data = read(_READ)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise ValueError("the input has no lines: it must be text, a line for each sample")
        yield _texts(lines)
    yield _texts([rest] if rest else [])


def _texts(lines: list[bytes]) -> list[str]:
    return [line.decode("utf-8-sig", "replace").strip("\r ") for line in lines]


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
