"""The selective scan of :mod:`ipmdae.lab.nn.scan` for GPUs, in Triton, forward and backward.

Time is cut into chunks of `_CHUNK` steps that are worked on at once. A chunk maps the state before
it to the state after it, h_after = exp(A ΣΔ) h_before + e, with e the state that it reaches from
zero. So there are three passes: e of every chunk; the states before all chunks, by a scan over
chunks; and the outputs of every chunk from the state before it. The backward pass does the same
from the end of time, then computes the states of a chunk again from the one before it, which the
forward pass keeps. With g_t the gradient of the loss by h_t and a_t = exp(Δ_t A), it adds up what
native/scan_backward.hpp does:

    g_t  = C_t dy_t + a_{t+1} g_{t+1}
    dB_t = Σ_d Δ_t u_t g_t                     dC_t = Σ_d dy_t h_t
    du_t = Δ_t (B_t · g_t) + D dy_t            dD   = Σ_t dy_t u_t
    dΔ_t = u_t (B_t · g_t) + Σ_n A a_t h_{t-1} g_t
    dA   = Σ_t Δ_t a_t h_{t-1} g_t

A program is one warp with a tile of (states, channels), channels across its threads: sums over
states stay in a thread. Sums over blocks of channels, chunks and the batch are taken from parts in
a fixed order, not by atomic additions: results are the same in every run. Everything is computed
in float32.

Tested in Triton's interpreter (``TRITON_INTERPRET=1``, CPU tensors) against the torch loop in
float64, and compiled to machine code for compute capabilities 8.0 and 9.0, both with Triton 3.7;
in this form not yet run or timed on a GPU. The form before it, one program per sequence through
all of time, took 0.242 ms forward and 1.109 ms forward and backward on an H100 (batch 64, length
625, d 64, n 16); ``python -m benchmarks scan-cuda`` measures this one.
"""

# Triton's own types are those of its kernels, not Python's.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Steps of a chunk.
_CHUNK = 16
#: Values of a tile of (states, channels): 16 a thread.
_TILE = 512
#: Values of a program that carries states from chunk to chunk, and loads on their way at once.
_CARRY_TILE, _CARRY_STAGES = 128, 4

_LOG2_E = tl.constexpr(1.4426950408889634)


# The compiler spreads a tile over threads by which of its values lie side by side in memory. No
# such hint is given where it would distribute the channels of a warp, or the states of a channel.


