"""Calibration of the predicted uncertainty: coverage of its band, and the scale factor.

A network predicts, for each sample, the standard deviation of its error. Users read it as the 95 %
band: 1.96 deviations to both sides. The error has heavier tails than a Gaussian, and is larger for
patients outside the training set, so the deviation is scaled once, on validation data. Its patients
are few and differ; to hold for the next patient the factor is the upper end of its interval over
patients (cluster bootstrap, as in :mod:`ipmdae.lab.evaluation.intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ipmdae.architecture import Architecture
from ipmdae.engine import Engine
from ipmdae.lab.protocols import Pairs, stack

Array = NDArray[np.float32]

BAND = 1.96
"""Half the width of the 95 % band, in standard deviations."""


_RESAMPLES = 4000
_BINS = np.geomspace(1e-2, 1e2, 4001)
"""Bin edges of ratios: steps of 0.23 %."""


def ratios(engine: Engine, pairs: Pairs, batch: int = 64) -> Array:
    """|error| in predicted standard deviations, of all samples of all pairs, (pairs, samples).

    Raises:
        ValueError: the network predicts no uncertainty.
    """
    leads = engine.architecture.leads
    if not engine.architecture.uncertainty:
        raise ValueError("this network states no uncertainty")
    found = []
    for start in range(0, len(pairs), batch):
        noisy, clean = stack(pairs, range(start, min(start + batch, len(pairs))))
        output = engine.run(noisy)
        error = np.abs(output[..., :leads] - clean)
        found.append((error * np.exp(-output[..., leads:])).reshape(len(error), -1))
    return np.concatenate(found)


def coverage(ratios: Array) -> float:
    """Share of the samples whose error is within the predicted 95 % band."""
    return float(np.mean(ratios <= BAND))


def factor(ratios: Array, records: NDArray[np.intp]) -> float:
    """Factor on the predicted standard deviations with which the band covers 95 %.

    Args:
        ratios: see :func:`ratios`, (pairs, samples).
        records: record of each pair, (pairs,).

    Returns:
        Upper end of the 95 % interval over records; for a single record its factor.
    """
    names = np.unique(records)
    inside = np.clip(ratios, _BINS[1], _BINS[-2])
    counts = np.stack([np.histogram(inside[records == name], _BINS)[0] for name in names])
    share = np.full(len(names), 1 / len(names))
    drawn = np.random.default_rng(0).multinomial(len(names), share, size=_RESAMPLES) @ counts
    held = drawn.cumsum(axis=1) >= 0.95 * drawn.sum(axis=1, keepdims=True)
    quantiles = _BINS[1 + held.argmax(axis=1)]
    return float(np.percentile(quantiles, 97.5) / BAND)


def scaled(
    tensors: Mapping[str, Array], architecture: Architecture, factor: float
) -> dict[str, Array]:
    """Tensors of the network, with all predicted deviations multiplied by ``factor``.

    The network outputs the logarithm: the factor is added to the bias of the last layer.
    """
    name = f"decoder.{len(architecture.channels) - 1}.bias"
    bias = tensors[name].copy()
    bias[architecture.leads :] += np.float32(np.log(factor))
    return {**tensors, name: bias}
