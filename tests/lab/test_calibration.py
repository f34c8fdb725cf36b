"""The stated uncertainty: what it holds, and setting it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import TINY, random_tensors
from numpy.typing import NDArray

from ipmdae.engine.numpy_network import NumpyNetwork
from ipmdae.lab.evaluation import calibration

Array = NDArray[np.float32]

STATING = replace(TINY, uncertainty=True)


class WhiteNoise:
    """Pairs without a signal."""

    def __len__(self) -> int:
        return 9

    def draw(self, index: int, epoch: int = 0) -> tuple[Array, Array]:
        rng = np.random.default_rng(index)
        return rng.standard_normal((100, 1), np.float32), np.zeros((100, 1), np.float32)


def engine(tensors: dict[str, Array] | None = None) -> NumpyNetwork[np.float32]:
    return NumpyNetwork(STATING, tensors or random_tensors(STATING), np.float32)


def test_a_calibrated_network_states_the_truth() -> None:
    ratios = calibration.ratios(engine(), WhiteNoise(), batch=4)
    assert ratios.shape == (9, 100)
    factor = calibration.factor(ratios, np.zeros(9, np.intp))
    tensors = calibration.scaled(random_tensors(STATING), STATING, factor)
    after = calibration.ratios(engine(tensors), WhiteNoise())
    assert calibration.coverage(after) == pytest.approx(0.95, abs=0.003)
    np.testing.assert_allclose(after, ratios / factor, rtol=1e-4)


def test_unlike_records_make_the_band_wider_than_their_mean_asks_for() -> None:
    rng = np.random.default_rng(0)
    sizes = np.repeat([0.5, 1.0, 1.0, 1.0, 1.0, 2.0], 50)
    ratios = np.abs(rng.standard_normal((300, 100))) * sizes[:, np.newaxis]
    records = np.repeat(np.arange(6), 50)
    cautious = calibration.factor(ratios, records)
    pooled = calibration.factor(ratios, np.zeros(300, np.intp))
    assert pooled == pytest.approx(np.quantile(ratios, 0.95) / calibration.BAND, rel=0.005)
    assert 1.1 * pooled < cautious < 2
    assert calibration.factor(ratios, np.arange(300) % 6) < 1.05 * pooled


def test_calibration_leaves_what_is_cleaned_alone() -> None:
    x = WhiteNoise().draw(0)[0][np.newaxis]
    changed = engine(calibration.scaled(random_tensors(STATING), STATING, 3.0)).run(x)
    np.testing.assert_array_equal(changed[..., 0], engine().run(x)[..., 0])
    np.testing.assert_allclose(changed[..., 1], engine().run(x)[..., 1] + np.log(3), atol=1e-5)


def test_a_network_without_uncertainty_is_refused() -> None:
    plain = NumpyNetwork(TINY, random_tensors(TINY), np.float32)
    with pytest.raises(ValueError, match="no uncertainty"):
        calibration.ratios(plain, WhiteNoise())
