"""Metrics against their definitions and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from ipmdae.evaluation import metrics

RNG = np.random.default_rng(0)
CLEAN = RNG.standard_normal((4, 300, 2)) + 3
NOISE = RNG.standard_normal((4, 300, 2)) * 0.1 + 0.2


def test_snr_of_noise_a_tenth_as_large_is_20_db() -> None:
    np.testing.assert_allclose(metrics.snr(CLEAN, CLEAN * 1.1), 20, atol=1e-6)


def test_mean_counts_unless_centred() -> None:
    plain = metrics.snr(CLEAN, CLEAN + NOISE)
    centred = metrics.snr(CLEAN, CLEAN + NOISE, centred=True)
    np.testing.assert_allclose(plain, 10 * np.log10(10 / 0.05), atol=1)
    np.testing.assert_allclose(centred, 20, atol=1)
    shifted = metrics.snr(CLEAN, CLEAN + 5, centred=True)
    assert np.all(shifted > 100)


def test_prd_is_the_inverse_of_snr() -> None:
    prd, snr = metrics.prd(CLEAN, CLEAN + NOISE), metrics.snr(CLEAN, CLEAN + NOISE)
    np.testing.assert_allclose(prd, 100 * 10 ** (-snr / 20))


def test_rmse_is_in_the_unit_of_the_signal() -> None:
    np.testing.assert_allclose(metrics.rmse(CLEAN, CLEAN + 0.25), 0.25)
    np.testing.assert_allclose(metrics.rmse(CLEAN, CLEAN + 0.25, centred=True), 0, atol=1e-9)


def test_centred_cosine_is_the_correlation_coefficient() -> None:
    estimate = CLEAN + 5 * NOISE
    expected = [
        np.mean([pearsonr(x[:, lead], y[:, lead]).statistic for lead in range(2)])
        for x, y in zip(CLEAN, estimate, strict=True)
    ]
    np.testing.assert_allclose(metrics.cosine_similarity(CLEAN, estimate, centred=True), expected)


def test_perfect_and_flat_estimates_have_finite_scores() -> None:
    for estimate in (CLEAN, np.zeros_like(CLEAN)):
        for metric in metrics.METRICS.values():
            assert np.all(np.isfinite(metric(CLEAN, estimate)))
            assert np.all(np.isfinite(metric(CLEAN, estimate, centred=True)))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        metrics.snr(CLEAN, CLEAN[:, :-1])
