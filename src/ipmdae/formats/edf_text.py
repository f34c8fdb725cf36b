"""Texts of EDF files: names and roles of signals, patient and recording, annotations.

A label has 16 characters of ASCII, a unit 8. Where a name is longer, or other signs are in it, a
comment states it: ``label 2: Brustwand links außen``. It counts only where the name would
have got that label. ``leads are signals 1 2`` lists the leads of a recording by number.

Annotations are time-stamped lists (TALs) in each data record, by section 2.2 of
https://www.edfplus.info/specs/edfplus.html: ``+onset``, an optional duration after 0x15, texts that
each end with 0x14, and 0x00; the first list of a record has an empty text and states when the
record starts. Times are seconds since the file's start time. edfio (0.4) decodes them, but fails on
texts that are not UTF-8, loses those with line breaks, and keeps no times of records.
"""

from __future__ import annotations

import dataclasses
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Any

from ipmdae.formats import description
from ipmdae.formats.dates import MONTHS
from ipmdae.formats.edf_range import EdfResolution
from ipmdae.formats.names import is_ecg, other_electrodes
from ipmdae.recording import NO_UNIT, millivolts
from ipmdae.text import visible

COMMENT = "# "
"""Beginning of texts about the whole recording, at time 0."""

MISSING = "missing: "
"""Beginning of our marks on samples that are missing, for which EDF has no other way.

The signal's number among all of the file, from 1, and its label follow.
"""

ENDS = "Recording ends"
"""Standard text of EDF+; ours mark by it where the last record, filled up, has no samples."""

DURATION = r"(.*) \[(\d+(?:\.\d+)?) s\]"
"""Text form of the duration of an annotation outside of EDF."""

LABEL, UNIT = 16, 8
"""Characters of a label and a unit."""

SIZE = 80
"""Characters of each of the fields of patient and recording."""

RESERVED = ("EDF Annotations", "BDF Annotations")
"""Labels of the signals that hold annotations."""

