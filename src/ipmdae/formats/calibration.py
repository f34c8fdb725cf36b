"""Gain and baseline beside an array of digital samples, which become physical values by them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError
from ipmdae.formats.names import are_plausible, is_counts, spread_of
from ipmdae.formats.options import ReadOptions
from ipmdae.recording import millivolts
from ipmdae.text import enumerated

_GAINS = ("adc_gain", "adcgain", "gain", "gains")
_ZEROS = ("baseline", "baselines", "adc_baseline", "adc_zero", "adczero")
_FACTORS, _OFFSETS = ("scale_factor",), ("add_offset",)
_UNCLEAR = (
    *("scale", "scales", "scaling", "scalefactor", "factor", "conversion", "conversion_factor"),
    *("resolution", "adc_resolution", "lsb", "step", "step_size", "offset", "offsets"),
    *("sensitivity", "calibration", "amplitude_resolution", "bits", "adc_bits", "vref"),
)
_CONVERTERS = ("resolution", "adc_resolution", "bits", "adc_bits", "vref")
"""Names of what need not be applied beside a gain."""
_CODES = ("_fillvalue", "missing_value")
_WFDB_CODES = (-(2.0**15), -(2.0**23), -(2.0**31))
"""Steps that stand for missing samples, the lowest of WFDB's formats of 16, 24 and 32 bits."""
NAMES = frozenset((*_GAINS, *_ZEROS, *_FACTORS, *_OFFSETS, *_UNCLEAR))
"""Lower-case names of calibrations, and of the resolution of converters."""

_PHYSICAL = ("p_signal",)
"""Names of signals that are physical, as WFDB's are."""

_LEAST = 1.0
"""Steps per unit of a plain ``gain``, below which it may be the size of a step."""


def is_stated(arrays: Mapping[str, Any]) -> bool:
    """True if a gain stands among arrays, by lower-case name."""
    return any(name in arrays for name in (*_GAINS, *_FACTORS))


def without_codes(
    path: Path, signal: NDArray[np.float64], scopes: Sequence[Mapping[str, Any]]
) -> NDArray[np.float64]:
    """A signal with NaN for netCDF's codes of missing samples, ``_FillValue`` or ``missing_value``.

    Raises:
        FormatError: a code is no number.
    """
    for name in _CODES:
        codes = np.ravel(np.asarray(next((s[name] for s in scopes if name in s), [])))
        if codes.size and codes.dtype.kind not in "fiu":
            raise FormatError(path, f"its {name} is no number")
        for code in codes.astype(np.float64):
            is_code = (signal == code) | (signal == float(np.float32(code)))
            signal = np.where(is_code, np.nan, signal)
    return signal


def physical(
    path: Path,
    name: str,
    signal: NDArray[np.float64],
    scopes: Sequence[Mapping[str, Any]],
    kept: NDArray[np.bool_],
    units: Sequence[str],
    options: ReadOptions,
) -> tuple[NDArray[np.float64], list[str]]:
    """A signal in physical units, if it is of whole numbers and its calibration is stated.

    As WFDB's, ``adc_gain`` or ``gain`` are steps per unit (of mV where none is stated), and
    ``baseline`` (or else ``adc_zero``) is the step that stands for zero; the lowest step of 16, 24
    or 32 bits is a missing sample. As netCDF's, ``scale_factor`` is the size of a step and
    ``add_offset`` what is added to it, of a unit that stays open where none is stated. What else is
    stated is not applied, with a warning.

    Args:
        path: the file, for messages.
        name: of the array.
        signal: (time, leads) as it is stored; NaN is a missing sample.
        scopes: what stands beside the array, the nearest first.
        kept: which columns of the array ``signal`` holds.
        units: of each lead; may be empty.
        options: ``unit`` overrules the calibration.

    Returns:
        The signal and the units of its leads.

    Raises:
        FormatError: a gain is no number other than zero, may be the size of a step or that of an
            amplifier, or there are not as many as leads.
    """
    stated = {key: struct[key] for struct in reversed(scopes) for key in NAMES & struct.keys()}
    if not stated or name in _PHYSICAL or (np.rint(signal) != signal)[~np.isnan(signal)].any():
        return signal, list(units)
    if options.scale is not None:
        says = enumerated(sorted(stated))
        warnings.warn(f"{path}: says {says}; unit={options.unit} overrules it", stacklevel=5)
        return signal, list(units)
    found = _Stated(path, stated, kept)
    values, unit = _applied(path, signal, found, units)
    _warn_rest(path, stated.keys(), set(found.used))
    if unit is None:
        return signal, list(units)
    return values, [unit if not u or is_counts(u) else u for u in units]


