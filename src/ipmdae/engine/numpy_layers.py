"""The layers of an Ultralight IPM-DAE in plain NumPy, an equation each.

Arrays are (batch, time, channels): x has L samples of C channels, y what a layer makes of it.
Every layer keeps the dtype of its input, float32 or float64.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]

STRIDE = 2
LAYER_NORM_EPSILON = 1e-5


def strided_convolution(x: Array, weight: Array, bias: Array) -> Array:
    """Convolution of stride 2 that halves the length: y_t = b + sum_j W_j x_{2t + j - p}.

    Samples outside of x are zero, and p = (K - 1) / 2.

    Args:
        x: (batch, L, C).
        weight: W, (C', C, K), K odd.
        bias: b, (C',).

    Returns:
        (batch, ceil(L / 2), C').
    """
    outputs, inputs, kernel = weight.shape
    padding = kernel // 2
    padded = np.pad(x, ((0, 0), (padding, padding), (0, 0)))
    windows = sliding_window_view(padded, kernel, axis=1)[:, ::STRIDE]
    batch, length = windows.shape[:2]
    columns = windows.reshape(batch * length, inputs * kernel)
    y: Array = columns @ weight.reshape(outputs, inputs * kernel).T
    y += bias
    return y.reshape(batch, length, outputs)


def transposed_convolution(x: Array, weight: Array, bias: Array, length: int) -> Array:
    """The adjoint of :func:`strided_convolution`: y_s = b + sum over 2t + j - p = s of W_j x_t.

    Args:
        x: (batch, L, C).
        weight: W, (C, C', K), K odd.
        bias: b, (C',).
        length: samples of the result, 2 L - 1 or 2 L: those that the convolution makes L of.

    Returns:
        (batch, length, C').
    """
    inputs, outputs, kernel = weight.shape
    batch, samples, _ = x.shape
    padding = kernel // 2
    taps = weight.transpose(0, 2, 1).reshape(inputs, kernel * outputs)
    products = (x.reshape(-1, inputs) @ taps).reshape(batch, samples, kernel, outputs)
    y = np.zeros((batch, STRIDE * (samples - 1) + kernel, outputs), x.dtype)
    for j in range(kernel):
        y[:, j : j + STRIDE * samples : STRIDE] += products[:, :, j]
    y += bias
    return y[:, padding : padding + length]


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """y = W x (+ b) over the last axis of x; also a 1x1 convolution. W is (out, in)."""
    y: Array = (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight))
    if bias is not None:
        y += bias
    return y


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    """y = (x - mean) / sqrt(variance + eps) · w + b, moments over the channels of each sample."""
    y: Array = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(y).mean(axis=-1, keepdims=True)
    y /= np.sqrt(variance + LAYER_NORM_EPSILON)
    y *= weight
    y += bias
    return y


def average_pool(x: Array, width: int) -> Array:
    """Means of ``width`` consecutive samples; a remainder at the end is dropped."""
    batch, length, channels = x.shape
    kept = length // width
    y: Array = x[:, : kept * width].reshape(batch, kept, width, channels).mean(axis=2)
    return y


def upsample_nearest(x: Array, width: int, length: int) -> Array:
    """Each sample ``width`` times, then zeros up to ``length`` samples."""
    batch, samples, channels = x.shape
    y = np.zeros((batch, length, channels), x.dtype)
    repeated = y[:, : samples * width].reshape(batch, samples, width, channels)
    repeated[...] = x[:, :, np.newaxis]
    return y


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


def silu(x: Array) -> Array:
    """x / (1 + exp(-x)); for x so negative that exp overflows, its limit 0."""
    with np.errstate(over="ignore"):
        y: Array = x / (1 + np.exp(-x))
    return y


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), where nothing overflows."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softmax(x: Array) -> Array:
    """exp(x) / sum exp(x) over the last axis."""
    y: Array = np.exp(x - x.max(axis=-1, keepdims=True))
    y /= y.sum(axis=-1, keepdims=True)
    return y
