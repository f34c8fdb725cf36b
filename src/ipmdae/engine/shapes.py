"""Names and shapes of a network's tensors, in the order of the signal.

Linear maps and 1x1 convolutions are (out, in), convolutions (out, in, kernel), transposed
convolutions (in, out, kernel), depthwise convolutions (channels, kernel). Stages k and branches n
count from 0. Names are written out in :func:`expected_shapes` and the functions it calls, and
nowhere else: model files, checkpoints and engines all follow them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ipmdae.architecture import Architecture

Shapes = dict[str, tuple[int, ...]]


def expected_shapes(architecture: Architecture) -> Shapes:
    """Name and shape of every tensor of a network, encoder first, then skips, then decoder."""
    shapes: Shapes = {}
    widths = (architecture.leads, *architecture.channels)
    for k, (before, after) in enumerate(pairwise(widths)):
        shapes[f"encoder.{k}.weight"] = (after, before, architecture.kernel)
        shapes[f"encoder.{k}.bias"] = (after,)
    for k, branches in enumerate(architecture.branches):
        if branches:
            shapes |= _prefixed(f"skips.{k}", _skip_shapes(architecture, k))
    widths = (*architecture.channels[::-1], architecture.outputs)
    for k, (before, after) in enumerate(pairwise(widths)):
        shapes[f"decoder.{k}.weight"] = (before, after, architecture.kernel)
        shapes[f"decoder.{k}.bias"] = (after,)
    return shapes


def check_shapes(tensors: Mapping[str, NDArray[np.generic]], expected: Shapes, where: str) -> None:
    """Check that ``tensors`` holds exactly the names and shapes of ``expected``.

    Args:
        tensors: arrays by name.
        expected: required shapes.
        where: container of the tensors, such as a file's name, which begins the message.

    Raises:
        ValueError: a tensor is missing, surplus or of another shape; the message names it.
    """
    for name, shape in expected.items():
        if name not in tensors:
            raise ValueError(f"{where}: tensor {name} {shape} is missing")
        if tensors[name].shape != shape:
            found = tensors[name].shape
            raise ValueError(f"{where}: tensor {name} has shape {found}, expected {shape}")
    for name in tensors:
        if name not in expected:
            raise ValueError(f"{where}: tensor {name} has no place in this architecture")


def check_windows(windows: NDArray[np.generic], leads: int) -> None:
    """Check that ``windows`` are (batch, time, leads), of at least one sample.

    Raises:
        ValueError: they are not.
    """
    if windows.ndim != 3 or windows.shape[2] != leads or windows.shape[1] == 0:
        raise ValueError(
            f"windows must be (batch, time, leads) with {leads} leads and at least 1 sample, "
            f"got an array of shape {windows.shape}"
        )


def dt_rank(width: int) -> int:
    """Rank of Mamba's step-size projection for a block of ``width`` channels: ceil(width / 16)."""
    return -(-width // 16)


def _skip_shapes(architecture: Architecture, stage: int) -> Shapes:
    """The MF-IPM module on ``stage``: C channels, N branches of d = C / N channels."""
    channels = architecture.channels[stage]
    width = architecture.branch_width(stage)
    state_matrix = (architecture.expand * width, architecture.d_state)
    shapes: Shapes = {"norm.weight": (channels,), "norm.bias": (channels,), "skip_scale": (1,)}
    for n in range(architecture.branches[stage]):
        shapes[f"project.{n}.weight"] = (width, channels)
        shapes[f"attention.{n}.squeeze.weight"] = (width, width)
        shapes[f"attention.{n}.excite.weight"] = (width, width)
        shapes[f"A_log_forward.{n}"] = state_matrix
        shapes[f"A_log_backward.{n}"] = state_matrix
    if architecture.fusion == "figure" or architecture.unused_projections:
        for role in ("query", "key", "value"):
            shapes[f"fusion.{role}.weight"] = (width, width)
    for direction in ("forward", "backward"):
        shapes |= _prefixed(f"mamba_{direction}", _mamba_shapes(architecture, width))
    return shapes


def _mamba_shapes(architecture: Architecture, width: int) -> Shapes:
    """A Mamba block of ``width`` channels, without A_log, which belongs to the branches."""
    inner = architecture.expand * width
    rank = dt_rank(width)
    return {
        "in_proj.weight": (2 * inner, width),
        "conv1d.weight": (inner, architecture.d_conv),
        "conv1d.bias": (inner,),
        "x_proj.weight": (rank + 2 * architecture.d_state, inner),
        "dt_proj.weight": (inner, rank),
        "dt_proj.bias": (inner,),
        "D": (inner,),
        "out_proj.weight": (width, inner),
    }


def _prefixed(prefix: str, shapes: Shapes) -> Shapes:
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}
