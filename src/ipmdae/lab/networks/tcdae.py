"""TCDAE: a convolutional denoising autoencoder around a transformer.

M. Chen et al., "Elimination of random mixed noise in ECG using convolutional denoising autoencoder
with transformer encoder", IEEE Journal of Biomedical and Health Informatics 28, 2024. Three gated
convolutions of stride 2 (a convolution times the sigmoid of another), sinusoidal positions, six
pre-norm transformer blocks of 8 heads of 64, four transposed convolutions with additive skips.
1.00 M weights; we know of no published count.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork

_CHANNELS = (1, 16, 32, 64)
_TAPS = 13
_BLOCKS, _HEADS, _HEAD_WIDTH, _FEED_FORWARD = 6, 8, 64, 64
_DELTA = 0.05
_FLOOR = 1e-8


class TCDAE(LeadNetwork):
    """Trained by a Huber loss, weighted by how unlike the spectra are, and the cosine distance.

    In training the gates get multiplicative noise, uniform from 0 to 2.
    """

    multiple = 2 ** (len(_CHANNELS) - 1)

    def __init__(self) -> None:
        super().__init__()
        widths = list(pairwise(_CHANNELS))
        self.encoder = nn.ModuleList(GatedConvolution(*pair) for pair in widths)
        deepest = _CHANNELS[-1]
        self.transformer = nn.Sequential(*(TransformerBlock(deepest) for _ in range(_BLOCKS)))
        self.middle = nn.Conv1d(deepest, deepest, _TAPS, padding=_TAPS // 2)
        self.decoder = nn.ModuleList(
            nn.ConvTranspose1d(
                inputs, outputs, _TAPS, stride=2, padding=_TAPS // 2, output_padding=1
            )
            for outputs, inputs in reversed(widths)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in _CHANNELS[:0:-1])

    def clean(self, noisy: Tensor) -> Tensor:
        x, stages = noisy, []
        for gated in self.encoder:
            x = gated(x)
            stages.append(x)
        tokens = x.transpose(1, 2)
        x = self.transformer(tokens + positions(tokens)).transpose(1, 2)
        x = F.elu(self.middle(x))
        for convolution, norm in zip(self.decoder[:-1], self.norms, strict=False):
            x = F.elu(convolution(norm(x + stages.pop())))
        cleaned: Tensor = self.decoder[-1](self.norms[-1](x + stages.pop()))
        return cleaned

    def loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        cleaned = self(noisy)
        unlike = 1 - spectral_correlation(cleaned, clean).abs().mean()
        distance = 1 - F.cosine_similarity(cleaned, clean, dim=1, eps=_FLOOR).mean()
        return unlike.exp() * F.huber_loss(cleaned, clean, delta=_DELTA) + distance


class GatedConvolution(nn.Module):
    """Halves the time, (batch, inputs, time) -> (batch, outputs, time / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.gate, self.value = (
            nn.Conv1d(inputs, outputs, _TAPS, stride=2, padding=_TAPS // 2) for _ in range(2)
        )
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(x)
        if self.training:
            gate = gate * (2 * torch.rand_like(gate))
        gated: Tensor = self.norm(gate.sigmoid() * self.value(x))
        return gated


class TransformerBlock(nn.Module):
    """Attention and a feed-forward layer, each behind a norm and beside a skip; (batch, L, d)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention_norm, self.norm = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attention = SelfAttention(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, _FEED_FORWARD), nn.ReLU(), nn.Linear(_FEED_FORWARD, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        result: Tensor = x + self.feed_forward(self.norm(x))
        return result


class SelfAttention(nn.Module):
    """Attention with several heads whose total width exceeds that of the tokens; (batch, L, d).

    Attributes:
        inner: width of all heads.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = _HEADS * _HEAD_WIDTH
        self.projections = nn.Linear(width, 3 * self.inner)
        self.output = nn.Linear(self.inner, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        heads = self.projections(x).view(batch, length, 3, _HEADS, _HEAD_WIDTH)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        attended = attention(query, key, value)
        result: Tensor = self.output(attended.transpose(1, 2).reshape(batch, length, -1))
        return result


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention, (batch, heads, L, d).

    By matrix products on a CPU in bfloat16, where a training step of PyTorch's fused kernel takes
    twice as long.
    """
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        attended: Tensor = scores.softmax(dim=-1) @ value
        return attended
    return F.scaled_dot_product_attention(query, key, value)


def positions(tokens: Tensor) -> Tensor:
    """Sines and cosines of the place of each token (A. Vaswani et al., 2017), (L, d)."""
    length, width = tokens.shape[1:]
    place = torch.arange(length, device=tokens.device).unsqueeze(1)
    pairs = torch.arange(0, width, 2, device=tokens.device)
    angle = place * torch.exp(pairs * (-math.log(1e4) / width))
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1).to(tokens.dtype)


def spectral_correlation(x: Tensor, y: Tensor) -> Tensor:
    """Correlation of the power spectra of windows (batch, time, leads): (batch, leads)."""
    hann = torch.hann_window(x.shape[1], device=x.device).unsqueeze(1)
    a, b = (torch.fft.rfft(hann * part, dim=1).abs().square() for part in (x, y))
    a, b = (part - part.mean(dim=1, keepdim=True) for part in (a, b))
    return F.cosine_similarity(a, b, dim=1, eps=_FLOOR)
