"""The network alone in Python, window by window, without the guard: the reference for C."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipmdae.engine import Engine
from ipmdae.pipeline.window import MIN_SPREAD, Framing, OverlapAdd, cut, robust_scale

Array = NDArray[np.float32]


def denoise(engine: Engine, samples: Array, framing: Framing) -> Array:
    """Denoise a lead as :func:`ipmdae.embedded.write_c` does.

    Args:
        engine: a network of one lead.
        samples: (time,) in mV; NaN is a missing sample, for which the last one before is held.
        framing: positions of the windows.

    Returns:
        (time, 2): cleaned samples about zero, and the predicted standard deviation of the error
        (NaN if the network has none), in mV.
    """
    missing = np.isnan(samples)
    filled, absent = _held(samples)[:, np.newaxis], missing[:, np.newaxis]
    adder: OverlapAdd[np.float32] = OverlapAdd(framing, 2)
    ends = framing.ends(0, len(samples)).tolist()
    pieces = []
    for end in dict.fromkeys([*ends, len(samples)]):
        length = framing.length(end)
        first = np.array([end - length])
        window = _window(engine, cut(filled, first, length), cut(absent, first, length))
        pieces.append(adder.add(window, end, last=end == len(samples)))
    cleaned = np.concatenate(pieces)
    cleaned[missing] = np.nan
    return cleaned


def _window(engine: Engine, noisy: Array, absent: NDArray[np.bool_]) -> Array:
    """A window (1, time, 1) through the network: (time, 2)."""
    _, offset, scale = robust_scale(np.where(absent, np.float32(np.nan), noisy))
    if np.ptp(noisy) <= MIN_SPREAD:
        return np.concatenate([(noisy - offset)[0], np.zeros_like(noisy[0])], axis=1)
    output = engine.run((noisy - offset) / scale)[0]
    cleaned, deviation = output[:, :1], np.exp(output[:, 1:])
    if not deviation.shape[1]:
        deviation = np.full_like(cleaned, np.nan)
    both: Array = np.concatenate([cleaned, deviation], axis=1) * scale[0]
    return both


def _held(samples: Array) -> Array:
    """Samples with gaps filled by the last sample before, or by the first one."""
    known = np.flatnonzero(~np.isnan(samples))
    if not len(known):
        return np.zeros_like(samples)
    last = np.searchsorted(known, np.arange(len(samples)), side="right") - 1
    held: Array = samples[known[np.maximum(last, 0)]]
    return held
