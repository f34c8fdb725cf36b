"""Signals that recorders store beside the ECG, some of them in mV too: they are no ECG by name."""

from __future__ import annotations

import json
import re
from importlib import resources

_WORDS: dict[str, str] = json.loads(
    resources.files(__package__).joinpath("other_signals.json").read_text("utf-8")
)
_ECG, _OTHER = (frozenset(_WORDS[kind].split()) for kind in ("ecg", "other"))
_WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")


def is_other(name: str) -> bool:
    """True if a signal's name says that it is no ECG: ``EMG``, ``RESP,``, ``EEG (C4-A1)``."""
    words = {word.lower() for word in _WORD.findall(_WORD_BEGINS.sub(" ", name))}
    return bool(words & _OTHER) and not words & _ECG
