"""The layers of an Ultralight IPM-DAE as ONNX operators, an equation each.

Counterparts of :mod:`ipmdae.engine.numpy_layers` and :mod:`ipmdae.engine.numpy_mamba`: values are
(batch, time, channels), and what depends on batch or time is computed when the network runs. The
argument ``layer`` is the prefix of a layer's weights, such as ``encoder.0``.
"""

from __future__ import annotations

import onnx
from onnx import helper

from ipmdae.engine.numpy_layers import LAYER_NORM_EPSILON, STRIDE
from ipmdae.engine.onnx_graph import Graph, Value, array

CHANNELS_FIRST = (0, 2, 1)
TIME_FIRST = (1, 0, 2)


def strided_convolution(g: Graph, x: Value, layer: str) -> Value:
    """Convolution of stride 2 that halves the length: y_t = b + sum_j W_j x_{2t + j - p}."""
    return convolution(g, "Conv", x, layer)


def transposed_convolution(g: Graph, x: Value, layer: str, length: Value) -> Value:
    """The adjoint of :func:`strided_convolution`, cut to ``length`` samples.

    One sample is padded always, which gives 2 L, and dropped where 2 L - 1 are wanted.
    """
    y = convolution(g, "ConvTranspose", x, layer, output_padding=[1])
    return g.add("Slice", y, g.integers(0), length, g.integers(1))


def convolution(g: Graph, operator: str, x: Value, layer: str, **attributes: list[int]) -> Value:
    """``operator`` along time, of stride 2 and padded by (K - 1) / 2 at both ends."""
    weight = f"{layer}.weight"
    padding = g.shape(weight)[2] // 2
    y = g.add(
        operator,
        g.add("Transpose", x, perm=CHANNELS_FIRST),
        g.weight(weight),
        g.weight(f"{layer}.bias"),
        strides=[STRIDE],
        pads=[padding, padding],
        **attributes,
    )
    return g.add("Transpose", y, perm=CHANNELS_FIRST)


def linear(g: Graph, x: Value, weight: str) -> Value:
    """y = W x over the last axis of x; also a 1x1 convolution. W is (out, in)."""
    return g.add("MatMul", x, g.add("Transpose", g.weight(weight)))


def layer_norm(g: Graph, x: Value, layer: str) -> Value:
    """y = (x - mean) / sqrt(variance + eps) · w + b, moments over the channels of each sample."""
    weight, bias = g.weight(f"{layer}.weight"), g.weight(f"{layer}.bias")
    return g.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=LAYER_NORM_EPSILON)


def average_pool(g: Graph, x: Value, width: Value, channels: int) -> Value:
    """Means of ``width`` consecutive samples; a remainder at the end is dropped."""
    count = g.add("Div", g.size(x, 1), width)
    kept = g.add("Slice", x, g.integers(0), g.add("Mul", count, width), g.integers(1))
    groups = g.add("Reshape", kept, g.vector(0, count, width, channels))
    return g.add("ReduceMean", groups, g.integers(2), keepdims=0)


def upsample_nearest(g: Graph, x: Value, width: Value, length: Value, channels: int) -> Value:
    """Each sample ``width`` times, then zeros up to ``length`` samples."""
    filled = g.add("Mul", g.size(x, 1), width)
    apart = g.add("Unsqueeze", x, g.integers(2))
    repeated = g.add("Expand", apart, g.vector(1, 1, width, 1))
    y = g.add("Reshape", repeated, g.vector(0, filled, channels))
    missing = g.add("Sub", length, filled)
    return g.add("Pad", y, g.vector(0, 0, 0, 0, missing, 0))


def flip(g: Graph, x: Value) -> Value:
    """The samples in reverse order."""
    first = g.integers(-(2**63))
    return g.add("Slice", x, g.integers(-1), first, g.integers(1), g.integers(-1))


def silu(g: Graph, x: Value) -> Value:
    """x · sigmoid(x)."""
    return g.add("Mul", x, g.add("Sigmoid", x))


