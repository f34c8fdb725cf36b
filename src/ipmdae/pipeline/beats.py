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

_BLOCK = 64
"""Samples of a correlation that are computed together."""


def removed_beats(after: Array, removed: Array, size: Array, fs: float) -> Array | None:
    """Weight, 0 to 1, with which to restore what was removed; ``None`` if it holds no beat.

    The weight is (rows, time): 1 at a removed beat, 0 elsewhere, with smooth transitions.

    Args:
        after: (rows, time) in mV, after the removal.
        removed: the same, what was removed beside baseline wander.
        size: height of the QRS complex, (rows, 1) in mV.
        fs: sampling rate in Hz.
    """
    half, apart, edge = round(_HALF * fs), round(_APART * fs), round(_EDGE * fs)
    largest = np.maximum(removed.max(axis=1), -removed.min(axis=1))
    rows = np.flatnonzero(largest > _SIZES[0] * (1 - _KEPT) * size[:, 0])
    templates, alike = _templates(after[rows], size[rows], half, fs)
    rows, templates = rows[alike], templates[alike]
    if not len(rows):
        return None
    after = after[rows]
    found, places = _places(after + removed[rows], after, templates, apart)
    return _weight(rows[found], places, removed.shape, half, edge) if len(places) else None


def _templates(x: Array, size: Array, half: int, fs: float) -> tuple[Array, NDArray[np.bool_]]:
    """Median QRS complex of each row (time,), less its mean, and whether its beats are alike."""
    second = round(_SECOND * fs)
    count = (x.shape[1] - 2 * half) // second
    if count < _FEWEST:
        return np.zeros((len(x), 2 * half + 1), np.float32), np.zeros(len(x), np.bool_)
    level = np.median(x, axis=1, keepdims=True)
    parts = x[:, half : half + count * second].reshape(len(x), count, second)
    peaks = np.abs(parts - level[:, :, None]).argmax(axis=2) + np.arange(count) * second + half
    heights = np.take_along_axis(x, peaks, axis=1) - level
    upright = np.sign(heights) == np.sign(heights.sum(axis=1, keepdims=True))
    used = (np.abs(heights) > _HIGH * size) & upright
    beats = _around(x, np.arange(len(x))[:, None], peaks, half)
    beats -= beats.mean(axis=2, keepdims=True)
    templates = _median(beats, used[:, :, None])
    templates -= templates.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(beats, axis=2) * np.linalg.norm(templates, axis=1, keepdims=True)
    correlation = np.einsum("ijk,ik->ij", beats, templates) / np.maximum(norms, 1e-9)
    alike = _median(correlation, used) >= _ALIKE
    return templates, alike & (used.sum(axis=1) >= _FEWEST)


def _median(values: Array, used: NDArray[np.bool_]) -> Array:
    """Median over axis 1 of those ``used``, 0 without any."""
    ordered = np.sort(np.where(used, values, np.float32(np.inf)), axis=1)
    count = np.maximum(used.sum(axis=1, keepdims=True), 1)
    middle = [np.take_along_axis(ordered, i // 2, axis=1)[:, 0] for i in (count - 1, count)]
    median: Array = (middle[0] + middle[1]) / 2
    return np.where(np.isfinite(median), median, np.float32(0))


def _places(
    before: Array, after: Array, templates: Array, apart: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and R peaks, in samples, of beats that are in ``before`` and not in ``after``."""
    half = templates.shape[1] // 2
    energy = np.square(templates).sum(axis=1)
    scaled = templates / energy[:, None]
    held, left = _correlated(before, scaled), _correlated(after, scaled)
    lost = (held > _SIZES[0]) & (held < _SIZES[1]) & (left < _KEPT * held)
    rows, at = np.divmod(np.flatnonzero(lost), held.shape[1])
    padded = np.pad(held, ((0, 0), (apart, apart)), constant_values=-np.inf)
    for reach in (1, apart):  # the nearest samples first, which most of them do not exceed
        highest = held[rows, at] == _around(padded, rows, at + apart, reach).max(axis=1, initial=0)
        rows, at = rows[highest], at[highest]
    beats = _around(before, rows, at + half, half).astype(np.float64)
    power = np.square(beats - beats.mean(axis=1, keepdims=True)).sum(axis=1)
    match = held[rows, at] * np.sqrt(energy[rows] / np.maximum(power, 1e-12))
    return rows[match > _MATCH], at[match > _MATCH] + half


def _around(x: Array, rows: NDArray[np.intp], places: NDArray[np.intp], reach: int) -> Array:
    """Samples of rows (rows, time) within ``reach`` of places in them."""
    views = np.lib.stride_tricks.sliding_window_view(x, 2 * reach + 1, axis=1)
    around: Array = views[rows, places - reach]
    return around


def _correlated(x: Array, templates: Array) -> Array:
    """Correlation of each row (rows, time) with its template, where that lies within the row.

    Products of blocks with band matrices, which are faster than sums for each sample.
    """
    length = templates.shape[1]
    block = max(_BLOCK, length)
    count = x.shape[1] - length + 1
    blocks = -(-count // block) + 1
    padded = np.zeros((len(x), blocks * block), np.float32)
    padded[:, : x.shape[1]] = x
    parts = padded.reshape(len(x), blocks, block)
    diagonals = np.zeros((len(x), 3 * block - 1), np.float32)
    diagonals[:, block - 1 : block - 1 + length] = templates
    views = np.lib.stride_tricks.sliding_window_view(diagonals, 2 * block, axis=1)
    band = np.ascontiguousarray(views[:, ::-1]).swapaxes(1, 2)
    correlation = parts[:, :-1] @ band[:, :block]
    correlation += parts[:, 1:] @ band[:, block:]
    joined: Array = correlation.reshape(len(x), -1)
    return joined[:, :count]


def _weight(
    rows: NDArray[np.intp],
    places: NDArray[np.intp],
    shape: tuple[int, ...],
    half: int,
    edge: int,
) -> Array:
    """1 around each place in a row, fading to 0 at both ends."""
    ramp = np.sin(np.pi / 2 * (np.arange(edge) + 0.5) / edge) ** 2
    values = np.concatenate([ramp, np.ones(2 * half + 1), ramp[::-1]]).astype(np.float32)
    reach = half + edge
    weight = np.zeros((shape[0], shape[1] + 2 * reach), np.float32)
    rising = np.argsort(values)  # of two beats the higher value is written last, and stays
    weight[rows, places + rising[:, None]] = values[rising, None]
    return weight[:, reach:-reach]
