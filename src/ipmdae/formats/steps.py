"""Sizes of a converter's step that lines above a table state, in many spellings."""

from __future__ import annotations

import re

from ipmdae.formats.columns import plain_unit
from ipmdae.formats.names import WORDS, is_step, words
from ipmdae.recording import millivolts

_STEP_KEY = re.compile(WORDS["step key"], re.IGNORECASE)
UNIT_KEY = re.compile(WORDS["unit key"], re.IGNORECASE)

_NUMBER = r"\d+(?:[.,]\d+)?(?:e[+-]?\d+)?"
_WORD = r"[^\W\d]+"
_PER = r" ?(?:/|\bper\b) ?(?:1 ?)?"
_BARE = re.compile(_NUMBER, re.IGNORECASE)
_AMOUNT = re.compile(rf"({_NUMBER}) ?({_WORD})", re.IGNORECASE)
_RATIO = re.compile(rf"(?<![\w.,])({_NUMBER}) ?((?:{_WORD})?){_PER}({_WORD})(?!\w)", re.IGNORECASE)
_KEY_WITH_UNIT = re.compile(
    rf"(.*?) ?[(\[](.+)[)\]]|(?:(.*) )?({_WORD}{_PER}{_WORD})", re.IGNORECASE
)
_ONE = re.compile(rf"(1 ?|one )?({_WORD})", re.IGNORECASE)
_FRACTION = re.compile(r"\d+[.,]\d+|[1-7]")
"""A size of a step without its unit; whole numbers from 8 on are bits."""


_PLAUSIBLE = (1e-6, 0.1)
"""Millivolts in a step of an ECG recorder: others are of something else."""

_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2},\d{3}(?!\d)")
"""Digits that may be thousands, or decimals."""


def step_of(key: str, value: str, unit: str = "") -> float | None:
    """Millivolts in a step of a converter, if a line of a key and a value states them.

    Stated are a voltage a step (``Resolution: 4.88 uV/LSB``, ``uV per bit: 4.88``), steps a voltage
    (``Gain (LSB/mV): 205``), what one of them is (``LSB = 4.88 uV``, ``1 mV = 205 LSB``), or a
    voltage by a key that means a step (``Scale factor: 0.00488 mV``, ``Unit: 10uV``).

    Args:
        key, value: of the line.
        unit: of voltage, which another line states; then only a number that lacks one is a step.
    """
    step = None if _THOUSANDS.search(value) else _step(key, " ".join(value.split()), unit)
    return step if step and _PLAUSIBLE[0] <= step <= _PLAUSIBLE[1] else None


def _step(key: str, value: str, unit: str) -> float | None:
    if unit:
        bare = _FRACTION.fullmatch(value) and _STEP_KEY.search(key)
        return _of_amount(key, f"{value} {unit}") if bare else None
    found = _KEY_WITH_UNIT.fullmatch(key) if _BARE.fullmatch(value) else None
    if found:
        key, value = found[1] or found[3] or "", f"{value} {found[2] or found[4]}"
    return _of_ratio(value) or _of_amount(key, value)


def _of_ratio(value: str) -> float | None:
    """Millivolts in a step by a voltage a step, or by steps a voltage."""
    found = _RATIO.search(value)
    number = _float(found[1]) if found else 0.0
    if not found or not number or not (found[2] or found[0] == value):
        return None
    above, below = (millivolts(plain_unit(unit)) for unit in found.group(2, 3))
    if above and is_step(found[3]):
        return number * above
    return below / number if below and (not found[2] or is_step(found[2])) else None


def _of_amount(key: str, value: str) -> float | None:
    """Millivolts in a step by the voltage of one, by a key that means one, or by steps in one."""
    found, named = _AMOUNT.fullmatch(value), _ONE.fullmatch(key)
    number = _float(found[1]) if found else 0.0
    if not found or not number:
        return None
    voltage = millivolts(plain_unit(found[2]))
    if not voltage:
        whole = millivolts(plain_unit(named[2])) if named and named[1] else None
        return whole / number if whole and is_step(found[2]) else None
    one = named and (is_step(named[2]) if named[1] else named[2].lower() in words("step"))
    multiple = number != 1 and UNIT_KEY.search(key)
    return number * voltage if one or multiple or _STEP_KEY.search(key) else None


def _float(text: str) -> float:
    return float(text.replace(",", "."))