def mamba(g: Graph, x: Value, layer: str, A_log: str) -> Value:
    """One Mamba block: a gated selective scan of x, causal in time.

    (u, z) = W_in x; u = silu(conv(u)); (s, B, C) = W_x u; delta = softplus(W_dt s + b_dt);
    y = W_out (scan(u, delta, -exp(A_log), B, C, D) · silu(z)).
    """
    inner, states = g.shape(A_log)
    rank = g.shape(f"{layer}.dt_proj.weight")[1]
    u, z = g.split(linear(g, x, f"{layer}.in_proj.weight"), [inner, inner], axis=-1)
    u = silu(g, causal_convolution(g, u, f"{layer}.conv1d"))
    selected = linear(g, u, f"{layer}.x_proj.weight")
    step, B, C = g.split(selected, [rank, states, states], axis=-1)
    step = linear(g, step, f"{layer}.dt_proj.weight")
    delta = g.add("Softplus", g.add("Add", step, g.weight(f"{layer}.dt_proj.bias")))
    y = selective_scan(g, u, delta, A_log, B, C)
    y = g.add("Add", y, g.add("Mul", g.weight(f"{layer}.D"), u))
    return linear(g, g.add("Mul", y, silu(g, z)), f"{layer}.out_proj.weight")


def causal_convolution(g: Graph, x: Value, layer: str) -> Value:
    """Each channel by itself: y_t = b + sum_j w_j x_{t + j - (K - 1)}, x zero before time 0."""
    channels, kernel = g.shape(f"{layer}.weight")
    y = g.add(
        "Conv",
        g.add("Transpose", x, perm=CHANNELS_FIRST),
        g.add("Unsqueeze", g.weight(f"{layer}.weight"), g.integers(1)),
        g.weight(f"{layer}.bias"),
        group=channels,
        pads=[kernel - 1, 0],
    )
    return g.add("Transpose", y, perm=CHANNELS_FIRST)


def selective_scan(g: Graph, u: Value, delta: Value, A_log: str, B: Value, C: Value) -> Value:
    """h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t, y_t = C_t · h_t, from h = 0.

    A = -exp(A_log), (e, n). ONNX's Scan runs over the first axis, since some runtimes know no
    other; an axis of one stands where a value lacks the channels e or the states n.
    """
    inner, states = g.shape(A_log)
    A = g.add("Neg", g.add("Exp", g.weight(A_log)))
    h0 = g.add("Expand", g.zeros(1, inner, states), g.vector(g.size(u, 0), 1, 1))
    scanned = [
        time_first(g, delta, 3),
        time_first(g, g.add("Mul", delta, u), 3),
        time_first(g, B, 2),
        time_first(g, C, 3),
    ]
    step = scan_step(A, inner, states)
    _, y = g.add_several(2, "Scan", h0, *scanned, body=step, num_scan_inputs=len(scanned))
    return g.add("Transpose", g.add("Squeeze", y, g.integers(3)), perm=TIME_FIRST)


def time_first(g: Graph, x: Value, axis: int) -> Value:
    """(batch, time, channels) as (time, batch, channels), with a new ``axis`` of one."""
    return g.add("Unsqueeze", g.add("Transpose", x, perm=TIME_FIRST), g.integers(axis))


def scan_step(A: Value, inner: int, states: int) -> onnx.GraphProto:
    """One sample of :func:`selective_scan`; ``A`` is a value of the graph around it."""
    nodes = [
        helper.make_node("Mul", ["delta_t", A], ["delta_t_A"]),
        helper.make_node("Exp", ["delta_t_A"], ["decay"]),
        helper.make_node("Mul", ["decay", "h"], ["kept"]),
        helper.make_node("Mul", ["B_t", "driven_t"], ["added"]),
        helper.make_node("Add", ["kept", "added"], ["h_t"]),
        helper.make_node("MatMul", ["h_t", "C_t"], ["y_t"]),
    ]
    shapes = {
        "h": (inner, states),
        "delta_t": (inner, 1),
        "driven_t": (inner, 1),
        "B_t": (1, states),
        "C_t": (states, 1),
    }
    inputs = [array(name, "batch", *shape) for name, shape in shapes.items()]
    outputs = [array("h_t", "batch", inner, states), array("y_t", "batch", inner, 1)]
    return helper.make_graph(nodes, "scan_step", inputs, outputs)
