"""Recordings from signals that a file stores one by one, in any unit and at several rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipmdae.formats.errors import FormatError, check_samples
from ipmdae.formats.names import is_ecg, symbol
from ipmdae.formats.options import ReadOptions, converted
from ipmdae.recording import AuxiliaryChannel, Recording, Resolution, millivolts
from ipmdae.text import unique


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """One signal of a file.

    Attributes:
        name: name in the file; may be empty.
        unit: of ``values``; empty where the file does not state it.
        fs: sampling rate in Hz.
        values: (time,) float64; NaN is a missing sample.
        resolution: digital resolution, if known.
    """

    name: str
    unit: str
    fs: float
    values: NDArray[np.float64]
    resolution: Resolution | None = None


def shifted(lead: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """A lead (time,) moved later by some samples, earlier if negative; NaN where it has no more."""
    moved = np.full_like(lead, np.nan)
    known = len(lead) - abs(samples)
    if known > 0:
        late, early = max(samples, 0), max(-samples, 0)
        moved[late : late + known] = lead[early : early + known]
    return moved


def from_signals(
    path: Path, signals: Sequence[Signal], options: ReadOptions, **known: Any
) -> Recording:
    """A recording whose leads are the signals that share a rate and a length.

    Of several such groups, that with signals called as leads of an ECG are is taken, else that of
    most voltages, then of most signals, then the longest; the other signals are auxiliary channels.

    Args:
        path: the file, for messages.
        signals: all signals, in the order of the file.
        options: ``unit`` is that of signals that state none; it overrules a stated one.
        known: further fields of :class:`~ipmdae.recording.Recording`.

    Raises:
        FormatError: there are no samples, infinite ones, or fields that make no recording.
    """
    if not signals:
        raise FormatError(path, "holds no signal")
    names = unique([signal.name for signal in signals])
    groups = Counter((signal.fs, len(signal.values)) for signal in signals)
    main = max(groups, key=lambda group: _rank(group, signals))
    chosen = [i for i, s in enumerate(signals) if (s.fs, len(s.values)) == main]
    check_samples(path, main[1], len(chosen))
    leads = [names[i] for i in chosen]
    stated = [symbol(signals[i].unit) for i in chosen]
    values = [signals[i].values for i in chosen]
    units, factors, as_stated = converted(path, leads, stated, options, values)
    try:
        return Recording(
            signal=np.stack(values, 1) * factors,
            fs=main[0],
            leads=tuple(leads),
            units=tuple(units),
            resolution=tuple(
                signals[i].resolution if holds else None
                for i, holds in zip(chosen, as_stated, strict=True)
            ),
            auxiliary=tuple(
                _auxiliary(names[i], signal, i)
                for i, signal in enumerate(signals)
                if i not in chosen and len(signal.values)
            ),
            **known,
        )
    except (ValueError, OverflowError) as error:
        raise FormatError(path, str(error)) from error


def _rank(group: tuple[float, int], signals: Sequence[Signal]) -> tuple[bool, int, int, int]:
    inside = [s for s in signals if (s.fs, len(s.values)) == group]
    voltages = [s for s in inside if millivolts(symbol(s.unit)) or not s.unit]
    return any(is_ecg(s.name) for s in voltages), len(voltages), len(inside), group[1]


def _auxiliary(name: str, signal: Signal, place: int) -> AuxiliaryChannel:
    return AuxiliaryChannel(
        name=name,
        unit=signal.unit,
        fs=signal.fs,
        samples=len(signal.values),
        place=place,
        resolution=signal.resolution,
        read=partial(_slice, signal.values),
    )


def _slice(values: NDArray[np.float64], first: int, stop: int) -> NDArray[np.float64]:
    return values[first:stop]
