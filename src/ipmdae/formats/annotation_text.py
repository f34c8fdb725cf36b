"""Marks as one line of text each, for formats whose annotations are free text (EDF+, DICOM).

``[annotator/]symbol[: note][ {subtype,channel,number}]``, e.g. ``N``, ``+: (AFIB``,
``atr/V: couplet {0,1,0}``. Any other text is a note (symbol ``"``). What is read and written again
is the same text, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from ipmdae.recording import Annotations

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
