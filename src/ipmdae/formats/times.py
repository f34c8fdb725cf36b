"""Sampling rates and gaps from columns of time stamps.

Stamps are rounded (0.003, 0.006, 0.008, 0.011 s at 360 Hz), so that one step gives the rate only
roughly; a segment without a gap gives it accurately.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.columns import DAY, DAYS, epoch, epoch_scale
from ipmdae.formats.errors import FormatError

_COMMON = (100, 125, 128, 130, 200, 250, 256, 300, 360, 400, 500, 512, 600, 1000, 1024, 2000)
"""Rates in Hz of common recorders, preferred where stamps are too coarse."""

_PLAUSIBLE = (8.0, 5000.0)
"""Rates in Hz by which the unit of unlabelled stamps is found; less than a factor of 1000 apart."""

_LEAST_DAYS = 50.0
"""Rate in Hz from which on stamps may count days, and not hours."""

_HEAD = 2000
"""Stamps by which their unit is found."""

_MAX_GAPS = 100_000
_ALWAYS_MISSING = 1_000_000
_MAX_MISSING = 20
"""Missing samples that stamps may announce: so many of all leads, and so many times the rows."""

_LONG = 3600.0
"""Gap in s from which on a clock may have been set instead."""

_FEW = 0.01
"""Share of stamps that may be wrong."""

MANY = 0.1
"""Share of rows without a time of their own from which on resampling would lose too much."""

_DRIFT, _PACKET = 1e-3, 0.5
"""Share by which a stated rate may differ from the clock of stamps, and seconds of a packet."""

EVEN = "give the rate (fs=, --fs) to take the rows as even"
UNEVEN = f"{EVEN}, or interpolate them (--resample)"


def scale_of(stamps: NDArray[np.float64], stated: float | None) -> float | None:
    """Seconds in one unit of a time column: as stated, or such that the rate makes sense.

    Args:
        stamps: the first of them.
        stated: seconds in its unit, if the heading says it.

    Returns:
        ``None`` if the column counts samples instead of telling a time.
    """
    if stated is not None or len(stamps) < 2:
        return stated or 1.0
    steps, first = np.diff(stamps), float(stamps[0])
    step = float(np.median(steps)) or (float(stamps[-1]) - first) / len(steps)
    if step == 1 and (steps == 1).mean() > 0.9 and epoch_scale(first) != 1e-3:
        return None
    for scale in (1.0, 1e-3, 1e-6, 1e-9):
        if step > 0 and _PLAUSIBLE[0] <= 1 / (step * scale) < _PLAUSIBLE[1]:
            return scale
    days = [(0, 1), *DAYS.values()]
    if step > 0 and 1 / (step * DAY) >= _LEAST_DAYS and any(a <= first < b for a, b in days):
        return DAY
    return epoch_scale(first) or 1.0


@dataclass
class Run:
    """Rows without a gap: the first and the number of them, and their first and last time in s."""

    row: int
    rows: int
    begin: float
    end: float


Places = list[tuple[int, int, int]]
"""First row, number of rows and first sample of each run."""


@dataclass
class Timeline:
    """Collects time stamps in chunks.

    Attributes:
        path: named in errors.
        quantum: resolution of the stamps, in s.
        leads: number of samples per row.
        runs: rows without a gap between them.
        wrong: number of stamps that do not rise or are not numbers.
        uneven: number of steps that are too short.
        back: first row, from 1, of a packet that is repeated or belongs before others, or 0.
    """

    path: Path
    quantum: float
    leads: int = 1
    runs: list[Run] = field(default_factory=list)
    wrong: int = 0
    uneven: int = 0
    back: int = 0
    _step: float = 0.0
    _rows: int = 0
    _steps: int = 0
    _time: float = 0.0
    _first_wrong: int = 0

    def add(self, times: NDArray[np.float64]) -> None:
        """Append stamps in s.

        Raises:
            FormatError: there are too many gaps.
        """
        if not len(times):
            return
        last = self.runs[-1].end if self.runs else -np.inf
        good = times > np.fmax.accumulate(np.append(last, times))[:-1]  # of NaN: False
        if not self.wrong and not good.all():
            self._first_wrong = self._rows + int(np.argmin(good)) + 1
        self.wrong += int((~good).sum())
        if good.any():
            self._append(self._mended(times, good, last), good)
            self._look_back(times, good)
        elif self.runs:
            self.runs[-1].rows += len(times)
        else:  # leading stamps without information
            self.runs.append(Run(0, len(times), 0.0, 0.0))
        self._rows += len(times)
        if len(self.runs) > _MAX_GAPS:
            raise FormatError(self.path, f"has more than {_MAX_GAPS} gaps in its time column")

    def _mended(
        self, times: NDArray[np.float64], good: NDArray[np.bool_], last: float
    ) -> NDArray[np.float64]:
        """Stamps of which the wrong ones are interpolated."""
        if good.all():
            return times
        where, values = np.flatnonzero(good), times[good]
        if np.isfinite(last):
            where, values = np.append(-1.0, where), np.append(last, values)
        mended: NDArray[np.float64] = np.interp(np.arange(len(times)), where, values)
        # Beyond the last good one there is nothing to interpolate to.
        tail = len(times) - 1 - int(where[-1])
        if tail:
            mended[-tail:] += self._step * np.arange(1, tail + 1)
        return mended

    def _look_back(self, times: NDArray[np.float64], good: NDArray[np.bool_]) -> None:
        """Note a packet out of order: stamps in step with each other, but before earlier ones."""
        steps = np.diff(times)
        usual = (steps > 0) & (steps <= 1.5 * self._step + self.quantum)
        packet = usual & ~good[1:] & ~good[:-1]
        if packet.any() and not self.back:
            self.back = self._rows + int(np.argmax(packet)) + 1

    def _append(self, times: NDArray[np.float64], good: NDArray[np.bool_]) -> None:
        begun = bool(self.runs)
        steps = np.diff(times, prepend=self.runs[-1].end if begun else times[0])
        # A step next to an interpolated stamp carries no information; before the first is none.
        known = good & np.append(begun, good[:-1])
        if not self._step:
            # The lower of two in the middle: a gap is longer than what is usual.
            kept = np.sort(steps[not begun :][good[not begun :]])
            self._step = float(kept[(len(kept) - 1) // 2]) if len(kept) else 0.0
        longest = 1.5 * self._step + self.quantum
        short = known & (steps < 0.5 * self._step - self.quantum)
        usual = known & ~short & (steps <= longest)
        self.uneven += int(short.sum())
        self._steps += int(usual.sum())
        self._time += float(steps[usual].sum())
        breaks = np.flatnonzero(steps > longest).tolist() if self._step else []
        ends = [*([] if begun else [0]), *breaks, len(times)]
        if ends[0] > 0:
            self.runs[-1].rows += ends[0]
            self.runs[-1].end = float(times[ends[0] - 1])
        for a, b in pairwise(ends):
            self.runs.append(Run(self._rows + a, b - a, float(times[a]), float(times[b - 1])))

    @property
    def is_uneven(self) -> bool:
        """True if a packet is out of order, or more than a handful of stamps out of step."""
        few = max(self._rows >= 20, _FEW * self._rows)
        return bool(self.back or self.wrong > few or self.uneven > few or not self._steps)

    def rate(self) -> float:
        """The rate in Hz; a common one, or else a whole number, where the stamps allow it.

        A few wrong stamps give a warning.

        Raises:
            FormatError: fewer than two rows follow one another, or the rows are not even.
        """
        if self._rows < 2:
            raise FormatError(self.path, "has too few rows to give a rate; give it (fs=, --fs)")
        if self.is_uneven:
            lost = self.wrong > MANY * self._rows and not self.back
            advice = EVEN if lost else UNEVEN
            raise FormatError(self.path, f"its times are uneven: {self._unevenness()}; {advice}")
        if self.wrong or self.uneven:
            warnings.warn(
                f"{self.path}: {self.wrong + self.uneven} of {self._rows} time stamps are doubled "
                "or out of step; the rows are taken as even",
                stacklevel=5,
            )
        fs = self._steps / self._time
        doubt = fs * (self.quantum * len(self.runs) / self._time + 1e-9)
        nearest = min(_COMMON, key=lambda rate: abs(rate - fs))
        for whole in (nearest, round(fs)):
            if whole and abs(fs - whole) <= max(doubt, fs * 1e-7):
                return float(whole)
        return fs

    def _unevenness(self) -> str:
        time = self.runs[-1].end - self.runs[0].begin
        mean = f" ({(self._rows - 1) / time:.4g} rows a second)" if time > 0 else ""
        if self.back:
            return f"a packet from row {self.back} on is repeated or out of order{mean}"
        if self.wrong > self.uneven:
            return (
                f"{self.wrong} of {self._rows} are missing or do not rise, the first in row "
                f"{self._first_wrong}{mean}"
            )
        return f"{self.uneven} of {self._rows} steps are less than half of the usual one{mean}"

    def fits(self, fs: float) -> bool:
        """True if the stamps, of packets perhaps, span so many samples as there are rows."""
        lacking = (self.runs[-1].end - self.runs[0].begin) * fs - self._rows if self.runs else 0
        return not self.back and abs(lacking) <= _DRIFT * self._rows + _PACKET * fs

    def warn_gap(self) -> None:
        """Warn of the longest gap if it is of hours, as a clock makes one that is set."""
        gaps = [(after.begin - before.end, after.row) for before, after in pairwise(self.runs)]
        longest, row = max(gaps, default=(0.0, 0))
        if longest >= _LONG:
            warnings.warn(
                f"{self.path}: its times have a gap of {longest / 3600:.3g} h before row "
                f"{row + 1}, which becomes missing samples; correct them if a clock was set there",
                stacklevel=5,
            )

    def places(self, fs: float) -> tuple[Places, int]:
        """Positions of the rows in time, and samples in all.

        Raises:
            FormatError: runs overlap at this rate, or the gaps are much longer than what is there.
        """
        result: Places = []
        stop = missing = 0
        slack = 2 + self.wrong + self.uneven
        for run in self.runs:
            first = round((run.begin - self.runs[0].begin) * fs)
            if first < stop - slack:
                raise FormatError(
                    self.path, f"its times are uneven around row {run.row + 1}; {UNEVEN}"
                )
            first = max(first, stop)
            missing += first - stop
            check_missing(self.path, missing, self._rows, self.leads, fs)
            result.append((run.row, run.rows, first))
            stop = first + run.rows
        return result, stop


def of_numbers(
    path: Path, stamps: NDArray[Any], seconds: float | None, leads: int
) -> tuple[datetime | None, Timeline | None, NDArray[np.float64]]:
    """Start of stamps that are numbers, their timeline, and times in s from the first that is one.

    Args:
        path: named in errors.
        stamps: (rows,) numbers.
        seconds: in their unit, if that is stated.
        leads: number of samples per row.

    Returns:
        ``(None, None, [])`` if they count samples; the start is ``None`` if they are no dates.

    Raises:
        FormatError: no stamp is a number, or there are too many gaps.
    """
    known = stamps[np.isfinite(stamps)]
    if not len(known):
        raise FormatError(path, f"its times are missing; {EVEN}")
    scale = scale_of(known[:_HEAD].astype(np.float64), seconds)
    if scale is None:
        return None, None, np.zeros(0)
    # Whole numbers exactly, as of ns since 1970.
    exact = np.int64 if stamps.dtype.kind == "i" else np.float64
    times = (stamps.astype(exact) - exact(known[0])).astype(np.float64) * scale
    whole = stamps.dtype.kind in "iu" or bool((known == np.rint(known)).all())
    quantum = 1.0 if whole else max(_rounding(known.astype(np.float64)), 1e-9 / scale)
    timeline = Timeline(path, scale * quantum, leads)
    timeline.add(times)
    return epoch(float(known[0]), scale), timeline, times


def _rounding(stamps: NDArray[np.float64]) -> float:
    """Resolution of stamps in their unit: where steps differ, that of decimals or of float32."""
    most = float(np.abs(stamps).max())
    finest = float(np.spacing(most))
    steps = np.diff(stamps)
    if not len(steps) or (np.abs(steps - np.median(steps)) > 4 * finest).mean() <= _FEW:
        return finest
    if (stamps.astype(np.float32) == stamps).all():
        finest = float(np.spacing(np.float32(most)))
    for decimal in (10.0**-n for n in range(10) if 10.0**-n > finest):
        if (np.abs(stamps - decimal * np.rint(stamps / decimal)) <= finest).all():
            return decimal
    return finest


def placed(
    path: Path, rows: int, timeline: Timeline | None, wished: float | None, stated: float | None
) -> tuple[float, Places, int]:
    """The rate of a table, and where its rows belong.

    Args:
        path: named in messages.
        rows: number of rows.
        timeline: of a time column.
        wished: the rate that the user states in Hz; it overrules all others.
        stated: the rate that the head of the table states.

    Returns:
        The rate in Hz, the places (see :meth:`Timeline.places`), and the samples in all.

    Raises:
        FormatError: there is no rate, or the times are uneven and no rate is stated.
    """
    fs = wished or stated
    even = [(0, rows, 0)]
    if timeline is None:
        if fs is None:
            raise FormatError(path, "says no sampling rate; give it (fs=, --fs)")
        _warn_overruled(path, wished, stated)
        return fs, even, rows
    try:
        rate = timeline.rate()
        places, samples = timeline.places(rate)
    except FormatError as error:
        if fs is None:
            raise
        if wished or not timeline.fits(fs):
            warnings.warn(f"{str(error).split('; ')[0]}; taken as even at {fs:g} Hz", stacklevel=5)
        return fs, even, rows
    if fs is not None:
        _warn_overruled(path, wished, stated or rate)
        if abs(fs - rate) > (1e-3 if wished else 1e-2) * rate:
            if not wished:
                warnings.warn(
                    f"{path}: states {fs:g} Hz, but its times say {rate:g} Hz; the statement is "
                    "believed, --fs overrules it",
                    stacklevel=5,
                )
            return fs, even, rows
    timeline.warn_gap()
    return (fs, places, samples) if fs and len(places) == 1 else (rate, places, samples)


def _warn_overruled(path: Path, wished: float | None, said: float | None) -> None:
    if wished and said and abs(wished - said) > 1e-3 * said:
        warnings.warn(f"{path}: says {said:g} Hz; fs={wished:g} overrules it", stacklevel=6)


def check_missing(path: Path, missing: int, rows: int, leads: int, fs: float) -> None:
    """Refuse a table whose gaps are out of proportion to what it holds.

    Raises:
        FormatError: with the numbers.
    """
    if missing > _ALWAYS_MISSING // leads + _MAX_MISSING * rows:
        raise FormatError(
            path,
            f"has {rows / fs:.4g} s of signal and gaps of {missing / fs:.4g} s; "
            "split the file where a gap is, or take the rows as even (fs=, --fs)",
        )
