"""Tensor names of the paper's public implementation, and ours.

A checkpoint of that implementation holds the same weights under other names, and 1x1 and
depthwise convolutions with an axis of length 1 more. Its Lightning checkpoints put ``model.``
before each name; it is accepted and dropped. Needs no torch: tensors are NumPy arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipmdae.architecture import Architecture
from ipmdae.engine.shapes import Shapes, check_shapes, expected_shapes

_Scalar = TypeVar("_Scalar", bound=np.generic)

_SKIP_NAMES = {
    r"project\.(\d+)\.": r"conv_chunk.\1.0.",
    r"attention\.(\d+)\.squeeze\.": r"local_attn.\1.fc.0.",
    r"attention\.(\d+)\.excite\.": r"local_attn.\1.fc.2.",
    r"A_log_forward\.": "A_list_1.",
    r"A_log_backward\.": "A_list_2.",
    r"mamba_forward\.": "mamba.",
    r"mamba_backward\.": "mamba_r.",
    r"fusion\.query\.": "attention_layer.wq.",
    r"fusion\.key\.": "attention_layer.wk.",
    r"fusion\.value\.": "attention_layer.wv.",
}


def reference_name(name: str) -> str:
    """The public implementation's name of our tensor ``name``; its stages count from 1."""
    part, stage, rest = name.split(".", 2)
    number = int(stage) + 1
    if part == "encoder":
        return f"enc_conv_{number}.conv.{rest}"
    if part == "decoder":
        return f"dec_trsc_{number}.conv_trans.{rest}"
    for ours, theirs in _SKIP_NAMES.items():
        rest = re.sub(f"^{ours}", theirs, rest)
    return f"skip_layer_{number}.{rest}"


def reference_shapes(architecture: Architecture) -> Shapes:
    """Name and shape of every tensor of ``architecture`` in the public implementation."""
    return {
        reference_name(name): _reference_shape(name, shape)
        for name, shape in expected_shapes(architecture).items()
    }


def from_reference(
    tensors: Mapping[str, NDArray[_Scalar]], architecture: Architecture
) -> dict[str, NDArray[_Scalar]]:
    """The public implementation's tensors under our names and with our shapes.

    Raises:
        ValueError: a tensor is missing, surplus or wrongly shaped; the message names it as the
            public implementation does.
    """
    bare = _without_prefix(tensors)
    check_shapes(bare, reference_shapes(architecture), "reference checkpoint")
    return {
        name: bare[reference_name(name)].reshape(shape)
        for name, shape in expected_shapes(architecture).items()
    }


def infer_architecture(tensors: Mapping[str, NDArray[Any]]) -> Architecture:
    """The architecture of a checkpoint of the public implementation, from its tensors' shapes.

    The pooling cap leaves no trace in the weights; it is 4, as in that implementation, and so
    are its attention and fusion.

    Raises:
        ValueError: the tensors are not those of such a network.
    """
    bare = _without_prefix(tensors)
    stages = _count(bare, "enc_conv_{}.conv.weight", first=1)
    encoder = [_shape(bare, f"enc_conv_{k + 1}.conv.weight", axes=3) for k in range(stages)]
    _, leads, kernel = _shape(bare, "enc_conv_1.conv.weight", axes=3)
    inner, d_state = _shape(bare, "skip_layer_1.A_list_1.0", axes=2)
    width, _, _ = _shape(bare, "skip_layer_1.conv_chunk.0.0.weight", axes=3)
    architecture = Architecture(
        leads=leads,
        channels=tuple(shape[0] for shape in encoder),
        branches=tuple(
            _count(bare, f"skip_layer_{k}.A_list_1.{{}}", first=0) for k in range(1, stages)
        ),
        kernel=kernel,
        d_state=d_state,
        d_conv=_shape(bare, "skip_layer_1.mamba.conv1d.weight", axes=3)[2],
        expand=max(inner // max(width, 1), 1),
        unused_projections=any(".attention_layer." in name for name in bare),
    )
    check_shapes(bare, reference_shapes(architecture), "reference checkpoint")
    return architecture


def _reference_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if ".project." in name or ".attention." in name:
        return (*shape, 1)
    if name.endswith(".conv1d.weight"):
        return (shape[0], 1, shape[1])
    return shape


def _without_prefix(tensors: Mapping[str, NDArray[_Scalar]]) -> dict[str, NDArray[_Scalar]]:
    return {name.removeprefix("model."): tensor for name, tensor in tensors.items()}


def _shape(tensors: Mapping[str, NDArray[Any]], name: str, axes: int) -> tuple[int, ...]:
    if name not in tensors:
        raise ValueError(f"reference checkpoint: tensor {name} is missing")
    shape = tensors[name].shape
    if len(shape) != axes:
        raise ValueError(f"reference checkpoint: tensor {name} has {len(shape)} axes, not {axes}")
    return shape


def _count(tensors: Mapping[str, NDArray[Any]], pattern: str, first: int) -> int:
    """Number of consecutive integers, from ``first`` on, for which ``pattern`` names a tensor."""
    number = first
    while pattern.format(number) in tensors:
        number += 1
    return number - first
