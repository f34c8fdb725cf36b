"""FCN-DAE: a fully convolutional denoising autoencoder.

H.-T. Chiang et al., "Noise reduction in ECG signals using fully convolutional denoising
autoencoders", IEEE Access 7, 2019. Five convolutions of stride 2 and one down to a single channel,
16 taps each, and their mirror image; ELU and batch normalisation behind each but the last. 80,223
weights; the benchmark of DeepFilter, which re-ran it, gives no count.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork

_CHANNELS = (1, 40, 20, 20, 20, 40)
_TAPS = 16


class FCNDAE(LeadNetwork):
    """Without a loss of its own."""

    multiple = 2 ** (len(_CHANNELS) - 1)

    def __init__(self) -> None:
        super().__init__()
        narrow = [*_same(_CHANNELS[-1], 1), *_behind(1), *_same(1, 1), *_behind(1)]
        encoder = [
            layer
            for inputs, outputs in pairwise(_CHANNELS)
            for layer in (nn.Conv1d(inputs, outputs, _TAPS, 2, _TAPS // 2 - 1), *_behind(outputs))
        ]
        decoder = [
            layer
            for inputs, outputs in pairwise((1, *_CHANNELS[:0:-1]))
            for layer in (
                nn.ConvTranspose1d(inputs, outputs, _TAPS, 2, _TAPS // 2 - 1),
                *_behind(outputs),
            )
        ]
        self.layers = nn.Sequential(*encoder, *narrow, *decoder, *_same(_CHANNELS[1], 1))

    def clean(self, noisy: Tensor) -> Tensor:
        cleaned: Tensor = self.layers(noisy)
        return cleaned


def _same(inputs: int, outputs: int) -> list[nn.Module]:
    """A convolution of stride 1 that keeps the length; transposed, it would be the same layer."""
    before = _TAPS // 2 - 1
    return [
        nn.ConstantPad1d((before, _TAPS - 1 - before), 0.0),
        nn.Conv1d(inputs, outputs, _TAPS),
    ]


def _behind(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.ELU(), nn.BatchNorm1d(channels)
