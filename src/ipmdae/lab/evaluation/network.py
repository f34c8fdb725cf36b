"""Test of a network on the pairs of a protocol: size, cost, scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ipmdae.engine import complexity
from ipmdae.lab.evaluation.metrics import METRICS
from ipmdae.lab.networks.complexity import measure
from ipmdae.lab.nn.ipm_dae import UltralightIPMDAE
from ipmdae.lab.protocols import Pairs, stack

_BATCH = 64


@dataclass(frozen=True)
class Score:
    """Mean and sample standard deviation over windows."""

    mean: float
    sd: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.sd:.3f})"


@dataclass(frozen=True)
class Report:
    """Result of a test.

    Attributes:
        parameters: of the network, unused ones included where it has them.
        multiply_accumulates: for one window, the scan included.
        windows: number of test windows, of ``samples`` samples and ``leads`` leads.
        mse: mean squared error, mean over windows: the validation loss.
        scores: for each metric and variant (``total``, ``centred``) before and after.
    """

    parameters: int
    multiply_accumulates: int
    windows: int
    samples: int
    leads: int
    mse: float
    scores: dict[str, dict[str, dict[str, Score]]]

    def as_dict(self) -> dict[str, object]:
        """Convert to plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"parameters             {self.parameters:,}",
            f"multiply-accumulates   {self.multiply_accumulates / 1e6:.1f} M a window of "
            f"{self.samples} samples and {self.leads} leads, scan included",
            f"windows tested         {self.windows:,}",
            f"mean squared error     {self.mse:.5f}",
            "",
            f"{'mean (sd)':<12}{'noisy':>18}{'cleaned':>18}"
            f"{'noisy, no DC':>18}{'cleaned, no DC':>18}",
        ]
        for metric, variants in self.scores.items():
            cells = [str(variants[v][s]) for v in ("total", "centred") for s in ("before", "after")]
            lines.append(f"{metric:<12}" + "".join(f"{cell:>18}" for cell in cells))
        return "\n".join(lines)


def evaluate(network: nn.Module, pairs: Pairs) -> Report:
    """Clean all pairs with ``network`` and score them."""
    noisy, clean = stack(pairs)
    cleaned = run(network, noisy)
    scores = {
        name: {
            variant: {
                "before": _score(metric(clean, noisy, centred=centred)),
                "after": _score(metric(clean, cleaned, centred=centred)),
            }
            for variant, centred in (("total", False), ("centred", True))
        }
        for name, metric in METRICS.items()
    }
    windows, samples, leads = clean.shape
    return Report(
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        multiply_accumulates=multiply_accumulates(network, samples, leads),
        windows=windows,
        samples=samples,
        leads=leads,
        mse=float(np.mean((clean - cleaned) ** 2, dtype=np.float64)),
        scores=scores,
    )


def run(network: nn.Module, noisy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clean windows (windows, time, leads) batch by batch, in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        batches = [
            network(torch.from_numpy(noisy[start : start + _BATCH])).numpy()
            for start in range(0, len(noisy), _BATCH)
        ]
    return np.concatenate(batches)


def multiply_accumulates(network: nn.Module, samples: int, leads: int) -> int:
    """For one window: of our networks by their architecture, of others by running them."""
    if isinstance(network, UltralightIPMDAE):
        return sum(complexity.multiply_accumulates(network.architecture, samples).values())
    return measure(network, samples, leads).multiply_accumulates


def _score(values: NDArray[np.float64]) -> Score:
    return Score(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0)
