"""``ipmdae.denoise``: clean what is in memory, whatever kind of array it is."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ipmdae.cleaned import Cleaned
from ipmdae.containers import Container, open_container
from ipmdae.denoiser import DEFAULT_MODEL
from ipmdae.engine import ModelFile
from ipmdae.methods import Method, open_method
from ipmdae.pipeline.window import MIN_SPREAD
from ipmdae.quality import AMPLITUDES, GRADES, Grade, Reason, quality
from ipmdae.recording import Recording
from ipmdae.safeguards import strength_of

Array = TypeVar("Array")

_OUTLIERS = 1.0  # percent at either end that do not count: spikes, and the jumps of switches
_RAMP = 64  # samples: a lead that rises steadily for so long is a time axis


@dataclass(frozen=True, kw_only=True)
class Details(Generic[Array]):
    """A cleaned array and what is known about it.

    Attributes:
        cleaned: as :func:`denoise` returns it.
        removed: input - cleaned, in mV; the same kind and shape; 0 in leads not asked for.
        uncertainty: standard deviation of the error in mV as the network itself estimates it, the
            same kind and shape; NaN where nothing was cleaned. ``None`` for a method that does not
            tell.
        readable: a NumPy array of bool, in the shape of the input: where the cleaned ECG can be
            read, second by second: its grade is better than unusable.
        grade: a NumPy array of uint8, likewise: a :class:`ipmdae.quality.Grade` each.
        reason: a NumPy array of uint8, likewise: a :class:`ipmdae.quality.Reason` each.
    """

    cleaned: Array
    removed: Array
    uncertainty: Array | None
    readable: NDArray[np.bool_]
    grade: NDArray[np.uint8]
    reason: NDArray[np.uint8]


@overload
def denoise(
    x: Array,
    fs: float,
    *,
    method: str | os.PathLike[str] | ModelFile | Method = DEFAULT_MODEL,
    strength: float = 1.0,
    mains: float | None = None,
    mode: str | None = None,
    unreadable: str | None = None,
    max_attenuation_db: float | None = None,
    consistent_leads: bool = True,
    leads: Sequence[Hashable] | None = None,
    return_details: Literal[False] = False,
    backend: str = "auto",
) -> Array: ...


@overload
def denoise(
    x: Array,
    fs: float,
    *,
    method: str | os.PathLike[str] | ModelFile | Method = DEFAULT_MODEL,
    strength: float = 1.0,
    mains: float | None = None,
    mode: str | None = None,
    unreadable: str | None = None,
    max_attenuation_db: float | None = None,
    consistent_leads: bool = True,
    leads: Sequence[Hashable] | None = None,
    return_details: Literal[True],
    backend: str = "auto",
) -> Details[Array]: ...


def denoise(
    x: Array,
    fs: float,
    *,
    method: str | os.PathLike[str] | ModelFile | Method = DEFAULT_MODEL,
    strength: float = 1.0,
    mains: float | None = None,
    mode: str | None = None,
    unreadable: str | None = None,
    max_attenuation_db: float | None = None,
    consistent_leads: bool = True,
    leads: Sequence[Hashable] | None = None,
    return_details: bool = False,
    backend: str = "auto",
) -> Array | Details[Array]:
    """Clean an array.

    Missing samples stay missing; leads that are flat or empty come back unchanged, with a warning;
    each lead keeps its constant offset. To clean many arrays, open a method once
    (:func:`ipmdae.open_method`) and pass it.

    Args:
        x: (time,) or (time, leads) in mV: NumPy (masked too), list, pandas Series or DataFrame
            (columns are leads), or torch tensor. NaN is a missing sample. Integers are taken as
            they are: convert digital values to mV first.
        fs: sampling rate in Hz, 60 to 4000.
        method: a network by name or file, or a classical method; see :func:`ipmdae.method_names`.
        strength: share of the noise found that is removed, 0 to 1.
        mains: 50 or 60 (Hz) to remove powerline interference first.
        mode: what a network may change: ``"diagnostic"``, ``"monitoring"`` (the default),
            ``"beats"`` or ``"gentle"`` (baseline wander alone); see
            :data:`ipmdae.safeguards.MODES`.
        unreadable: what stands where a network is not trusted: ``"classical"`` (a band-pass filter
            from 0.5 to 40 Hz), ``"network"``, ``"raw"`` or ``"blank"`` (NaN); by default the
            mode's.
        max_attenuation_db: largest attenuation of the noise found, in dB; a limit on ``strength``.
        consistent_leads: make limb leads obey Einthoven's and Goldberger's equations where the
            recorded ones do.
        leads: which to clean, by column label or by number from 0; the others come back unchanged.
            By default all.
        return_details: return :class:`Details` in place of the cleaned array.
        backend: what runs a network, see :func:`ipmdae.engine.open_engine`.

    Returns:
        What came in, cleaned: the same kind, shape, index, columns and device. Floating dtypes are
        kept; integers become float64 (in torch the default dtype). Gradients do not flow through.

    Raises:
        ValueError: no such method or lead, another rate, other axes, no samples, infinite values,
            or values that are no real numbers.
        FileNotFoundError: there is no such model file.
        ModuleNotFoundError: the method needs a package that is not installed.
    """
    held = open_container(x)
    chosen = _choose(held, leads)
    values = held.take(chosen)
    _check(held, chosen, values)
    noisy = Recording.from_array(values, fs, tuple(str(held.labels[i]) for i in chosen))
    _warn_of_units(noisy)
    opened = open_method(
        method,
        backend=backend,
        mains=mains,
        mode=mode,
        unreadable=unreadable,
        consistent_leads=consistent_leads,
    )
    cleaned = opened.clean(noisy, strength=strength_of(strength, max_attenuation_db))
    result: Array = held.give(chosen, cleaned.recording.signal)
    if not return_details:
        return result
    spread = cleaned.spread
    reason = np.zeros((held.samples, len(held.labels)), np.uint8)
    reason[:, chosen] = _reasons(noisy, cleaned)
    grade = GRADES[reason].reshape(held.shape)
    return Details(
        cleaned=result,
        removed=held.give(chosen, cleaned.removed, 0.0),
        uncertainty=None if spread is None else held.give(chosen, spread, np.nan),
        readable=grade != Grade.UNUSABLE,
        grade=grade,
        reason=reason.reshape(held.shape),
    )


def _choose(held: Container, leads: Sequence[Hashable] | None) -> list[int]:
    """Positions of the leads that were asked for."""
    labels = list(held.labels)
    if leads is None:
        return list(range(len(labels)))
    if isinstance(leads, str) or not isinstance(leads, Sequence):
        raise ValueError(f"leads must be a list, such as [{leads!r}]")
    for lead in leads:
        if lead not in labels:
            raise ValueError(f"no lead {lead!r}; there are: {', '.join(map(repr, labels))}")
    return [i for i, label in enumerate(labels) if label in leads]


def _check(held: Container, leads: list[int], values: NDArray[np.float64]) -> None:
    """Raise where the values cannot be an ECG in (time, leads)."""
    if 0 in values.shape:
        raise ValueError(
            f"there is nothing to clean: {values.shape[0]} samples of {len(leads)} leads"
        )
    if len(held.labels) > held.samples:
        raise ValueError(
            f"{held.samples} samples of {len(held.labels)} leads: the axes are (time, leads), and "
            "these look swapped; pass x.T"
        )
    steps = np.diff(values, axis=0)
    if len(steps) >= _RAMP:
        low, high = steps.min(axis=0), steps.max(axis=0)
        for lead in np.flatnonzero((low > 0) & (high < 2 * low)):
            raise ValueError(
                f"lead {held.labels[leads[lead]]!r} rises with every sample, as a time axis does: "
                "leave it out, or choose others by leads="
            )


def _warn_of_units(noisy: Recording) -> None:
    """Warn of amplitudes that no ECG in mV has; flat leads are told of elsewhere."""
    amplitude = np.array([_amplitude(lead[~np.isnan(lead)]) for lead in noisy.signal.T])
    for odd, unit in (
        (amplitude > AMPLITUDES[1], "microvolts or raw ADC units"),
        ((amplitude > MIN_SPREAD) & (amplitude < AMPLITUDES[0]), "volts, or no ECG"),
    ):
        if odd.any():
            names = ", ".join(noisy.leads[i] for i in np.flatnonzero(odd))
            warnings.warn(
                f"lead {names}: amplitude of {amplitude[odd].max():.3g} mV looks like {unit}; "
                "convert to mV first",
                stacklevel=3,
            )


def _amplitude(known: NDArray[np.float64]) -> float:
    """Peak-to-peak range of the known samples (time,) but for the outermost."""
    if not len(known):
        return 0.0
    low, high = np.percentile(known, (_OUTLIERS, 100 - _OUTLIERS))
    return float(high - low)


def _reasons(noisy: Recording, cleaned: Cleaned) -> NDArray[np.uint8]:
    """The reason of each sample's grade, (time, leads): its second's, or that it is missing."""
    by_second = quality(noisy, cleaned).reason
    second = (np.arange(noisy.samples) / noisy.fs).astype(np.intp)
    reason: NDArray[np.uint8] = by_second[np.minimum(second, len(by_second) - 1)]
    reason[np.isnan(noisy.signal)] = Reason.MISSING
    return reason
