"""The MF-IPM module: multi-scale information fusion and parallel Mamba with own state matrices.

C  channels of the module      N  branches      d  C / N, channels of a branch
L  length                      w  pooling width of a branch
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.architecture import Architecture
from ipmdae.lab.nn.mamba import Mamba, initial_state_matrix


class MFIPM(nn.Module):
    """One skip connection: (batch, L, C) -> (batch, L, C)."""

    def __init__(self, architecture: Architecture, stage: int) -> None:
        super().__init__()
        channels, branches = architecture.channels[stage], architecture.branches[stage]
        d = architecture.branch_width(stage)
        self.pooling = [architecture.pooling(n) for n in range(branches)]
        self.norm = nn.LayerNorm(channels)
        self.project = nn.ModuleList(nn.Linear(channels, d, bias=False) for _ in range(branches))
        self.attention = nn.ModuleList(
            ChannelAttention(d, figure=architecture.attention == "figure") for _ in range(branches)
        )
        self.fusion = InformationFusion(
            d,
            projected=architecture.fusion == "figure",
            unused_projections=architecture.unused_projections,
        )
        mamba = {
            "d_state": architecture.d_state,
            "d_conv": architecture.d_conv,
            "expand": architecture.expand,
        }
        self.mamba_forward = Mamba(d, **mamba)
        self.mamba_backward = Mamba(d, **mamba)
        state = (architecture.expand * d, architecture.d_state)
        self.A_log_forward = nn.ParameterList(initial_state_matrix(*state) for _ in range(branches))
        self.A_log_backward = nn.ParameterList(
            initial_state_matrix(*state) for _ in range(branches)
        )
        self.skip_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        x = self.norm(x)
        branches = [
            F.relu(average_pool(project(x), w))
            for project, w in zip(self.project, self.pooling, strict=True)
        ]
        M = torch.stack(
            [f(branch) for f, branch in zip(self.attention, branches, strict=True)], dim=1
        )
        M = self.fusion(M)
        outputs = [
            upsample(
                self._bidirectional(branch, n) * M[:, n, None] + self.skip_scale * branch,
                self.pooling[n],
                length,
            )
            for n, branch in enumerate(branches)
        ]
        # The published network has one LayerNorm, used at both ends of the module.
        y: Tensor = self.norm(torch.cat(outputs, dim=-1))
        return y

    def _bidirectional(self, x: Tensor, n: int) -> Tensor:
        """IS-Mamba: the blocks are shared by all branches, the state matrices are the branch's."""
        y = self.mamba_forward(x, self.A_log_forward[n])
        y_reversed = self.mamba_backward(x.flip(1), self.A_log_backward[n])
        out: Tensor = y + y_reversed.flip(1)
        return out


class ChannelAttention(nn.Module):
    """x (batch, L, d) -> a weight for each channel, (batch, d), from its mean and its maximum."""

    def __init__(self, d: int, *, figure: bool = False) -> None:
        super().__init__()
        self.figure = figure
        self.squeeze = nn.Linear(d, d, bias=False)
        self.excite = nn.Linear(d, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        mean, peak = x.mean(dim=1), x.amax(dim=1)
        if self.figure:
            return self._f(mean + peak)
        return self._f(mean) + self._f(peak)

    def _f(self, x: Tensor) -> Tensor:
        y: Tensor = self.excite(F.relu(self.squeeze(x)))
        return y


class InformationFusion(nn.Module):
    """MS-IF: self-attention over the branches, M̂ = softmax(M Mᵀ) M, (batch, N, d) -> the same."""

    def __init__(self, d: int, *, projected: bool, unused_projections: bool) -> None:
        super().__init__()
        self.projected = projected
        if projected or unused_projections:
            self.query = nn.Linear(d, d, bias=False)
            self.key = nn.Linear(d, d, bias=False)
            self.value = nn.Linear(d, d, bias=False)

    def forward(self, M: Tensor) -> Tensor:
        query, key, value = M, M, M
        if self.projected:
            query, key, value = self.query(M), self.key(M), self.value(M)
        return torch.softmax(query @ key.transpose(1, 2), dim=-1) @ value


def average_pool(x: Tensor, w: int) -> Tensor:
    """(batch, L, C) -> (batch, ⌊L / w⌋, C); a remainder is dropped, and w is at most L."""
    w = min(w, x.shape[1])
    if w == 1:
        return x
    length = x.shape[1] // w
    return x[:, : length * w].reshape(x.shape[0], length, w, x.shape[2]).mean(dim=2)


def upsample(x: Tensor, w: int, length: int) -> Tensor:
    """Nearest neighbour by w, then zeros up to ``length`` (where pooling dropped a remainder)."""
    w = min(w, length)
    if w > 1:
        x = x.repeat_interleave(w, dim=1)
    return F.pad(x, (0, 0, 0, length - x.shape[1]))
