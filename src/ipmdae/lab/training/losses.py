"""Training losses: the network's output compared with the clean windows."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

_FLOOR = 0.1
"""Smallest size of a clean window, in the scale of the noisy one; a flat line has size zero."""

_SLOPE = 0.25
"""Weight of the slope's error, which preserves the QRS complex, relative to the values'."""

_PIECE = 50
"""Samples of the segments that :func:`local` weights equally: 0.2 s at 250 Hz."""

_LOCAL = 0.5
"""Weight of the segments' errors."""

_UNCERTAINTY = 0.05
"""Weight of the uncertainty's likelihood."""


def mse(output: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error in the scale of the noisy windows.

    The uncertainty's likelihood is added as in :func:`relative`.
    """
    return F.mse_loss(output[..., : clean.shape[2]], clean) + _negative_log_likelihood(
        output, clean
    )


def relative(output: Tensor, clean: Tensor) -> Tensor:
    """Mean over windows and leads of the RMS error divided by the SD of the clean ECG.

    A few windows with tall beats and strong noise dominate the squared error in mV. Root and
    normalisation give every window equal weight, including clean ones that must be returned
    unchanged. The slope is treated in the same way. If the network predicts uncertainty (as many
    channels again: the log of the standard deviation of its error), the Gaussian likelihood of the
    error is added, which trains the uncertainty only, not the denoised signal.

    Args:
        output: (batch, time, leads or 2 · leads).
        clean: (batch, time, leads).
    """
    error, slope = output[..., : clean.shape[2]] - clean, clean.diff(dim=1)
    steepness = slope.std(dim=1, correction=0).clamp_min(_FLOOR / 10)
    of_slope = _rms(error.diff(dim=1), steepness).mean()
    return (
        _rms(error, _size(clean)).mean()
        + _SLOPE * of_slope
        + _negative_log_likelihood(output, clean)
    )


def _size(clean: Tensor) -> Tensor:
    return clean.std(dim=1, correction=0).clamp_min(_FLOOR)


def _rms(error: Tensor, size: Tensor) -> Tensor:
    """Root mean square over time by ``size``, (batch, leads); differentiable at no error."""
    return torch.sqrt((error / size.unsqueeze(1)).square().mean(dim=1) + 1e-4)


def _negative_log_likelihood(output: Tensor, clean: Tensor) -> Tensor:
    """Negative log-likelihood of the error by the predicted deviation; 0 without uncertainty."""
    leads = clean.shape[2]
    if output.shape[2] == leads:
        return output.new_zeros(())
    log_deviation = output[..., leads:].clamp(-8, 4)
    squared = (output[..., :leads] - clean).detach().square() * torch.exp(-2 * log_deviation)
    likelihood = log_deviation - _size(clean).log().unsqueeze(1) + squared.clamp_max(1e4) / 2
    return _UNCERTAINTY * likelihood.mean()


def local(output: Tensor, clean: Tensor) -> Tensor:
    """:func:`relative`, and the root mean square errors of short segments, averaged.

    QRS complexes dominate the root mean square of a window. The mean over segments of
    :data:`_PIECE` samples weights an error by its duration, so that the signal between the beats
    (P, f and flutter waves, the ST segment) counts as much as the beats.
    """
    error = output[..., : clean.shape[2]] - clean
    pieces = error.unfold(1, _PIECE, _PIECE)
    of_pieces = torch.sqrt(pieces.square().mean(dim=3) + 1e-4).mean(dim=1) / _size(clean)
    return relative(output, clean) + _LOCAL * of_pieces.mean()


LOSSES: dict[str, Loss] = {"mse": mse, "relative": relative, "local": local}
