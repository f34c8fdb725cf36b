"""DRNN: a recurrent network, sample by sample.

K. Antczak, "Deep recurrent neural networks for ECG signal denoising", 2018, arXiv 1807.11551, with
the sizes of the benchmark of DeepFilter: an LSTM of 64 cells, two layers of 64 with ReLU, one
output. 25,537 weights; 256 of them are the second bias that torch gives an LSTM.
"""

from __future__ import annotations

from torch import Tensor, nn

from ipmdae.lab.networks.base import LeadNetwork

_CELLS = 64


class DRNN(LeadNetwork):
    """Causal network without a loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(1, _CELLS, batch_first=True)
        self.dense = nn.Sequential(
            nn.Linear(_CELLS, _CELLS),
            nn.ReLU(),
            nn.Linear(_CELLS, _CELLS),
            nn.ReLU(),
            nn.Linear(_CELLS, 1),
        )

    def clean(self, noisy: Tensor) -> Tensor:
        hidden, _ = self.recurrent(noisy.transpose(1, 2))
        cleaned: Tensor = self.dense(hidden)
        return cleaned.transpose(1, 2)