@triton.jit
def _tile(length, d: tl.constexpr, CHUNK: tl.constexpr, BLOCK_D: tl.constexpr):
    """Channels, the index of the chunk's first step among those of the batch, and its steps."""
    channels = tl.max_contiguous(tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D), 1)
    chunks = tl.cdiv(length, CHUNK)
    begin = (tl.program_id(0) % chunks) * CHUNK
    return channels, (tl.program_id(0) // chunks).to(tl.int64) * length + begin, length - begin


@triton.jit
def _matrices(channels, d: tl.constexpr, n: tl.constexpr, BLOCK_N: tl.constexpr):
    """Indices of this program's tile in A (d, n) and in states of all chunks (n, d)."""
    states = tl.max_contiguous(tl.arange(0, BLOCK_N), 1)[:, None]
    of_A = channels[None, :] * n + states
    of_states = tl.program_id(0).to(tl.int64) * d * n + states * d + channels[None, :]
    return of_A, of_states, (states < n) & (channels < d)[None, :]


@triton.jit
def _advance(h, u, delta, B, A_nd, step, steps, channels, states, d: tl.constexpr, n: tl.constexpr):
    """h after a step from the one before it; steps past the last read zeros and change nothing."""
    in_d, in_n = (channels < d) & (step < steps), (states < n) & (step < steps)
    u_t = tl.load(u + step * d + channels, mask=in_d, other=0.0)
    delta_t = tl.load(delta + step * d + channels, mask=in_d, other=0.0)
    B_t = tl.load(B + step * n + states, mask=in_n, other=0.0)
    return tl.exp2(delta_t[None, :] * A_nd) * h + (delta_t * u_t)[None, :] * B_t[:, None]


@triton.jit
def _ends_kernel(
    u,
    delta,
    A,
    B,
    ends,
    spans,
    length,
    d: tl.constexpr,
    n: tl.constexpr,
    REVERSE: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """State after each chunk from zero before it, and ΣΔ of the chunk.

    In reverse, with dy for u and C for B: a_t g_t of its first step from zero after the chunk.
    """
    channels, first, steps = _tile(length, d, CHUNK, BLOCK_D)
    of_A, of_states, exist = _matrices(channels, d, n, BLOCK_N)
    states = tl.arange(0, BLOCK_N)
    u, delta, B = u + first * d, delta + first * d, B + first * n
    A_nd = tl.load(A + of_A, mask=exist, other=0.0) * _LOG2_E
    h = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    span = tl.zeros([BLOCK_D], tl.float32)
    for block in range(0, CHUNK, 4):
        for index in tl.static_range(4):
            step = CHUNK - 1 - block - index if REVERSE else block + index
            in_d, in_n = (channels < d) & (step < steps), (states < n) & (step < steps)
            u_t = tl.load(u + step * d + channels, mask=in_d, other=0.0)
            delta_t = tl.load(delta + step * d + channels, mask=in_d, other=0.0)
            B_t = tl.load(B + step * n + states, mask=in_n, other=0.0)
            decay = tl.exp2(delta_t[None, :] * A_nd)
            if REVERSE:
                h = decay * (h + u_t[None, :] * B_t[:, None])
            else:
                h = decay * h + (delta_t * u_t)[None, :] * B_t[:, None]
            span += delta_t
    tl.store(ends + of_states, h, mask=exist)
    tl.store(spans + tl.program_id(0).to(tl.int64) * d + channels, span, mask=channels < d)


@triton.jit
def _carry_kernel(
    states,
    spans,
    A,
    chunks,
    d: tl.constexpr,
    n: tl.constexpr,
    REVERSE: tl.constexpr,
    TILE: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Replace the end of each chunk from zero by the state before it; in reverse, after it."""
    index = tl.program_id(1) * TILE + tl.arange(0, TILE)
    exist = index < n * d
    channels = index % d
    A_nd = tl.load(A + channels * n + index // d, mask=exist, other=0.0) * _LOG2_E
    h = tl.zeros([TILE], tl.float32)
    for step in tl.range(0, chunks, num_stages=STAGES):
        row = tl.program_id(0).to(tl.int64) * chunks + (chunks - 1 - step if REVERSE else step)
        end = tl.load(states + row * n * d + index, mask=exist, other=0.0)
        span = tl.load(spans + row * d + channels, mask=exist, other=0.0)
        tl.store(states + row * n * d + index, h, mask=exist)
        h = tl.exp2(span * A_nd) * h + end


@triton.jit
def _outputs_kernel(
    u,
    delta,
    A,
    B,
    C,
    D,
    kept,
    y,
    length,
    d: tl.constexpr,
    n: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    channels, first, steps = _tile(length, d, CHUNK, BLOCK_D)
    of_A, of_states, exist = _matrices(channels, d, n, BLOCK_N)
    states = tl.arange(0, BLOCK_N)
    u, delta, y = u + first * d, delta + first * d, y + first * d
    B, C = B + first * n, C + first * n
    A_nd = tl.load(A + of_A, mask=exist, other=0.0) * _LOG2_E
    D_d = tl.load(D + channels, mask=channels < d, other=0.0)
    h = tl.load(kept + of_states, mask=exist, other=0.0)
    for step in tl.static_range(CHUNK):
        in_d, in_n = (channels < d) & (step < steps), (states < n) & (step < steps)
        u_t = tl.load(u + step * d + channels, mask=in_d, other=0.0)
        C_t = tl.load(C + step * n + states, mask=in_n, other=0.0)
        h = _advance(h, u, delta, B, A_nd, step, steps, channels, states, d, n)
        y_t = tl.sum(h * C_t[:, None], axis=0) + D_d * u_t
        tl.store(y + step * d + channels, y_t, mask=in_d)


@triton.jit
def _gradients_kernel(
    u,
    delta,
    A,
    B,
    C,
    D,
    dy,
    kept,
    carried,
    du,
    ddelta,
    dA,
    dB,
    dC,
    dD,
    length,
    d: tl.constexpr,
    n: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """Gradients of a chunk, in two halves: registers hold the states of one."""
    channels, first, steps = _tile(length, d, CHUNK, BLOCK_D)
    of_A, of_states, exist = _matrices(channels, d, n, BLOCK_N)
    states = tl.arange(0, BLOCK_N)
    u, delta, dy = u + first * d, delta + first * d, dy + first * d
    du, ddelta = du + first * d, ddelta + first * d
    B, C = B + first * n, C + first * n
    part = (tl.program_id(1) * (tl.num_programs(0) // tl.cdiv(length, CHUNK))).to(tl.int64)
    dB, dC = dB + (part * length + first) * n, dC + (part * length + first) * n
    A_nd = tl.load(A + of_A, mask=exist, other=0.0) * _LOG2_E
    D_d = tl.load(D + channels, mask=channels < d, other=0.0)
    start = tl.load(kept + of_states, mask=exist, other=0.0)
    middle = start
    for step in tl.static_range(CHUNK // 2):
        middle = _advance(middle, u, delta, B, A_nd, step, steps, channels, states, d, n)

    g = tl.load(carried + of_states, mask=exist, other=0.0)  # a_{t+1} g_{t+1}
    dA_nd = tl.zeros([BLOCK_N, BLOCK_D], tl.float32)
    dD_d = tl.zeros([BLOCK_D], tl.float32)
    for half in tl.static_range(1, -1, -1):
        h = middle if half == 1 else start
        before = ()
        for index in tl.static_range(CHUNK // 2):
            step = half * (CHUNK // 2) + index
            before += (h,)  # type: ignore[assignment]
            h = _advance(h, u, delta, B, A_nd, step, steps, channels, states, d, n)
        for index in tl.static_range(CHUNK // 2 - 1, -1, -1):
            step = half * (CHUNK // 2) + index
            in_d, in_n = (channels < d) & (step < steps), (states < n) & (step < steps)
            u_t = tl.load(u + step * d + channels, mask=in_d, other=0.0)
            delta_t = tl.load(delta + step * d + channels, mask=in_d, other=0.0)
            dy_t = tl.load(dy + step * d + channels, mask=in_d, other=0.0)
            B_t = tl.load(B + step * n + states, mask=in_n, other=0.0)
            C_t = tl.load(C + step * n + states, mask=in_n, other=0.0)
            decay = tl.exp2(delta_t[None, :] * A_nd)
            decayed = decay * before[index]
            delta_u = delta_t * u_t

            g += dy_t[None, :] * C_t[:, None]
            dC_t = tl.sum(dy_t[None, :] * (decayed + delta_u[None, :] * B_t[:, None]), axis=1)
            dB_t = tl.sum(delta_u[None, :] * g, axis=1)
            B_g = tl.sum(B_t[:, None] * g, axis=0)
            h_g = decayed * g
            dA_nd += delta_t[None, :] * h_g
            dD_d += dy_t * u_t
            du_t = delta_t * B_g + D_d * dy_t
            ddelta_t = u_t * B_g + tl.sum(A_nd * h_g, axis=0) / _LOG2_E
            g *= decay

            tl.store(du + step * d + channels, du_t, mask=in_d)
            tl.store(ddelta + step * d + channels, ddelta_t, mask=in_d)
            tl.store(dB + step * n + states, dB_t, mask=in_n)
            tl.store(dC + step * n + states, dC_t, mask=in_n)
    tl.store(dA + tl.program_id(0).to(tl.int64) * d * n + of_A, dA_nd, mask=exist)
    tl.store(dD + tl.program_id(0).to(tl.int64) * d + channels, dD_d, mask=channels < d)


def _blocks(d: int, n: int) -> tuple[int, dict[str, int]]:
    """Number of blocks of channels, and the constants of the kernels that work on tiles."""
    block_n = triton.next_power_of_2(n)
    block_d = max(1, min(_TILE // block_n, triton.next_power_of_2(d)))
    constants = {"d": d, "n": n, "CHUNK": _CHUNK, "BLOCK_D": block_d, "BLOCK_N": block_n}
    return triton.cdiv(d, block_d), constants


def _states(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, *, reverse: bool) -> Tensor:
    """States before all chunks (batch, chunks, n, d); in reverse as `_ends_kernel` has it."""
    (batch, length, d), n = u.shape, A.shape[1]
    chunks = triton.cdiv(length, _CHUNK)
    blocks, constants = _blocks(d, n)
    states, spans = u.new_empty(batch, chunks, n, d), u.new_empty(batch, chunks, d)
    _ends_kernel[(batch * chunks, blocks)](
        u, delta, A, B, states, spans, length, **constants, REVERSE=reverse, num_warps=1
    )
    _carry_kernel[(batch, triton.cdiv(n * d, _CARRY_TILE))](
        *(states, spans, A, chunks, d, n),
        REVERSE=reverse,
        TILE=_CARRY_TILE,
        STAGES=_CARRY_STAGES,
    )
    return states


@torch.library.custom_op("ipmdae::selective_scan_triton", mutates_args=())
def _forward(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor
) -> tuple[Tensor, Tensor]:
    """y, and the states before each chunk (batch, chunks, n, d)."""
    (batch, length, d), n = u.shape, A.shape[1]
    chunks = triton.cdiv(length, _CHUNK)
    y = torch.empty_like(u)
    if y.numel() == 0:
        return y, u.new_empty(batch, chunks, n, d)
    blocks, constants = _blocks(d, n)
    with torch.cuda.device_of(u):
        kept = _states(u, delta, A, B, reverse=False)
        _outputs_kernel[(batch * chunks, blocks)](
            u, delta, A, B, C, D, kept, y, length, **constants, num_warps=1
        )
    return y, kept


@_forward.register_fake
def _(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor
) -> tuple[Tensor, Tensor]:
    chunks = (u.shape[1] + _CHUNK - 1) // _CHUNK
    return torch.empty_like(u), u.new_empty(u.shape[0], chunks, *A.shape[::-1])


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
    chunks = kept.shape[1]
    du, ddelta = torch.empty_like(u), torch.empty_like(delta)
    dA, dD = u.new_empty(batch * chunks, d, n), u.new_empty(batch * chunks, d)
    dB, dC = u.new_empty(2, blocks, batch, length, n)
    with torch.cuda.device_of(u):
        carried = _states(dy, delta, A, C, reverse=True)
        _gradients_kernel[(batch * chunks, blocks)](
            *(u, delta, A, B, C, D, dy, kept, carried),
            *(du, ddelta, dA, dB, dC, dD, length),
            **constants,
            num_warps=1,
        )
    return [du, ddelta, dA.sum(0), dB.sum(0), dC.sum(0), dD.sum(0)]


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
