"""Names of ECG leads, and default units of signals without a unit."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from ipmdae.formats.words import WORDS
from ipmdae.recording import NO_UNIT

_ECG = re.compile(WORDS["ecg"], re.IGNORECASE)


def is_ecg(name: str) -> bool:
    """True if a signal is called as leads of an ECG are (``II``, ``MLII``, ``aVR``, ``ECG 1``)."""
    return _ECG.fullmatch(name.strip()) is not None


def assume_units(path: Path, names: Sequence[str], units: Sequence[str]) -> list[str]:
    """Units of signals; missing ones are assumed, with a warning.

    Such a signal is in mV if it is called as leads are or none is; otherwise its unit stays open,
    so that nothing takes it for an ECG.

    Args:
        path: the file, for the warning.
        names, units: of the signals; an empty unit is not stated.
    """
    any_ecg = any(map(is_ecg, names))
    silent = [
        name
        for name, unit in zip(names, units, strict=True)
        if not unit and (is_ecg(name) or not any_ecg)
    ]
    if silent:
        named = ", ".join(silent[:12])
        warnings.warn(f"{path}: says no unit of {named}; taken as mV", stacklevel=3)
    return [
        unit or ("mV" if name in silent else NO_UNIT)
        for name, unit in zip(names, units, strict=True)
    ]
