"""Names of ECG leads, default units, and words in the headings of tables in many languages."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from ipmdae.recording import NO_UNIT

WORDS: dict[str, Any] = json.loads(
    resources.files(__package__).joinpath("words.json").read_text("utf-8")
)
"""By meaning: words with blanks between, tables, or regular expressions that ignore case."""


def words(meaning: str) -> set[str]:
    """The words of a meaning."""
    return set(WORDS[meaning].split())


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
