"""The rules that every method keeps: which leads it leaves alone, and what its comments say."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipmdae.pipeline.other_signals import is_other
from ipmdae.pipeline.window import MIN_SPREAD
from ipmdae.recording import Header, Recording

MIN_FS, MAX_FS = 60.0, 4000.0
"""Sampling rates in Hz that make sense for an ECG."""


def mix(
    noisy: NDArray[np.float64], cleaned: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    """Remove a share of the noise: 0 gives the noisy signal, 1 the cleaned one, exactly."""
    return cleaned if strength == 1 else noisy + strength * (cleaned - noisy)


def report(header: Header, why: Sequence[str], name: str, strength: float = 1.0) -> tuple[str, ...]:
    """The comments of a cleaned recording: its own, and what was done to which lead.

    Leads that come back unchanged though they are voltages and nobody wished so are named in a
    warning as well.

    Args:
        header: of the noisy recording.
        why: for each lead why it was not cleaned; empty if it was.
        name: the method's name.
        strength: share of the noise found that was removed.
    """
    cleaned = [lead for lead, reason in zip(header.leads, why, strict=True) if not reason]
    weakly = "" if strength == 1 else f", strength {strength:g}"
    comments = [f"Cleaned by {name}{weakly}: {', '.join(cleaned)}"] if cleaned else []
    for lead, unit, reason in zip(header.leads, header.units, why, strict=True):
        if reason:
            comments.append(f"Unchanged, {reason}: {lead}")
        if reason and reason != UNWANTED and unit == "mV":
            warn_unchanged(lead, reason, stacklevel=4)
    return (*header.comments, *comments)


def warn_unchanged(lead: str, why: str, stacklevel: int) -> None:
    """Warn of a voltage that is left unchanged though nobody wished so."""
    warnings.warn(f"lead {lead} is {why}: left unchanged", stacklevel=stacklevel)


UNWANTED = "not asked for"
"""Reason that a lead left out by the user was not cleaned."""


def idle(recording: Recording, lead: int) -> str:
    """Reason not to clean a lead, given by its index; empty if it is to be cleaned."""
    values = recording.signal[:, lead]
    known = values[~np.isnan(values)]
    peak_to_peak = float(np.ptp(known)) if len(known) else np.nan
    return reason(recording.leads[lead], recording.units[lead], peak_to_peak)


def reason(name: str, unit: str, peak_to_peak: float) -> str:
    """Reason not to clean a lead, by its name, unit and range; the range is NaN without samples."""
    if unit != "mV":
        return "not a voltage" if unit in ("", "NU") else f"in {unit}"
    if is_other(name):
        return "named as another signal"
    if np.isnan(peak_to_peak):
        return "without samples"
    return "flat" if peak_to_peak <= MIN_SPREAD else ""


def check_strength(strength: float) -> None:
    """Check a strength.

    Raises:
        ValueError: it does not lie within 0 and 1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be 0 (nothing) to 1 (all noise removed), got {strength}")


def check_rate(fs: float) -> None:
    """Check the sampling rate of an ECG in Hz.

    Raises:
        ValueError: it makes no sense.
    """
    if not fs >= MIN_FS:
        raise ValueError(
            f"a rate of {fs:g} Hz is too low for an ECG: below {MIN_FS:g} Hz it does not hold the "
            "QRS complex; check the rate"
        )
    if fs > MAX_FS:
        raise ValueError(
            f"a rate of {fs:g} Hz is too high for an ECG (up to {MAX_FS:g} Hz); check the rate, or "
            "resample the recording first"
        )
