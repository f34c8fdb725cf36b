"""Names of ECG leads, units of voltage, and words in the headings of tables in many languages."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError
from ipmdae.recording import NO_UNIT, Header, millivolts
from ipmdae.text import enumerated

WORDS: dict[str, Any] = json.loads(
    resources.files(__package__).joinpath("words.json").read_text("utf-8")
)
"""By meaning: words with blanks between, tables, or regular expressions that ignore case."""


def words(meaning: str) -> set[str]:
    """The words of a meaning."""
    return set(WORDS[meaning].split())


_ECG = re.compile(WORDS["ecg"], re.IGNORECASE)
_EEG, _EOG_OR_EMG, _BESIDE_AN_EEG = (
    re.compile(WORDS[kind], re.IGNORECASE)
    for kind in ("eeg", "eog or emg", "electrode beside an eeg")
)
_WORD_ENDS = re.compile(r"[\s_\W]+|(?<=[a-z])(?=[A-Z])")

_NO_LEAD = words("no lead")
_SELDOM_LEAD = words("seldom lead")
"""Names of signals that are not leads, unless an ECG is named too."""

_COUNTS = words("counts")
"""Units of a converter's steps whose size is not known."""
_STEP = words("step")

_VOLTS = re.compile(r"(?:(m|milli|[uµμ]|mc|mi[ck]ro|n|nano)[ -]?)?v(?:olt\w*)?", re.IGNORECASE)
_PREFIXES = {"milli": "m", "micro": "u", "mikro": "u", "µ": "u", "μ": "u", "nano": "n"}
_PREFIXES["mc"] = "u"  # as Apple's HealthKit has it
_OTHER_UNIT = re.compile(
    r"hh?:mm:ss.*|yyyy.*|m?g|m/\(?s\^?2\)?|bpm|%|k?(?:ohms?|ω)|°?c|deg/s|dps|mmhg"
)

_USUAL = (0.1, 25.0)
"""Spread (5th to 95th percentile) of an ECG in mV, with its baseline wander."""

_MOST_MICROVOLTS = 50_000.0
"""Spread of values up to which an ECG may be in µV."""

_SOME = 4000
"""Samples of a lead, evenly over it, by which their unit is found."""


def is_ecg(name: str) -> bool:
    """True if a signal is called as leads of an ECG are (``II``, ``MLII``, ``aVR``, ``ECG 1``)."""
    return _ECG.fullmatch(name.strip()) is not None


def other_electrodes(names: Sequence[str]) -> list[bool]:
    """True for each voltage that is called as an EEG, EOG or EMG is (``Fp1``, ``E1-M2``, ``Chin``).

    Names with another meaning, as those of chest leads (``C1``), are of an EEG beside others alone.
    """
    plain = [name.strip() for name in names]
    eeg = [bool(_EEG.fullmatch(name)) and not is_ecg(name) for name in plain]
    further = [_EOG_OR_EMG, _BESIDE_AN_EEG] if any(eeg) else [_EOG_OR_EMG]
    return [
        is_eeg or any(kind.fullmatch(name) for kind in further)
        for name, is_eeg in zip(plain, eeg, strict=True)
    ]


def parts(name: str) -> list[str]:
    """The words in a name, without signs between them: ``heartRate_1`` has three."""
    return [word for word in _WORD_ENDS.split(name) if word]


def is_no_lead(name: str) -> bool:
    """True if a signal is called as other measurements are (``HR``, ``acc x``), and as no ECG."""
    known = {word.lower().rstrip("0123456789") or word for word in parts(name)}
    return bool(
        known & _NO_LEAD
        or known >= {"heart", "rate"}
        or (known & _SELDOM_LEAD and not is_ecg(name))
    )


def symbol(unit: str) -> str:
    """The symbol of a unit of voltage (``"microvolts"``, ``"µV"`` are ``"uV"``), or the unit."""
    volts = _VOLTS.fullmatch(unit.strip())
    prefix = (volts[1] or "").lower() if volts else ""
    return f"{_PREFIXES.get(prefix, prefix)}V" if volts else unit.strip()


def is_counts(unit: str) -> bool:
    """True if a unit is the step of a converter, of unknown size."""
    return unit.lower() in _COUNTS


def is_step(unit: str) -> bool:
    """True if a unit is the step of a converter where a voltage is stated for it."""
    return is_counts(unit) or unit.lower() in _STEP


