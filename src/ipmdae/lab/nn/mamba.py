"""The Mamba block (Gu and Dao, 2023), with the state matrix handed in from outside.

d        width of the block            L   length of the sequence
d_inner  expand · d                    n   d_state, size of the state of a channel
dt_rank  ⌈d / 16⌉, rank of Δ           k   d_conv, taps of the causal convolution
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ipmdae.lab.nn.fused import convolution_silu, gated_scan

_DELTA_MIN, _DELTA_MAX, _DELTA_FLOOR = 1e-3, 1e-1, 1e-4


class Mamba(nn.Module):
    """x (batch, L, d), A_log (d_inner, n) -> (batch, L, d)."""

    def __init__(self, d: int, *, d_state: int = 16, d_conv: int = 4, expand: int = 2) -> None:
        super().__init__()
        self.d_state = d_state
        self.d_inner = expand * d
        self.dt_rank = math.ceil(d / 16)
        self.in_proj = nn.Linear(d, 2 * self.d_inner, bias=False)
        self.conv1d = CausalConvolution(self.d_inner, d_conv)
        self.x_proj = nn.Linear(self.d_inner, self.dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(self.dt_rank, self.d_inner)
        self.D = nn.Parameter(torch.ones(self.d_inner))
        self.out_proj = nn.Linear(self.d_inner, d, bias=False)
        self._initialise_delta()

    def forward(self, x: Tensor, A_log: Tensor) -> Tensor:
        u, z = self.in_proj(x).chunk(2, dim=-1)
        u = self.conv1d(u)
        dt, B, C = self.x_proj(u).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        y = gated_scan(u, self.dt_proj(dt), -torch.exp(A_log), B, C, self.D, z)
        out: Tensor = self.out_proj(y)
        return out

    def _initialise_delta(self) -> None:
        """Start with step sizes spread log-uniformly over [0.001, 0.1], as Mamba-1 does."""
        bound = self.dt_rank**-0.5
        nn.init.uniform_(self.dt_proj.weight, -bound, bound)
        low, high = math.log(_DELTA_MIN), math.log(_DELTA_MAX)
        delta = torch.exp(torch.empty(self.d_inner).uniform_(low, high)).clamp(min=_DELTA_FLOOR)
        with torch.no_grad():
            self.dt_proj.bias.copy_(delta + torch.log(-torch.expm1(-delta)))  # softplus⁻¹


class CausalConvolution(nn.Module):
    """Depthwise, with SiLU, y_t = silu(bias + Σ_j w_j u_{t-(k-1)+j}); (batch, L, d)."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        bound = taps**-0.5
        self.weight = nn.Parameter(torch.empty(channels, taps).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-bound, bound))

    def forward(self, u: Tensor) -> Tensor:
        return convolution_silu(u, self.weight, self.bias)


def initial_state_matrix(d_inner: int, d_state: int) -> nn.Parameter:
    """A_log = log(1 … n) in every row (S4D-real), (d_inner, n)."""
    return nn.Parameter(torch.arange(1.0, d_state + 1).log().repeat(d_inner, 1))
