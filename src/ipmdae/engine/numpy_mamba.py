"""The Mamba block in NumPy.

A. Gu, T. Dao, "Mamba: linear-time sequence modeling with selective state spaces", 2023.

Sizes: d channels outside, e = expand · d inside, n states a channel, r = rank of the step size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ipmdae import native
from ipmdae.engine.numpy_layers import Array, linear, silu, softplus


def mamba(x: Array, weights: Mapping[str, Array], A_log: Array) -> Array:
    """One Mamba block: a gated selective scan of x, causal in time.

    (u, z) = W_in x; u = silu(conv(u)); (s, B, C) = W_x u; delta = softplus(W_dt s + b_dt);
    y = W_out (scan(u, delta, -exp(A_log), B, C, D) · silu(z)).

    Args:
        x: (batch, time, d).
        weights: the block's tensors by their names within it, such as ``in_proj.weight``.
        A_log: (e, n).

    Returns:
        (batch, time, d).
    """
    inner, states = A_log.shape
    u, z = np.split(linear(x, weights["in_proj.weight"]), [inner], axis=-1)
    u = silu(causal_convolution(u, weights["conv1d.weight"], weights["conv1d.bias"]))
    rank = weights["dt_proj.weight"].shape[1]
    selected = linear(u, weights["x_proj.weight"])
    step, B, C = np.split(selected, [rank, rank + states], axis=-1)
    delta = softplus(linear(step, weights["dt_proj.weight"], weights["dt_proj.bias"]))
    y = selective_scan(u, delta, -np.exp(A_log), B, C, weights["D"])
    y *= silu(z)
    return linear(y, weights["out_proj.weight"])


def causal_convolution(x: Array, weight: Array, bias: Array) -> Array:
    """Each channel by itself: y_t = b + sum_j w_j x_{t + j - (K - 1)}, with x zero before time 0.

    Args:
        x: (batch, time, e).
        weight: w, (e, K).
        bias: b, (e,).

    Returns:
        (batch, time, e).
    """
    length, kernel = x.shape[1], weight.shape[1]
    padded = np.pad(x, ((0, 0), (kernel - 1, 0), (0, 0)))
    y = np.empty(x.shape, x.dtype)
    y[...] = bias
    for j in range(kernel):
        y += padded[:, j : j + length] * weight[:, j]
    return y


def selective_scan(
    u: Array,
    delta: Array,
    A: Array,
    B: Array,
    C: Array,
    D: Array,
) -> Array:
    """h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t, y_t = C_t · h_t + D u_t, from h = 0.

    Float32 goes to the native library where there is one.

    Args:
        u: input, (batch, time, e).
        delta: step size, (batch, time, e).
        A: state matrix, (e, n), negative.
        B: input matrix, (batch, time, n).
        C: output matrix, (batch, time, n).
        D: gain of the direct path, (e,).

    Returns:
        y, (batch, time, e).
    """
    if u.dtype == np.float32 and native.available():
        return native.scan_forward(*map(np.ascontiguousarray, (u, delta, A, B, C, D)))
    return scan_over_time(u, delta, A, B, C, D)


def scan_over_time(
    u: Array,
    delta: Array,
    A: Array,
    B: Array,
    C: Array,
    D: Array,
) -> Array:
    """:func:`selective_scan` sample by sample, as its equation is written."""
    batch, length, _ = u.shape
    y = D * u
    driven = delta * u
    h = np.zeros((batch, *A.shape), u.dtype)
    for t in range(length):
        h *= np.exp(delta[:, t, :, np.newaxis] * A)
        h += driven[:, t, :, np.newaxis] * B[:, t, np.newaxis, :]
        y[:, t] += (h @ C[:, t, :, np.newaxis])[..., 0]
    return y