def is_measure(unit: str) -> bool:
    """True if a unit is known to be that of something else than a voltage."""
    return _OTHER_UNIT.fullmatch(unit.lower()) is not None


def warn_of_voltages(path: Path, header: Header) -> None:
    """Warn of auxiliary channels that may be an ECG: voltages that are not called otherwise."""
    others = other_electrodes([channel.name for channel in header.auxiliary])
    voltages = [
        f"{channel.name or 'a signal without a name'} ({channel.fs:g} Hz)"
        for channel, other in zip(header.auxiliary, others, strict=True)
        if millivolts(channel.unit) and not other and not is_no_lead(channel.name)
    ]
    if voltages:
        warnings.warn(
            f"{path}: leads are {enumerated(header.leads)} at {header.fs:g} Hz; other voltages are "
            f"copied unchanged: {enumerated(voltages)}",
            stacklevel=4,
        )


def assume_units(
    path: Path, names: Sequence[str], units: Sequence[str], values: Sequence[NDArray[Any]]
) -> list[str]:
    """Units of signals; missing ones are assumed, with a warning.

    Such signals are all in mV, or all in uV by the size of their values, if they are called as
    leads are or none is; otherwise its unit stays open, so that nothing takes it for an ECG.

    Args:
        path: the file, for the warning.
        names, units: of the signals; an empty unit is not stated.
        values: of each signal, as they are stored; NaN is a missing sample.

    Raises:
        FormatError: the values of one are too large for both.
    """
    any_ecg = any(map(is_ecg, names))
    silent = [i for i, name in enumerate(names) if not units[i] and (is_ecg(name) or not any_ecg)]
    sized = units_by_size(path, [(i, names[i], values[i]) for i in silent])
    return [sized.get(i, unit) or NO_UNIT for i, unit in enumerate(units)]


def units_by_size(path: Path, silent: Sequence[tuple[int, str, NDArray[Any]]]) -> dict[int, str]:
    """The unit of leads (number, name, values) that state none: by their size uV, or else mV.

    It is one for all, that of which their spreads are nearer to those of an ECG, so that neither a
    quiet lead nor one with an electrode off has a scale of its own.

    Raises:
        FormatError: the values of one are too large for both.
    """
    spreads = [spread_of(values) for _, _, values in silent]
    for (_, name, _), spread in zip(silent, spreads, strict=True):
        if spread > _MOST_MICROVOLTS:
            raise FormatError(
                path,
                f"says no unit of {name or 'its lead'}, whose values are too large for "
                "mV and uV; state it, such as --unit nV, or the size of a converter's step, "
                "--unit 0.3uV (unit=)",
            )
    if not silent:
        return {}
    moving = [spread for spread in spreads if spread > 0]
    large = sum(_misfit(s / 1000) for s in moving) < sum(map(_misfit, moving))
    names = enumerated([name or f"lead {i + 1}" for i, name, _ in silent])
    taken = (
        "by their size the values are taken as uV; if they are steps of a converter, state it "
        "(unit=, --unit)"
        if large
        else "taken as mV"
    )
    warnings.warn(f"{path}: says no unit of {names}; {taken}", stacklevel=5)
    return {i: "uV" if large else "mV" for i, _, _ in silent}


def _misfit(spread: float) -> float:
    """The factor, as a logarithm, by which a spread in mV lies beyond those of an ECG.

    Half of it below them, since a lead without an electrode has a smaller one.
    """
    low, high = _USUAL
    return max(math.log(low / spread) / 2, math.log(spread / high), 0.0)


_PLAUSIBLE = (0.05, 20.0)
"""Spreads of an ECG in mV; see :func:`spread_of`."""


def are_plausible(spreads: Sequence[float]) -> bool:
    """True if the median spread of leads in mV is that of an ECG; also without any lead."""
    return not spreads or _PLAUSIBLE[0] <= float(np.median(spreads)) <= _PLAUSIBLE[1]


def spread_of(values: NDArray[Any]) -> float:
    """The range from the 5th to the 95th percentile of some of the values that are not missing."""
    some = np.asarray(values[:: len(values) // _SOME + 1], np.float64)
    known = some[np.isfinite(some)]
    return float(np.subtract(*np.percentile(known, (95, 5)))) if len(known) else 0.0
