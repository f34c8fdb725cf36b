"""Signal quality: a grade and its reason for each second of each lead.

A recording is measured second by second, in pieces where it is long
(:mod:`ipmdae.seconds`), and judged when all of it is known: whether a sample is at the
end of the recorder's range is known only from the whole lead. Whether a network is trusted is
judged within its windows (:mod:`ipmdae.pipeline.guard`), so that what happens elsewhere in a
recording changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.blocks import Trust
from ipmdae.pipeline.window import MIN_SPREAD
from ipmdae.recording import Recording, voltages_of
from ipmdae.seconds import Seconds, measure, over_known, pieces

if TYPE_CHECKING:
    from ipmdae.result import Result

AMPLITUDES = (0.05, 20.0)
"""Peak-to-peak amplitudes in mV that an ECG on the skin can have."""

_NO_BEAT = 6
"""Seconds without a beat from which on an electrode is taken to be off: longer than most pauses."""

_MISSING = 0.25
"""Share of a second that may be missing: more hides a QRS complex."""

_CLEAR = 0.2
"""Least distance of the extreme value at which a lead is saturated from its median, relative to its
amplitude: a noiseless lead rests at its isoelectric line, which may be its extreme value too."""

_HELD = 0.04
"""Time in s at the extreme value of a lead after which it is saturated: no wave of an ECG is flat
for so long."""

_HELD_OFTEN, _OFTEN = 0.012, 5
"""The same where as many seconds reach the value: tops of R waves that are cut off."""

_FLAT_SHARE = 0.5
"""Share of seconds with a flat part from which on the lead is not judged off."""

_AT_ONCE = 128
"""Seconds that are measured together, so that long recordings fit memory."""


class Grade(IntEnum):
    """Usability of a second.

    Examples:
        >>> import ipmdae
        >>> ipmdae.Grade.GOOD < ipmdae.Grade.LIMITED < ipmdae.Grade.UNUSABLE
        True
        >>> ipmdae.Grade.LIMITED.words
        'limited'
    """

    GOOD = 0
    """P waves, QRS complexes, ST segments and T waves are reliable; waves of less than 25 ms may be
    lost."""
    LIMITED = 1
    """Beats and rhythm are reliable, small waves need a look at the recorded signal."""
    UNUSABLE = 2
    """Nothing is reliable."""

    @property
    def words(self) -> str:
        """The grade as text, for tables."""
        return self.name.lower()


class Reason(IntEnum):
    """Reason of a grade; the first that applies.

    Examples:
        >>> import ipmdae
        >>> ipmdae.Reason.LEAD_OFF.words
        'lead off or asystole'
        >>> ipmdae.Reason.LEAD_OFF.grade
        <Grade.UNUSABLE: 2>
    """

    READABLE = 0
    MISSING = 1
    SATURATED = 2
    LEAD_OFF = 3
    IMPOSSIBLE = 4
    MOTION = 5
    ALTERED = 6
    NOISY = 7
    UNVERIFIED = 8

    @property
    def words(self) -> str:
        """The reason as text, for tables."""
        return _WORDS.get(self, self.name.lower().replace("_", " "))

    @property
    def grade(self) -> Grade:
        """The grade that a second has for this reason."""
        if self is Reason.READABLE:
            return Grade.GOOD
        limited = self in (Reason.ALTERED, Reason.NOISY, Reason.UNVERIFIED)
        return Grade.LIMITED if limited else Grade.UNUSABLE


_WORDS = {
    Reason.LEAD_OFF: "lead off or asystole",
    Reason.IMPOSSIBLE: "amplitude impossible",
    Reason.ALTERED: "altered rhythm",
    Reason.UNVERIFIED: "error not predicted",
}

GRADES = np.array([reason.grade for reason in Reason], np.uint8)
"""The grade of each reason, by its number."""


@dataclass(frozen=True, kw_only=True)
class Segment:
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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Quality:
    """Signal quality of a recording.

    Examples:
        >>> import ipmdae
        >>> from ipmdae import examples
        >>> recording = ipmdae.read(examples.path("118e06_excerpt"))
        >>> judged = ipmdae.denoise(recording, method="iir", return_details=True).quality
        >>> judged
        <Quality: MLII, V1; 60 s>
        >>> judged.readable.shape
        (60, 2)
        >>> {ipmdae.Reason(reason).words for reason in judged.reason.ravel()}
        {'error not predicted'}

    Attributes:
        leads: those that are voltages; others are no ECG and are not judged.
        reason: (seconds, leads) uint8, a :class:`Reason` each.
        sd: (seconds, leads) float32, mean standard deviation of the error, mV; NaN where no
            network states one.
    """

    leads: tuple[str, ...]
    reason: NDArray[np.uint8]
    sd: NDArray[np.float32]

    def __repr__(self) -> str:
        return f"<Quality: {', '.join(self.leads)}; {len(self.reason)} s>"

    @property
    def grade(self) -> NDArray[np.uint8]:
        """(seconds, leads), a :class:`Grade` each."""
        grades: NDArray[np.uint8] = GRADES[self.reason]
        return grades

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(seconds, leads): whether the grade is better than unusable."""
        readable: NDArray[np.bool_] = self.grade != Grade.UNUSABLE
        return readable

    def unusable_segments(self, column: int | None = None) -> list[Segment]:
        """Unusable segments of all leads, or of the one in ``column``, in the order of time."""
        found = []
        for i, (name, reasons) in enumerate(zip(self.leads, self.reason.T, strict=True)):
            if column not in (None, i):
                continue
            edges = np.flatnonzero(np.diff(reasons)) + 1
            for start, stop in zip((0, *edges), (*edges, len(reasons)), strict=True):
                reason = Reason(reasons[start]) if start < stop else Reason.READABLE
                if reason.grade == Grade.UNUSABLE:
                    found.append(
                        Segment(lead=name, start=int(start), stop=int(stop), reason=reason)
                    )
        return found