def _applied(
    path: Path, signal: NDArray[np.float64], found: _Stated, units: Sequence[str]
) -> tuple[NDArray[np.float64], str | None]:
    """Values by what is stated, and their unit where none is; ``None`` if nothing is applied."""
    gain = found.numbers(_GAINS)
    if gain is not None:
        zero = found.numbers(_ZEROS)
        if zero is None and not {"adc_gain", "adcgain"} & {*found.used}:
            _check_plain(path, signal, gain, units)
        return (_without_lowest(signal) - (0.0 if zero is None else zero)) / gain, "mV"
    factor = found.numbers(_FACTORS)
    if factor is None:
        return signal, None
    offset = found.numbers(_OFFSETS)
    return signal * factor + (0.0 if offset is None else offset), ""


def _without_lowest(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steps with NaN for WFDB's code of missing samples, which no step is lower than."""
    lowest = np.nanmin(steps, initial=np.inf)
    return np.where(steps == lowest, np.nan, steps) if lowest in _WFDB_CODES else steps


def _warn_rest(path: Path, stated: AbstractSet[str], used: AbstractSet[str]) -> None:
    """Warn of what is stated and not applied; of what describes a converter only if nothing is."""
    zeros = _ZEROS if used & {*_ZEROS} else ()
    rest = stated - used - {*zeros, *(_CONVERTERS if used else ())}
    if rest:
        beside = enumerated(sorted(used)) if used else "whole numbers"
        warnings.warn(
            f"{path}: says {enumerated(sorted(rest))} beside {beside}, which is not applied; if "
            "the values are steps of a converter, state their size (unit=, --unit)",
            stacklevel=6,
        )


def _check_plain(
    path: Path, signal: NDArray[np.float64], gain: NDArray[np.float64], units: Sequence[str]
) -> None:
    """Warn how a gain is understood that may be another one; refuse one that is likely another.

    That is the size of a step, or the gain of an amplifier of a signal that is physical already.
    """
    least = float(np.abs(gain).min())
    if least < _LEAST:
        raise FormatError(
            path,
            f"says a gain of {least:g}, which may be steps per mV or the size of a step; state "
            "the size of a step (unit=, --unit)",
        )
    steps = enumerated([f"{g:g}" for g in np.unique(gain)])
    sizes = np.array([millivolts(unit) or 1.0 for unit in units])
    is_physical = (
        all(map(millivolts, units)) and (gain != 1).any() and _is_plausible(signal * sizes)
    )
    if is_physical or not _is_plausible(signal * sizes / gain):
        raise FormatError(
            path,
            f"says a gain of {steps}, which may be steps per mV or an amplifier's; state the size "
            "of a step (unit=, --unit)",
        )
    warnings.warn(
        f"{path}: says a gain of {steps}, taken as steps per unit; if it is another, state the "
        "size of a step (unit=, --unit)",
        stacklevel=6,
    )


def _is_plausible(signal: NDArray[np.float64]) -> bool:
    """True if a signal (time, leads) in mV has the spread of an ECG in most leads that move."""
    return are_plausible([spread for lead in signal.T if (spread := spread_of(lead)) > 0])


class _Stated:
    """Calibrations by their names, and the names of those that were used."""

    def __init__(self, path: Path, stated: Mapping[str, Any], kept: NDArray[np.bool_]) -> None:
        self._path, self._stated, self._kept = path, stated, kept
        self.used: list[str] = []

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """The values for each lead under the first of the names that is stated.

        Raises:
            FormatError: they are no finite numbers, a size is zero, or they are not one or as many
                as leads.
        """
        name = next((name for name in names if name in self._stated), None)
        if name is None:
            return None
        self.used.append(name)
        value = np.ravel(np.asarray(self._stated[name]))
        sized = names in (_GAINS, _FACTORS)
        if value.dtype.kind not in "fiu" or not np.isfinite(value).all() or (sized and 0 in value):
            raise FormatError(
                self._path,
                f"its {name} is not understood; state the size of a step (unit=, --unit)",
            )
        leads = int(self._kept.sum())
        if len(value) not in (1, leads, len(self._kept)):
            raise FormatError(self._path, f"has {len(value)} of {name} for {leads} leads")
        value = value[self._kept] if len(value) == len(self._kept) else value
        return value.astype(np.float64)
