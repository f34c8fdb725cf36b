"""Verdict on each lead of a recording: shares of the grades, and the removed noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.inspection.files import Inspection
from ipmdae.inspection.heart_rate import WINDOW
from ipmdae.pipeline.guarantees import reason
from ipmdae.pipeline.mains import NOMINAL
from ipmdae.quality import Grade, Quality, Reason
from ipmdae.seconds import over_known
from ipmdae.text import enumerated

GRADES = tuple(grade.words for grade in Grade)
"""Grades of a second, and of a lead, in words."""

REMOVED_BANDS = (
    ("below 0.7 Hz", 0.0, 0.7),
    ("0.7 to 40 Hz", 0.7, 40.0),
    ("above 40 Hz", 40.0, np.inf),
)
"""Name, lowest and highest (not included) frequency in Hz of the bands of the removed noise."""

NOISE_KINDS = (
    ("baseline wander", 0.0, 0.7),
    ("motion", 0.7, 15.0),
    ("muscle", 15.0, np.inf),
)
"""Kinds of noise by the band of :data:`REMOVED_BANDS` with most of their power; no band has one
kind only."""

_APART = 10.0  # beats/min: largest difference between the heart rates of leads

_GOOD, _USABLE = 0.9, 0.5
"""Share of good seconds of a good lead; of good or limited seconds of a limited one."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Quality of one lead. Shares are 0 to 1; NaN is unknown.

    Attributes:
        lead: name of the lead.
        unit: unit of the lead.
        why: reason why it was left unchanged; empty if it was denoised.
        good, limited, unusable: shares of the seconds with each grade.
        reasons: seconds that are not good, by reason.
        rate_before, rate_after: median heart rate of the readable windows, beats/min.
        removed: RMS of the removed noise but for a constant offset, mV.
        bands: the same by :data:`REMOVED_BANDS`.
        noise: the same by :data:`NOISE_KINDS`, and powerline interference as recorded.
        error: median of the predicted standard deviation of the error, mV.
    """

    lead: str
    unit: str = "mV"
    why: str = ""
    good: float = float("nan")
    limited: float = float("nan")
    unusable: float = float("nan")
    reasons: Mapping[str, int] = field(default_factory=dict)
    rate_before: float = float("nan")
    rate_after: float = float("nan")
    removed: float = float("nan")
    bands: Mapping[str, float] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    error: float = float("nan")

    def __getitem__(self, grade: str) -> float:
        """Share of the seconds with a grade, by its name."""
        return float(getattr(self, grade))

    @property
    def judged(self) -> bool:
        """True if the lead is a voltage, so that its seconds have grades."""
        return bool(np.isfinite(self.good))

    @property
    def grade(self) -> str:
        """Grade of the lead; empty if it is not graded."""
        if not self.judged:
            return ""
        if self.good >= _GOOD:
            return GRADES[0]
        return GRADES[1] if self.good + self.limited >= _USABLE else GRADES[2]

    @property
    def readable(self) -> float:
        """Share of seconds that are good or limited."""
        return self.good + self.limited

    @property
    def main_reasons(self) -> str:
        """The most frequent reasons of seconds that are not good, with their seconds."""
        ordered = sorted(self.reasons.items(), key=lambda item: -item[1])
        return ", ".join(f"{reason} {seconds} s" for reason, seconds in ordered[:3])

    @property
    def remark(self) -> str:
        """Reason why the lead is unchanged or not good; empty if there is none."""
        return f"left unchanged: {self.why}" if self.why else self.main_reasons

    def sentence(self) -> str:
        """Verdict in words, without the lead's name."""
        if self.why:
            return f"left unchanged ({self.why})"
        parts = [f"cleaned; {self.shares()}"]
        if np.isfinite(self.rate_before) or np.isfinite(self.rate_after):
            parts.append(
                f"heart rate {number(self.rate_before)} before, {number(self.rate_after)} after"
            )
        if np.isfinite(self.removed):
            parts.append(f"{self.removed:.3f} mV rms removed")
        return "; ".join(parts)

    def shares(self) -> str:
        """Shares of the grades in words, with the reasons of seconds that are not good."""
        if not self.judged:
            return "not judged"
        shares = (self.good, self.limited, self.unusable)
        parts = [
            f"{percent(share)} {grade}"
            for share, grade in zip(shares, GRADES, strict=True)
            if share or grade == GRADES[0]
        ]
        reasons = f" ({self.main_reasons})" if self.reasons else ""
        return ", ".join(parts) + reasons


def percent(share: float) -> str:
    """A share in per cent, never rounded to all or nothing: ``"100 %"`` is all."""
    if not np.isfinite(share):
        return "not known"
    rounded = f"{100 * share:.0f}"
    if rounded in ("0", "100") and share not in (0, 1):
        rounded = "<1" if share < 0.5 else ">99"
    return f"{rounded} %"


def number(value: float) -> str:
    """A whole number, or ``not known``."""
    return f"{value:.0f}" if np.isfinite(value) else "not known"


def shares_of(
    quality: Quality, column: int, begin: int = 0, stop: int | None = None
) -> tuple[float, float, float]:
    """Shares of good, limited and unusable seconds of a lead in an interval."""
    graded = quality.grade[begin:stop, column]
    good, limited, unusable = np.bincount(graded, minlength=len(GRADES)) / len(graded)
    return float(good), float(limited), float(unusable)


