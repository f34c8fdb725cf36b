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
from ipmdae.formats.names import is_ecg
from ipmdae.recording import millivolts

_READ = 1 << 16  # bytes, largest read; fewer are processed as they arrive
_LONGEST_LINE = 1 << 20  # bytes
_LONGEST_HEAD = 1000  # lines

_ANSWER = 5.0  # s to wait for a source to answer
_GAP = 0.5  # s between time stamps that count as missing samples: clocks jitter
_UNITS = {"microvolts": "uV", "microvolt": "uV", "millivolts": "mV", "volts": "V", "volt": "V"}

Chunk = tuple[list[str], NDArray[np.float64]]
"""Text of the copied columns, one string per line, if there are any; and samples (time, leads) in
mV."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """A live signal.

    Attributes:
        fs: sampling rate in Hz.
        leads: names of the leads.
        header: headings of all columns, if the source has any.
        scale: (leads,) millivolts per unit of the source, which is also the unit of the output.
        chunks: samples as they arrive, until the signal ends.
        bad: lines that were not samples; each counts as a missing sample of all leads.
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
        count: number of bad lines.
        first: the first bad line, with its number and the reason.
        good: number of good lines.
    """

    count: int = 0
    first: str = ""
    good: int = 0

    def add(self, complaint: str) -> None:
        """Count a bad line."""
        self.first = self.first or complaint
        self.count += 1


@contextmanager
def open_lines(source: BinaryIO, fs: float | None) -> Iterator[Live]:
    """Read lines of numbers; the layout is that of :mod:`ipmdae.formats.delimited_layout`.

    Values are in mV unless header or headings state another unit, such as ``II (uV)``. Columns that
    are not leads (times, counters, accelerometers) are copied as text. A line with another number
    of columns than the first, or with other text, counts as a missing sample: serial ports lose
    bytes.

    Raises:
        ValueError: the sampling rate is not given, the input is empty, or no column is a lead.
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
        raise ValueError("lines of numbers have no sampling rate: give it, e.g. --fs 360")
    if layout is None:
        first = next(filter(None, texts), "")
        raise ValueError(
            f"no line of the input is numbers: {first[:80]}"
            if first
            else "stdin is empty: nothing to denoise"
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
    """All lines so far, after each read."""
    texts: list[str] = []
    for lines in batches:
        texts += lines
        yield texts
        if len(texts) > _LONGEST_HEAD:
            raise ValueError(f"the first {_LONGEST_HEAD} lines of the input are not numbers")


def _layout(texts: Sequence[str]) -> Layout | None:
    """Layout of the lines, once one of them is numbers."""
    try:
        return lay_out(texts, judged=False) if any(texts) else None
    except ValueError:
        return None


class _Rows:
    """Parser of lines: samples, and columns that are copied.

    Attributes:
        names: names of the leads.
        header: headings of the output columns, if any.
        scale: (leads,) millivolts per unit of each lead.
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
            raise ValueError(f"column {columns[i].heading} is not a voltage: leave it out")

    def parsed(self, number: int, lines: Sequence[str]) -> Iterator[Chunk]:
        """Parse lines; an invalid line is a missing sample, and is counted.

        Args:
            number: number of lines before these.
            lines: next lines; empty ones are skipped.
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
        """Reason why cells are not samples; empty if they are."""
        if len(cells) != self._layout.width:
            return f"has {len(cells)} columns, the first {self._layout.width}"
        decimal = self._layout.decimal
        samples = [cells[i] for i in self._leads]
        if all(is_number(c, decimal) and not np.isinf(number_in(c, decimal)) for c in samples):
            return ""
        return "is not numbers"


def _batches(source: BinaryIO) -> Iterator[list[str]]:
    """Complete lines as they arrive."""
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
    """A source of the Lab Streaming Layer, by name; voltages are converted to mV.

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
    """Names of a source's channels, and millivolts per unit of each."""
    names, scale = [], np.ones(info.channel_count())
    channel = info.desc().child("channels").child("channel")
    for i in range(info.channel_count()):
        names.append(channel.child_value("label") or f"lead {i + 1}")
        unit = channel.child_value("unit")
        known = millivolts(_UNITS.get(unit.lower(), unit))
        if known is None:
            complain("warning", f"channel {names[-1]} has the unit {unit!r}; assumed to be mV")
        scale[i] = known or 1.0
        channel = channel.next_sibling()
    return tuple(names), scale


def _pulled(
    inlet: Any, fs: float, scale: NDArray[np.float64], lost: type[Exception]
) -> Iterator[Chunk]:
    """Samples from a source until it ends; samples that it left out are missing (NaN)."""
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
    """An outlet of the Lab Streaming Layer: a function that takes samples (time, leads) in mV.

    Samples carry the time at which they were recorded: ``latency`` s ago.

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
    """Exception of a lost source, which pylsl versions keep in different places."""
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