def quality(noisy: Recording, cleaned: Result[Any] | None = None) -> Quality:
    """Judge each second of each lead of a recording.

    A second is

    - missing where more than a quarter of its samples are,
    - saturated where the recorder stays at the lead's highest or lowest value for 40 ms and more,
      and that value is not the isoelectric line,
    - without an electrode (or a beat) where it spans up to 1 µV, or the cleaned signal less than
      an ECG does for six seconds and more,
    - of impossible amplitude where it spans more than 20 mV (cleaned, where that is given),
    - under motion where the network's own standard deviation of its error exceeds
      :data:`ipmdae.pipeline.guard.DOUBT` times the height of the QRS complexes around it,
    - altered where a periodic part of what the network took for noise was put back,
    - noisy where that standard deviation is beyond :data:`ipmdae.pipeline.guard.LIMITED` of the
      bound, or so much was removed that small waves may be among it,
    - unverified where it was denoised without a prediction of the error, as by a classical method:
      beats and rhythm are not checked either.

    The last three are limited, the others unusable (:class:`Grade`).

    What is left after the last whole second is a second of its own if it is longer than half of
    one, and otherwise belongs to the one before.

    Args:
        noisy: as recorded.
        cleaned: what became of it; without it, or where its method states no uncertainty, nothing
            is found uncertain.

    Raises:
        ValueError: the two have other leads or samples, or no lead is a voltage.
    """
    after = cleaned.recording if cleaned else None
    if after is not None and (after.leads, after.signal.shape) != (noisy.leads, noisy.signal.shape):
        raise ValueError("the noisy and the cleaned recording must have the same leads and samples")
    columns = voltages_of(noisy.units)
    if not columns:
        raise ValueError("no lead is a voltage: there is no ECG to judge")
    sd = cleaned.sd if cleaned else None
    trust = cleaned.trust if cleaned else None
    parts = []
    for first, stop in pieces(noisy.samples, noisy.fs, _AT_ONCE):
        parts.append(
            measure(
                noisy.signal[first:stop, columns],
                noisy.fs,
                first,
                cleaned=None if after is None else after.signal[first:stop, columns],
                sd=None if sd is None else sd[first:stop, columns],
                trust=None if trust is None else trust[first:stop, columns],
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
    saturated = _clipped(seconds.high_held, (seconds.high >= top) & (top - middle > clear))
    saturated |= _clipped(seconds.low_held, (seconds.low <= bottom) & (middle - bottom > clear))
    # A simulated lead without noise is flat between all of its beats.
    at_times = seconds.flat.mean(axis=0) < _FLAT_SHARE
    impossible = np.where(np.isnan(cleaned_span), span, cleaned_span) > AMPLITUDES[1]
    reason = np.select(
        [
            seconds.missing > _MISSING,
            saturated,
            (span <= MIN_SPREAD) | (seconds.flat & at_times) | _without_beats(seconds),
            impossible,
            seconds.trust == Trust.UNTRUSTED,
            seconds.trust == Trust.ALTERED,
            seconds.trust == Trust.LIMITED,
            seconds.trust == Trust.UNKNOWN,
        ],
        [
            Reason.MISSING,
            Reason.SATURATED,
            Reason.LEAD_OFF,
            Reason.IMPOSSIBLE,
            Reason.MOTION,
            Reason.ALTERED,
            Reason.NOISY,
            Reason.UNVERIFIED,
        ],
        Reason.READABLE,
    )
    return Quality(leads=leads, reason=reason.astype(np.uint8), sd=seconds.sd.astype(np.float32))


def _clipped(held: NDArray[np.float64], at_end: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask (seconds, leads) of seconds that stay at the end of a recorder's range.

    Args:
        held: longest time at the extreme value, (seconds, leads) in s.
        at_end: whether that is the extreme value of the whole lead.
    """
    short = at_end & (held >= _HELD_OFTEN)
    often = short.sum(axis=0) >= _OFTEN
    clipped: NDArray[np.bool_] = short & ((held >= _HELD) | often)
    return clipped


def _without_beats(seconds: Seconds) -> NDArray[np.bool_]:
    """(seconds, leads): whether a cleaned lead is smaller than any ECG for many seconds."""
    calm = seconds.cleaned_high - seconds.cleaned_low < AMPLITUDES[0]
    found = np.zeros_like(calm)
    for lead, quiet in enumerate(calm.T):
        edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False))
        for start, stop in edges.reshape(-1, 2):
            found[start:stop, lead] = stop - start >= _NO_BEAT
    return found


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
