"""Complexity of a network: weights, and multiply-accumulates derived from its architecture.

A multiply-accumulate is one product added to a sum. Products with weights and between activations
count, those of the selective scan included; biases, norms, poolings, gates and activations do
not. The strided and transposed convolutions count every tap, at the borders too.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

from ipmdae.architecture import Architecture, lengths
from ipmdae.engine.shapes import dt_rank, expected_shapes


def parameters(architecture: Architecture) -> int:
    """Number of weights of a network, the unused projections included where it owns them."""
    return sum(prod(shape) for shape in expected_shapes(architecture).values())


def multiply_accumulates(architecture: Architecture, samples: int) -> dict[str, int]:
    """Multiply-accumulates for one window of all leads, by kind of layer.

    Args:
        architecture: architecture of the network.
        samples: length of the window.

    Returns:
        Counts for ``encoder``, ``decoder``, ``projections`` (the branches' 1x1 convolutions),
        ``mamba`` and ``attention`` (channel attention and fusion of the branches).

    Raises:
        ValueError: ``samples`` is less than 1.
    """
    sizes = lengths(architecture, samples)
    # A transposed convolution multiplies as often as a convolution that it mirrors.
    encoder, decoder = (
        sum(
            size * before * after * architecture.kernel
            for size, (before, after) in zip(sizes, pairwise(widths), strict=True)
        )
        for widths in (
            (architecture.leads, *architecture.channels),
            (architecture.outputs, *architecture.channels),
        )
    )
    counts = {"encoder": encoder, "projections": 0, "mamba": 0, "attention": 0}
    for stage, branches in enumerate(architecture.branches):
        if not branches:
            continue
        size, width = sizes[stage], architecture.branch_width(stage)
        pooled = sum(size // min(architecture.pooling(n), size) for n in range(branches))
        counts["projections"] += size * architecture.channels[stage] ** 2
        counts["mamba"] += 2 * pooled * mamba_step(architecture, width)
        counts["attention"] += _attention(architecture, branches, width)
    counts["decoder"] = decoder
    return counts


def mamba_step(architecture: Architecture, width: int) -> int:
    """Multiply-accumulates of one sample through a Mamba block of ``width`` channels.

    A step of the scan is counted as 3 · d_inner · d_state + 2 · d_inner: the state's decay, its
    drive and its reading; delta · u and D · u.
    """
    inner, states, rank = architecture.expand * width, architecture.d_state, dt_rank(width)
    projections = 2 * inner * width + inner * (rank + 2 * states) + rank * inner + inner * width
    return projections + inner * architecture.d_conv + 3 * inner * states + 2 * inner


def _attention(architecture: Architecture, branches: int, width: int) -> int:
    summaries = 1 if architecture.attention == "figure" else 2
    channel = branches * summaries * 2 * width**2
    maps = 3 * branches * width**2 if architecture.fusion == "figure" else 0
    return channel + maps + 2 * branches**2 * width
