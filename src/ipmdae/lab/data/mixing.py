"""Noise drawn from records and added to clean windows at an exact signal-to-noise ratio."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Power = Literal["total", "ac"]


def power(x: Array, kind: Power, axis: tuple[int, ...]) -> Array:
    """Mean square over ``axis``; ``ac`` leaves out each lead's mean over time (axis -2)."""
    if kind == "ac":
        x = x - x.mean(axis=-2, keepdims=True)
    result: Array = np.mean(np.square(x, dtype=np.float64), axis=axis, keepdims=True)
    return result


def mix(clean: Array, noise: Array, snr: float | Array, *, of: Power, per_lead: bool) -> Array:
    """Add noise to clean windows so that their signal-to-noise ratio is exactly ``snr``.

    Args:
        clean: windows, (..., time, leads).
        noise: of the same shape, any scale.
        snr: 10 log10(signal power / noise power) in dB, a number or one for each window
            (broadcast against ``clean``).
        of: whether power includes the mean (``total``, as the paper's code counts) or not (``ac``).
        per_lead: scale each lead by itself, or all leads of a window by one factor.

    Returns:
        The noisy windows, float32. A window (or lead) whose noise has no power stays clean.
    """
    axis = (-2,) if per_lead else (-2, -1)
    noise_power = power(noise, of, axis)
    target = power(clean, of, axis) / 10 ** (np.asarray(snr) / 10)
    factor = np.sqrt(
        np.divide(
            target, noise_power, out=np.zeros_like(target * noise_power), where=noise_power > 0
        )
    )
    return (clean + factor * noise).astype(np.float32)


def cut(signal: Array, length: int) -> Array:
    """Consecutive windows, (..., time, channels) -> (..., windows, length, channels).

    Raises:
        ValueError: the signal is shorter than one window.
    """
    count = signal.shape[-2] // length
    if count == 0:
        raise ValueError(
            f"a recording of {signal.shape[-2]} samples is shorter than one window of {length}"
        )
    shape = (*signal.shape[:-2], count, length, signal.shape[-1])
    return signal[..., : count * length, :].reshape(shape)


def draw_pieces(signal: Array, length: int, rng: np.random.Generator) -> Array:
    """One segment of each kind of noise from a random place, turned and mirrored at random.

    Args:
        signal: (kinds, time, channels), at least ``length`` long.

    Returns:
        (kinds, length, channels), with a random sign and direction for each kind.
    """
    pieces = np.empty((signal.shape[0], length, signal.shape[2]), np.float32)
    for kind, start in enumerate(rng.integers(0, signal.shape[1] - length + 1, len(signal))):
        step, sign = (1 - 2 * int(rng.integers(2)) for _ in range(2))  # choice() is slower
        pieces[kind] = signal[kind, start : start + length][::step] * sign
    return pieces
