"""DeScoD-ECG: a diffusion model that draws the clean signal, given the noisy one.

H. Li, G. Ditzler, J. Roveda, A. Li, "DeScoD-ECG: deep score-based diffusion model for ECG baseline
wander and noise removal", IEEE Journal of Biomedical and Health Informatics, 2023. The network
estimates the noise in a signal mixed with Gaussian noise; 50 steps from pure noise, each with
a little less of it, give one draw ("shot"), and several draws are averaged.

Published for 80 features: 1.93 M weights and 39 G multiply-accumulates a shot of 512 samples. We
have 1.59 M: the original owns a sixth block in each stream which it never runs (2 x 166,640
weights, no cost). The cost is the published one.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork

FEATURES = 80
STEPS = 50
_BETAS = (1e-4, 0.5)
_DILATIONS = (1, 2, 4, 2)  # of the blocks; the first layer of a stream has none
_TAPS = (3, 5, 9, 15)
_SLOPE = 0.2
_SEED = 1234


class DeScoD(LeadNetwork):
    """Trained by the mean absolute error of the estimated noise.

    What it draws at a sample depends on the length of the window, not on the other windows nor on
    what was drawn before: each call starts from the same noise.

    Args:
        shots: number of draws that are averaged.
        features: width of all layers.
    """

    shortest = 32  # the longest filter, 15 taps dilated by 4, mirrors 28 samples at each border

    def __init__(self, *, shots: int = 1, features: int = FEATURES) -> None:
        super().__init__()
        self.shots = shots
        self.denoiser = Denoiser(features)
        betas = torch.linspace(_BETAS[0] ** 0.5, _BETAS[1] ** 0.5, STEPS, dtype=torch.float64) ** 2
        self._betas: list[float] = betas.tolist()
        kept = torch.cat([torch.ones(1, dtype=torch.float64), (1 - betas).cumprod(0)])
        self._kept: list[float] = kept.tolist()  # of the signal's power after so many steps

    def clean(self, noisy: Tensor) -> Tensor:
        return torch.stack([self._draw(noisy, shot) for shot in range(self.shots)]).mean(dim=0)

    def loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        condition, signal = self.lead_by_lead(noisy), self.lead_by_lead(clean)
        # Validation must be deterministic: always the same draw.
        generator = None if self.training else torch.Generator().manual_seed(_SEED)
        count = len(signal)
        step = torch.randint(1, STEPS + 1, (count,), generator=generator)
        between = torch.rand(count, generator=generator)
        noise = torch.randn(signal.shape, generator=generator).to(signal)
        root = torch.tensor(self._kept).sqrt()
        level = root[step - 1].lerp(root[step], between).to(signal).view(-1, 1, 1)
        mixed = level * signal + (1 - level.square()).sqrt() * noise
        return F.l1_loss(self.denoiser(mixed, condition, level), noise)

    def _draw(self, noisy: Tensor, shot: int) -> Tensor:
        """One draw by ancestral sampling (J. Ho et al., 2020), (signals, 1, time)."""
        generator = torch.Generator().manual_seed(_SEED + shot)

        def chance() -> Tensor:
            # One for all signals, so that none depends on its place in the batch.
            return torch.randn((1, *noisy.shape[1:]), generator=generator).to(noisy)

        x = chance().expand_as(noisy)
        for step in range(STEPS, 0, -1):
            beta, kept, before = self._betas[step - 1], self._kept[step], self._kept[step - 1]
            level = noisy.new_full((1, 1, 1), math.sqrt(kept)).expand(len(noisy), 1, 1)
            noise = self.denoiser(x, noisy, level)
            start = (x - math.sqrt(1 - kept) * noise) / math.sqrt(kept)
            mean = (beta * math.sqrt(before) * start + (1 - before) * math.sqrt(1 - beta) * x) / (
                1 - kept
            )
            x = mean + math.sqrt(beta * (1 - before) / (1 - kept)) * chance()
        return x


class Denoiser(nn.Module):
    """Estimates the noise in ``x``, given the noisy recording and the level of ``x``.

    One stream processes each of the two; bridges, which know the noise level, add the first
    stream's features to the second.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.of_mixture, self.of_condition = (_stream(features) for _ in range(2))
        self.bridges = nn.ModuleList(Bridge(features) for _ in self.of_mixture)
        self.last = _convolution(features, 1, 9)

    def forward(self, x: Tensor, condition: Tensor, level: Tensor) -> Tensor:
        """``x`` and ``condition`` (signals, 1, time), ``level`` (signals, 1, 1) -> like ``x``."""
        embedding = self._embedding(level.flatten())
        found = condition
        layers = zip(self.of_mixture, self.of_condition, self.bridges, strict=True)
        for of_mixture, of_condition, bridge in layers:
            x = of_mixture(x)
            found = of_condition(found) + bridge(x, embedding)
        noise: Tensor = self.last(found)
        return noise

    def _embedding(self, level: Tensor) -> Tensor:
        """Sines and cosines of the level, (signals, features)."""
        half = self.features // 2
        rates = torch.exp(torch.arange(half, device=level.device) * (-math.log(1e4) / half))
        angle = level.unsqueeze(1) * rates
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class HalfNormalizedFilters(nn.Module):
    """Filters of four lengths side by side, one half of the result normalised; a residual block."""

    def __init__(self, features: int, dilation: int) -> None:
        super().__init__()
        quarter = features // len(_TAPS)
        self.filters = nn.ModuleList(
            _convolution(features, quarter, taps, dilation) for taps in _TAPS
        )
        self.mix = _convolution(features, features, 9)
        self.norm = nn.InstanceNorm1d(features // 2)
        self.out = _convolution(features, features, 9)

    def forward(self, x: Tensor) -> Tensor:
        filtered = torch.cat([layer(x) for layer in self.filters], dim=1)
        first, second = self.mix(filtered).chunk(2, dim=1)
        halves = F.leaky_relu(torch.cat([self.norm(first), second], dim=1), _SLOPE)
        return x + F.leaky_relu(self.out(halves), _SLOPE)


class Bridge(nn.Module):
    """Modulate one stream by the other: scale and shift depend on the noise level."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.inward, self.outward = (_convolution(features, features, 3) for _ in range(2))
        self.modulation = nn.Linear(features, 2 * features)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.modulation(embedding).unsqueeze(2).chunk(2, dim=1)
        result: Tensor = self.outward((1 + scale) * self.inward(x) + shift)
        return result


def _stream(features: int) -> nn.ModuleList:
    first = nn.Sequential(_convolution(1, features, 9), nn.LeakyReLU(_SLOPE))
    blocks = [HalfNormalizedFilters(features, dilation) for dilation in _DILATIONS]
    return nn.ModuleList([first, *blocks])


def _convolution(inputs: int, outputs: int, taps: int, dilation: int = 1) -> nn.Conv1d:
    """Keeps the length by mirroring; He initialisation."""
    padding = taps // 2 * dilation
    layer = nn.Conv1d(
        inputs, outputs, taps, padding=padding, dilation=dilation, padding_mode="reflect"
    )
    nn.init.kaiming_normal_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
