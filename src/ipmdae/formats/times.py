"""Sampling rates and gaps from columns of time stamps.

Stamps are rounded (0.003, 0.006, 0.008, 0.011 s at 360 Hz), so that one step tells the rate only
roughly; a stretch without a gap tells it well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError

_COMMON = (100, 125, 128, 200, 250, 256, 300, 360, 400, 500, 512, 600, 1000, 1024, 2000)
"""Rates in Hz of common recorders, preferred where stamps are too coarse to tell."""

_MAX_GAPS = 100_000
_MAX_GAP = 30 * 86400.0
"""Seconds that a gap may last."""


@dataclass
class Run:
    """Rows without a gap: the first and the number of them, and their first and last time in s."""

    row: int
    rows: int
    begin: float
    end: float


@dataclass
class Timeline:
    """Collects time stamps piece by piece.

    Attributes:
        path: named in errors.
        quantum: how finely the stamps are rounded, in s.
    """

    path: Path
    quantum: float
    runs: list[Run] = field(default_factory=list)
    _step: float = 0.0
    _rows: int = 0

    def add(self, times: NDArray[np.float64]) -> None:
        """Append stamps in s.

        Raises:
            FormatError: they do not rise, are not numbers, or are so irregular that they have no
                rate.
        """
        if not len(times):
            return
        if not np.isfinite(times).all():
            row = self._rows + int(np.flatnonzero(~np.isfinite(times))[0]) + 1
            raise FormatError(self.path, f"the time of row {row} is no number")
        last = self.runs[-1].end if self.runs else times[0]
        steps = np.diff(times, prepend=last)
        first = 1 if not self.runs else 0
        if len(steps) > first and steps[first:].min() <= 0:
            row = self._rows + first + int(np.argmax(steps[first:] <= 0)) + 1
            raise FormatError(
                self.path, f"the time does not rise at row {row}; sort the rows by time"
            )
        if not self._step and len(steps) > first:
            # The lower of two in the middle: a gap is longer than what is usual.
            self._step = float(np.sort(steps[first:])[(len(steps) - first - 1) // 2])
        self._check(steps[first:], self._rows + first)
        breaks = np.flatnonzero(steps > self._longest) if self._step else np.zeros(0, int)
        if not self.runs:
            breaks = np.append(0, breaks)
        ends = [*breaks.tolist(), len(times)]
        if ends[0] > 0:
            self.runs[-1].rows += ends[0]
            self.runs[-1].end = float(times[ends[0] - 1])
        for a, b in pairwise(ends):
            self.runs.append(Run(self._rows + a, b - a, float(times[a]), float(times[b - 1])))
        self._rows += len(times)
        if len(self.runs) > _MAX_GAPS:
            raise FormatError(self.path, f"has more than {_MAX_GAPS} gaps in its time column")

    @property
    def _longest(self) -> float:
        """The longest step, in s, that is no gap."""
        return 1.5 * self._step + self.quantum

    def _check(self, steps: NDArray[np.float64], row: int) -> None:
        low = 0.5 * self._step - self.quantum
        wrong = np.flatnonzero(steps < low)
        if len(wrong):
            at = int(wrong[0])
            raise FormatError(
                self.path,
                f"its times are irregular: a step of {steps[at]:g} s at row {row + at + 1}, "
                f"{self._step:g} s elsewhere; resample it to one rate first",
            )

    def rate(self) -> float:
        """The rate in Hz; a common one, or else a whole number, where the stamps allow it.

        Raises:
            FormatError: fewer than two rows follow one another.
        """
        steps = sum(run.rows - 1 for run in self.runs)
        time = sum(run.end - run.begin for run in self.runs)
        if steps < 1 or time <= 0:
            raise FormatError(self.path, "has too few rows to tell its rate; give it (fs=, --fs)")
        fs = steps / time
        doubt = fs * (self.quantum * len(self.runs) / time + 1e-9)
        nearest = min(_COMMON, key=lambda rate: abs(rate - fs))
        for whole in (nearest, round(fs)):
            if whole and abs(fs - whole) <= max(doubt, fs * 1e-7):
                return float(whole)
        return fs

    def places(self, fs: float) -> tuple[list[tuple[int, int, int]], int]:
        """Where the rows belong.

        Returns:
            First row, number of rows and first sample of each run; and samples in all.

        Raises:
            FormatError: runs overlap at this rate, or a gap is absurdly long.
        """
        result: list[tuple[int, int, int]] = []
        stop = 0
        for run in self.runs:
            first = round((run.begin - self.runs[0].begin) * fs)
            if first < stop - 1:
                raise FormatError(self.path, f"its times are irregular around row {run.row + 1}")
            first = max(first, stop)
            if first - stop > _MAX_GAP * fs:
                raise FormatError(
                    self.path, f"has a gap of {(first - stop) / fs:g} s before row {run.row + 1}"
                )
            result.append((run.row, run.rows, first))
            stop = first + run.rows
        return result, stop
