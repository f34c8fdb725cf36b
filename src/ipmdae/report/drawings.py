"""The pictures of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ipmdae import figures
from ipmdae.figures.paper import clock
from ipmdae.figures.sheets import STANDARD, standard_name
from ipmdae.inspection.files import Inspection, excerpt
from ipmdae.inspection.heart_rate import DETECTOR, WINDOW
from ipmdae.quality import Quality
from ipmdae.report.subject import ReportInput
from ipmdae.report.templates import Picture, picture
from ipmdae.seconds import over_known
from ipmdae.text import counted

STRIP = 10
"""Seconds of a strip."""

_MOST_APART = 3  # leads whose strips before and after stand below each other; of more they overlap
_MOST = 12  # leads that are drawn
_POINTS = 1000


def strips(subject: ReportInput) -> list[tuple[str, Picture]]:
    """Sheets of the places where most, as much as usual, and least was removed, with titles."""
    duration = subject.found.header.duration
    drawn = []
    for title, start in _places(subject.found).items():
        when = f"{STRIP} s from {clock(start, duration)}" if duration > STRIP else ""
        sheet = strip(subject, start, shown(subject))
        text = f"ECG paper: each lead as recorded and as cleaned, {when or 'the whole recording'}"
        drawn.append((": ".join(filter(None, [title, when])), picture(sheet, text)))
    return drawn


def strip(subject: ReportInput, start: float, leads: Sequence[str]) -> Figure:
    """10 s of leads before and after: below each other, or, of many leads, upon each other."""
    before = excerpt(subject.noisy, start, STRIP)
    after = excerpt(subject.cleaned, start, STRIP)
    after = dataclasses.replace(after, units=before.units)  # as the source names them
    draw: Callable[..., Figure] = figures.before_after
    others: dict[str, Any] = {}
    if len(leads) > _MOST_APART:
        draw, others = figures.overlay, {"dense": True}
    return draw(
        before,
        after,
        seconds=STRIP,
        leads=leads,
        sd=_error_sd(subject.found, start, before.samples),
        quality=_part(subject.found.quality, start),
        origin=start,
        title=figures.title_of(before, subject.name, filtered=f"cleaned by {subject.method}"),
        **others,
    )


def overview(subject: ReportInput) -> Picture:
    """All of the recording, lead by lead, between its lowest and highest values."""
    found = subject.found
    seconds = found.seconds
    times, groups = _groups(len(seconds.low))
    rows, shaded = {}, {}
    for i in _columns(subject):
        lead = found.leads[i]
        rows[lead] = [
            (name, _reduced(np.fmin, low[:, i], groups), _reduced(np.fmax, high[:, i], groups))
            for name, low, high in (
                ("as recorded", seconds.low, seconds.high),
                ("cleaned", seconds.cleaned_low, seconds.cleaned_high),
            )
        ]
        bad = ~found.quality.readable[:, i]
        shaded[lead] = _runs(np.logical_or.reduceat(bad, groups), times)
    return picture(
        figures.timeline(times, rows, shaded=shaded),
        "Lowest and highest values of each lead over time, as recorded and as cleaned",
        "Lowest to highest value, as recorded (grey) and cleaned (black); red where there are "
        "unusable seconds.",
        dpi=100,
    )


def spectra(subject: ReportInput) -> Picture:
    """Power over frequency: as recorded, as cleaned, and of what was removed."""
    found = subject.found
    names = found.leads
    densities = {
        names[i]: {name: spectrum.density[:, i] for name, spectrum in found.spectra.items()}
        for i in _columns(subject)
    }
    return picture(
        figures.spectrum(found.spectra["recorded"].frequencies, densities),
        "Power spectra of each lead: as recorded, cleaned, and of what was removed",
        "Power spectra, averaged over segments of 8 s.",
        dpi=80,
    )


def heart_rates(subject: ReportInput) -> Picture | None:
    """Heart rate over time, before and after, in the lead that can be trusted longest."""
    found = subject.found
    rates = found.heart_rates
    if rates is None or len(rates.times) < 2:
        return None
    i = best_column(found)
    lead = found.leads[i]
    before, after = rates.before[:, i], rates.after[:, i]
    rows: dict[str, Any] = {lead: [("before", before, before), ("after", after, after)]}
    return picture(
        figures.timeline(rates.times + WINDOW / 2, rows, unit="beats per minute"),
        f"Heart rate in lead {lead} over time, before and after cleaning",
        f"Lead {lead}, {WINDOW:g} s at {len(rates.times)} places; beats found by {DETECTOR}.",
        dpi=100,
    )


def shown(subject: ReportInput) -> list[str]:
    """Names of the leads that are drawn: all, or the standard ones, or those that need a look."""
    leads = list(subject.found.leads)
    if len(leads) <= _MOST:
        return leads
    standard = {standard_name(lead): lead for lead in reversed(leads)}
    if all(standard_name(name) in standard for name in STANDARD):
        return [standard[standard_name(name)] for name in STANDARD]
    judged = {verdict.lead: verdict for verdict in reversed(subject.verdicts)}
    worst = sorted(leads, key=lambda lead: (judged[lead].good, -judged[lead].removed))[:_MOST]
    return [lead for lead in leads if lead in worst]


def about_shown(subject: ReportInput) -> str:
    """A sentence on how leads are drawn, and on which."""
    count, drawn = len(subject.found.leads), shown(subject)
    how = (
        "Grey: as recorded, black: cleaned."
        if len(drawn) <= _MOST_APART
        else "Red: as recorded, black: cleaned."
    )
    if len(drawn) < count:
        how += f" {counted(len(drawn), 'lead')} of {count}: the standard ones, or the poorest."
    return how


def best_column(found: Inspection) -> int:
    """The lead of which most is good."""
    return int((found.quality.grade == 0).sum(0).argmax())


def _columns(subject: ReportInput) -> list[int]:
    """Columns of the leads that are drawn."""
    names = shown(subject)
    return [i for i, lead in enumerate(subject.found.leads) if lead in names]


def _places(found: Inspection) -> dict[str, float]:
    """Starts in s of the strips to show, by what they are."""
    known = over_known(np.nanmean, np.square(found.seconds.removed).T)  # (seconds,), over the leads
    count = max(len(known) // STRIP, 1)
    power = np.array([part.mean() for part in np.array_split(known[: count * STRIP], count)])
    order = [i for i in np.argsort(power) if np.isfinite(power[i])]
    if len(order) < 3:
        return {"The beginning" if found.header.duration > STRIP else "": 0.0}
    return {
        "Where most was removed": float(order[-1] * STRIP),
        "A typical place": float(order[len(order) // 2] * STRIP),
        "Where least was removed": float(order[0] * STRIP),
    }


def _error_sd(found: Inspection, start: float, samples: int) -> NDArray[np.float64] | None:
    """The error of each second from ``start`` on, for each sample of all leads; mV."""
    known = found.seconds.sd[int(start) : int(start) + STRIP]
    if not np.isfinite(known).any():
        return None
    second = np.minimum(np.arange(samples) / found.header.fs, len(known) - 1).astype(int)
    sd = np.full((samples, len(found.header.leads)), np.nan)
    sd[:, found.columns] = known[second]
    return sd


def _part(quality: Quality, start: float) -> Quality:
    """The quality of the seconds of a strip."""
    seconds = slice(int(start), int(start) + STRIP)
    arrays = {
        field.name: getattr(quality, field.name)[seconds]
        for field in dataclasses.fields(quality)
        if isinstance(getattr(quality, field.name), np.ndarray)
    }
    return dataclasses.replace(quality, **arrays)


def _groups(seconds: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Seconds in groups, few enough to draw: when each begins, and its first second."""
    groups = np.unique(np.linspace(0, seconds, min(seconds, _POINTS), endpoint=False).astype(int))
    return groups.astype(np.float64), groups


def _reduced(
    function: np.ufunc, values: NDArray[np.float64], groups: NDArray[np.intp]
) -> NDArray[np.float64]:
    reduced: NDArray[np.float64] = function.reduceat(values, groups)
    return reduced


def _runs(bad: NDArray[np.bool_], times: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Intervals in which (points,) is true."""
    change = np.diff(bad.astype(np.int8), prepend=0, append=0)
    step = times[1] - times[0] if len(times) > 1 else 1.0
    begin, end = times[np.flatnonzero(change == 1)], times[np.flatnonzero(change == -1) - 1] + step
    return list(zip(begin.tolist(), end.tolist(), strict=True))
