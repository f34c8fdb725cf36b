"""The selective scan as others compute it; all take and give what ipmdae's own does.

u, delta (batch, length, d); A (d, n); B, C (batch, length, n); D (d,); y (batch, length, d).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.part import UnavailableError
from ipmdae.lab.nn.scan import selective_scan

Scan = Callable[..., Tensor]
Array = NDArray[np.float32]


def loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """The loop over time as it is usually written in torch, the discretisation computed beforehand.

    h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t,  y_t = C_t . h_t + D u_t
    """
    decay = torch.exp(torch.einsum("bld,dn->bldn", delta, A))
    drive = torch.einsum("bld,bln,bld->bldn", delta, B, u)
    h = torch.zeros_like(decay[:, 0])
    outputs = []
    for t in range(u.shape[1]):
        h = decay[:, t] * h + drive[:, t]
        outputs.append(torch.einsum("bdn,bn->bd", h, C[:, t]))
    return torch.stack(outputs, dim=1) + D * u


def mambapy() -> Scan:
    """The parallel scan of mambapy."""
    module = _module("mambapy.mamba", "mambapy")
    # Its widths are not used by the scan itself.
    block = module.MambaBlock(module.MambaConfig(d_model=32, n_layers=1))
    scan: Scan = block.selective_scan
    return scan


def transformers() -> Scan:
    """The scan of Hugging Face's transformers where its compiled kernels are missing."""
    module = _module("transformers.models.mamba.modeling_mamba", "transformers")
    if not hasattr(module, "mamba_selective_scan"):
        raise UnavailableError("this version of transformers has no scan by itself")

    def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
        turned = (tensor.transpose(1, 2) for tensor in (u, delta))
        y: Tensor = module.mamba_selective_scan(*turned, A, B.transpose(1, 2), C.transpose(1, 2), D)
        return y.transpose(1, 2)

    return scan


def numba(threads: int) -> Scan:
    """Plain loops compiled by Numba, items of the batch in parallel; no gradient."""
    module = _module("numba", "numba")
    module.set_num_threads(threads)
    compiled = module.njit(parallel=True, fastmath=True)(plain_loops(module.prange))

    def scan(*tensors: Tensor) -> Tensor:
        y: Array = compiled(*(tensor.numpy() for tensor in tensors))
        return torch.from_numpy(y)

    return scan


def plain_loops(prange: Any) -> Callable[..., Array]:
    """The loops that Numba compiles."""

    def scan(u: Array, delta: Array, A: Array, B: Array, C: Array, D: Array) -> Array:
        batch, length, channels = u.shape
        states = A.shape[1]
        y = np.empty_like(u)
        for b in prange(batch):
            h = np.zeros((channels, states), np.float32)
            for t in range(length):
                for d in range(channels):
                    drive = delta[b, t, d] * u[b, t, d]
                    total = D[d] * u[b, t, d]
                    for n in range(states):
                        h[d, n] = np.exp(delta[b, t, d] * A[d, n]) * h[d, n] + drive * B[b, t, n]
                        total += C[b, t, n] * h[d, n]
                    y[b, t, d] = total
        return y

    return scan


def mamba_ssm() -> Scan:
    """The CUDA kernel of mamba-ssm."""
    module = _module("mamba_ssm.ops.selective_scan_interface", "mamba_ssm")

    def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
        turned = [tensor.transpose(1, 2).contiguous() for tensor in (u, delta, B, C)]
        y: Tensor = module.selective_scan_fn(turned[0], turned[1], A, turned[2], turned[3], D)
        return y.transpose(1, 2)

    return scan


unbind: Scan = partial(selective_scan, backend="torch")
"""The loop on slices taken beforehand, which autograd goes through in linear time; our oracle."""


def _module(name: str, package: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise UnavailableError(f"{package} cannot be imported: {error}") from error
