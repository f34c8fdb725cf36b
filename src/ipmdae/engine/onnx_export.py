"""A whole network as ONNX: one file that runs wherever ONNX does, for any batch and any length.

Built from the weights, one function per layer, parallel to :mod:`ipmdae.engine.numpy_network`. The
selective scan is ONNX's ``Scan``, so the graph does not grow with the length of a window. The
metadata of the model file are included, so that the ONNX file alone describes the model.
"""

from __future__ import annotations

import os

import onnx
from onnx import helper

from ipmdae import __version__
from ipmdae.architecture import Architecture
from ipmdae.engine.model_file import ModelFile, check_tensors, metadata_of
from ipmdae.engine.onnx_graph import Graph, Value, array
from ipmdae.engine.onnx_layers import (
    average_pool,
    flip,
    layer_norm,
    linear,
    mamba,
    strided_convolution,
    transposed_convolution,
    upsample_nearest,
)
from ipmdae.files import replacing

INPUT, OUTPUT = "windows", "cleaned"

# The oldest that have the operators used here, so that old runtimes can read the file.
OPSET = 18
IR_VERSION = 8


def write_onnx(path: str | os.PathLike[str], model: ModelFile) -> None:
    """Write a model as an ONNX file; an interruption leaves the old file or the new one.

    Raises:
        ValueError: the model's tensors do not fit its architecture, or are not finite.
    """
    content = to_onnx(model).SerializeToString()
    with replacing(path) as aside:
        aside.write_bytes(content)


def to_onnx(model: ModelFile) -> onnx.ModelProto:
    """A model in ONNX.

    It takes ``windows`` (batch, time, leads) and gives ``cleaned`` (batch, time, outputs), float32
    as in :meth:`ipmdae.engine.Engine.run`, with any batch and any time from 1. Weights keep the
    names and shapes that they have in the model file; those without effect are left out.
    ``metadata_props`` are the metadata of the model file.

    Raises:
        ValueError: the model's tensors do not fit its architecture, or are not finite.
    """
    check_tensors(model.tensors, model.architecture, f"model {model.name}")
    g = Graph(model.tensors)
    g.name(network(g, INPUT, model.architecture), OUTPUT)
    graph = g.finish(
        model.name,
        inputs=[array(INPUT, "batch", "time", model.architecture.leads)],
        outputs=[array(OUTPUT, "batch", "time", model.architecture.outputs)],
    )
    result = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="ipmdae",
        producer_version=__version__,
    )
    helper.set_model_props(result, metadata_of(model))
    onnx.checker.check_model(result, full_check=True)
    return result


def network(g: Graph, x: Value, architecture: Architecture) -> Value:
    """Encoder, skip modules and decoder: (batch, time, leads) to (batch, time, outputs).

    E_k = relu(conv(E_{k-1})); D_1 = relu(conv^T(E_K)) and so on upwards, each D_k after the first
    from D_{k-1} plus the skip module of the encoder stage of that length (plain E where that stage
    has no branches); no relu at the end. A residual network's leads are x - D_K.
    """
    stages = len(architecture.channels)
    encoded = [x]
    for k in range(stages):
        encoded.append(g.add("Relu", strided_convolution(g, encoded[-1], f"encoder.{k}")))
    y = encoded[-1]
    for k in range(stages):
        mirrored = stages - 1 - k
        if k > 0:
            skip = encoded[mirrored + 1]
            if architecture.branches[mirrored]:
                skip = mf_ipm(g, skip, architecture, mirrored)
            y = g.add("Add", y, skip)
        y = transposed_convolution(g, y, f"decoder.{k}", g.size(encoded[mirrored], 1))
        if k < stages - 1:
            y = g.add("Relu", y)
    return less_noise(g, x, y, architecture) if architecture.residual else y


