"""MECG-E: Mamba over the time and over the frequency of a spectrogram.

K.-H. Hung et al., "MECG-E: Mamba-based ECG enhancer for baseline wander removal", 2024, arXiv
2409.18828, in its best variant, on magnitude and phase. A densely connected encoder, four pairs of
bidirectional Mamba blocks (along time, then along frequency), one decoder for a mask of the
magnitude and one for the phase. The power law compresses the magnitudes before and is undone after.

Published: 0.62 M weights, 0.81 G multiply-accumulates for 512 samples; ours has 622,441. What the
paper leaves open we take from its predecessors in speech (SEMamba, MP-SENet): the exponent 0.3 and
masks of 0 to 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork
from ipmdae.lab.nn.mamba import Mamba, initial_state_matrix

_WINDOW, _HOP = 64, 8
_BINS = _WINDOW // 2 + 1
_CHANNELS, _DEPTH, _BLOCKS, _EXPAND = 32, 4, 4, 4
_EXPONENT, _LARGEST_MASK = 0.3, 2.0
_FLOOR = 1e-9


class MECGE(LeadNetwork):
    """MECG-E, with its loss.

    The loss is the absolute error in time, plus the squared errors of the compressed spectrum
    against that of the clean signal and that of the network's own output (consistency).
    """

    multiple = _HOP
    shortest = _WINDOW

    _window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.blocks = nn.Sequential(*(TimeFrequencyBlock() for _ in range(_BLOCKS)))
        self.mask_decoder = MaskDecoder()
        self.phase_decoder = PhaseDecoder()
        self.register_buffer("_window", torch.hann_window(_WINDOW), persistent=False)

    def clean(self, noisy: Tensor) -> Tensor:
        spectrum = self._compressed(noisy)
        return self._signal(self._enhanced(spectrum), noisy.shape[2])

    def loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        x, target = self.lead_by_lead(noisy), self.lead_by_lead(clean)
        enhanced = self._enhanced(self._compressed(x))
        cleaned = self._signal(enhanced, x.shape[2])
        of_time = F.l1_loss(self.together(cleaned, clean), clean)
        of_spectrum, of_consistency = (
            (enhanced - self._compressed(signal)).abs().square().mean()
            for signal in (target, cleaned)
        )
        return of_time / 2 + of_spectrum + of_consistency

    def _enhanced(self, spectrum: Tensor) -> Tensor:
        """A compressed complex spectrum (signals, frames, bins), cleaned."""
        magnitude = spectrum.abs()
        features = torch.stack([magnitude, spectrum.angle()], dim=1)
        x = self.blocks(self.encoder(features))
        return torch.polar(magnitude * self.mask_decoder(x), self.phase_decoder(x))

    def _compressed(self, signals: Tensor) -> Tensor:
        """Spectra of signals (signals, 1, time) with the power law: (signals, frames, bins)."""
        spectrum = torch.stft(
            signals.squeeze(1), _WINDOW, _HOP, window=self._window, return_complex=True
        ).transpose(1, 2)
        power = spectrum.real.square() + spectrum.imag.square() + _FLOOR
        return spectrum * power ** ((_EXPONENT - 1) / 2)

    def _signal(self, compressed: Tensor, time: int) -> Tensor:
        """The inverse of :meth:`_compressed`."""
        magnitude = compressed.abs() ** (1 / _EXPONENT)
        spectrum = torch.polar(magnitude, compressed.angle()).transpose(1, 2)
        return torch.istft(spectrum, _WINDOW, _HOP, window=self._window, length=time).unsqueeze(1)


class TimeFrequencyBlock(nn.Module):
    """Mamba along time, then along frequency; (signals, channels, frames, bins), as all below."""

    def __init__(self) -> None:
        super().__init__()
        self.along_time, self.along_frequency = (BidirectionalMamba(_CHANNELS) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        signals, channels, frames, bins = x.shape
        x = x.permute(0, 3, 2, 1).reshape(-1, frames, channels)
        x = self.along_time(x).view(signals, bins, frames, channels)
        x = x.transpose(1, 2).reshape(-1, bins, channels)
        result: Tensor = self.along_frequency(x).view(signals, frames, bins, channels)
        return result.permute(0, 3, 1, 2)


class BidirectionalMamba(nn.Module):
    """A block forwards, one backwards, their results joined by a layer; (batch, L, d)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.forwards, self.backwards = (MambaBlock(width) for _ in range(2))
        self.join = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.forwards(x), self.backwards(x.flip(1)).flip(1)], dim=2)
        result: Tensor = x + self.join(both)
        return result


class MambaBlock(nn.Module):
    """Mamba behind a norm and beside a skip; (batch, L, d)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.mamba = Mamba(width, expand=_EXPAND)
        self.A_log = initial_state_matrix(self.mamba.d_inner, self.mamba.d_state)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.mamba(self.norm(x), self.A_log)
        return result


class Encoder(nn.Module):
    """Magnitude and phase -> features at half as many bins."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_normed(nn.Conv2d(2, _CHANNELS, 1)),
            DenseBlock(),
            *_normed(nn.Conv2d(_CHANNELS, _CHANNELS, (1, 3), (1, 2))),
        )

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x)
        return features


class MaskDecoder(nn.Module):
    """Features -> what the magnitudes are multiplied with, 0 to 2, (signals, frames, bins)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            DenseBlock(),
            nn.ConvTranspose2d(_CHANNELS, _CHANNELS, (1, 3), (1, 2)),
            *_normed(nn.Conv2d(_CHANNELS, 1, 1)),
            nn.Conv2d(1, 1, 1),
        )
        self.slope = nn.Parameter(torch.ones(_BINS))

    def forward(self, x: Tensor) -> Tensor:
        mask: Tensor = _LARGEST_MASK * torch.sigmoid(self.slope * self.layers(x).squeeze(1))
        return mask


class PhaseDecoder(nn.Module):
    """Features -> phases, (signals, frames, bins)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            DenseBlock(), *_normed(nn.ConvTranspose2d(_CHANNELS, _CHANNELS, (1, 3), (1, 2)))
        )
        self.real, self.imaginary = (nn.Conv2d(_CHANNELS, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x)
        return torch.atan2(self.imaginary(x), self.real(x)).squeeze(1)


class DenseBlock(nn.Module):
    """Convolutions, ever more dilated in time, each of which sees the results of all before it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                *_normed(
                    nn.Conv2d(
                        (i + 1) * _CHANNELS,
                        _CHANNELS,
                        3,
                        dilation=(2**i, 1),
                        padding=(2**i, 1),
                    )
                )
            )
            for i in range(_DEPTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for layer in self.layers:
            x = layer(seen)
            seen = torch.cat([x, seen], dim=1)
        return x


def _normed(convolution: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    channels = convolution.out_channels
    return [convolution, nn.InstanceNorm2d(channels, affine=True), nn.PReLU(channels)]
