"""The selective scan of :mod:`ipmdae.lab.nn.scan` for GPUs, in Triton, forward and backward.

One program takes a block of channels of one sequence through time, its states in registers. The
forward pass keeps the state before every chunk of `_CHUNK` steps; the backward pass computes the
states of a chunk again from there, last chunk first, so that memory grows with length / _CHUNK
states. With g_t the gradient of the loss by h_t and a_t = exp(Δ_t A), it adds up what
native/scan_backward.hpp does:

    g_t  = C_t dy_t + a_{t+1} g_{t+1}
    dB_t = Σ_d Δ_t u_t g_t                     dC_t = Σ_d dy_t h_t
    du_t = Δ_t (B_t · g_t) + D dy_t            dD   = Σ_t dy_t u_t
    dΔ_t = u_t (B_t · g_t) + Σ_n A a_t h_{t-1} g_t
    dA   = Σ_t Δ_t a_t h_{t-1} g_t

Sums over blocks of channels and over the batch are taken from parts in a fixed order, not by atomic
additions: results are the same in every run. Everything is computed in float32.

Tested in Triton's interpreter (``TRITON_INTERPRET=1``, CPU tensors) against the torch loop in
float64, and compiled to machine code for compute capabilities 8.0 and 9.0, both with Triton 3.7;
never yet run on a GPU.
"""

# Triton's own types are those of its kernels, not Python's.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Steps from one kept state to the next.
_CHUNK = 32
#: States that a program, one warp, holds in registers: two a thread, unless d_state is larger.
_TILE = 64
#: Steps whose inputs are on their way from memory at once.
_STAGES = 4


@triton.jit
def _tile(d, n, BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr):
    """Indices of this program's channels and states, which of them exist, and both for (d, n)."""
    channels = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    states = tl.arange(0, BLOCK_N)
    in_d, in_n = channels < d, states < n
    matrix = channels[:, None] * n + states[None, :]
    return channels, states, in_d, in_n, matrix, in_d[:, None] & in_n[None, :]


@triton.jit
def _advance(h, decay, delta_u, B_t):
    """h_t from h_{t-1}, both (d, n)."""
    return decay * h + delta_u[:, None] * B_t[None, :]


@triton.jit
def _forward_kernel(
    u,
    delta,
    A,
    B,
    C,
    D,
    y,
    kept,
    length,
    d,
    n,
    CHUNK: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
    STAGES: tl.constexpr,
):
    channels, states, in_d, in_n, matrix, in_dn = _tile(d, n, BLOCK_D, BLOCK_N)
    batch = tl.program_id(0).to(tl.int64)
    chunks = tl.cdiv(length, CHUNK)
    A_dn = tl.load(A + matrix, mask=in_dn, other=0.0)
    D_d = tl.load(D + channels, mask=in_d, other=0.0)
    h = tl.zeros([BLOCK_D, BLOCK_N], tl.float32)
    for chunk in range(chunks):
        tl.store(kept + (batch * chunks + chunk) * d * n + matrix, h, mask=in_dn)
        begin = chunk * CHUNK
        for t in tl.range(begin, tl.minimum(begin + CHUNK, length), num_stages=STAGES):
            row = batch * length + t
            u_t = tl.load(u + row * d + channels, mask=in_d, other=0.0)
            delta_t = tl.load(delta + row * d + channels, mask=in_d, other=0.0)
            B_t = tl.load(B + row * n + states, mask=in_n, other=0.0)
            C_t = tl.load(C + row * n + states, mask=in_n, other=0.0)
            h = _advance(h, tl.exp(delta_t[:, None] * A_dn), delta_t * u_t, B_t)
            y_t = tl.sum(h * C_t[None, :], axis=1) + D_d * u_t
            tl.store(y + row * d + channels, y_t, mask=in_d)


