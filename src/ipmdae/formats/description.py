"""All that is known of a recording but its samples: names of metadata, JSON, texts of marks.

Names are those that all formats give to what they know of a patient and a recording (``metadata``).
JSON is for containers of plain arrays. Marks are one line of text each in formats whose annotations
are free text (EDF+, DICOM): ``[annotator/]symbol[: note][ {subtype,channel,number}]``, e.g. ``N``,
``+: (AFIB``, ``atr/V: couplet {0,1,0}``. Any other text is a note (symbol ``"``). What is read and
written again is the same text, whoever wrote it.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ipmdae.recording import Annotations, Header, Resolution

PATIENT_ID = "patient id"
PATIENT_NAME = "patient name"
SEX = "sex"
"""``"M"``, ``"F"``, or another word of the file."""

BIRTH_DATE = "birth date"
"""As YYYY-MM-DD."""

AGE = "age"
PATIENT_NOTE = "patient note"
STUDY_ID = "study id"
TECHNICIAN = "technician"
DEVICE = "device"
RECORDING_NOTE = "recording note"
TIME_OF_DAY = "time of day"
"""Start of a recording whose date is not known."""

TIME_ZONE = "time zone"
"""Offset of the recorder's clock from UTC, such as ``+02:00``, where a file states it."""

STUDY_UID = "study uid"
"""DICOM's identifier of the study, so that what is written belongs to it."""

PATIENT = (PATIENT_ID, PATIENT_NAME, SEX, BIRTH_DATE, AGE, PATIENT_NOTE)
"""Metadata fields of a patient."""

ALL = frozenset((*PATIENT, STUDY_ID, TECHNICIAN, DEVICE, RECORDING_NOTE, TIME_ZONE, STUDY_UID))
"""All of these but the time of day, which is a part of a recording's start."""


KEY = "ipmdae"
"""Under which containers keep the JSON."""


def to_json(header: Header) -> str:
    """A header as JSON; auxiliary channels are left out, see :func:`warn_lost`."""
    return json.dumps(
        {
            "fs": header.fs,
            "leads": header.leads,
            "units": header.units,
            "start": header.start.isoformat() if header.start else None,
            "resolution": [
                how
                and {"gain": how.gain, "baseline": how.baseline, "unit": how.unit}
                | {"bits": how.bits}
                for how in header.resolution
            ],
            "comments": header.comments,
            "metadata": dict(header.metadata),
            "annotations": {
                name: {
                    "sample": marks.sample.tolist(),
                    "symbol": marks.symbol,
                    "note": marks.note,
                    "subtype": marks.subtype.tolist(),
                    "channel": marks.channel.tolist(),
                    "number": marks.number.tolist(),
                }
                for name, marks in header.annotations.items()
            },
        }
    )


def from_json(text: str | bytes) -> dict[str, Any]:
    """The fields of a header, less ``samples``, from what :func:`to_json` made.

    Raises:
        ValueError: it is not a header.
    """
    try:
        known = json.loads(text)
        return {
            "fs": float(known["fs"]),
            "leads": tuple(map(str, known["leads"])),
            "units": tuple(map(str, known["units"])),
            "start": datetime.fromisoformat(known["start"]) if known["start"] else None,
            "resolution": tuple(
                None if how is None else Resolution(**how) for how in known["resolution"]
            ),
            "comments": tuple(map(str, known["comments"])),
            "metadata": {str(key): str(value) for key, value in known["metadata"].items()},
            "annotations": {
                str(name): Annotations(
                    sample=np.array(marks["sample"], np.int64),
                    symbol=tuple(map(str, marks["symbol"])),
                    note=tuple(map(str, marks["note"])),
                    **{
                        key: np.array(marks[key], np.int64)
                        for key in ("subtype", "channel", "number")
                    },
                )
                for name, marks in known["annotations"].items()
            },
        }
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as e:
        raise ValueError(f"the description of the recording is malformed ({e})") from e


def as_comments(header: Header, held: Mapping[str, str]) -> list[str]:
    """The comments of a recording, and a line for each metadatum without another place.

    Args:
        header: of the recording.
        held: the metadata that the format returns from elsewhere.
    """
    others = [f"{key}: {value}" for key, value in header.metadata.items() if held.get(key) != value]
    return [*header.comments, *(line for line in others if line not in header.comments)]


