"""Common parts of published networks: separate leads, padded lengths, individual losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn


class LeadNetwork(nn.Module, ABC):
    """Denoises one lead at a time: noisy (batch, time, leads) -> denoised, any time ≥ 1.

    All leads use the same weights, as if they were further windows. A subclass denoises
    signals of suitable length in :meth:`clean`.

    Attributes:
        multiple: signals are padded to a multiple of it with their last value.
        shortest: least length after padding.
    """

    multiple: ClassVar[int] = 1
    shortest: ClassVar[int] = 1

    def forward(self, noisy: Tensor) -> Tensor:
        """Clean a batch of windows.

        Raises:
            ValueError: ``noisy`` is not (batch, time ≥ 1, leads ≥ 1).
        """
        cleaned = self.clean(self.lead_by_lead(noisy))
        return self.together(cleaned, noisy)

    @abstractmethod
    def clean(self, noisy: Tensor) -> Tensor:
        """Clean signals (signals, 1, time), the time a multiple of :attr:`multiple`."""

    @property
    def has_own_loss(self) -> bool:
        """True if the network comes with a loss; else that of the recipe trains it."""
        return type(self).loss is not LeadNetwork.loss

    def loss(self, noisy: Tensor, clean: Tensor) -> Tensor:
        """Training loss for windows (batch, time, leads): here the squared error."""
        return F.mse_loss(self(noisy), clean)

    def lead_by_lead(self, windows: Tensor) -> Tensor:
        """Windows (batch, time, leads) as lengthened signals (batch · leads, 1, time)."""
        if windows.ndim != 3 or 0 in windows.shape[1:]:
            raise ValueError(
                f"expected windows of shape (batch, time, leads), got {tuple(windows.shape)}"
            )
        signals = windows.transpose(1, 2).reshape(-1, 1, windows.shape[1])
        wanted = max(windows.shape[1], self.shortest)
        wanted += -wanted % self.multiple
        return F.pad(signals, (0, wanted - windows.shape[1]), mode="replicate")

    def together(self, signals: Tensor, windows: Tensor) -> Tensor:
        """The inverse of :meth:`lead_by_lead`, in the shape of ``windows``."""
        batch, time, leads = windows.shape
        return signals[..., :time].reshape(batch, leads, time).transpose(1, 2)
