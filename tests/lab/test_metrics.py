"""Metrics against their definitions and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import chebyshev, cosine, sqeuclidean
from scipy.stats import pearsonr

from ipmdae.lab.evaluation import metrics

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


def test_ssd_and_mad_are_sum_and_maximum() -> None:
    difference = CLEAN - (CLEAN + NOISE)
    expected = [np.square(d).sum() for d in difference]
    np.testing.assert_allclose(metrics.ssd(CLEAN, CLEAN + NOISE), expected)
    expected = [chebyshev(x.ravel(), (x + n).ravel()) for x, n in zip(CLEAN, NOISE, strict=True)]
    np.testing.assert_allclose(metrics.mad(CLEAN, CLEAN + NOISE), expected)


def test_ssd_is_the_squared_euclidean_distance_and_gives_the_rmse() -> None:
    ssd = metrics.ssd(CLEAN, CLEAN + NOISE)
    expected = [sqeuclidean(x.ravel(), (x + n).ravel()) for x, n in zip(CLEAN, NOISE, strict=True)]
    np.testing.assert_allclose(ssd, expected)
    np.testing.assert_allclose(np.sqrt(ssd / 600), metrics.rmse(CLEAN, CLEAN + NOISE))


def test_plain_cosine_is_one_less_the_cosine_distance() -> None:
    estimate = CLEAN + NOISE
    expected = [
        np.mean([1 - cosine(x[:, lead], y[:, lead]) for lead in range(2)])
        for x, y in zip(CLEAN, estimate, strict=True)
    ]
    np.testing.assert_allclose(metrics.cosine_similarity(CLEAN, estimate), expected)


def test_prd_of_deepfilter_is_over_the_estimate_about_a_common_mean() -> None:
    estimate, mean = CLEAN + NOISE, float(CLEAN.mean())
    expected = 100 * np.sqrt(
        np.square(CLEAN - estimate).sum(axis=(1, 2)) / np.square(estimate - mean).sum(axis=(1, 2))
    )
    np.testing.assert_allclose(metrics.prd_deepfilter(CLEAN, estimate, mean), expected)
    assert np.all(metrics.prd_deepfilter(CLEAN, 9 * CLEAN, 0) < 100)


def test_halving_the_error_improves_the_snr_by_6_db() -> None:
    gain = metrics.snr_improvement(CLEAN, CLEAN + NOISE, CLEAN + NOISE / 2)
    np.testing.assert_allclose(gain, 20 * np.log10(2), atol=1e-6)
    np.testing.assert_array_equal(metrics.snr_improvement(CLEAN, CLEAN + NOISE, CLEAN + NOISE), 0)


def test_an_estimate_that_is_no_number_scores_no_number() -> None:
    estimate = CLEAN.copy()
    estimate[2, 5, 0] = np.nan
    for metric in (metrics.ssd, metrics.mad, *metrics.METRICS.values()):
        np.testing.assert_array_equal(
            np.isnan(metric(CLEAN, estimate)), [False, False, True, False]
        )
