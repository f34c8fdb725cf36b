"""The selective scan of Mamba, differentiable, on the fastest backend that can run it.

    h_t = exp(Δ_t A) h_{t-1} + Δ_t B_t u_t        state (d, n) of each sequence
    y_t = C_t · h_t + D u_t

(Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023, eq. 2 with
the discretisation of section 3.3.) Shapes: u, Δ, y (batch, length, d); A (d, n); B, C
(batch, length, n); D (d,).

Backends: ``native`` is the C++ kernel (CPU) and ``triton`` that of :mod:`ipmdae.lab.nn.scan_triton`
(CUDA); both compute in float32, whatever lower precision comes in. ``torch`` is a loop over time
that runs on any device and dtype and is the oracle of the others in float64.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ipmdae import native

_Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
_KERNEL_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def selective_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, backend: str = "auto"
) -> Tensor:
    """Run the scan over the time axis.

    Args:
        u: input, (batch, length, d).
        delta: step sizes after softplus, (batch, length, d).
        A: state matrix, negative, (d, n).
        B: input matrix of each step, (batch, length, n).
        C: output matrix of each step, (batch, length, n).
        D: skip connection, (d,).
        backend: ``auto``, ``native``, ``triton`` or ``torch``.

    Returns:
        y, (batch, length, d), of the inputs' dtype and device.

    Raises:
        ValueError: the backend is unknown, or cannot run these tensors.
    """
    if backend not in ("auto", "native", "triton", "torch"):
        raise ValueError(
            f"unknown scan backend {backend!r}; there are: auto, native, triton, torch"
        )
    if backend == "auto":
        backend = fastest_backend(u.device.type, u.dtype)
    if backend == "torch":
        return _scan_torch(u, delta, A, B, C, D)
    scan = _kernel(backend, u)
    y = scan(*(tensor.float().contiguous() for tensor in (u, delta, A, B, C, D)))
    return y.to(u.dtype)


def fastest_backend(device: str, dtype: torch.dtype) -> str:
    """The backend that ``auto`` stands for."""
    if dtype in _KERNEL_DTYPES:
        if device == "cpu" and _native_available():
            return "native"
        if device == "cuda" and _triton_scan() is not None:
            return "triton"
    return "torch"


# torch.compile cannot trace how the library is loaded: it would break the graph at every scan.
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _native_available() -> bool:
    return native.available()


def _kernel(backend: str, u: Tensor) -> _Scan:
    if backend == "native":
        if u.device.type == "cpu" and u.dtype in _KERNEL_DTYPES and _native_available():
            return _scan_native
        raise ValueError(
            "the native scan needs the compiled library and CPU tensors of at most float32"
        )
    on_device = u.device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"
    scan = _triton_scan() if on_device and u.dtype in _KERNEL_DTYPES else None
    if scan is None:
        raise ValueError("the triton scan needs triton and CUDA tensors of at most float32")
    return scan


@cache
def _triton_scan() -> _Scan | None:
    """The scan in Triton, or None (after one warning) where triton is not installed."""
    try:
        from ipmdae.lab.nn.scan_triton import selective_scan as scan
    except ImportError as error:
        warnings.warn(
            f"on a GPU the selective scan is a loop in torch, many times slower: {error}. Install "
            "triton, which CUDA builds of torch bring on Linux.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return scan


def _scan_torch(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    h = u.new_zeros(u.shape[0], *A.shape)
    outputs = []
    # Slices by unbind: indexing u[:, t] in a loop makes autograd quadratic in the length.
    for u_t, delta_t, B_t, C_t in zip(
        u.unbind(1), delta.unbind(1), B.unbind(1), C.unbind(1), strict=True
    ):
        decay = torch.exp(delta_t.unsqueeze(-1) * A)
        h = decay * h + (delta_t * u_t).unsqueeze(-1) * B_t.unsqueeze(1)
        outputs.append((h * C_t.unsqueeze(1)).sum(-1))
    return torch.stack(outputs, dim=1) + D * u if outputs else u.clone()


@torch.library.custom_op("ipmdae::selective_scan", mutates_args=(), device_types="cpu")
def _scan_native(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    y = torch.empty_like(u)
    no_state = 0
    native.scan_forward_pointers(
        *pointers(u, delta, A, B, C, D), no_state, y.data_ptr(), no_state, *_sizes(u, A)
    )
    return y


@_scan_native.register_fake
def _(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    return torch.empty_like(u)


@torch.library.custom_op("ipmdae::selective_scan_backward", mutates_args=(), device_types="cpu")
def _scan_native_backward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, dy: Tensor
) -> list[Tensor]:
    gradients = [torch.empty_like(tensor) for tensor in (u, delta, A, B, C, D)]
    native.scan_backward_pointers(*pointers(u, delta, A, B, C, D, dy, *gradients), *_sizes(u, A))
    return gradients


@_scan_native_backward.register_fake
def _(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, dy: Tensor
) -> list[Tensor]:
    return [torch.empty_like(tensor) for tensor in (u, delta, A, B, C, D)]


def _remember_inputs(
    ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor, ...], output: Tensor
) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: torch.autograd.function.BackwardCFunction, dy: Tensor) -> tuple[Tensor, ...]:
    return tuple(_scan_native_backward(*ctx.saved_tensors, dy.contiguous()))


_scan_native.register_autograd(_backward, setup_context=_remember_inputs)


def pointers(*tensors: Tensor) -> tuple[int, ...]:
    return tuple(tensor.data_ptr() for tensor in tensors)


def _sizes(u: Tensor, A: Tensor) -> tuple[int, int, int, int]:
    batch, length, d = u.shape
    return batch, length, d, A.shape[1]
