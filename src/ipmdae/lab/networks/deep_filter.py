"""DeepFilter, its best variant: Multibranch LANLD (linear and non-linear, dilated).

F. Perdigón Romero, D. Castro Piñol, C. R. Vázquez-Seisdedos, "DeepFilter: an ECG baseline wander
removal filter using deep learning techniques", Biomedical Signal Processing and Control 70, 2021.
Six modules at full resolution, every second one dilated by 3; in each, convolutions of several
lengths run side by side, each length once linear and once with ReLU. Dropout and batch
normalisation follow a module. No count is published; widths are rounded down to whole filters, so
that a dilated module of "64" has 60.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork

_PLAIN = (3, 5, 9, 15)  # taps
_DILATED = (5, 9, 15)
_MODULES = ((64, 1), (64, 3), (32, 1), (32, 3), (16, 1), (16, 3))  # width, dilation
_DROPOUT = 0.4
_LAST = 9  # taps
_PEAK_WEIGHT = 50.0


class DeepFilterLANLD(LeadNetwork):
    """Trained by the sum of squared errors and 50 times the largest one, mean over windows."""

    def __init__(self) -> None:
        super().__init__()
        kinds = [(_PLAIN if dilation == 1 else _DILATED, dilation) for _, dilation in _MODULES]
        each = [
            width // (2 * len(taps)) for (width, _), (taps, _) in zip(_MODULES, kinds, strict=True)
        ]
        widths = [2 * len(taps) * n for (taps, _), n in zip(kinds, each, strict=True)]
        layers: list[nn.Module] = []
        for (inputs, outputs), (taps, dilation), n in zip(
            pairwise((1, *widths)), kinds, each, strict=True
        ):
            layers += [Branches(inputs, n, taps, dilation), nn.Dropout(_DROPOUT)]
            layers.append(nn.BatchNorm1d(outputs))
        self.layers = nn.Sequential(*layers, nn.Conv1d(widths[-1], 1, _LAST, padding=_LAST // 2))

    def clean(self, noisy: Tensor) -> Tensor:
        cleaned: Tensor = self.layers(noisy)
        return cleaned

    def loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        squared: Tensor = (self(noisy) - clean).square()
        return (squared.sum(dim=1) + _PEAK_WEIGHT * squared.amax(dim=1)).mean()


class Branches(nn.Module):
    """Linear convolutions of all lengths and as many with ReLU; (batch, channels, time).

    Both of a length are one convolution with twice the filters, which trains 1.7 times as fast.
    """

    def __init__(self, inputs: int, each: int, taps: tuple[int, ...], dilation: int) -> None:
        super().__init__()
        self.each = each
        self.convolutions = nn.ModuleList(
            nn.Conv1d(inputs, 2 * each, k, padding=k // 2 * dilation, dilation=dilation)
            for k in taps
        )

    def forward(self, x: Tensor) -> Tensor:
        filtered = [convolution(x) for convolution in self.convolutions]
        linear = [y[:, : self.each] for y in filtered]
        rectified = [F.relu(y[:, self.each :]) for y in filtered]
        return torch.cat([*linear, *rectified], dim=1)
