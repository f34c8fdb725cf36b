"""Sources and sinks of live signals: lines of numbers, and the Lab Streaming Layer (LSL)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ipmdae.commands.interruption import CTRL_C
from ipmdae.console import complain
from ipmdae.formats.names import is_ecg, symbol
from ipmdae.formats.table_layout import Layout, lay_out
from ipmdae.recording import millivolts
from ipmdae.text import unique

_READ = 1 << 16  # bytes, largest read; fewer are processed as they arrive
_LONGEST_LINE = 1 << 20  # bytes
_LONGEST_HEAD = 1000  # lines

_ANSWER = 5.0  # s to wait for a source to answer
_GAP = 0.5  # s between time stamps that count as missing samples: clocks jitter

Chunk = tuple[list[str], NDArray[np.float64]]
"""Text of the copied columns, one string per line, if there are any; and samples (time, leads) in
mV."""


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
    bad: BadLines = field(default_factory=BadLines)


@contextmanager
def open_lines(source: BinaryIO, fs: float | None) -> Iterator[Live]:
    """Read lines of numbers; their layout is found as that of a file of text is.

    Values are in mV unless header or headings state another unit, such as ``II (uV)``. Columns that
    are not leads (times, counters, accelerometers) are copied as text. A line with another number
    of columns than the first, or with other text, counts as a missing sample: serial ports lose
    bytes.

    Raises:
        ValueError: the sampling rate is not given, the input is empty, or no column is a lead.
    """
    batches = _batches(source)
    texts, layout = _beginning(batches)
    fs = fs or (layout.head.fs if layout else None)
    if fs is None:
        raise ValueError("lines of numbers have no sampling rate: give it, e.g. --fs 360")
    if layout is None:
        first = next(filter(None, texts), "")
        said = f"no line of the input is numbers: {first[:80]}" if first else ""
        raise ValueError(said or "stdin is empty: nothing to denoise")
    columns = layout.columns
    leads = [i for i, column in enumerate(columns) if column.kind == "lead"]
    leads = [i for i in leads if is_ecg(columns[i].name) or columns[i].unit] or leads
    if not leads:
        raise ValueError("no column of the input is a lead")
    scales = [
        columns[i].scale or millivolts(columns[i].unit or layout.head.unit or "mV") for i in leads
    ]
    if None in scales:
        other = columns[leads[scales.index(None)]].heading
        raise ValueError(f"column {other} is not a voltage: leave it out")
    copied = [i for i in range(layout.width) if i not in leads]
    only = layout.head.lead if len(leads) == 1 else ""
    headed = any(column.heading for column in columns)
    scale, bad = np.array(scales, np.float64), BadLines()
    rest = chain([texts[layout.first :]], batches)
    yield Live(
        fs=fs,
        leads=tuple(unique([columns[i].name or only for i in leads])),
        header=tuple(columns[i].heading for i in [*copied, *leads]) if headed else (),
        scale=scale,
        chunks=_parsed(layout, rest, leads, copied, scale, bad),
        bad=bad,
    )


def _beginning(batches: Iterator[list[str]]) -> tuple[list[str], Layout | None]:
    """The lines until one of them is numbers, and their layout."""
    texts: list[str] = []
    for lines in batches:
        texts += lines
        if any(texts):
            with suppress(ValueError):
                return texts, lay_out(texts, judged=False)
        if len(texts) > _LONGEST_HEAD:
            raise ValueError(f"the first {_LONGEST_HEAD} lines of the input are not numbers")
    return texts, None


def _parsed(
    layout: Layout,
    batches: Iterable[list[str]],
    leads: Sequence[int],
    copied: Sequence[int],
    scale: NDArray[np.float64],
    bad: BadLines,
) -> Iterator[Chunk]:
    """Samples and copied columns of lines; an invalid line is a missing sample, and is counted."""
    at = layout.first
    for lines in batches:
        rows, texts = [], []
        for line in lines:
            at += 1
            if not line:
                continue
            cells = layout.split(line)
            values, wrong = _samples(layout, cells, leads)
            if wrong:
                bad.add(f"line {at} {wrong}: {line[:80]}")
                cells = [""] * layout.width
            else:
                bad.good += 1
            rows.append(values)
            if copied:
                texts.append(",".join(_copy(layout, cells[i]) for i in copied))
        yield texts, np.array(rows, np.float64).reshape(-1, len(leads)) * scale


def _samples(layout: Layout, cells: Sequence[str], leads: Sequence[int]) -> tuple[list[float], str]:
    """The values of a line, missing ones if it is wrong, and what is wrong with it."""
    wrong = f"has {len(cells)} columns, the first {layout.width}"
    if len(cells) == layout.width:
        values = [layout.number(cells[i]) for i in leads]
        if all(layout.is_number(cells[i]) for i in leads) and not np.isinf(values).any():
            return values, ""
        wrong = "is not numbers"
    return [np.nan] * len(leads), wrong


def _copy(layout: Layout, text: str) -> str:
    """A cell that is passed through, as CSV with decimal points has it."""
    if "," not in text:
        return text
    is_decimal = layout.decimal == "," and layout.is_number(text)
    return text.replace(",", ".") if is_decimal else '"{}"'.format(text.replace('"', '""'))


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
        known = millivolts(symbol(unit))
        if known is None:
            complain("warning", f"channel {names[-1]} has the unit {unit!r}; assumed to be mV")
        scale[i] = known or 1.0
        channel = channel.next_sibling()
    return tuple(unique(names)), scale


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
