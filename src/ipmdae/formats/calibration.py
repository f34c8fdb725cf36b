"""Gain and baseline beside an array of digital samples, which become physical values by them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError
from ipmdae.formats.names import is_counts
from ipmdae.formats.options import ReadOptions
from ipmdae.text import enumerated

_GAINS = ("adc_gain", "adcgain", "gain", "gains")
_ZEROS = ("baseline", "baselines", "adc_baseline", "adc_zero", "adczero")
_FACTORS, _OFFSETS = ("scale_factor",), ("add_offset",)
_UNCLEAR = (
    *("scale", "scales", "scaling", "scalefactor", "factor", "conversion", "conversion_factor"),
    *("resolution", "adc_resolution", "lsb", "step", "step_size", "offset", "offsets"),
    *("sensitivity", "calibration", "amplitude_resolution", "bits", "adc_bits", "vref"),
)
NAMES = frozenset((*_GAINS, *_ZEROS, *_FACTORS, *_OFFSETS, *_UNCLEAR))
"""Lower-case names of calibrations, and of the resolution of converters."""

_PHYSICAL = ("p_signal",)
"""Names of signals that are physical, as WFDB's are."""

_LEAST = 1.0
"""Steps per unit of a plain ``gain``, below which it may be the size of a step."""


def is_stated(arrays: Mapping[str, Any]) -> bool:
    """True if a gain stands among arrays, by lower-case name."""
    return any(name in arrays for name in (*_GAINS, *_FACTORS))


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
    ``baseline`` (or else ``adc_zero``) is the step that stands for zero. As netCDF's,
    ``scale_factor`` is the size of a step and ``add_offset`` what is added to it. What else is
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
        FormatError: a gain is no number other than zero, may be the size of a step, or there are
            not as many as leads.
    """
    stated = {key: struct[key] for struct in reversed(scopes) for key in NAMES & struct.keys()}
    if not stated or name in _PHYSICAL or (np.rint(signal) != signal)[~np.isnan(signal)].any():
        return signal, list(units)
    if options.scale is not None:
        says = enumerated(sorted(stated))
        warnings.warn(f"{path}: says {says}; unit={options.unit} overrules it", stacklevel=5)
        return signal, list(units)
    values = _applied(path, signal, stated, _Stated(path, stated, kept))
    if values is None:
        warnings.warn(
            f"{path}: says {enumerated(sorted(stated))} beside whole numbers, which is not "
            "applied; if these are steps of a converter, state their size (unit=, --unit)",
            stacklevel=5,
        )
        return signal, list(units)
    return values, ["mV" if not unit or is_counts(unit) else unit for unit in units]


def _applied(
    path: Path, signal: NDArray[np.float64], stated: Mapping[str, Any], found: _Stated
) -> NDArray[np.float64] | None:
    """The physical values by the calibration that is stated; ``None`` if none is understood."""
    gain, zero = found.numbers(_GAINS), found.numbers(_ZEROS)
    if gain is not None:
        if zero is None and not stated.keys() & {"adc_gain", "adcgain"}:
            _check_plain(path, gain)
        return (signal - (0.0 if zero is None else zero)) / gain
    factor, offset = found.numbers(_FACTORS), found.numbers(_OFFSETS)
    return None if factor is None else signal * factor + (0.0 if offset is None else offset)


def _check_plain(path: Path, gain: NDArray[np.float64]) -> None:
    """Warn how a gain is understood that may be another one; refuse one that is a step's size."""
    least = float(np.abs(gain).min())
    if least < _LEAST:
        raise FormatError(
            path,
            f"says a gain of {least:g}, which may be steps per mV or the size of a step; state "
            "the size of a step (unit=, --unit)",
        )
    steps = enumerated([f"{g:g}" for g in np.unique(gain)])
    warnings.warn(
        f"{path}: says a gain of {steps}, taken as steps per unit; if it is another, state the "
        "size of a step (unit=, --unit)",
        stacklevel=6,
    )


class _Stated:
    """Calibrations by their names."""

    def __init__(self, path: Path, stated: Mapping[str, Any], kept: NDArray[np.bool_]) -> None:
        self._path, self._stated, self._kept = path, stated, kept

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64] | None:
        """The values for each lead under the first of the names that is stated.

        Raises:
            FormatError: they are no finite numbers, a size is zero, or they are not one or as many
                as leads.
        """
        name = next((name for name in names if name in self._stated), None)
        if name is None:
            return None
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