def metadata_in(comments: Iterable[str], names: Container[str]) -> dict[str, str]:
    """The metadata of some names among comments, as :func:`as_comments` writes them."""
    parts = (comment.partition(": ") for comment in comments)
    return {key: value for key, _, value in parts if key in names and value}


def warn_lost(path: Path, header: Header, format: str, *, lost: Mapping[str, object]) -> None:
    """Say once what a format cannot hold and the file will not have."""
    auxiliary = [channel.name for channel in header.auxiliary]
    names = [name for name, value in lost.items() if value]
    if auxiliary:
        listed = ", ".join(auxiliary)
        names.append(f"auxiliary channels ({listed}; EDF holds them)")
    if names:
        warnings.warn(f"{path}: {format} cannot hold, and loses, {', '.join(names)}", stacklevel=3)


ANNOTATOR = "events"
"""The annotator of marks that name none."""

_SYMBOL = r"[NLRaVFJASEj/Q~|sT*D=pB^t+u?!\[\]en@xf()r]|\[\d{1,2}\]"
_LINE = re.compile(
    rf'(?:([\w.-]{{1,30}})/)?({_SYMBOL}|(?<=/)")(?:: (.*?))?(?: \{{(-?\d+),(-?\d+),(-?\d+)\}})?',
    re.DOTALL,
)

Event = tuple[int, str]
"""Sample and text of a mark."""


def to_events(
    annotations: Mapping[str, Annotations], reserved: tuple[str, ...] = ()
) -> list[Event]:
    """All marks as texts, in order of time.

    Args:
        annotations: by annotator.
        reserved: beginnings of texts that mean something else to the format.

    Raises:
        ValueError: the name of an annotator, or a number, has no place in such a text.
    """
    events = []
    for annotator, marks in annotations.items():
        for i in range(len(marks)):
            numbers = (int(marks.subtype[i]), int(marks.channel[i]), int(marks.number[i]))
            text = _text(annotator, marks.symbol[i], marks.note[i], numbers, reserved)
            events.append((int(marks.sample[i]), text))
    return sorted(events, key=lambda event: event[0])


def from_events(events: Iterable[Event]) -> dict[str, Annotations]:
    """The inverse of :func:`to_events`."""
    rows: dict[str, list[tuple[int, str, str, tuple[int, int, int]]]] = {}
    for sample, text in sorted(events, key=lambda event: event[0]):
        annotator, symbol, note, numbers = _parts(text)
        rows.setdefault(annotator, []).append((sample, symbol, note, numbers))
    return {
        annotator: Annotations(
            sample=np.array([row[0] for row in marks], np.int64),
            symbol=tuple(row[1] for row in marks),
            note=tuple(row[2] for row in marks),
            subtype=np.array([row[3][0] for row in marks], np.int64),
            channel=np.array([row[3][1] for row in marks], np.int64),
            number=np.array([row[3][2] for row in marks], np.int64),
        )
        for annotator, marks in rows.items()
    }


def _text(
    annotator: str,
    symbol: str,
    note: str,
    numbers: tuple[int, int, int],
    reserved: tuple[str, ...],
) -> str:
    """The shortest text of a mark that is read as this mark."""
    if not re.fullmatch(f'{_SYMBOL}|"', symbol):
        symbol, note = '"', f"{symbol} {note}".strip()
    body = f"{symbol}{': ' if note else ''}{note}"
    suffix = " {{{},{},{}}}".format(*numbers)
    for text in (
        *(note, body, f"{annotator}/{body}"),
        *(f"{body}{suffix}", f"{annotator}/{body}{suffix}"),
    ):
        if (
            text
            and not text.startswith(reserved)
            and _parts(text) == (*(annotator, symbol, note, numbers),)
        ):
            return text
    raise ValueError(
        f"the annotation {body!r} of {annotator!r} cannot be written as text: annotators have up "
        "to 30 letters, digits, _, . or -, and numbers less than 32 bits"
    )


def _parts(text: str) -> tuple[str, str, str, tuple[int, int, int]]:
    found = _LINE.fullmatch(text)
    if not found or any(abs(int(n or 0)) >= 1 << 31 for n in found.groups()[3:]):
        return ANNOTATOR, '"', text, (0, 0, 0)
    annotator, symbol, note, *numbers = found.groups()
    subtype, channel, number = (int(n or 0) for n in numbers)
    return annotator or ANNOTATOR, symbol, note or "", (subtype, channel, number)