_COMMENT = re.compile(r"(label|unit) (\d{1,4}): (.*)")
_LEADS = re.compile(r"leads are signals (\d{1,4}(?: \d{1,4})*)")


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A signal by its name, its unit and its sampling rate in Hz."""

    label: str
    unit: str
    fs: float


@dataclass(frozen=True, kw_only=True)
class Channel(Signal):
    """One signal of a file.

    Attributes:
        place: its index among all signals of the file.
        part, count: its bytes and the number of its samples in a data record.
        resolution: its scaling; that of steps, without a unit, where the header's ranges are
            invalid.
    """

    place: int
    part: slice
    count: int
    resolution: EdfResolution


def plain(text: str, size: int) -> str:
    """``text`` in printable ASCII, without accents, cut to ``size`` characters."""
    text = unicodedata.normalize("NFKD", text.replace("µ", "u").replace("μ", "u"))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:size].strip()


def label(name: str) -> str:
    """Label of a signal; the label of annotations is reserved."""
    text = plain(name, LABEL)
    return f"?{text[1:]}" if text in RESERVED else text


def unit(name: str) -> str:
    """Unit of a signal in the header; blank if there is no unit."""
    return "" if name == NO_UNIT else plain(name, UNIT)


def leads_by_rule(signals: Sequence[Signal]) -> list[int]:
    """Indices of the signals that are leads where the file does not say it.

    These are the voltages with the name of an ECG; without any, all voltages but those with the
    names of an EEG, EOG or EMG; without voltages, all signals; of these, those of the highest rate.
    Signals of the same rate that are not voltages (respiration) are leads too. C1 to C6 are no ECG
    beside other electrodes of an EEG. There is none if all voltages are of an EEG, EOG or EMG.
    """
    every = range(len(signals))
    voltages = [i for i in every if millivolts(signals[i].unit)]
    others = other_electrodes([signals[i].label for i in voltages])
    maybe = [i for i, other in zip(voltages, others, strict=True) if not other]
    named = [i for i in maybe if is_ecg(signals[i].label)]
    chosen = named or maybe if voltages else list(every)
    fs = max((signals[i].fs for i in chosen), default=0.0)
    return [i for i in every if signals[i].fs == fs and (i in chosen or i not in voltages)]


def label_comments(signals: Sequence[Signal], leads: Sequence[int]) -> list[str]:
    """Comments with information that the header lacks; ``leads`` are indices."""
    lines = []
    for number, signal in enumerate(signals, 1):
        if label(signal.label) != signal.label:
            lines.append(f"label {number}: {signal.label}")
        if unit(signal.unit) != signal.unit.replace(NO_UNIT, ""):
            lines.append(f"unit {number}: {signal.unit}")
    if leads_by_rule(signals) != list(leads):
        lines.append(f"leads are signals {' '.join(str(i + 1) for i in leads)}")
    return lines


def restored(
    channels: Sequence[Channel], texts: Sequence[str]
) -> tuple[list[Channel], list[int] | None, list[str]]:
    """Signals with their full names and units, indices of the leads if stated, other comments."""
    found = {channel.place: channel for channel in channels}
    others: list[str] = []
    leads: list[int] | None = None
    for text in texts:
        named, listed = _COMMENT.fullmatch(text), _LEADS.fullmatch(text)
        places = [int(n) - 1 for n in listed[1].split()] if listed else []
        channel = found.get(int(named[2]) - 1) if named else None
        if named and channel and named[1] == "label" and label(named[3]) == channel.label:
            found[channel.place] = dataclasses.replace(channel, label=named[3])
        elif named and channel and named[1] == "unit" and unit(named[3]) == channel.unit:
            found[channel.place] = dataclasses.replace(channel, unit=named[3])
        elif places and found.keys() >= set(places) and len({found[p].fs for p in places}) == 1:
            leads = [list(found).index(place) for place in places]
        else:
            others.append(text)
    return list(found.values()), leads, others


_PATIENT = (
    description.PATIENT_ID,
    description.SEX,
    description.BIRTH_DATE,
    description.PATIENT_NAME,
)
_STUDY = (description.STUDY_ID, description.TECHNICIAN, description.DEVICE)
_SPOKEN = (description.PATIENT_NAME, description.TECHNICIAN, description.DEVICE)
"""Subfields whose ``_`` stand for blanks."""

_DAY = rf"\d\d-(?:{'|'.join(MONTHS)})-\d{{4}}"
_PATIENT_LAYOUT = re.compile(rf"\S+ [MFX] (?:{_DAY}|X) \S+(?: .*)?")
_STUDY_LAYOUT = re.compile(rf"Startdate (?:{_DAY}|X) \S+ \S+ \S+(?: .*)?")


_HEADER_DAY = re.compile(r"([ ]?\d{1,2})[.:'\-/ ]([ ]?\d{1,2})[.:'\-/ ]([ ]?\d{1,2})")
_REMOVED = date(1985, 1, 1)
"""The date in a header of EDF+ from which it was removed."""


def identity(header: Any, day: str, first: float) -> tuple[datetime | None, dict[str, str]]:
    """Start of the first sample, if the file says it, and metadata of patient and recording.

    Args:
        header: as edfio reads it.
        day: its date as it stands.
        first: time of the first sample in s after that of the header.
    """
    known: dict[str, str] = {}
    try:
        start = datetime.combine(_date(header, day), header.starttime) + timedelta(seconds=first)
    except (ValueError, IndexError, OverflowError):
        start, known[description.TIME_OF_DAY] = None, _time_of_day(header, first)
    known |= parse_identity(
        header.local_patient_identification,
        header.local_recording_identification,
        plus="+" in header.reserved[:4],
    )
    return start, {key: value for key, value in known.items() if value}


def _date(header: Any, day: str) -> date:
    """Date of the start by the recording field of EDF+, else by the header.

    Raises:
        ValueError: it is invalid, or was removed.
    """
    try:
        known: date = header.startdate
    except ValueError:  # also where the recording field says X
        found = _HEADER_DAY.fullmatch(day)
        if not found:
            raise
        number, month, year = map(int, found.groups())
        known = date(year + (1900 if year >= 85 else 2000), month, number)
        if known == _REMOVED:
            raise
    return known


def parse_identity(patient: str, study: str, *, plus: bool) -> dict[str, str]:
    """The subfields of EDF+, of which ``X`` means unknown, or the whole texts of EDF.

    Much software writes the subfields of EDF+ to plain EDF as well.
    """
    if plus or _PATIENT_LAYOUT.fullmatch(patient):
        known = _subfields(patient.split(), _PATIENT, description.PATIENT_NOTE)
    else:
        known = {description.PATIENT_NOTE: patient}
    if plus or _STUDY_LAYOUT.fullmatch(study):
        known |= _subfields(study.split()[2:], _STUDY, description.RECORDING_NOTE)
    else:
        known[description.RECORDING_NOTE] = study
    birth = known.get(description.BIRTH_DATE, "")
    if re.fullmatch(_DAY, birth):
        known[description.BIRTH_DATE] = _iso(birth)
    return {key: value for key, value in known.items() if value not in ("", "X")}


def compose_identity(metadata: Mapping[str, str], start: datetime | None) -> tuple[str, str]:
    """The two fields of EDF+, cut to their size; :func:`parse_identity` describes them."""
    known = dict(metadata)
    birth = known.get(description.BIRTH_DATE, "")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", birth):
        known[description.BIRTH_DATE] = _edf(birth)
    if known.get(description.SEX) not in ("F", "M"):
        known[description.SEX] = "X"
    patient = [_subfield(known.get(name, "")) for name in _PATIENT]
    study = ["Startdate", _edf(start.date().isoformat()) if start else "X"]
    study += [_subfield(known.get(name, "")) for name in _STUDY]
    notes = known.get(description.PATIENT_NOTE, ""), known.get(description.RECORDING_NOTE, "")
    return (
        plain(" ".join([*patient, notes[0]]), SIZE),
        plain(" ".join([*study, notes[1]]), SIZE),
    )


def _subfields(words: list[str], names: tuple[str, ...], note: str) -> dict[str, str]:
    known = dict(zip(names, words, strict=False))
    known[note] = " ".join(words[len(names) :])
    return {key: v.replace("_", " ") if key in _SPOKEN else v for key, v in known.items()}


def _subfield(text: str) -> str:
    # In ASCII first: some signs become blanks there.
    return "_".join(plain(text, SIZE).split()) or "X"


def _edf(day: str) -> str:
    """A date YYYY-MM-DD in the form of EDF+; an invalid one is kept as text."""
    try:
        known = date.fromisoformat(day)
    except ValueError:
        return day
    return f"{known.day:02}-{MONTHS[known.month - 1]}-{known.year:04}"


def _iso(day: str) -> str:
    """The inverse of :func:`_edf`."""
    number, month, year = day.split("-")
    try:
        return date(int(year), MONTHS.index(month) + 1, int(number)).isoformat()
    except ValueError:
        return day


def _time_of_day(header: Any, first: float) -> str:
    try:
        time = (datetime.combine(date.min, header.starttime) + timedelta(seconds=first)).time()
    except (ValueError, IndexError, OverflowError):
        return ""
    return "" if time == clock() else time.isoformat()


_TIME = re.compile(rb"([+-]\d{1,15}(?:\.\d*)?)(?:\x15(\d{1,15}(?:\.\d*)?)?)?")


@dataclass(frozen=True)
class Event:
    """A text at a time, with a duration if it has one; both in s."""

    onset: float
    duration: float | None
    text: str


def decode(data: bytes) -> list[Event]:
    """The events in the annotation bytes of one record; a record's start has an empty text.

    Raises:
        ValueError: the bytes are not annotation lists.
    """
    events = []
    for tal in data.split(b"\0"):
        if not tal:
            continue
        time, *texts = tal.split(b"\x14")
        found = _TIME.fullmatch(time)
        if not found or not texts or texts[-1]:
            raise ValueError(f"{tal[:40]!r} is not an annotation")
        onset, duration = found.groups()
        events += [
            Event(float(onset), float(duration) if duration else None, _decoded(text))
            for text in texts[:-1]
        ]
    return events


def encode(event: Event) -> bytes:
    """One list of one text."""
    duration = "" if event.duration is None else f"\x15{seconds(event.duration)}"
    sign = "-" if event.onset < 0 else "+"
    # The control characters that delimit lists cannot be part of a text.
    text = re.sub("[\0\x14\x15\ud800-\udfff]", lambda found: visible(found[0]), event.text)
    head = f"{sign}{seconds(abs(event.onset))}{duration}\x14"
    return head.encode() + text.encode() + b"\x14\0"


def seconds(value: float) -> str:
    """A time in s as the specification wants it: no exponent, no trailing zeros."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a time")
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
