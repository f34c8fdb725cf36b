"""What may be trusted: per lead and second, whether it can be read, why not, and how sure it is.

A recording is measured second by second, in pieces where it is long
(:mod:`ipmdae.inspection.seconds`), and judged when all of it is known: whether a sample is at the
end of the recorder's range, or an error large, only the whole lead tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ipmdae.inspection.seconds import Seconds, measure, over_known, pieces
from ipmdae.pipeline.window import MIN_SPREAD
from ipmdae.recording import Recording

if TYPE_CHECKING:
    from ipmdae.cleaned import Cleaned

AMPLITUDES = (0.05, 20.0)
"""Peak-to-peak amplitudes in mV that an ECG on the skin can have."""

UNCERTAIN = 0.1
"""Mean standard deviation of a second's error, relative to the amplitude of the cleaned lead (the
median of its seconds' peak-to-peak ranges, which is about the height of its QRS), from which on the
second counts as too uncertain: a P wave is about that high."""

_MISSING = 0.25
"""Share of a second that may be missing: more hides a QRS complex."""

_CLEAR = 0.2
"""How far the extreme value at which a lead is saturated must lie from its median, relative to its
amplitude: a noiseless lead rests at its isoelectric line, which may be its extreme value too."""

_AT_ONCE = 128
"""Seconds that are measured together, so that long recordings fit memory."""


class Reason(IntEnum):
    """Why a second cannot be read; the first that applies."""

    READABLE = 0
    MISSING = 1
    SATURATED = 2
    FLAT = 3
    IMPOSSIBLE = 4
    UNCERTAIN = 5

    @property
    def words(self) -> str:
        """The reason as text, for tables."""
        return "amplitude impossible" if self is Reason.IMPOSSIBLE else self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Seconds of one lead, one after the other, that cannot be read for the same reason.

    Attributes:
        lead: its name.
        start, stop: in s from the beginning of the recording; whole seconds.
        reason: why.
    """

    lead: str
    start: int
    stop: int
    reason: Reason


@dataclass(frozen=True, kw_only=True, eq=False)
class Quality:
    """What may be trusted of a recording.

    Attributes:
        leads: those that are voltages; others are no ECG and are not judged.
        reason: (seconds, leads) uint8, a :class:`Reason` each.
        spread: (seconds, leads) float32, mean standard deviation of the error, mV; NaN where no
            network told one.
    """

    leads: tuple[str, ...]
    reason: NDArray[np.uint8]
    spread: NDArray[np.float32]

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(seconds, leads): whether it can be read."""
        readable: NDArray[np.bool_] = self.reason == Reason.READABLE
        return readable

    def stretches(self, column: int | None = None) -> list[Stretch]:
        """What cannot be read, of all leads or of that in one column, in the order of time."""
        found = []
        for i, (name, reasons) in enumerate(zip(self.leads, self.reason.T, strict=True)):
            if column not in (None, i):
                continue
            edges = np.flatnonzero(np.diff(reasons)) + 1
            for start, stop in zip((0, *edges), (*edges, len(reasons)), strict=True):
                if start < stop and reasons[start] != Reason.READABLE:
                    reason = Reason(reasons[start])
                    found.append(
                        Stretch(lead=name, start=int(start), stop=int(stop), reason=reason)
                    )
        return found


def quality(noisy: Recording, cleaned: Cleaned | None = None) -> Quality:
    """Judge each second of each lead of a recording.

    A second is

    - missing where more than a quarter of its samples are,
    - saturated where the recorder stays at the lead's highest or lowest value for 40 ms and more,
      and that value is none at which the lead rests,
    - flat where it spans up to 1 µV,
    - of impossible amplitude where it spans more than 20 mV (cleaned, where that is given),
    - uncertain where the network's own mean standard deviation of its error exceeds
      :data:`UNCERTAIN` times the amplitude of the cleaned lead.

    What is left after the last whole second is a second of its own if it is longer than half of
    one, and otherwise belongs to the one before.

    Args:
        noisy: as recorded.
        cleaned: what became of it; without it, or where its method tells no uncertainty, nothing is
            found uncertain.

    Raises:
        ValueError: the two have other leads or samples, or no lead is a voltage.
    """
    after = cleaned.recording if cleaned else None
    if after is not None and (after.leads, after.signal.shape) != (noisy.leads, noisy.signal.shape):
        raise ValueError("the noisy and the cleaned recording must have the same leads and samples")
    columns = [i for i, unit in enumerate(noisy.units) if unit == "mV"]
    if not columns:
        raise ValueError("no lead is a voltage: there is no ECG to judge")
    spread = cleaned.spread if cleaned else None
    parts = []
    for first, stop in pieces(noisy.samples, noisy.fs, _AT_ONCE):
        parts.append(
            measure(
                noisy.signal[first:stop, columns],
                noisy.fs,
                first,
                cleaned=None if after is None else after.signal[first:stop, columns],
                spread=None if spread is None else spread[first:stop, columns],
            )
        )
    return judge(Seconds.joined(parts), tuple(noisy.leads[i] for i in columns))


def judge(seconds: Seconds, leads: tuple[str, ...]) -> Quality:
    """Tell from the measures of a whole recording what can be read; see :func:`quality`."""
    span = seconds.high - seconds.low
    cleaned_span = seconds.cleaned_high - seconds.cleaned_low
    amplitude = over_known(np.nanmedian, np.where(np.isnan(cleaned_span), span, cleaned_span))
    bottom = over_known(np.nanmin, seconds.low)
    middle = over_known(np.nanmedian, seconds.middle)
    top = over_known(np.nanmax, seconds.high)
    clear = _CLEAR * amplitude
    # Comparisons with NaN, of a second without samples, are false: it is missing anyway.
    saturated = (seconds.high_held & (seconds.high >= top) & (top - middle > clear)) | (
        seconds.low_held & (seconds.low <= bottom) & (middle - bottom > clear)
    )
    impossible = np.where(np.isnan(cleaned_span), span, cleaned_span) > AMPLITUDES[1]
    reason = np.select(
        [
            seconds.missing > _MISSING,
            saturated,
            span <= MIN_SPREAD,
            impossible,
            seconds.spread > UNCERTAIN * amplitude,
        ],
        [
            Reason.MISSING,
            Reason.SATURATED,
            Reason.FLAT,
            Reason.IMPOSSIBLE,
            Reason.UNCERTAIN,
        ],
        Reason.READABLE,
    )
    return Quality(
        leads=leads, reason=reason.astype(np.uint8), spread=seconds.spread.astype(np.float32)
    )


def amplitude_warnings(leads: Sequence[str], amplitude: NDArray[np.float64]) -> list[str]:
    """A sentence on each lead whose amplitude (leads,) in mV no ECG has, as in a wrong unit."""
    low, high = AMPLITUDES
    found = []
    for lead, value in zip(leads, amplitude, strict=True):
        if value > high:
            found.append(
                f"lead {lead} has an amplitude of {value:.3g} mV, an ECG up to {high:g} mV: "
                "are its values microvolts?"
            )
        elif MIN_SPREAD < value < low:
            found.append(
                f"lead {lead} has an amplitude of {value:.3g} mV, an ECG at least {low:g} mV: "
                "are its values volts?"
            )
    return found
