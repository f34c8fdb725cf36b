"""The pictures of a report, each with its text and caption."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae import figures
from ipmdae.figures.paper import clock
from ipmdae.figures.sheets import standard_name
from ipmdae.formats import SignalReader
from ipmdae.inspection.files import Inspection, excerpt
from ipmdae.inspection.heart_rate import WINDOW, heart_rate, windows
from ipmdae.inspection.seconds import over_known
from ipmdae.quality import Quality
from ipmdae.report import markup
from ipmdae.report.subject import Subject

_STRIP = 10  # s
_CONTEXT = 10  # s on each side, for the network to tell how sure it is
_POINTS = 1000
_PREFERRED = ("ii", "v1", "v5")


def strips(
    subject: Subject, found: Inspection, noisy: SignalReader, cleaned: SignalReader
) -> list[str]:
    """Paper strips of the places where most, as much as usual, and least was removed."""
    parts = []
    for title, start in _places(found).items():
        before, after = excerpt(noisy, start, _STRIP), excerpt(cleaned, start, _STRIP)
        spread = _spread(subject, noisy, start, before.samples)
        quality = _part(found.quality, start)
        when = f"{_STRIP} s from {clock(start, found.header.duration)}"
        parts.append(markup.heading(f"{title}: {when}"))
        for lead in _shown(found.leads):
            drawn = figures.before_after(
                before,
                after,
                seconds=_STRIP,
                leads=[lead],
                spread=spread,
                quality=quality,
                origin=start,
            )
            text = f"ECG paper, lead {lead}, {when}: as recorded, and below it as cleaned"
            parts.append(markup.picture(drawn, text, f"Lead {lead}", to_scale=True))
    return parts


def whole(found: Inspection) -> str:
    """All of the recording, lead by lead, between its lowest and highest values."""
    seconds = found.seconds
    times, groups = _groups(len(seconds.low))
    rows = {}
    shaded = {}
    for i, lead in enumerate(_unique(found.leads)):
        rows[lead] = [
            (name, _reduced(np.fmin, low[:, i], groups), _reduced(np.fmax, high[:, i], groups))
            for name, low, high in (
                ("as recorded", seconds.low, seconds.high),
                ("cleaned", seconds.cleaned_low, seconds.cleaned_high),
            )
        ]
        bad = ~found.quality.readable[:, i]
        shaded[lead] = _runs(np.logical_or.reduceat(bad, groups), times)
    return markup.heading("The whole recording") + markup.picture(
        figures.timeline(times, rows, shaded=shaded),
        "Lowest and highest values of each lead over time, as recorded and as cleaned",
        "Lowest to highest value, as recorded (grey) and cleaned (black); red where there are "
        "seconds that cannot be read.",
    )


def spectra(found: Inspection) -> str:
    """What was there, what is left and what was removed, over frequency."""
    recorded = found.spectra["recorded"]
    densities = {
        lead: {name: spectrum.density[:, i] for name, spectrum in found.spectra.items()}
        for i, lead in enumerate(_unique(found.leads))
    }
    return markup.picture(
        figures.spectrum(recorded.frequencies, densities),
        "Power spectra of each lead: as recorded, cleaned, and of what was removed",
        "Power spectra, averaged over segments of 8 s.",
    )


def heart_rates(found: Inspection, noisy: SignalReader, cleaned: SignalReader) -> str:
    """Heart rate over time, before and after, in the lead that can be read longest."""
    best = int(found.quality.readable.sum(0).argmax())
    column, header = found.columns[best], found.header
    times = np.array(list(windows(header.duration)))
    rates = [
        np.array(
            [heart_rate(excerpt(reader, t, WINDOW).signal[:, column], header.fs) for t in times]
        )
        for reader in (noisy, cleaned)
    ]
    before, after = rates
    both = np.isfinite(before) & np.isfinite(after)
    summary = (
        f"Median {np.median(before[both]):.0f} beats per minute before and "
        f"{np.median(after[both]):.0f} after; the two differ by more than 5 in "
        f"{np.mean(np.abs(before - after)[both] > 5):.0%} of the places."
        if both.any()
        else "No heart rate could be told, before or after."
    )
    lead = found.leads[best]
    rows: dict[str, Any] = {lead: [("before", before, before), ("after", after, after)]}
    return markup.section(
        "Heart rate before and after",
        markup.paragraph(summary),
        markup.picture(
            figures.timeline(times + WINDOW / 2, rows, unit="beats per minute"),
            f"Heart rate in lead {lead} over time, before and after cleaning",
            f"Lead {lead}, {WINDOW:g} s at {len(times)} places, beats found by XQRS.",
        ),
    )


def _shown(leads: tuple[str, ...]) -> list[str]:
    """Up to three leads: all, or the usual ones of many, or the first."""
    if len(leads) <= 3:
        return list(dict.fromkeys(leads))
    usual = [lead for lead in leads if standard_name(lead) in _PREFERRED]
    return usual if len(usual) == len(_PREFERRED) else list(dict.fromkeys(leads[:3]))


def _places(found: Inspection) -> dict[str, float]:
    """Starts in s of the strips to show, by what they are."""
    known = over_known(np.nanmean, np.square(found.removed).T)  # (seconds,), over the leads
    count = max(len(known) // _STRIP, 1)
    power = np.array([part.mean() for part in np.array_split(known[: count * _STRIP], count)])
    order = [i for i in np.argsort(power) if np.isfinite(power[i])]
    if len(order) < 3:
        return {"The beginning": 0.0}
    return {
        "Where most was removed": float(order[-1] * _STRIP),
        "A typical place": float(order[len(order) // 2] * _STRIP),
        "Where least was removed": float(order[0] * _STRIP),
    }


def _spread(
    subject: Subject, noisy: SignalReader, start: float, samples: int
) -> NDArray[np.float32] | None:
    """How sure the method is of a strip, (time, leads) in mV, found by cleaning it once more."""
    if subject.spread is None:
        return None
    begin = max(start - _CONTEXT, 0.0)
    around = excerpt(noisy, begin, start - begin + _STRIP + _CONTEXT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        spread = subject.method.clean(around).spread
    first = round(start * noisy.info.fs) - round(begin * noisy.info.fs)
    return None if spread is None else spread[first : first + samples]


def _part(quality: Quality, start: float) -> Quality:
    """The quality of the seconds of a strip."""
    seconds = slice(int(start), int(start) + _STRIP)
    return Quality(
        leads=quality.leads, reason=quality.reason[seconds], spread=quality.spread[seconds]
    )


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
    """Where (points,) is true, from when to when."""
    change = np.diff(bad.astype(np.int8), prepend=0, append=0)
    step = times[1] - times[0] if len(times) > 1 else 1.0
    begin, end = times[np.flatnonzero(change == 1)], times[np.flatnonzero(change == -1) - 1] + step
    return list(zip(begin.tolist(), end.tolist(), strict=True))


def _unique(leads: tuple[str, ...]) -> list[str]:
    """Names of which none is there twice."""
    return [
        f"{lead} ({leads[:i].count(lead) + 1})" if leads.count(lead) > 1 else lead
        for i, lead in enumerate(leads)
    ]
