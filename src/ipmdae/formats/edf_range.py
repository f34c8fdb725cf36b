"""Physical and digital ranges of EDF and BDF signals, which fix how a value is stored.

A digital value d stands for (d - digital minimum) / (digital span) · (physical span) + physical
minimum. Physical limits are written in 8 characters, so not every gain can be stored exactly.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ipmdae.recording import COARSE, Resolution, millivolts

_TRIED = 4096
"""Number of digital limits tried for one whose physical value fits 8 characters."""

_WRITABLE = (-999_999.0, 9_999_999.0)
"""Physical limits that 8 characters can hold."""

_EXACT = 1e-6
"""Error of a limit, in steps, that is as good as none."""


_SHARE = 1e-3
"""Share of its range that a step of a signal should have, if it is not a voltage."""


@dataclass(frozen=True, kw_only=True)
class EdfResolution(Resolution):
    """Digital resolution of an EDF or BDF signal, with other header fields.

    Attributes:
        physical, digital: values in ``unit`` and as stored, for the lowest and highest of these.
        transducer, prefiltering: free text.
    """

    physical: tuple[float, float]
    digital: tuple[int, int]
    transducer: str = ""
    prefiltering: str = ""

    @classmethod
    def of(
        cls,
        physical: tuple[float, float],
        digital: tuple[int, int],
        *,
        unit: str,
        bits: int,
        transducer: str = "",
        prefiltering: str = "",
    ) -> EdfResolution:
        """The resolution that two ranges make; the digital one may descend.

        Raises:
            ValueError: a range is empty, or its limits are not finite.
        """
        if digital[1] < digital[0]:  # the same line from its other end
            physical, digital = physical[::-1], digital[::-1]
        span = physical[1] - physical[0]
        if not np.isfinite(span) or span == 0 or digital[1] == digital[0]:
            raise ValueError(f"the ranges {physical} {unit} and {digital} make no scale")
        gain = (digital[1] - digital[0]) / span
        baseline = digital[0] - physical[0] * gain
        if not (np.isfinite(gain) and abs(baseline) < 2**62):
            raise ValueError(f"the ranges {physical} {unit} and {digital} make no scale")
        return cls(
            gain=gain,
            baseline=round(baseline),
            unit=unit,
            bits=bits,
            physical=physical,
            digital=digital,
            transducer=transducer,
            prefiltering=prefiltering,
        )

    @classmethod
    def of_steps(cls, *, bits: int, transducer: str, prefiltering: str) -> EdfResolution:
        """The steps of a converter as they are, where their size is not known."""
        limits = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        return cls.of(
            (float(limits[0]), float(limits[1])),
            limits,
            unit="",
            bits=bits,
            transducer=transducer,
            prefiltering=prefiltering,
        )

    def to_physical(self, values: NDArray[np.int32]) -> NDArray[np.float64]:
        """Digital values in ``unit``."""
        scale = (self.physical[1] - self.physical[0]) / (self.digital[1] - self.digital[0])
        result: NDArray[np.float64] = values.astype(np.float64)
        result -= self.digital[0]
        result *= scale
        result += self.physical[0]
        return result

    def to_digital(self, values: ArrayLike) -> NDArray[np.float64]:
        """Values in ``unit`` as whole digital values; NaN stays."""
        scale = (self.digital[1] - self.digital[0]) / (self.physical[1] - self.physical[0])
        result: NDArray[np.float64] = np.rint(
            (np.asarray(values, np.float64) - self.physical[0]) * scale + self.digital[0]
        )
        return result


def choose(
    path: Path,
    name: str,
    had: Resolution | None,
    unit: str,
    extent: tuple[float, float],
    bits: int,
    *,
    gaps: bool,
) -> EdfResolution:
    """The ranges to store a signal with.

    Those it had, where all values fit them; else the same step on the whole digital range; for a
    signal that never was digital, or whose values do not fit, the finest step that holds them.

    Args:
        path, name: of file and signal, for messages.
        had: original resolution of the signal.
        unit: its unit in the file.
        extent: least and greatest value in ``unit``.
        bits: width of a stored sample.
        gaps: whether samples are missing, for which the lowest digital value is left free.

    Raises:
        ValueError: the values do not fit the header.
    """
    low, high = extent
    if isinstance(had, EdfResolution) and had.bits <= bits:
        stored = had.to_digital([low, high])
        if had.digital[0] + gaps <= stored.min() and stored.max() <= had.digital[1]:
            return had
    limits = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    texts = (had.transducer, had.prefiltering) if isinstance(had, EdfResolution) else ("", "")
    if had is not None:
        ends = sorted((low * had.gain + had.baseline, high * had.gain + had.baseline))
        # Shifted into the range that there is, if it has no place there as it is.
        shift = 0
        if ends[0] <= limits[0] + 1 or ends[1] >= limits[1]:
            shift = round((ends[0] + ends[1]) / 2)
        needed = (ends[0] - shift, ends[1] - shift)
        if limits[0] + 1 < needed[0] and needed[1] < limits[1]:
            physical, digital = _short(had.gain, had.baseline - shift, needed, limits)
            return EdfResolution.of(
                physical,
                digital,
                unit=unit,
                bits=bits,
                transducer=texts[0],
                prefiltering=texts[1],
            )
    # More digits than 8 characters can hold.
    margin = max((high - low) * 1e-3, 2e-5 * max(abs(low), abs(high), 1.0))
    try:
        physical = float(eight(low - margin)), float(eight(high + margin))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    finest = EdfResolution.of(
        physical, limits, unit=unit, bits=bits, transducer=texts[0], prefiltering=texts[1]
    )
    wanted, fine = COARSE, f"steps of {1e3 * COARSE:g} µV"
    if not millivolts(unit):
        wanted = _SHARE * (high - low)
        fine = f"steps of {wanted:.2g} {unit}".rstrip()
    if had is not None or finest.step > wanted > 0:
        fine = fine if had is None else "the resolution it had"
        warnings.warn(
            f"{path}: {name} does not fit {bits} bits at {fine}; stored coarser"
            + ("; BDF (.bdf) has 24 bits" if bits == 16 else ""),
            stacklevel=2,
        )
    return finest


def eight(value: float) -> str:
    """A number in at most 8 characters, as exact as they allow, without an exponent.

    Raises:
        ValueError: it does not fit.
    """
    for decimals in range(7, -1, -1):
        text = f"{value:.{decimals}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        if text in ("-0", ""):
            text = "0"
        if len(text) <= 8:
            return text
    raise ValueError(f"{value:g} does not fit the 8 characters that EDF has for a number")


def _short(
    gain: float, baseline: float, needed: tuple[float, float], limits: tuple[int, int]
) -> tuple[tuple[float, float], tuple[int, int]]:
    """Ranges of this gain that hold ``needed`` and can be written as exactly as possible."""
    ends = []
    writable = sorted(value * gain + baseline for value in _WRITABLE)
    limits = max(limits[0], math.ceil(writable[0])), min(limits[1], math.floor(writable[1]))
    for limit, need, step in ((limits[0], needed[0], 1), (limits[1], needed[1], -1)):
        best, best_error = limit, np.inf
        for digital in range(limit, limit + step * _TRIED, step):
            if (need - digital) * step <= 1 and digital != limit:
                break
            value = (digital - baseline) / gain
            error = abs(float(eight(value)) - value) * abs(gain)
            if error < best_error:
                best, best_error = digital, error
            if error < _EXACT:
                break
        ends.append(best)
    physical = tuple(float(eight((end - baseline) / gain)) for end in ends)
    return (physical[0], physical[1]), (ends[0], ends[1])
