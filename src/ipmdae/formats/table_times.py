"""Time columns of text tables: numbers in some unit, durations, times of the day, dates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.columns import epoch
from ipmdae.formats.dates import local_time, plain_date
from ipmdae.formats.errors import FormatError
from ipmdae.formats.table_layout import CLOCK, DATE, DURATION, Layout
from ipmdae.formats.times import scale_of

_DAY = 86_400.0
_NUMBER = re.compile(r"[+-]?\d*(?:[.,](\d*))?(?:[eE]([+-]?\d+))?(?: ?s(?:ec)?)?")
_SECONDS = re.compile(r":\d\d(?:[.,](\d+)|:(\d{3})$)")


class Stamps:
    """A time column of a text table, whose cells it turns into s since the first of them.

    Attributes:
        index: of the column.
        scale: seconds in one unit of its numbers; ``None`` if they count samples.
        start: date of the first stamp, if the column has one.
        quantum: resolution of the stamps, in s.
        faults: penalty: stamps that do not rise, unevenness, rounding.
    """

    def __init__(self, layout: Layout, index: int) -> None:
        column, cells, values = layout.columns[index], layout.cells(index), layout.values[:, index]
        self.index, self.start = index, column.start
        self.kind = layout.stamps[index]
        self.scale: float | None = 1.0
        rounded = 0.0
        if self.kind:
            self.start = local_time(cells[0])
        else:
            finite = values[np.isfinite(values)]
            self.scale = scale_of(finite, column.seconds)
            if len(finite) and self.scale:
                self.start = self.start or epoch(finite[0], self.scale)
                rounded = float(np.spacing(np.abs(finite).max()))
        grouped = layout.thousands if not self.kind else ""
        decimals = max(_decimals(cell.replace(grouped, "") if grouped else cell) for cell in cells)
        decimals = min(decimals, 15)
        self.quantum = max(10.0 ** -max(decimals, 0), rounded) * (self.scale or 1.0)
        times = _clock_or_dates(self.kind, cells) if self.kind else values * (self.scale or 1.0)
        self.faults = _faults(times, self.quantum, counted=self.scale is None)
        self._first: float | None = None
        self._clock, self._days = 0.0, 0

    def seconds(self, path: Path, cells: Any) -> NDArray[np.float64]:
        """Times in s since the first; NaN for a cell that holds none.

        Args:
            path: named in errors.
            cells: the next ones, a pandas series of numbers or texts.

        Raises:
            FormatError: a cell is not a time.
        """
        try:
            times = _clock_or_dates(self.kind, cells) if self.kind else cells.to_numpy(np.float64)
        except Exception as error:
            raise FormatError(path, f"has an invalid time ({error})") from error
        if self.kind is CLOCK and len(times):
            days = self._days + np.cumsum(np.diff(times, prepend=self._clock) < -_DAY / 2)
            self._clock, self._days = float(times[-1]), int(days[-1])
            times = times + _DAY * days
        if self._first is None:
            finite = times[np.isfinite(times)]
            self._first = float(finite[0]) if len(finite) else None
        scaled: NDArray[np.float64] = (times - (self._first or 0.0)) * (self.scale or 1.0)
        return scaled


def chosen(layout: Layout, candidates: Sequence[int]) -> Stamps | None:
    """The time column with the best estimate of the rate: rising, even, finely rounded.

    A telephone's clock, for one, often has the same time for all samples of a packet. The start is
    taken from another column where only that has a date, or the date from one beside a clock.
    """
    found = [Stamps(layout, i) for i in candidates]
    if not found:
        return None
    best = min(found, key=lambda stamps: stamps.faults)
    dated = sorted(found, key=lambda stamps: stamps.kind is not DATE)
    starts = [stamps.start for stamps in dated]
    if best.kind is CLOCK:
        first = layout.rows[0]
        beside = (first[i] for i, column in enumerate(layout.columns) if column.kind == "time")
        starts += [local_time(f"{date} {first[best.index]}") for date in beside]
    best.start = next(filter(None, starts), None)
    return best


def _faults(
    times: NDArray[np.float64], quantum: float, counted: bool
) -> tuple[float, float, float]:
    """Penalty of times: the share that does not rise (plus 1 for counts), unevenness, rounding."""
    steps = np.diff(times)
    if not len(steps):
        return 0.0, 0.0, 0.0
    step = float(np.median(steps))
    spread = float(np.median(np.abs(steps - step))) / step if step > 0 else 1.0
    return counted + round(float((~(steps > 0)).mean()), 2), round(spread, 1), quantum


def _clock_or_dates(kind: re.Pattern[str], cells: Any) -> NDArray[np.float64]:
    """Times of the day in s since midnight; dates in s since 1970, in UTC if they have a zone.

    Durations are in s.

    Raises:
        ValueError: a cell is none; the message names it.
    """
    if kind is CLOCK:
        return np.array([_clock(cell) for cell in cells], np.float64)
    try:
        return _dates_or_durations(kind, cells)
    except ValueError:
        wrong = next((cell for cell in cells if not _is_time(kind, cell)), None)
        if wrong is None:
            raise
        raise ValueError(f"{wrong!r} is not a time") from None


def _is_time(kind: re.Pattern[str], cell: Any) -> bool:
    try:
        _dates_or_durations(kind, [cell])
    except ValueError:
        return False
    return True


def _dates_or_durations(kind: re.Pattern[str], cells: Any) -> NDArray[np.float64]:
    """Dates in s since 1970, or durations in s."""
    import pandas as pd

    if kind is DURATION:
        numbers = pd.Series(cells).str.strip(" sec").str.replace(",", ".", regex=False)
        return np.asarray(pd.to_numeric(numbers), np.float64)
    texts = pd.Series(cells).str.strip(" \t'\"").str.replace(",", ".", regex=False)
    texts = texts.str.replace("/", "-", regex=False).map(plain_date, na_action="ignore")
    texts = texts.str.replace(r"^(\d\d)\.(\d\d)\.(\d{4})", r"\3-\2-\1", regex=True)
    texts = texts.str.replace(r" ?[A-Z]{3,4}$", "", regex=True)
    dates = pd.to_datetime(texts, format="ISO8601", utc=True)
    return np.asarray((dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1), np.float64)


def _clock(cell: str) -> float:
    """``12:34:56.7``, ``34:56.7`` or ``03/14/2026 12:34:56.7 PM`` in s since midnight.

    ``1 day, 12:34:56`` is in s from the beginning.

    Raises:
        ValueError: it is not a time.
    """
    found = CLOCK.fullmatch(str(cell).strip().strip("'\""))
    if not found:
        raise ValueError(f"{cell!r} is not a time")
    days, hours, minutes, seconds, half = found.groups("0")
    hour = int(hours) if half == "0" else int(hours) % 12 + 12 * (half in "Pp")
    seconds = seconds.replace(",", ".").replace(":", ".")
    return int(days) * _DAY + hour * 3600 + int(minutes) * 60 + float(seconds)


def _decimals(cell: str) -> int:
    """Number of decimals of a number, or of the seconds of a time."""
    seconds, number = _SECONDS.search(cell), _NUMBER.fullmatch(cell)
    if seconds:
        return len(seconds[1] or seconds[2])
    return len(number[1] or "") - int(number[2] or 0) if number else 0
