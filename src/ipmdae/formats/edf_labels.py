"""Long names and units of EDF signals, and the choice of leads, from comments.

A label has 16 characters of ASCII, a unit 8. Where a name is longer, or other signs are in it, a
comment states it: ``label 2: Brustwand links außen``. It counts only where the name would
have got that label. ``leads are signals 1 2`` lists the leads of a recording by number.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Protocol

from ipmdae.formats.edf_file import Channel
from ipmdae.formats.edf_text import plain
from ipmdae.formats.lead_names import is_ecg
from ipmdae.recording import NO_UNIT, millivolts

LABEL, UNIT = 16, 8
"""Characters of a label and a unit."""

_COMMENT = re.compile(r"(label|unit) (\d{1,4}): (.*)")
_LEADS = re.compile(r"leads are signals (\d{1,4}(?: \d{1,4})*)")
_RESERVED = ("EDF Annotations", "BDF Annotations")


class Signal(Protocol):
    """A signal by its name, its unit and its rate in Hz."""

    @property
    def label(self) -> str:
        """Its name."""

    @property
    def unit(self) -> str:
        """Its unit."""

    @property
    def fs(self) -> float:
        """Its rate in Hz."""


def label(name: str) -> str:
    """Label of a signal; the label of annotations is reserved."""
    text = plain(name, LABEL)
    return f"?{text[1:]}" if text in _RESERVED else text


def unit(name: str) -> str:
    """Unit of a signal in the header; blank if there is no unit."""
    return "" if name == NO_UNIT else plain(name, UNIT)


def leads_by_rule(signals: Sequence[Signal]) -> list[int]:
    """Indices of the signals that are leads where the file does not say it.

    These are the voltages with the name of an ECG; without any, all voltages; without any, all
    signals; of these, those of the highest rate. Signals of the same rate that are not voltages
    (respiration) are leads too.
    """
    every = range(len(signals))
    voltages = [i for i in every if millivolts(signals[i].unit)]
    chosen = [i for i in voltages if is_ecg(signals[i].label)] or voltages or list(every)
    fs = max(signals[i].fs for i in chosen)
    return [i for i in every if signals[i].fs == fs and (i in chosen or i not in voltages)]


def comments(signals: Sequence[Signal], leads: Sequence[int]) -> list[str]:
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