def less_noise(g: Graph, x: Value, y: Value, architecture: Architecture) -> Value:
    """x less the noise in the first channels of y; the uncertainty behind them stays."""
    if not architecture.uncertainty:
        return g.add("Sub", x, y)
    noise, uncertainty = g.split(y, [architecture.leads] * 2, axis=2)
    return g.add("Concat", g.add("Sub", x, noise), uncertainty, axis=2)


def mf_ipm(g: Graph, x: Value, architecture: Architecture, stage: int) -> Value:
    """The multi-branch module on an encoder stage: (batch, time, C) to the same.

    x' = norm(x); x_n = relu(pool_w(W_n x')); M_n = attention(x_n), M^ = fusion(M);
    y_n = (mamba_f(x_n) + flip(mamba_b(flip(x_n)))) · M^_n + skip_scale · x_n;
    y = norm(concatenated y_n, upsampled by w). Both norms are one and the same.
    """
    skip, branches = f"skips.{stage}", range(architecture.branches[stage])
    channels, length = architecture.branch_width(stage), g.size(x, 1)
    normed = layer_norm(g, x, f"{skip}.norm")
    widths = [g.add("Min", g.integers(architecture.pooling(n)), length) for n in branches]
    inputs, importance = [], []
    for n in branches:
        projected = linear(g, normed, f"{skip}.project.{n}.weight")
        inputs.append(g.add("Relu", average_pool(g, projected, widths[n], channels)))
        importance.append(channel_attention(g, inputs[n], architecture, f"{skip}.attention.{n}"))
    fused = multi_scale_fusion(g, importance, architecture, skip)
    outputs = []
    for n in branches:
        y = g.add("Mul", bidirectional_mamba(g, inputs[n], skip, n), fused[n])
        y = g.add("Add", y, g.add("Mul", g.weight(f"{skip}.skip_scale"), inputs[n]))
        outputs.append(upsample_nearest(g, y, widths[n], length, channels))
    return layer_norm(g, g.add("Concat", *outputs, axis=2), f"{skip}.norm")


def channel_attention(g: Graph, x: Value, architecture: Architecture, layer: str) -> Value:
    """Importance of each channel: f(mean over time) + f(max over time), f = W_2 relu(W_1 ·).

    The paper's figure has f(mean + max). From (batch, time, d) to (batch, 1, d).
    """
    mean, peak = (g.add(kind, x, g.integers(1)) for kind in ("ReduceMean", "ReduceMax"))

    def f(summary: Value) -> Value:
        hidden = g.add("Relu", linear(g, summary, f"{layer}.squeeze.weight"))
        return linear(g, hidden, f"{layer}.excite.weight")

    if architecture.attention == "figure":
        return f(g.add("Add", mean, peak))
    return g.add("Add", f(mean), f(peak))


def multi_scale_fusion(
    g: Graph, importance: list[Value], architecture: Architecture, skip: str
) -> list[Value]:
    """Attention among the branches: softmax(M M^T) M, from and to (batch, 1, d) a branch.

    The paper's figure has softmax(Q K^T) V with Q, K, V linear maps of M.
    """
    M = g.add("Concat", *importance, axis=1)
    query = key = value = M
    if architecture.fusion == "figure":
        query, key, value = (
            linear(g, M, f"{skip}.fusion.{role}.weight") for role in ("query", "key", "value")
        )
    scores = g.add("MatMul", query, g.add("Transpose", key, perm=[0, 2, 1]))
    fused = g.add("MatMul", g.add("Softmax", scores, axis=-1), value)
    return g.split(fused, [1] * len(importance), axis=1)


def bidirectional_mamba(g: Graph, x: Value, skip: str, branch: int) -> Value:
    """Both directions of a branch, (batch, time, d) to the same, as the NumPy network's."""
    y = mamba(g, x, f"{skip}.mamba_forward", f"{skip}.A_log_forward.{branch}")
    reverse = mamba(g, flip(g, x), f"{skip}.mamba_backward", f"{skip}.A_log_backward.{branch}")
    return g.add("Add", y, flip(g, reverse))
