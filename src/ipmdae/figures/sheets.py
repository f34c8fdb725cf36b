"""Sheets of ECG paper: one recording in clinical layouts, and before and after denoising."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ipmdae.figures.paper import (
    FAINT_INK,
    INK,
    MM_PER_MV,
    RED_INK,
    Cell,
    Sheet,
    System,
    Trace,
    paper,
)
from ipmdae.quality import Quality
from ipmdae.recording import Recording, voltages_of

_LIMB, _AUGMENTED = ("I", "II", "III"), ("aVR", "aVL", "aVF")

STANDARD = (*_LIMB, *_AUGMENTED, *(f"V{i}" for i in range(1, 7)))
"""The twelve standard leads in the order in which they are shown."""

LAYOUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "1": (),
    "2": (),
    "3": (),
    "3x4": (
        *zip(_LIMB, _AUGMENTED, ("V1", "V2", "V3"), ("V4", "V5", "V6"), strict=True),
        ("II",),
    ),
    "6x2": tuple(zip((*_LIMB, *_AUGMENTED), (f"V{i}" for i in range(1, 7)), strict=True)),
    "12x1": tuple((name,) for name in STANDARD),
}
"""Rows of leads by the name of the layout; the columns of a row follow each other in time. 1, 2 and
3 are the first leads of the recording, a row each; 3x4 has a rhythm strip of lead II."""

_LINE = 10.0  # s of a row without columns; longer signals continue below
_PITCH = 13.0  # mm between rows of many leads: twelve fit a landscape A4


def ecg_paper(
    recording: Recording,
    start: float = 0.0,
    seconds: float = 10.0,
    leads: Sequence[str] | None = None,
    *,
    layout: str | None = None,
    quality: Quality | None = None,
    origin: float = 0.0,
    title: str = "",
) -> Figure:
    """A recording on ECG paper, by default all leads below each other, 10 s in a row.

    Args:
        recording: recording to show.
        start: first second to show.
        seconds: duration to show; limited by the recording.
        leads: names of the leads to show, by default all that are voltages.
        layout: one of :data:`LAYOUTS`. Those of several columns want the twelve standard leads.
        quality: of the recording; unreadable segments are shaded.
        origin: time in s of the recording's first sample, for the labels.
        title: a line above the traces, such as :func:`title_of` gives.

    Raises:
        ValueError: a lead or layout is unknown, or the recording has no samples there.
    """
    shown = recording.excerpt(start, seconds)
    columns = LAYOUTS.get(layout or "", ())
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"unknown layout {layout!r}; there are: {', '.join(LAYOUTS)}")
    many = len(columns[0]) > 1 if columns else False
    chosen = _voltages(shown, leads)
    if not columns and layout:
        chosen = chosen[: int(layout)]
    systems: list[System] = []
    for begin, part in _lines(shown, shown.duration if many else _LINE):
        if columns:
            rows = [_columns(part, names, start + begin, quality) for names in columns]
        else:
            rows = [[_cell(part, lead, start + begin, quality)] for lead in chosen]
        systems.append((origin + start + begin, rows))
    note = "shaded: not readable" if quality is not None else ""
    return paper(systems, Sheet(title=title, note=note, whole=origin + start + shown.duration))


def title_of(recording: Recording, name: str, filtered: str = "") -> str:
    """Title of a sheet: name, date, sampling rate, and filter.

    Args:
        recording: recording to show.
        name: of its file.
        filtered: name of the method; by default from the recording's comments.
    """
    by = [c.split(":")[0] for c in recording.comments if c.startswith("Cleaned by ")]
    when = recording.start.strftime("%Y-%m-%d %H:%M:%S") if recording.start else "date not known"
    filters = filtered or (by[-1] if by else "not filtered by ipmdae")
    return "    ".join((name, when, f"{recording.fs:g} Hz", filters))


def _lines(shown: Recording, seconds: float) -> Iterator[tuple[float, Recording]]:
    """Parts of a recording that fit a row each, and when each begins; 50 ms make no row."""
    for i in range(max(ceil((shown.duration - 0.05) / seconds), 1)):
        yield i * seconds, shown.excerpt(i * seconds, seconds)


def before_after(
    noisy: Recording,
    cleaned: Recording,
    start: float = 0.0,
    seconds: float = 10.0,
    leads: Sequence[str] | None = None,
    *,
    sd: NDArray[np.floating[Any]] | None = None,
    quality: Quality | None = None,
    origin: float = 0.0,
    title: str = "",
) -> Figure:
    """Each lead on ECG paper as it came, in grey, and below it as it was cleaned, in black.

    Args:
        noisy: as recorded.
        cleaned: the same leads, cleaned.
        start: first second to show.
        seconds: duration to show; limited by the recording.
        leads: names of the leads to show, by default all that are voltages.
        sd: (time, leads) of the whole recording, standard deviation of the error in mV; a band
            as wide is drawn around what was cleaned.
        quality: of the recording; unreadable segments are shaded.
        origin: time in s of the recording's first sample, for the labels.
        title: a line above the traces.

    Raises:
        ValueError: the two have other leads or samples, a lead is unknown, or nothing was
            recorded there.
    """
    pairs = _pairs(
        noisy, cleaned, FAINT_INK, start=start, seconds=seconds, leads=leads, sd=sd, quality=quality
    )
    rows: list[list[Cell]] = []
    for name, before, after, shaded in pairs:
        rows.append([Cell(label=name, remark="noisy", traces=(before,))])
        rows.append([Cell(label=name, remark="cleaned", traces=(after,), shaded=shaded)])
    sheet = Sheet(title=title, note=_note(sd, quality))
    return paper([(origin + start, rows)], sheet)


def overlay(
    noisy: Recording,
    cleaned: Recording,
    start: float = 0.0,
    seconds: float = 10.0,
    leads: Sequence[str] | None = None,
    *,
    sd: NDArray[np.floating[Any]] | None = None,
    quality: Quality | None = None,
    origin: float = 0.0,
    title: str = "",
    dense: bool = False,
) -> Figure:
    """Each lead as it was cleaned, in black, upon what it was, in red; as :func:`before_after`.

    ``dense`` puts rows 13 mm apart and, where QRS complexes would reach too far, halves the gain,
    so that twelve leads fit a page.
    """
    pairs = _pairs(
        noisy, cleaned, RED_INK, start=start, seconds=seconds, leads=leads, sd=sd, quality=quality
    )
    remark = "" if dense else "cleaned"
    rows = [
        [Cell(label=name, remark=remark, traces=(before, after), shaded=shaded)]
        for name, before, after, shaded in pairs
    ]
    note = "    ".join(filter(None, ["red: as recorded", _note(sd, quality)]))
    gain = _gain(rows) if dense else MM_PER_MV
    sheet = Sheet(title=title, note=note, gain=gain, pitch=_PITCH if dense else None)
    return paper([(origin + start, rows)], sheet)


def _gain(rows: Sequence[Sequence[Cell]]) -> float:
    """10 mm/mV, or a half or quarter of it where most cleaned leads need more than two rows."""
    traces = [cell.traces[-1].values for row in rows for cell in row]
    spans = [np.ptp(x[np.isfinite(x)]) for x in traces if np.isfinite(x).any()]
    typical = float(np.percentile(spans, 75)) if spans else 0.0
    gain = MM_PER_MV
    while gain > MM_PER_MV / 4 and typical * gain > 2 * _PITCH:
        gain /= 2
    return gain


def _pairs(
    noisy: Recording,
    cleaned: Recording,
    colour: str,
    *,
    start: float,
    seconds: float,
    leads: Sequence[str] | None,
    sd: NDArray[np.floating[Any]] | None,
    quality: Quality | None,
) -> Iterator[tuple[str, Trace, Trace, tuple[tuple[float, float], ...]]]:
    """Name, trace before and after, and shaded segments of each lead to show."""
    if noisy.leads != cleaned.leads or noisy.signal.shape != cleaned.signal.shape:
        raise ValueError("the noisy and the cleaned recording must have the same leads and samples")
    before, after = noisy.excerpt(start, seconds), cleaned.excerpt(start, seconds)
    first = max(round(start * noisy.fs), 0)
    for lead in _voltages(before, leads):
        band = None if sd is None else sd[first : first + before.samples, lead]
        yield (
            noisy.leads[lead],
            Trace(values=before.signal[:, lead], fs=noisy.fs, colour=colour),
            Trace(values=after.signal[:, lead], fs=noisy.fs, colour=INK, sd=band),
            _shaded(before, lead, quality, start),
        )


def _voltages(recording: Recording, leads: Sequence[str] | None) -> list[int]:
    """The leads to show, by their columns; each must be a voltage."""
    voltages = voltages_of(recording.units)
    names = [recording.leads[i] for i in voltages]
    unknown = sorted(set(leads or ()) - set(names))
    if unknown or not voltages:
        raise ValueError(
            f"no lead in mV is called {', '.join(unknown) or 'anything'}; "
            f"there are {', '.join(names) or 'none'}"
        )
    if leads is None:
        return voltages
    return [i for name in leads for i in voltages if recording.leads[i] == name]


def _columns(
    shown: Recording, names: Sequence[str], start: float, quality: Quality | None
) -> list[Cell]:
    """A row of standard leads, each for its share of the time."""
    known = {standard_name(shown.leads[i]): i for i in reversed(_voltages(shown, None))}
    missing = [name for name in names if standard_name(name) not in known]
    if missing:
        raise ValueError(
            f"this layout needs the leads {', '.join(missing)}; there are {', '.join(shown.leads)}"
        )
    part = shown.duration / len(names)
    return [
        _cell(
            shown.excerpt(i * part, part),
            known[standard_name(name)],
            start + i * part,
            quality,
            label=name,
            begin=i * part,
        )
        for i, name in enumerate(names)
    ]


def standard_name(name: str) -> str:
    """A standard lead's name as files spell it: ``"ECG aVR"``, ``"Lead AVR"`` and ``"avr"``."""
    return re.sub(r"^(ecg|lead)[\s_:-]*", "", name.strip().lower())


def _cell(
    shown: Recording,
    lead: int,
    start: float,
    quality: Quality | None,
    *,
    label: str | None = None,
    begin: float = 0.0,
) -> Cell:
    return Cell(
        label=label or shown.leads[lead],
        traces=(Trace(values=shown.signal[:, lead], fs=shown.fs),),
        begin=begin,
        shaded=_shaded(shown, lead, quality, start),
    )


def _shaded(
    shown: Recording, lead: int, quality: Quality | None, start: float
) -> tuple[tuple[float, float], ...]:
    """Unreadable segments of a lead from ``start`` on, (from, to) in s after it."""
    column = shown.units[:lead].count("mV")
    segments = quality.unusable_segments(column) if quality is not None else []
    cut = ((max(s.start - start, 0), min(s.stop - start, shown.duration)) for s in segments)
    return tuple((begin, end) for begin, end in cut if begin < end)


def _note(sd: object, quality: Quality | None) -> str:
    band = "band: ± 1 standard deviation of the error" if sd is not None else ""
    return "    ".join(filter(None, [band, "shaded: not readable" if quality else ""]))
