"""Plain U-Net in one dimension: the reference for other networks.

O. Ronneberger, P. Fischer, T. Brox, "U-Net: convolutional networks for biomedical image
segmentation", 2015, on signals: two convolutions a level, pooling by 2, transposed convolutions
back, levels joined by concatenation. Widths and taps are chosen here, so there is no published
count: :class:`UNet` has 0.46 M weights, :class:`LUNet` 0.02 M, the size of the small U-Nets that
others' tables list as LUNet.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork


class UNet(LeadNetwork):
    """Three levels below the first, without a loss of its own.

    Attributes:
        widths: channels of each level.
        taps: of each convolution.
    """

    widths = (16, 32, 64, 128)
    taps = 9
    multiple = 8

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(self._level(*widths) for widths in pairwise((1, *self.widths)))
        self.pool = nn.MaxPool1d(2)
        upwards = list(pairwise(self.widths[::-1]))
        self.up = nn.ModuleList(
            nn.ConvTranspose1d(deep, width, 2, stride=2) for deep, width in upwards
        )
        self.joined = nn.ModuleList(self._level(2 * width, width) for _, width in upwards)
        self.last = nn.Conv1d(self.widths[0], 1, 1)

    def clean(self, noisy: Tensor) -> Tensor:
        levels = [self.down[0](noisy)]
        for level in list(self.down)[1:]:
            levels.append(level(self.pool(levels[-1])))
        x = levels.pop()
        for up, joined in zip(self.up, self.joined, strict=True):
            x = joined(torch.cat([levels.pop(), up(x)], dim=1))
        cleaned: Tensor = self.last(x)
        return cleaned

    def _level(self, inputs: int, outputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for width in (inputs, outputs):
            layers.append(nn.Conv1d(width, outputs, self.taps, padding=self.taps // 2))
            layers += [nn.BatchNorm1d(outputs), nn.ReLU()]
        return nn.Sequential(*layers)


class LUNet(UNet):
    """The same with fewer and shorter filters."""

    widths = (8, 12, 16, 24)
    taps = 7
