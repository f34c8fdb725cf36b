"""Annotations of EDF+ and BDF+ files: time-stamped annotation lists (TALs) in each data record.

Specification: https://www.edfplus.info/specs/edfplus.html, section 2.2. A list is ``+onset``, an
optional duration after 0x15, texts that each end with 0x14, and 0x00; the first of a record has
an empty text and states when the record starts. Times are seconds since the file's start time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ipmdae.text import visible

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
