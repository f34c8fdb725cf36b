"""Sequence blocks of the cost of a Mamba block, to compare Mamba with.

Each has the interface of :class:`ipmdae.lab.nn.mamba.Mamba` and as many multiply-accumulates per
sample as the Mamba block of ``d`` channels in the same architecture. They have no state matrix:
``A_log`` is ignored.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.architecture import Architecture
from ipmdae.engine.complexity import mamba_step


class SeparableConvolution(nn.Module):
    """Gated depthwise-separable convolution, causal: x (batch, L, d) -> (batch, L, d).

    Mamba's projections and gate, with a depthwise convolution of more taps in place of its short
    one and the selective scan.
    """

    def __init__(self, architecture: Architecture, d: int) -> None:
        super().__init__()
        inner = architecture.expand * d
        taps = round(mamba_step(architecture, d) / inner) - 3 * d
        self.in_proj = nn.Linear(d, 2 * inner, bias=False)
        self.depthwise = nn.Conv1d(inner, inner, taps, groups=inner)
        self.out_proj = nn.Linear(inner, d, bias=False)

    def forward(self, x: Tensor, A_log: Tensor | None) -> Tensor:
        u, z = self.in_proj(x).chunk(2, dim=-1)
        past = self.depthwise.kernel_size[0] - 1
        u = self.depthwise(F.pad(u.transpose(1, 2), (past, 0))).transpose(1, 2)
        out: Tensor = self.out_proj(F.silu(u) * F.silu(z))
        return out


class Recurrent(nn.Module):
    """LSTM and output projection: x (batch, L, d) -> (batch, L, d).

    A module's forward and backward block are together a bidirectional LSTM.
    """

    def __init__(self, architecture: Architecture, d: int) -> None:
        super().__init__()
        cost = mamba_step(architecture, d)  # = 4 h (d + h) + h d, solved for h
        hidden = round((math.sqrt(25 * d**2 + 16 * cost) - 5 * d) / 8)
        self.lstm = nn.LSTM(d, hidden, batch_first=True)
        self.out_proj = nn.Linear(hidden, d, bias=False)

    def forward(self, x: Tensor, A_log: Tensor | None) -> Tensor:
        y: Tensor = self.out_proj(self.lstm(x)[0])
        return y
