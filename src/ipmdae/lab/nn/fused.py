"""Steps of a Mamba block that the C++ library computes at once, on the CPU, and torch elsewhere.

A step alone, in torch, goes over arrays larger than the caches several times: most of the time of
training a small network on a CPU. The library's kernels compute in float32, whatever lower
precision comes in, and take slices of the last axis without copying them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ipmdae import native
from ipmdae.lab.nn.scan import fastest_backend, pointers, selective_scan


def convolution_silu(u: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """SiLU of the causal convolution of each channel by itself.

    y_t = silu(bias + Σ_j w_j u_{t-(k-1)+j}), with zeros before the start.

    Args:
        u: (batch, length, d).
        weight: (d, k).
        bias: (d,).

    Returns:
        (batch, length, d), of u's dtype.
    """
    if fastest_backend(u.device.type, u.dtype) == "native":
        y: Tensor = _convolution(u.float(), weight.float(), bias.float())
        return y.to(u.dtype)
    d, taps = weight.shape
    padded = F.pad(u.transpose(1, 2), (taps - 1, 0))
    return F.silu(F.conv1d(padded, weight.unsqueeze(1), bias, groups=d)).transpose(1, 2)


def gated_scan(
    u: Tensor, s: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor
) -> Tensor:
    """The selective scan with Δ = softplus(s), times silu(z).

    Args:
        u, A, B, C, D: as for :func:`ipmdae.lab.nn.scan.selective_scan`.
        s: step sizes before softplus, (batch, length, d).
        z: gate, (batch, length, d).

    Returns:
        (batch, length, d), of u's dtype.
    """
    if fastest_backend(u.device.type, u.dtype) == "native":
        out: Tensor = _gated_scan(*(tensor.float() for tensor in (u, s, A, B, C, D, z)))[0]
        return out.to(u.dtype)
    return selective_scan(u, F.softplus(s), A, B, C, D) * F.silu(z)


@torch.library.custom_op("ipmdae::convolution_silu", mutates_args=(), device_types="cpu")
def _convolution(u: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    y = _contiguous_like(u)
    weight, bias, rows = weight.contiguous(), bias.contiguous(), _rows(u)
    native.convolution_forward_pointers(
        *pointers(rows, weight, bias, y), *u.shape, weight.shape[1], rows.stride(0)
    )
    return y


@_convolution.register_fake
def _(u: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _contiguous_like(u)


@torch.library.custom_op("ipmdae::convolution_silu_backward", mutates_args=(), device_types="cpu")
def _convolution_backward(u: Tensor, weight: Tensor, bias: Tensor, dy: Tensor) -> list[Tensor]:
    gradients = [_contiguous_like(tensor) for tensor in (u, weight, bias)]
    weight, bias, dy, rows = weight.contiguous(), bias.contiguous(), dy.contiguous(), _rows(u)
    native.convolution_backward_pointers(
        *pointers(rows, weight, bias, dy, *gradients), *u.shape, weight.shape[1], rows.stride(0)
    )
    return gradients


@_convolution_backward.register_fake
def _(u: Tensor, weight: Tensor, bias: Tensor, dy: Tensor) -> list[Tensor]:
    return [_contiguous_like(tensor) for tensor in (u, weight, bias)]


@torch.library.custom_op("ipmdae::gated_scan", mutates_args=(), device_types="cpu")
def _gated_scan(
    u: Tensor, s: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    out, y = _contiguous_like(u), _contiguous_like(u)
    inputs, strides = _scan_inputs(u, s, A, B, C, D, z)
    native.gated_scan_forward_pointers(*pointers(*inputs, y, out), *u.shape, A.shape[1], *strides)
    return out, y


@_gated_scan.register_fake
def _(
    u: Tensor, s: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor
) -> tuple[Tensor, Tensor]:
    return _contiguous_like(u), _contiguous_like(u)


@torch.library.custom_op("ipmdae::gated_scan_backward", mutates_args=(), device_types="cpu")
def _gated_scan_backward(inputs: list[Tensor], y: Tensor, dout: Tensor) -> list[Tensor]:
    gradients = [_contiguous_like(tensor) for tensor in inputs]
    u, A = inputs[0], inputs[2]
    arrays, strides = _scan_inputs(*inputs)
    dout = dout.contiguous()
    native.gated_scan_backward_pointers(
        *pointers(*arrays, y, dout, *gradients), *u.shape, A.shape[1], *strides
    )
    return gradients


@_gated_scan_backward.register_fake
def _(inputs: list[Tensor], y: Tensor, dout: Tensor) -> list[Tensor]:
    return [_contiguous_like(tensor) for tensor in inputs]


_convolution.register_autograd(
    lambda ctx, dy: tuple(_convolution_backward(*ctx.saved_tensors, dy)),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)


def _remember(
    ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]
) -> None:
    ctx.set_materialize_grads(False)  # none comes for y, which only the gradients need
    ctx.save_for_backward(*inputs, output[1])


def _backward(
    ctx: torch.autograd.function.BackwardCFunction, dout: Tensor, _: None
) -> tuple[Tensor, ...]:
    saved: tuple[Tensor, ...] = ctx.saved_tensors
    return tuple(_gated_scan_backward(list(saved[:-1]), saved[-1], dout))


_gated_scan.register_autograd(_backward, setup_context=_remember)


def _contiguous_like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _rows(tensor: Tensor) -> Tensor:
    """(batch, length, n) as (batch · length, n), each row contiguous; a copy only where needed."""
    rows = tensor.flatten(0, 1)
    return rows if rows.stride(1) == 1 else rows.contiguous()


def _scan_inputs(*inputs: Tensor) -> tuple[list[Tensor], tuple[int, int]]:
    """The arrays as the library takes them, and the strides of the rows of B and C, and of z."""
    u, s, A, B, C, D, z = inputs
    B, C, z = _rows(B), _rows(C), _rows(z)
    if B.stride(0) != C.stride(0):
        B, C = B.contiguous(), C.contiguous()
    u, s, A, D = (tensor.contiguous() for tensor in (u, s, A, D))
    return [u, s, A, B, C, D, z], (B.stride(0), z.stride(0))
