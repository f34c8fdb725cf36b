"""Networks for the tests: the reference's, with what it computed, and random ones of any kind."""

from __future__ import annotations

import lzma
from functools import cache
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import deserialize

from ipmdae.architecture import Architecture
from ipmdae.engine import ModelFile, Preprocessing
from ipmdae.engine.shapes import expected_shapes

GOLDEN = Path(__file__).parents[1] / "golden"

TINY = Architecture(leads=1, channels=(4, 6, 8), branches=(1, 2), d_state=3, d_conv=2, pool_cap=2)


@cache
def reference_tensors() -> dict[str, NDArray[np.float32]]:
    """The reference's weights under its own names, from bfloat16: the upper half of a float32."""
    data = lzma.decompress((GOLDEN / "reference_weights_bf16.safetensors.xz").read_bytes())
    return {
        name: (np.frombuffer(tensor["data"], "<u2").astype(np.uint32) << 16)
        .view(np.float32)
        .reshape(tensor["shape"])
        for name, tensor in deserialize(data)  # type: ignore[no-untyped-call]
    }


@cache
def reference_io() -> dict[str, NDArray[np.float32]]:
    """Inputs ``x_a``, ``x_b``, ``x_c`` and the reference's outputs ``y_a``, ``y_b``, ``y_c``."""
    with np.load(GOLDEN / "reference_io.npz") as arrays:
        return dict(arrays)


def random_tensors(architecture: Architecture, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights of a scale that keeps a signal alive through the network."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in expected_shapes(architecture).items():
        tensor = rng.standard_normal(shape) / np.sqrt(max(prod(shape[1:]), 1))
        if ".A_log_" in name:
            tensor = np.log(np.arange(1, shape[1] + 1)) + 0.1 * tensor
        elif name.endswith("norm.weight"):
            tensor = 1 + 0.1 * tensor
        elif name.endswith("dt_proj.bias"):
            tensor = tensor - 3
        tensors[name] = tensor.astype(np.float32)
    return tensors


def model_of(architecture: Architecture, seed: int = 0) -> ModelFile:
    """A model with random weights, for windows of 64 samples at 250 Hz."""
    return ModelFile(
        name="random",
        architecture=architecture,
        preprocessing=Preprocessing(fs=250, window=64, overlap=16),
        card={"trained": {"on": "nothing, étalon"}},
        tensors=random_tensors(architecture, seed),
    )