@triton.jit
def _backward_kernel(
    u,
    delta,
    A,
    B,
    C,
    D,
    dy,
    kept,
    h_before,
    du,
    ddelta,
    dA,
    dB,
    dC,
    dD,
    length,
    d,
    n,
    CHUNK: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
    STAGES: tl.constexpr,
):
    channels, states, in_d, in_n, matrix, in_dn = _tile(d, n, BLOCK_D, BLOCK_N)
    batch = tl.program_id(0).to(tl.int64)
    chunks = tl.cdiv(length, CHUNK)
    part = (batch * tl.num_programs(1) + tl.program_id(1)) * length  # of dB and dC
    memory = h_before + batch * CHUNK * d * n + matrix
    A_dn = tl.load(A + matrix, mask=in_dn, other=0.0)
    D_d = tl.load(D + channels, mask=in_d, other=0.0)
    g = tl.zeros([BLOCK_D, BLOCK_N], tl.float32)  # a_{t+1} g_{t+1}
    dA_dn = tl.zeros([BLOCK_D, BLOCK_N], tl.float32)
    dD_d = tl.zeros([BLOCK_D], tl.float32)
    for chunk_from_end in range(chunks):
        chunk = chunks - 1 - chunk_from_end
        begin = chunk * CHUNK
        steps = tl.minimum(CHUNK, length - begin)

        h = tl.load(kept + (batch * chunks + chunk) * d * n + matrix, mask=in_dn, other=0.0)
        for step in tl.range(0, steps, num_stages=STAGES):
            tl.store(memory + step * d * n, h, mask=in_dn)
            row = batch * length + begin + step
            u_t = tl.load(u + row * d + channels, mask=in_d, other=0.0)
            delta_t = tl.load(delta + row * d + channels, mask=in_d, other=0.0)
            B_t = tl.load(B + row * n + states, mask=in_n, other=0.0)
            h = _advance(h, tl.exp(delta_t[:, None] * A_dn), delta_t * u_t, B_t)
        tl.debug_barrier()  # a thread may read what another one wrote

        for step_from_end in tl.range(0, steps, num_stages=STAGES):
            step = steps - 1 - step_from_end
            row = batch * length + begin + step
            h = tl.load(memory + step * d * n, mask=in_dn, other=0.0)
            u_t = tl.load(u + row * d + channels, mask=in_d, other=0.0)
            delta_t = tl.load(delta + row * d + channels, mask=in_d, other=0.0)
            dy_t = tl.load(dy + row * d + channels, mask=in_d, other=0.0)
            B_t = tl.load(B + row * n + states, mask=in_n, other=0.0)
            C_t = tl.load(C + row * n + states, mask=in_n, other=0.0)
            decay = tl.exp(delta_t[:, None] * A_dn)
            delta_u = delta_t * u_t

            g += dy_t[:, None] * C_t[None, :]
            dC_t = tl.sum(dy_t[:, None] * _advance(h, decay, delta_u, B_t), axis=0)
            dB_t = tl.sum(delta_u[:, None] * g, axis=0)
            B_g = tl.sum(B_t[None, :] * g, axis=1)
            g *= decay
            h_g = h * g
            dA_dn += delta_t[:, None] * h_g
            dD_d += dy_t * u_t
            du_t = delta_t * B_g + D_d * dy_t
            ddelta_t = u_t * B_g + tl.sum(A_dn * h_g, axis=1)

            tl.store(du + row * d + channels, du_t, mask=in_d)
            tl.store(ddelta + row * d + channels, ddelta_t, mask=in_d)
            tl.store(dB + (part + begin + step) * n + states, dB_t, mask=in_n)
            tl.store(dC + (part + begin + step) * n + states, dC_t, mask=in_n)
        tl.debug_barrier()  # before the next chunk writes there
    tl.store(dA + batch * d * n + matrix, dA_dn, mask=in_dn)
    tl.store(dD + batch * d + channels, dD_d, mask=in_d)


def _blocks(d: int, n: int) -> tuple[int, dict[str, int]]:
    """Number of blocks of channels, and the constants of both kernels."""
    block_n = triton.next_power_of_2(n)
    block_d = max(1, min(_TILE // block_n, triton.next_power_of_2(d)))
    constants = {"CHUNK": _CHUNK, "BLOCK_D": block_d, "BLOCK_N": block_n, "STAGES": _STAGES}
    return triton.cdiv(d, block_d), constants


@torch.library.custom_op("ipmdae::selective_scan_triton", mutates_args=())
def _forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor
) -> tuple[Tensor, Tensor]:
    """y, and the states before each chunk (batch, chunks, d, n)."""
    (batch, length, d), n = u.shape, A.shape[1]
    y = torch.empty_like(u)
    kept = u.new_empty(batch, triton.cdiv(length, _CHUNK), d, n)
    if y.numel() > 0:
        blocks, constants = _blocks(d, n)
        with torch.cuda.device_of(u):
            _forward_kernel[(batch, blocks)](
                u, delta, A, B, C, D, y, kept, length, d, n, **constants, num_warps=1
            )
    return y, kept


@_forward.register_fake
def _(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor
) -> tuple[Tensor, Tensor]:
    chunks = (u.shape[1] + _CHUNK - 1) // _CHUNK
    return torch.empty_like(u), u.new_empty(u.shape[0], chunks, *A.shape)


@torch.library.custom_op("ipmdae::selective_scan_triton_backward", mutates_args=())
def _backward(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    kept: Tensor,
    dy: Tensor,
) -> list[Tensor]:
    """Gradients by u, delta, A, B, C and D."""
    (batch, length, d), n = u.shape, A.shape[1]
    if u.numel() == 0:
        return [torch.zeros_like(tensor) for tensor in (u, delta, A, B, C, D)]
    blocks, constants = _blocks(d, n)
    h_before = u.new_empty(batch, _CHUNK, d, n)
    du, ddelta = torch.empty_like(u), torch.empty_like(delta)
    dA, dD = u.new_empty(batch, d, n), u.new_empty(batch, d)
    dB, dC = u.new_empty(2, batch, blocks, length, n)
    with torch.cuda.device_of(u):
        _backward_kernel[(batch, blocks)](
            *(u, delta, A, B, C, D, dy, kept, h_before),
            *(du, ddelta, dA, dB, dC, dD, length, d, n),
            **constants,
            num_warps=1,
        )
    return [du, ddelta, dA.sum(0), dB.sum(1), dC.sum(1), dD.sum(0)]


@_backward.register_fake
def _(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor,
    kept: Tensor,
    dy: Tensor,
) -> list[Tensor]:
    return [torch.empty_like(tensor) for tensor in (u, delta, A, B, C, D)]


def _remember(
    ctx: torch.autograd.function.FunctionCtx,
    inputs: tuple[Tensor, ...],
    output: tuple[Tensor, Tensor],
) -> None:
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*inputs, output[1])


def _gradients(
    ctx: torch.autograd.function.BackwardCFunction, dy: Tensor | None, _: Tensor | None
) -> tuple[Tensor | None, ...]:
    if dy is None:
        return (None,) * 6
    return tuple(_backward(*ctx.saved_tensors, dy.contiguous()))


_forward.register_autograd(_gradients, setup_context=_remember)


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """The differentiable scan of float32, C-contiguous tensors that are on one GPU.

    Shapes as in :func:`ipmdae.lab.nn.scan.selective_scan`, which checks and converts.
    """
    y: Tensor = _forward(u, delta, A, B, C, D)[0]
    return y
