"""The whole network in plain NumPy: the reference for every other engine.

Written to be read with the paper: one function per layer, its equation in the docstring. In float64
it defines the network's output; in float32 it also serves as an engine without a compiler.

Symbols: C channels of a stage, N branches of its MF-IPM module, d = C / N channels of a branch,
w pooling width of a branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipmdae.architecture import Architecture, lengths
from ipmdae.engine.numpy_layers import (
    Array,
    average_pool,
    layer_norm,
    linear,
    relu,
    softmax,
    strided_convolution,
    transposed_convolution,
    upsample_nearest,
)
from ipmdae.engine.numpy_mamba import mamba
from ipmdae.engine.shapes import check_shapes, check_windows, expected_shapes

Float = TypeVar("Float", bound=np.floating)

# Windows processed together: few, so that a layer's arrays stay in cache.
WINDOWS_AT_ONCE = 8


class NumpyNetwork(Generic[Float]):
    """An :class:`ipmdae.engine.Engine` in NumPy.

    Args:
        architecture: architecture of the network.
        tensors: its weights by name, as in :func:`ipmdae.engine.shapes.expected_shapes`.
        dtype: ``np.float32`` or ``np.float64``, for weights, arithmetic and result.

    Raises:
        ValueError: a tensor is missing, surplus or wrongly shaped.
    """

    def __init__(
        self,
        architecture: Architecture,
        tensors: Mapping[str, Array],
        dtype: type[Float],
    ) -> None:
        check_shapes(tensors, expected_shapes(architecture), "network")
        self.architecture = architecture
        self._dtype = dtype
        self._tensors = {name: tensor.astype(dtype) for name, tensor in tensors.items()}

    def run(self, windows: Array) -> NDArray[Float]:
        """Run windows of a signal through the network.

        Args:
            windows: (batch, time, leads), scaled as the model's preprocessing says; any number of
                windows, of at least one sample. A NaN spoils its own window and no other.

        Returns:
            (batch, time, outputs).

        Raises:
            ValueError: the array has other axes.
        """
        check_windows(windows, self.architecture.leads)
        result = np.empty((*windows.shape[:2], self.architecture.outputs), self._dtype)
        for start in range(0, len(windows), WINDOWS_AT_ONCE):
            some = slice(start, start + WINDOWS_AT_ONCE)
            result[some] = network(
                windows[some].astype(self._dtype), self._tensors, self.architecture
            )
        return result


def network(x: Array, tensors: Mapping[str, Array], architecture: Architecture) -> Array:
    """Encoder, skip modules and decoder.

    E_k = relu(conv(E_{k-1})); D_1 = relu(conv^T(E_K)) and so on upwards, each D_k after the first
    from D_{k-1} plus the skip module of the encoder stage of that length (plain E where that stage
    has no branches); no relu at the end. A residual network's leads are x - D_K.

    Args:
        x: (batch, time, leads).
        tensors: the weights by name.
        architecture: architecture of the network.

    Returns:
        (batch, time, outputs).
    """
    noisy = x
    stages = len(architecture.channels)
    sizes = [x.shape[1], *lengths(architecture, x.shape[1])]
    encoded = []
    for k in range(stages):
        weights = part(tensors, f"encoder.{k}")
        x = relu(strided_convolution(x, weights["weight"], weights["bias"]))
        encoded.append(x)
    for k in range(stages):
        mirrored = stages - 1 - k
        if k > 0:
            skip = encoded[mirrored]
            if architecture.branches[mirrored]:
                skip = mf_ipm(skip, part(tensors, f"skips.{mirrored}"), architecture)
            x = x + skip
        weights = part(tensors, f"decoder.{k}")
        x = transposed_convolution(x, weights["weight"], weights["bias"], sizes[mirrored])
        if k < stages - 1:
            x = relu(x)
    if architecture.residual:
        x[..., : architecture.leads] = noisy - x[..., : architecture.leads]
    return x


def mf_ipm(x: Array, weights: Mapping[str, Array], architecture: Architecture) -> Array:
    """The multi-branch module between an encoder stage and the decoder stage of its length.

    x' = norm(x); x_n = relu(pool_w(W_n x')); M_n = attention(x_n), M^ = fusion(M);
    y_n = (mamba_f(x_n) + flip(mamba_b(flip(x_n)))) · M^_n + skip_scale · x_n;
    y = norm(concatenated y_n, upsampled by w). Both norms are one and the same.

    Args:
        x: (batch, time, C).
        weights: the module's tensors by their names within it.
        architecture: architecture of the network.

    Returns:
        (batch, time, C).
    """
    length = x.shape[1]
    branches = sum(name.startswith("project.") for name in weights)
    norm = weights["norm.weight"], weights["norm.bias"]
    normed = layer_norm(x, *norm)
    widths = [min(architecture.pooling(n), length) for n in range(branches)]
    inputs = [
        relu(average_pool(linear(normed, weights[f"project.{n}.weight"]), width))
        for n, width in enumerate(widths)
    ]
    importance = [
        channel_attention(branch, part(weights, f"attention.{n}"), architecture)
        for n, branch in enumerate(inputs)
    ]
    fused = multi_scale_fusion(np.stack(importance, axis=1), weights, architecture)
    outputs = []
    for n, (branch, width) in enumerate(zip(inputs, widths, strict=True)):
        y = bidirectional_mamba(branch, weights, n)
        y *= fused[:, n, np.newaxis]
        y += weights["skip_scale"] * branch
        outputs.append(upsample_nearest(y, width, length))
    return layer_norm(np.concatenate(outputs, axis=-1), *norm)


def channel_attention(x: Array, weights: Mapping[str, Array], architecture: Architecture) -> Array:
    """Importance of each channel: f(mean over time) + f(max over time), f = W_2 relu(W_1 ·).

    The paper's figure has f(mean + max).

    Args:
        x: (batch, time, d).
        weights: ``squeeze.weight`` W_1 and ``excite.weight`` W_2, (d, d) each.
        architecture: one of the two variants.

    Returns:
        M_n, (batch, d).
    """
    mean, peak = x.mean(axis=1), x.max(axis=1)

    def f(summary: Array) -> Array:
        return linear(relu(linear(summary, weights["squeeze.weight"])), weights["excite.weight"])

    return f(mean + peak) if architecture.attention == "figure" else f(mean) + f(peak)


def multi_scale_fusion(M: Array, weights: Mapping[str, Array], architecture: Architecture) -> Array:
    """Attention among the branches: softmax(M M^T) M.

    The paper's figure has softmax(Q K^T) V with Q, K, V linear maps of M.

    Args:
        M: (batch, N, d).
        weights: with ``fusion.query.weight``, ``.key.`` and ``.value.``, (d, d), for the figure.
        architecture: one of the two variants.

    Returns:
        (batch, N, d).
    """
    query = key = value = M
    if architecture.fusion == "figure":
        query, key, value = (
            linear(M, weights[f"fusion.{role}.weight"]) for role in ("query", "key", "value")
        )
    return softmax(query @ key.swapaxes(-1, -2)) @ value


def bidirectional_mamba(x: Array, weights: Mapping[str, Array], branch: int) -> Array:
    """Both directions of a branch: mamba_f(x; A_n) + flip(mamba_b(flip(x); A'_n)).

    One pair of blocks serves all branches, with state matrices of each branch's own.

    Args:
        x: (batch, time, d).
        weights: the MF-IPM module's tensors.
        branch: n.

    Returns:
        (batch, time, d).
    """
    y = mamba(x, part(weights, "mamba_forward"), weights[f"A_log_forward.{branch}"])
    reverse = mamba(
        x[:, ::-1], part(weights, "mamba_backward"), weights[f"A_log_backward.{branch}"]
    )
    y += reverse[:, ::-1]
    return y


def part(tensors: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The tensors whose names begin with ``prefix.``, named by what follows it."""
    start = prefix + "."
    return {
        name[len(start) :]: tensor for name, tensor in tensors.items() if name.startswith(start)
    }
