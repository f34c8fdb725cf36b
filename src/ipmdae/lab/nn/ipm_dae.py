"""Ultralight IPM-DAE: a convolutional denoising autoencoder with MF-IPM skip connections.

noisy (batch, time, leads)
  Enc_1 ─ Enc_2 ─ Enc_3 ─ Enc_4 ─ Enc_5        each: convolution of stride 2, ReLU
    │       │       │       │       │
  MF-IPM  MF-IPM  MF-IPM  MF-IPM    │
    │       │       │       │       │
  Dec_5 ─ Dec_4 ─ Dec_3 ─ Dec_2 ─ Dec_1        each: transposed convolution of stride 2, ReLU
cleaned (batch, time, leads)                   (the last: no ReLU)

That is the paper's. Ours may leave out modules where the resolution is high, take the decoder's
result as the noise, and give a second channel a lead: see
:class:`~ipmdae.architecture.Architecture`.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.architecture import Architecture
from ipmdae.lab.nn.mf_ipm import MFIPM


class UltralightIPMDAE(nn.Module):
    """The network: noisy (batch, time, leads) -> cleaned (batch, time, outputs); any time ≥ 1."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        self.architecture = architecture = architecture or Architecture()
        kernel, padding = architecture.kernel, architecture.kernel // 2
        self.encoder = nn.ModuleList(
            nn.Conv1d(inputs, outputs, kernel, stride=2, padding=padding)
            for inputs, outputs in pairwise((architecture.leads, *architecture.channels))
        )
        self.skips = nn.ModuleList(
            MFIPM(architecture, stage) if branches else nn.Identity()
            for stage, branches in enumerate(architecture.branches)
        )
        self.decoder = nn.ModuleList(
            nn.ConvTranspose1d(inputs, outputs, kernel, stride=2, padding=padding)
            for inputs, outputs in pairwise((*architecture.channels[::-1], architecture.outputs))
        )

    def forward(self, noisy: Tensor) -> Tensor:
        """Clean a batch of windows.

        Raises:
            ValueError: ``noisy`` is not (batch, time ≥ 1, leads) with the network's leads.
        """
        leads = self.architecture.leads
        if noisy.ndim != 3 or noisy.shape[1] < 1 or noisy.shape[2] != leads:
            raise ValueError(
                f"expected windows of shape (batch, time, {leads}), got {tuple(noisy.shape)}"
            )
        x = noisy.transpose(1, 2)
        lengths, stages = [], []
        for convolution in self.encoder:
            lengths.append(x.shape[2])
            x = F.relu(convolution(x))
            stages.append(x)
        for k, convolution in enumerate(self.decoder):
            if k > 0:  # the deepest stage goes straight into the decoder
                skip = self.skips[-k]
                x = F.relu(x) + skip(stages[-1 - k].transpose(1, 2)).transpose(1, 2)
            x = convolution(x, output_size=[lengths[-1 - k]])
        x = x.transpose(1, 2)
        if self.architecture.residual:
            x = torch.cat([noisy - x[..., :leads], x[..., leads:]], dim=2)
        return x
