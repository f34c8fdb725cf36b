"""The project's network for the single beats of protocol deepfilter, scaled by the beat itself.

A beat in mV comes less its median and by its own standard deviation, noise included; the network
estimates the noise, which is subtracted, and the result is in mV again. The median is not
added back: it is treated as noise too, since padded windows end at zero in the clean target.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipmdae.architecture import Architecture
from ipmdae.lab.networks.base import LeadNetwork
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE

#: Longer kernels than in recordings, and modules only from an eighth of the resolution on: what is
#: looked for is smooth.
ARCHITECTURE = Architecture(
    leads=1,
    channels=(16, 32, 48, 64, 96, 128),
    branches=(0, 0, 0, 2, 4),
    kernel=9,
    d_state=8,
    residual=True,
)

_SMALLEST = 1e-3  # mV, standard deviation of a flat line
_LEAST_BEAT = 0.02  # mV, so that a beat of next to nothing weighs no more than others
_POWER = 0.05  # mV², the mean power of a beat of the QT Database
_SQUARED = 0.5


class BeatIPMDAE(LeadNetwork):
    """In use it sees a beat in both polarities and gives the mean, for twice the cost.

    Trained by the error of each beat relative to its size, and by the squared error in mV.

    The first is what cosine similarity and PRD ask for, the second SSD, which tall beats decide.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = UltralightIPMDAE(ARCHITECTURE)

    def clean(self, noisy: Tensor) -> Tensor:
        if self.training:
            return self._upright(noisy)
        cleaned: Tensor = (self._upright(noisy) - self._upright(-noisy)) / 2
        return cleaned

    def _upright(self, noisy: Tensor) -> Tensor:
        x = noisy - noisy.median(dim=2, keepdim=True).values
        scale = x.std(dim=2, keepdim=True, correction=0).clamp_min(_SMALLEST)
        cleaned: Tensor = self.network((x / scale).transpose(1, 2)).transpose(1, 2) * scale
        return cleaned

    def loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        squared = (self(noisy) - clean).square().mean(dim=1)
        size = clean.std(dim=1, correction=0).clamp_min(_LEAST_BEAT)
        relative = torch.sqrt(squared / size.square() + 1e-4)
        total: Tensor = relative.mean() + _SQUARED * squared.mean() / _POWER
        return total
