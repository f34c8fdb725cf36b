"""Live signals as lines of numbers, whose layout is found as that of a file of text is."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ipmdae.commands.interruption import CTRL_C
from ipmdae.formats.columns import column, heading, units_of, warn_of_steps
from ipmdae.formats.errors import FormatError
from ipmdae.formats.names import is_counts
from ipmdae.formats.options import ReadOptions
from ipmdae.formats.table_layout import Layout, lay_out
from ipmdae.formats.table_times import chosen
from ipmdae.formats.times import Timeline
from ipmdae.recording import millivolts
from ipmdae.text import enumerated, unique

_READ = 1 << 16  # bytes, largest read; fewer are processed as they arrive
_LONGEST_LINE = 1 << 20  # bytes
_LONGEST_HEAD = 1000  # lines

_STDIN = Path("stdin")
_LEAST = 64  # lines by which columns are judged
_CONTRADICTION = 0.02
"""Share by which a rate may differ from that of the first times, which are rounded."""

Chunk = tuple[list[list[str]], NDArray[np.float64]]
"""Cells of each line, those of the leads to be filled in, if any others are copied; and samples
(time, leads) in mV."""


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
        header: headings of all columns, with the units stated elsewhere, if the source has any.
        places: (leads,) columns of the leads in a line.
        scale: (leads,) millivolts per unit of the output, which is that of the source, or mV where
            that is a step of a converter.
        chunks: samples as they arrive, until the signal ends.
        bad: lines that were not samples; each counts as a missing sample of all leads.
    """

    fs: float
    leads: tuple[str, ...]
    header: tuple[str, ...]
    places: tuple[int, ...]
    scale: NDArray[np.float64]
    chunks: Iterator[Chunk]
    bad: BadLines = field(default_factory=BadLines)


@contextmanager
def open_lines(
    source: BinaryIO, fs: float | None, unit: str | None = None, seconds: float = 2.0
) -> Iterator[Live]:
    """Read lines of numbers; layout, kinds of columns and units are found as those of a file are.

    Columns that are not leads (times, counters, accelerometers) are copied as text. A line with
    another number of columns than the first ones, or with other text, counts as a missing sample:
    serial ports lose bytes.

    Args:
        source: the lines.
        fs: sampling rate in Hz; by default that of the header.
        unit: of the leads, or the size of a converter's step; overrides what the lines state.
        seconds: of signal by which columns and units are judged, before anything is given out.

    Raises:
        ValueError: the sampling rate is not given, the input is empty, no column is a lead, or the
            unit is not a voltage.
    """
    options = ReadOptions(fs=fs, unit=unit)
    batches = _batches(source)
    texts, layout, rest = _beginning(batches, fs, seconds)
    fs = fs or (layout.head.fs if layout else None)
    if fs is None:
        raise ValueError("lines of numbers have no sampling rate: give it, e.g. --fs 360")
    if layout is None:
        first = next(filter(None, texts), "")
        said = f"no line of the input is numbers: {first[:80]}" if first else ""
        raise ValueError(said or "stdin is empty: nothing to denoise")
    _check_rate(layout, fs)
    _warn_copied(layout)
    leads, scale, zero = _leads(layout, options)
    columns, bad = layout.columns, BadLines()
    output = np.array([factor if factor in _UNITS else 1.0 for factor in scale])
    only = layout.head.lead if len(leads) == 1 else ""
    yield Live(
        fs=fs,
        leads=tuple(unique([columns[i].name or only for i in leads])),
        header=_header(layout, {i: _UNITS[each] for i, each in zip(leads, output, strict=True)}),
        places=tuple(leads),
        scale=output,
        chunks=(
            (cells, (values - zero) * scale)
            for cells, values in _parsed(layout, chain([texts], rest), leads, bad)
        ),
        bad=bad,
    )


_UNITS = {millivolts(unit): unit for unit in ("V", "mV", "uV", "nV")}
"""Units of the output by their size in mV."""


def _beginning(
    batches: Iterator[list[str]], fs: float | None, seconds: float
) -> tuple[list[str], Layout | None, Iterable[list[str]]]:
    """The lines of the first seconds, their layout, and the lines that follow.

    Raises:
        FormatError: the rows are not a table.
        ValueError: there are too many lines above them.
    """
    texts: list[str] = []
    layout, rest = None, batches
    try:
        for lines in batches:
            texts += lines
            with suppress(ValueError):
                layout = layout or (lay_out(texts) if any(texts) else None)
            rate = fs or (layout.head.fs if layout else None) or 0.0
            if layout and len(texts) >= layout.first + max(_LEAST, round(seconds * rate)):
                break
            if not layout and len(texts) > _LONGEST_HEAD:
                raise ValueError(f"the first {_LONGEST_HEAD} lines of the input are not numbers")
    except KeyboardInterrupt as interrupted:  # what has been received is denoised
        if not layout:
            raise
        rest = _raising(interrupted)
    try:
        return texts, layout and _laid_out(texts), rest
    except ValueError as error:
        raise FormatError(_STDIN, str(error)) from error


def _laid_out(texts: list[str]) -> Layout:
    """The layout of lines, of which the first may be damaged: a port is opened amid a line.

    A damaged line has numbers or characters that are not text among its cells; headings do not.
    """
    layout = lay_out(texts)
    above = [i for i, text in enumerate(texts[: layout.first]) if text.strip()]
    if len(above) != 1:
        return layout
    line = texts[above[0]].replace("\t", " ")
    numbers = [cell for cell in layout.split(texts[above[0]]) if not np.isnan(layout.number(cell))]
    if line.isprintable() and "\ufffd" not in line and not numbers:
        return layout
    return dataclasses.replace(lay_out(texts[layout.first :]), first=above[0])