def reasons_of(
    quality: Quality, column: int, begin: int = 0, stop: int | None = None
) -> dict[str, int]:
    """Seconds of a lead that are not good, by reason."""
    graded = quality.grade[begin:stop, column]
    counts = np.bincount(quality.reason[begin:stop, column][graded > 0], minlength=len(Reason))
    return {Reason(r).words: int(n) for r, n in enumerate(counts) if r and n}


def verdicts(found: Inspection, unchanged: Mapping[str, str] | None = None) -> list[Verdict]:
    """Verdict on each lead of a recording, also on those that are not a voltage.

    Args:
        found: measures of the recording, with the removed noise if it was denoised.
        unchanged: reasons by name of the leads that were not denoised.
    """
    header, columns = found.header, {lead: i for i, lead in enumerate(found.columns)}
    left = unchanged or {}
    bands, kinds = map(found.removed_by_band, (REMOVED_BANDS, NOISE_KINDS))
    result = []
    for lead, (name, unit) in enumerate(zip(header.leads, header.units, strict=True)):
        measured = _measured(found, columns[lead], bands, kinds) if lead in columns else {}
        result.append(Verdict(lead=name, unit=unit, why=_words(left.get(name, "")), **measured))
    return result


def disagreements(found: Sequence[Verdict]) -> list[str]:
    """Warnings about leads whose heart rate differs from most others, if there are three."""
    rates = {v.lead: v.rate_after if np.isfinite(v.rate_after) else v.rate_before for v in found}
    known = {lead: rate for lead, rate in rates.items() if np.isfinite(rate)}
    if len(known) < 3:
        return []
    common = float(np.median(list(known.values())))
    odd = [f"{lead} ({rate:.0f})" for lead, rate in known.items() if abs(rate - common) > _APART]
    if not odd:
        return []
    return [
        f"most leads have a heart rate of {common:.0f} beats per minute; do not rely on that found "
        f"in {enumerated(odd)}"
    ]


def cleaned_before(comments: Sequence[str]) -> list[str]:
    """Warning about a recording whose comments say that it was denoised, if they do."""
    before = [comment for comment in comments if comment.startswith("Cleaned by ")]
    if not before:
        return []
    return [
        f"denoised before ({before[-1]}): its grades are of what was left, not of the recording"
    ]


def unmeasured(leads: Sequence[str], units: Sequence[str], why: Mapping[str, str]) -> list[Verdict]:
    """Verdicts on leads if none is a voltage."""
    return [
        Verdict(lead=lead, unit=unit, why=_words(why.get(lead) or reason(lead, unit, np.nan)))
        for lead, unit in zip(leads, units, strict=True)
    ]


def _words(why: str) -> str:
    """Reason why a lead is unchanged, understandable without knowledge of units."""
    return f"not a voltage: {why}" if why.startswith("in ") else why


_ByBand = Mapping[str, NDArray[np.float64]]  # (leads,) RMS by name of the band


def _measured(found: Inspection, i: int, bands: _ByBand, kinds: _ByBand) -> dict[str, Any]:
    """Verdict on the lead in column ``i`` of the measures, and of the removed noise by band."""
    good, limited, unusable = shares_of(found.quality, i)
    before, after = median_rates(found, i)
    return {
        "good": good,
        "limited": limited,
        "unusable": unusable,
        "reasons": reasons_of(found.quality, i),
        "rate_before": before,
        "rate_after": after,
        "removed": float(found.removed_in_all[i]),
        "bands": _of_lead(bands, i),
        "noise": _of_lead(kinds, i) | _powerline(found, i),
        "error": float(over_known(np.nanmedian, found.seconds.sd)[i]),
    }


def _of_lead(by_band: _ByBand, i: int) -> dict[str, float]:
    return {name: float(rms[i]) for name, rms in by_band.items()}


def _powerline(found: Inspection, i: int) -> dict[str, float]:
    """RMS of the recorded powerline interference in mV, at the mains frequency with more of it."""
    hums = {mains: float(found.spectra["recorded"].hum(mains)[i]) for mains in NOMINAL}
    mains = max(hums, key=lambda each: hums[each])
    return {f"powerline ({mains:g} Hz)" if hums[mains] else "powerline": hums[mains]}


def median_rates(
    found: Inspection, column: int, begin: int = 0, stop: int | None = None
) -> tuple[float, float]:
    """Median heart rate before and after denoising, of the windows that are mostly readable.

    Args:
        found: the measures of a recording.
        column: of the lead in them.
        begin: first second of the windows.
        stop: second before which they begin; by default the end.

    Returns:
        Beats/min, NaN where they are unknown.
    """
    rates = found.heart_rates
    if rates is None:
        return float("nan"), float("nan")
    readable = found.quality.readable[:, column]
    stop = len(readable) if stop is None else stop
    usable = np.array(
        [begin <= t < stop and readable[int(t) : int(t + WINDOW)].mean() > 0.5 for t in rates.times]
    )
    before, after = (
        float(over_known(np.nanmedian, each[usable, column : column + 1])[0])
        for each in (rates.before, rates.after)
    )
    return before, after
