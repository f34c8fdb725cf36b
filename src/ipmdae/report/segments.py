"""A long recording in parts, each with its verdict and a strip to open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from ipmdae.figures.paper import clock
from ipmdae.inspection.files import Inspection
from ipmdae.inspection.verdict import Verdict, median_rates, reasons_of, shares_of
from ipmdae.report.drawings import STRIP, best_column, strip
from ipmdae.report.subject import ReportInput
from ipmdae.report.templates import Picture, picture

SHORTEST = 180.0
"""Seconds from which on a recording is shown in parts."""

_MOST = 24
_LENGTHS = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)  # s
_DPI = 80


@dataclass(frozen=True, kw_only=True)
class Segment(Verdict):
    """The verdict on a part of a recording: quality of all leads together, the rest of one.

    Attributes:
        when: from when to when.
        strip: 10 s of that lead where most was removed.
    """

    when: str
    strip: Picture


def segments(subject: ReportInput) -> list[Segment]:
    """The parts of a recording, in the lead of which most is good."""
    found = subject.found
    duration, count = found.header.duration, len(found.seconds.low)
    if duration < SHORTEST:
        return []
    length = next((each for each in _LENGTHS if count / each <= _MOST), -(-count // _MOST))
    starts = range(0, count, length)
    return [_segment(subject, begin, min(begin + length, count)) for begin in starts]


def _segment(subject: ReportInput, begin: int, stop: int) -> Segment:
    found = subject.found
    column = best_column(found)
    lead, duration = found.leads[column], found.header.duration
    removed = np.nan_to_num(found.seconds.removed[begin:stop, column])
    at = begin + int(removed.argmax())
    first = int(np.clip(at - STRIP // 2, begin, max(stop - STRIP, begin)))
    drawn = strip(subject, float(first), [lead])
    when = f"{clock(begin, duration)} to {clock(stop, duration)}"
    if found.header.start:
        when += f" ({_time_of_day(found, begin)})"
    columns = range(len(found.columns))
    good, limited, unusable = np.mean(
        [shares_of(found.quality, each, begin, stop) for each in columns], axis=0
    ).tolist()
    before, after = median_rates(found, column, begin, stop)
    return Segment(
        lead=lead,
        when=when,
        strip=picture(
            drawn,
            f"ECG paper: lead {lead} as recorded and as cleaned, {STRIP} s from "
            f"{clock(first, duration)}",
            dpi=_DPI,
            colours=16,
        ),
        good=good,
        limited=limited,
        unusable=unusable,
        reasons=_reasons(found, begin, stop),
        rate_before=before,
        rate_after=after,
        removed=float(np.sqrt(np.mean(np.square(removed)))),
    )


def _time_of_day(found: Inspection, second: int) -> str:
    assert found.header.start is not None
    return (found.header.start + timedelta(seconds=second)).strftime("%H:%M")


def _reasons(found: Inspection, begin: int, stop: int) -> dict[str, int]:
    """Seconds that are not good, by the reason, of the lead that has most of it."""
    worst: dict[str, int] = {}
    for column in range(len(found.columns)):
        for reason, seconds in reasons_of(found.quality, column, begin, stop).items():
            worst[reason] = max(worst.get(reason, 0), seconds)
    return worst
