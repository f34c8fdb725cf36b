"""Preview of denoising: a trial on parts of a recording."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass

import numpy as np

from ipmdae.formats import SignalReader
from ipmdae.inspection.files import Inspection, Inspector, excerpt
from ipmdae.inspection.verdict import Verdict, unmeasured, verdicts
from ipmdae.methods import Method
from ipmdae.pipeline.guarantees import check_rate, reason
from ipmdae.recording import Header

_PART = 30.0
"""Seconds of a part: enough for a window of the network, and two windows of heart rate."""

_MOST = 3600.0
"""Largest duration of the trial, summed over leads; shorter recordings are tried completely."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """Result of the trial.

    Attributes:
        verdicts: verdict on each lead after denoising; limited to the recorded signal if the
            recording would be refused.
        seconds: duration that was tried.
        refused: reason why the recording would be refused; empty if none.
    """

    verdicts: list[Verdict]
    seconds: float
    refused: str = ""


def preview(reader: SignalReader, found: Inspection | None, method: Method) -> Preview:
    """Try a method on parts spread over a recording, or on all of a short one.

    Args:
        reader: open recording.
        found: its measures; ``None`` if no lead is a voltage.
        method: method to try.
    """
    header = reader.info
    unchanged = _unchanged(header, found)
    if found is None:
        return Preview(verdicts=unmeasured(header.leads, header.units, unchanged), seconds=0.0)
    try:
        check_rate(header.fs)
        tried, seconds = _tried(reader, method)
    except ValueError as error:
        return Preview(verdicts=verdicts(found, unchanged), seconds=0.0, refused=str(error))
    return Preview(verdicts=verdicts(tried, unchanged), seconds=seconds)


def _unchanged(header: Header, found: Inspection | None) -> dict[str, str]:
    """Reasons why leads would stay unchanged, by name; without those that would be denoised."""
    ranges = np.full(len(header.leads), np.nan)
    if found is not None:
        low, high = found.seconds.low, found.seconds.high
        ranges[list(found.columns)] = np.fmax.reduce(high) - np.fmin.reduce(low)
    return {
        lead: reason(lead, unit, float(peak_to_peak))
        for lead, unit, peak_to_peak in zip(header.leads, header.units, ranges, strict=True)
    }


def _tried(reader: SignalReader, method: Method) -> tuple[Inspection, float]:
    """Measures of the parts before and after denoising, joined as one recording."""
    header = reader.info
    count = max(int(_MOST / len(header.leads) / _PART), 3)
    whole = header.duration <= count * _PART
    length = header.duration if whole else _PART
    starts = [0.0] if whole else np.linspace(0, header.duration - _PART, count)
    parts = [excerpt(reader, float(start), length) for start in starts]
    samples = sum(part.samples for part in parts)
    inspector = Inspector(dataclasses.replace(header, samples=samples), heart_rates=True)
    for part in parts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # on unchanged leads: see the verdicts
            cleaned = method.clean(part)
        inspector.add(part.signal, cleaned.recording.signal, cleaned.sd, cleaned.trust)
    return inspector.result(), samples / header.fs
