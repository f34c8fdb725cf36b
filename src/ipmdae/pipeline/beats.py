"""Detection of beats that a network removed, by the shape of the lead's own QRS complex.

A network can flatten a premature or a fast beat although its QRS complex looks like all others. The
median of the QRS complexes that it kept is a template; where the input matches the template and the
output does not, a beat was removed.

Matched filter: L. Sörnmo, P. Laguna, "Bioelectrical Signal Processing in Cardiac and Neurological
Applications", 2005, section 7.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_HALF = 0.08
"""Seconds of the template on each side of the R peak."""

_SECOND = 1.0
"""Duration in s of the segments whose highest peaks are candidates for the template."""

_HIGH = 0.5
"""Least height of a peak of the template, relative to the height of the QRS complex."""

_FEWEST = 4
"""Least number of beats of a template."""

_ALIKE = 0.8
"""Least median correlation of those beats with their median, or there is no template."""

_MATCH = 0.75
"""Correlation with the template from which on the input contains a beat.

Lower values restore noise that resembles a beat, higher ones miss beats under noise."""

_SIZES = (0.4, 3.0)
"""Height of a beat relative to the template's."""

_KEPT = 0.75
"""Share of a beat's height from which on it counts as kept."""

_APART = 0.12
"""Shortest interval in s between two beats."""

_EDGE = 0.06
"""Seconds of fade-in and fade-out beyond the template."""


def removed_beats(after: Array, removed: Array, size: Array, fs: float) -> Array | None:
    """Weight, 0 to 1, with which to restore what was removed; ``None`` if it holds no beat.

    The weight is (rows, time): 1 at a removed beat, 0 elsewhere, with smooth transitions.

    Args:
        after: (rows, time) in mV, after the removal.
        removed: the same, what was removed beside baseline wander.
        size: height of the QRS complex, (rows, 1) in mV.
        fs: sampling rate in Hz.
    """
    half = round(_HALF * fs)
    suspects = np.abs(removed).max(axis=1) > _SIZES[0] * (1 - _KEPT) * size[:, 0]
    weight = None
    for i in np.flatnonzero(suspects):
        template = _template(after[i], float(size[i, 0]), half, fs)
        if template is None:
            continue
        places = _places(after[i] + removed[i], after[i], template, round(_APART * fs))
        if len(places):
            weight = np.zeros_like(after) if weight is None else weight
            weight[i] = _weight(places, after.shape[1], half, round(_EDGE * fs))
    return weight


def _template(x: Array, size: float, half: int, fs: float) -> Array | None:
    """Median QRS complex of a row (time,), less its mean; ``None`` if its beats are not alike."""
    second = round(_SECOND * fs)
    inner = x[half : len(x) - half]
    count = len(inner) // second
    if count < _FEWEST:
        return None
    level = np.median(x)
    parts = inner[: count * second].reshape(count, second) - level
    peaks = np.abs(parts).argmax(axis=1) + np.arange(count) * second + half
    heights = x[peaks] - level
    peaks = peaks[(np.abs(heights) > _HIGH * size) & (np.sign(heights) == np.sign(heights.sum()))]
    if len(peaks) < _FEWEST:
        return None
    beats = x[peaks[:, None] + np.arange(-half, half + 1)]
    beats = beats - beats.mean(axis=1, keepdims=True)
    template: Array = np.median(beats, axis=0)
    template = template - template.mean()
    norms = np.linalg.norm(beats, axis=1) * np.linalg.norm(template)
    if np.median(beats @ template / np.maximum(norms, 1e-9)) < _ALIKE:
        return None
    return template


def _places(before: Array, after: Array, template: Array, apart: int) -> NDArray[np.intp]:
    """R peaks, in samples, of beats that are in ``before`` and not in ``after``."""
    length, energy = len(template), float(template @ template)
    held = np.correlate(before, template, "valid") / energy
    left = np.correlate(after, template, "valid") / energy
    total = np.cumsum(np.pad(before.astype(np.float64), (1, 0)))
    squares = np.cumsum(np.pad(np.square(before.astype(np.float64)), (1, 0)))
    mean = (total[length:] - total[:-length]) / length
    power = np.maximum(squares[length:] - squares[:-length] - length * mean**2, 1e-12)
    match = held * np.sqrt(energy / power)
    lost = np.flatnonzero(
        (match > _MATCH) & (held > _SIZES[0]) & (held < _SIZES[1]) & (left < _KEPT * held)
    )
    highest = [i for i in lost if held[i] == held[max(i - apart, 0) : i + apart + 1].max()]
    return np.array(highest, np.intp) + length // 2


def _weight(places: NDArray[np.intp], time: int, half: int, edge: int) -> Array:
    """1 around each place, fading to 0 at both ends."""
    weight = np.zeros(time, np.float32)
    ramp = np.sin(np.pi / 2 * (np.arange(edge) + 0.5) / edge) ** 2
    shape = np.concatenate([ramp, np.ones(2 * half + 1), ramp[::-1]]).astype(np.float32)
    for place in places:
        first = place - half - edge
        cut = slice(max(-first, 0), len(shape) - max(first + len(shape) - time, 0))
        there = weight[first + cut.start : first + cut.stop]
        np.maximum(there, shape[cut], out=there)
    return weight
