"""Time columns of text tables: numbers in some unit, times of the day, dates with times."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats import delimited_layout as layouts
from ipmdae.formats.delimited_layout import Layout
from ipmdae.formats.dialects import local_time
from ipmdae.formats.errors import FormatError, reason
from ipmdae.formats.times import epoch, scale_of

_DAY = 86_400.0
_NUMBER = re.compile(r"[+-]?\d*(?:[.,](\d*))?(?:[eE]([+-]?\d+))?")
_SECONDS = re.compile(r":\d\d[.,](\d+)")


class Stamps:
    """A time column, whose cells it turns into s since the first of them.

    Attributes:
        index: of the column.
        kind: of its cells, see :meth:`Layout.stamps`.
        scale: seconds in one unit of its numbers; ``None`` if they count samples.
        start: date of the first stamp, if the column has one.
        quantum: resolution of the stamps, in s.
    """

    def __init__(self, layout: Layout, index: int) -> None:
        column, cells = layout.columns[index], layout.cells(index)
        self.index, self.kind = index, layout.stamps(index)
        self.scale: float | None = 1.0
        self.start = column.start
        decimals = max(map(_decimals, cells), default=0)
        rounded = 0.0
        if self.kind == layouts.NUMBER:
            values = np.array([layouts.number(cell, layout.decimal) for cell in cells])
            values = values[np.isfinite(values)]
            self.scale = scale_of(values, column.seconds)
            if len(values) and self.scale:
                self.start = self.start or epoch(values[0], self.scale)
                rounded = float(np.spacing(np.abs(values).max()))
        elif cells:
            self.start = local_time(cells[0])
        self.quantum = max(10.0 ** -min(max(decimals, 0), 15), rounded) * (self.scale or 1.0)
        self._first: float | None = None
        self._clock = 0.0
        self._days = 0

    def seconds(self, path: Path, cells: Any) -> NDArray[np.float64]:
        """Times in s since the first; NaN for a cell that holds none.

        Args:
            path: named in errors.
            cells: the next ones, a pandas series of numbers or texts.

        Raises:
            FormatError: a cell is not a time.
        """
        try:
            if self.kind == layouts.DATE:
                times = _dates(cells)
            elif self.kind == layouts.CLOCK:
                times = np.array([layouts.clock_seconds(cell) for cell in cells], np.float64)
                days = self._days + np.cumsum(np.diff(times, prepend=self._clock) < -_DAY / 2)
                if len(times):
                    self._clock, self._days = float(times[-1]), int(days[-1])
                times = times + _DAY * days
            else:
                times = cells.to_numpy(np.float64)
        except Exception as error:
            raise FormatError(path, f"has an invalid time ({reason(error)})") from error
        if self._first is None:
            finite = times[np.isfinite(times)]
            self._first = float(finite[0]) if len(finite) else None
        scaled: NDArray[np.float64] = (times - (self._first or 0.0)) * (self.scale or 1.0)
        return scaled


def chosen(layout: Layout, candidates: list[int]) -> Stamps | None:
    """The time column with the best estimate of the rate: rising, even, finely rounded.

    A telephone's clock, for one, often has the same time for all samples of a packet. The start is
    taken from another column where only that has a date.
    """
    judged = [
        (*_faults(layout, stamps), stamps) for stamps in (Stamps(layout, i) for i in candidates)
    ]
    if not judged:
        return None
    *_, best = min(judged, key=lambda item: item[:3])
    dated = sorted(judged, key=lambda item: item[3].kind != layouts.DATE)
    best.start = next((s.start for *_, s in dated if s.start), None) or _dated(layout, best)
    return best


def _dated(layout: Layout, clock: Stamps) -> datetime | None:
    """The date of a clock's first time, where a column beside it holds that alone."""
    if clock.kind != layouts.CLOCK or not layout.rows:
        return None
    first = layout.rows[0]
    dates = (first[i] for i, column in enumerate(layout.columns) if column.kind == "time")
    starts = (local_time(f"{date} {first[clock.index]}") for date in dates)
    return next(filter(None, starts), None)


def _faults(layout: Layout, stamps: Stamps) -> tuple[float, float, float]:
    """Penalty of a time column: stamps that do not rise, unevenness, rounding."""
    import pandas as pd

    cells = layout.cells(stamps.index)
    if stamps.kind == layouts.NUMBER:
        values = np.array([layouts.number(cell, layout.decimal) for cell in cells])
        times = values * (stamps.scale or 1.0)
    elif stamps.kind == layouts.DATE:
        times = _dates(pd.Series(cells))
    else:
        times = np.array([layouts.clock_seconds(cell) for cell in cells])
    steps = np.diff(times)
    if not len(steps):
        return 0.0, 0.0, 0.0
    step = float(np.median(steps))
    spread = float(np.median(np.abs(steps - step))) / step if step > 0 else 1.0
    counts_samples = stamps.scale is None
    return counts_samples + round(float((~(steps > 0)).mean()), 2), round(spread, 1), stamps.quantum


def _dates(cells: Any) -> NDArray[np.float64]:
    """Dates with times in s since 1970, in UTC where they have a time zone."""
    import pandas as pd

    texts = cells.str.strip().str.replace(",", ".", regex=False).str.replace("/", "-", regex=False)
    texts = texts.str.replace(r"^(\d\d)\.(\d\d)\.(\d{4})", r"\3-\2-\1", regex=True)
    texts = texts.str.replace(r" ?[A-Z]{3,4}$", "", regex=True)
    dates = pd.to_datetime(texts, format="ISO8601", utc=True)
    times = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    return np.asarray(times, np.float64)


def _decimals(cell: str) -> int:
    """Number of decimals of a number, or of the seconds of a time."""
    seconds = _SECONDS.search(cell)
    number = _NUMBER.fullmatch(cell)
    if seconds:
        return len(seconds[1])
    return len(number[1] or "") - int(number[2] or 0) if number else 0