def _raising(interrupted: KeyboardInterrupt) -> Iterator[list[str]]:
    """An iterator that ends by an interruption."""
    yield []
    raise interrupted


def _check_rate(layout: Layout, fs: float) -> None:
    """Warn of a rate that the head or the first times contradict."""
    for source, rate in (("input", layout.head.fs), ("times", _rate_of_times(layout))):
        if rate and abs(rate - fs) > _CONTRADICTION * fs:
            warnings.warn(
                f"the rate by the {source} is {rate:.6g} Hz; {fs:g} Hz overrules it", stacklevel=2
            )


def _rate_of_times(layout: Layout) -> float | None:
    """The rate in Hz by a column of times, if these are even."""
    times = [i for i, c in enumerate(layout.columns) if c.kind == "time"]
    found = chosen(layout, [i for i in times if layout.stamps[i] or layout.is_numeric(i)])
    if not found or not found.scale:
        return None
    import pandas as pd

    index = found.index
    cells = pd.Series(layout.cells(index) if found.kind else layout.values[:, index])
    timeline = Timeline(_STDIN, found.quantum)
    with suppress(FormatError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timeline.add(found.seconds(_STDIN, cells))
        return timeline.rate()
    return None


def _warn_copied(layout: Layout) -> None:
    """Warn of columns that are no leads by their first cells alone."""
    named = [
        each.heading or f"column {i + 1}"
        for i, each in enumerate(layout.columns)
        if each.kind in ("time", "index", "other") and not layout.stamps[i]
        if not each.heading or column(each.heading, each.unit).kind == "lead"
    ]
    if named and not layout.head.columns:
        warnings.warn(
            f"{enumerated(named)}: by the first lines a time, a counter or marks; copied",
            stacklevel=2,
        )


def _leads(
    layout: Layout, options: ReadOptions
) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
    """Columns of the leads, millivolts per unit of each, and its value at 0 mV.

    Raises:
        ValueError: there is none, or one is not a voltage.
    """
    columns = layout.columns
    known = [i for i, c in enumerate(columns) if c.kind == "lead" and layout.is_numeric(i)]
    if not known:
        raise ValueError("no column of the input is a lead")
    values = [layout.values[:, i] for i in known]
    leads = [columns[i] for i in known]
    units = units_of(_STDIN, leads, values, options, layout.head.unit)
    warn_of_steps(_STDIN, leads, layout.head.scale, options)
    for i, name in zip(known, units.names, strict=True):
        if is_counts(name):
            raise ValueError(
                f"column {columns[i].heading} is not a voltage: leave it out, or give the size of "
                "a step, such as --unit 0.3uV"
            )
    kept = [i for i, name in enumerate(units.names) if name == "mV"]
    return [known[i] for i in kept], units.scale[kept], units.zero[kept]


def _header(layout: Layout, units: dict[int, str]) -> tuple[str, ...]:
    """Headings of all columns, with their units where these are stated elsewhere.

    Args:
        layout: of the input.
        units: those of the output, by column of the leads.
    """
    columns, above = layout.columns, layout.head.unit
    if not above and not any(c.heading for c in columns):
        return ()
    result = []
    for i, each in enumerate(columns):
        text = each.heading or (layout.head.lead if i in units else "")
        own = column(text)
        unit = units.get(i, each.unit)
        silent = i in units and unit == "mV" and not (each.unit or above or each.scale)
        timed = each.kind == "time" and own.seconds == each.seconds
        said = silent or timed or own.unit == unit
        result.append(_copy(layout, text if said else heading(own.name, unit)))
    return tuple(result)


def _parsed(
    layout: Layout, batches: Iterable[list[str]], leads: Sequence[int], bad: BadLines
) -> Iterator[Chunk]:
    """Cells and samples of lines; an invalid line is a missing sample, and is counted."""
    at, skip = 0, layout.head.skip
    empty = [i for i, each in enumerate(layout.columns) if each.kind == "empty"]
    for lines in batches:
        rows, texts = [], []
        for line in lines:
            at += 1
            if not line or at <= layout.first:
                continue
            if skip:
                skip -= 1
                continue
            cells = layout.split(line)
            values, wrong = _samples(layout, cells, leads)
            if wrong:
                bad.add(f"line {at} {wrong}: {line[:80]}")
                cells = [""] * layout.width
            else:
                bad.good += 1
                empty = _warn_late(cells, empty, at)
            rows.append(values)
            if len(leads) < layout.width:
                texts.append([_copy(layout, cell) for cell in cells])
        yield texts, np.array(rows, np.float64).reshape(-1, len(leads))


def _warn_late(cells: Sequence[str], empty: list[int], line: int) -> list[int]:
    """Warn of values in columns that were empty when they were judged; those still empty."""
    late = [i for i in empty if cells[i]]
    if late:
        names = enumerated([str(i + 1) for i in late])
        warnings.warn(
            f"column {names}: empty at first, has values from line {line} on; copied, not denoised",
            stacklevel=2,
        )
    return [i for i in empty if i not in late]


def _samples(layout: Layout, cells: Sequence[str], leads: Sequence[int]) -> tuple[list[float], str]:
    """The values of a line, missing ones if it is wrong, and what is wrong with it."""
    wrong = f"has {len(cells)} columns, the first {layout.width}"
    if len(cells) == layout.width:
        values = [layout.number(cells[i]) for i in leads]
        wrong = "" if all(layout.is_number(cells[i]) for i in leads) else "is not numbers"
        if np.isinf(values).any():
            wrong = "is not numbers"
        if not wrong:
            return values, ""
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
