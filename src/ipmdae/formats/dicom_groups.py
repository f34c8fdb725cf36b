"""Multiplex groups of a DICOM waveform that make one recording: more leads, or more time.

Standard: DICOM PS3.3 C.10.9 (a group has a rate, channels, and perhaps an offset in time).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Channels = tuple[tuple[str, str], ...]
"""Name and unit of each channel of a group."""

_MOST = 256
"""Groups that are considered; the standard allows 5."""


class Part(NamedTuple):
    """A group within a recording.

    Attributes:
        number: of the group, from 0.
        first: sample of the recording that is the first of the group.
        lead: of the recording that is the first channel of the group, from 0.
    """

    number: int
    first: int
    lead: int


def joined(groups: Sequence[Any], channels: Callable[[Any], Channels]) -> list[Part]:
    """The longest group, and those of the same rate and origin that continue or complete it.

    Groups of the same channels follow one another in time, with no more missing between them than
    they hold; those of other channels are leads of the recording if they begin and end as the
    others do. Both are known by the groups' offsets: without them, when a group was recorded is
    open, and it is not joined.

    Args:
        groups: the items of the sequence of waveforms.
        channels: gives the channels of a group.

    Returns:
        The longest group's part first, then the other ones.
    """
    lengths = [int(g.NumberOfWaveformSamples) / float(g.SamplingFrequency) for g in groups]
    longest = max(range(len(groups)), key=lengths.__getitem__)
    begin = _begin(groups[longest])
    own = channels(groups[longest])
    if begin is None:
        return [Part(longest, 0, 0)]
    tracks: dict[Channels, dict[int, int]] = {own: {longest: begin}}
    for number, group in enumerate(groups[:_MOST]):
        at = _begin(group)
        if number != longest and at is not None and _kind(group) == _kind(groups[longest]):
            track = tracks.setdefault(channels(group), {})
            spans = (_span(groups[other], where) for other, where in track.items())
            first, stop = _span(group, at)
            if all(stop <= a or first >= b for a, b in spans):
                track[number] = at
    if not _is_near(groups, tracks[own]):
        return [Part(longest, 0, 0)]
    start = min(tracks[own].values())
    parts, names, lead = [Part(longest, begin - start, 0)], set[str](), 0
    spans_of_own = {_span(groups[n], at) for n, at in tracks[own].items()}
    for known, track in tracks.items():
        called = {name for name, _ in known}
        spans_of_track = {_span(groups[n], at) for n, at in track.items()}
        if spans_of_track != spans_of_own or called & names:
            continue
        parts += [Part(n, at - start, lead) for n, at in track.items() if n != longest]
        names |= called
        lead += len(known)
    return parts


def _begin(group: Any) -> int | None:
    """The sample at which a group begins, from the reference time, if that is stated."""
    offset = group.get("MultiplexGroupTimeOffset", None)
    if offset in (None, "") or not math.isfinite(float(offset)):
        return None
    return round(float(offset) / 1e3 * float(group.SamplingFrequency))


def _is_near(groups: Sequence[Any], track: dict[int, int]) -> bool:
    """True if no more is missing between groups than they hold."""
    spans = [_span(groups[number], at) for number, at in track.items()]
    whole = max(stop for _, stop in spans) - min(first for first, _ in spans)
    return whole <= 2 * sum(stop - first for first, stop in spans)


def _span(group: Any, begin: int) -> tuple[int, int]:
    return begin, begin + int(group.NumberOfWaveformSamples)


def _kind(group: Any) -> tuple[float, str]:
    """The rate of a group, and whether it is original or derived (median beats)."""
    return float(group.SamplingFrequency), str(group.get("WaveformOriginality", ""))
