"""ACDAE: a convolutional denoising autoencoder with attention among channels.

P. Singh, A. Sharma, "Attention-based convolutional denoising autoencoder for two-lead ECG denoising
and arrhythmia classification", IEEE Transactions on Instrumentation and Measurement 71, 2022. Four
convolutions with pooling, their mirror image with upsampling, symmetric skips; in the decoder an
efficient channel attention (Q. Wang et al., "ECA-Net", 2020) weighs the channels. The original
takes both leads at once; here, as for all networks compared, each lead goes alone.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork

_CHANNELS = (1, 16, 32, 64, 128)
_TAPS = (13, 7, 7, 7)


class ACDAE(LeadNetwork):
    """Without a loss of its own."""

    multiple = 2 ** len(_TAPS)

    def __init__(self) -> None:
        super().__init__()
        steps = list(zip(_CHANNELS, _CHANNELS[1:], _TAPS, strict=False))
        self.encoder = nn.ModuleList(
            nn.Conv1d(inputs, outputs, taps, padding=taps // 2) for inputs, outputs, taps in steps
        )
        self.decoder = nn.ModuleList(
            nn.ConvTranspose1d(inputs, outputs, taps, padding=taps // 2)
            for outputs, inputs, taps in reversed(steps)
        )
        self.attention = nn.ModuleList(ChannelAttention(c) for c in _CHANNELS[-2:0:-1])

    def clean(self, noisy: Tensor) -> Tensor:
        x, stages = noisy, []
        for convolution in self.encoder:
            x = F.leaky_relu(F.max_pool1d(convolution(x), 2))
            stages.append(x)
        for k, convolution in enumerate(self.decoder):
            x = F.interpolate(convolution(x), scale_factor=2.0, mode="linear")
            if k < len(self.attention):
                x = self.attention[k](F.leaky_relu(x)) + stages[-2 - k]
        return x


class ChannelAttention(nn.Module):
    """Weighs channels by a convolution over their means; (batch, channels, time)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = int((math.log2(channels) + 1) / 2)
        taps += 1 - taps % 2
        self.across = nn.Conv1d(1, 1, taps, padding=taps // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.across(x.mean(dim=2).unsqueeze(1)).sigmoid()
        return x * weights.transpose(1, 2)
