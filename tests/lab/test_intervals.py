"""Bootstrap intervals over records, against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from ipmdae.lab.evaluation.intervals import bootstrap

RNG = np.random.default_rng(0)
EFFECTS = RNG.standard_normal(14)
RECORDS = np.repeat([f"sel{i}" for i in range(14)], 50)
VALUES = np.repeat(EFFECTS, 50) + 0.1 * RNG.standard_normal(700)


def test_interval_of_records_of_equal_size_is_that_of_their_means() -> None:
    ours = bootstrap(VALUES, RECORDS)
    means = VALUES.reshape(14, 50).mean(axis=1)
    theirs = scipy_bootstrap(
        (means,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.mean == pytest.approx(VALUES.mean())
    assert ours.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.high == pytest.approx(theirs.high, abs=0.03)


def test_limits_of_a_skewed_sample_are_those_of_scipy_and_lie_higher() -> None:
    """One record of 14 that makes much of the mean, as in the tables of single beats."""
    means = np.array([1.1, 0.8, 1.3, 2.0, 0.7, 1.6, 0.9, 1.2, 1.8, 1.0, 2.4, 0.6, 1.4, 11.0])
    ours = bootstrap(means, np.arange(14), resamples=20_000)
    percentile, theirs = (
        scipy_bootstrap(
            (means,), np.mean, n_resamples=20_000, method=method, rng=np.random.default_rng(1)
        ).confidence_interval
        for method in ("percentile", "BCa")
    )
    assert ours.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.high == pytest.approx(theirs.high, abs=0.15)
    assert ours.high > percentile.high + 0.3


def test_a_record_alone_and_an_outlier_have_finite_limits() -> None:
    assert np.isnan(bootstrap(np.ones(3), np.zeros(3)).low)
    values = np.array([0.0, 0, 0, 0, 0, 1e9])
    outlier = bootstrap(values, np.arange(6))
    assert 0 <= outlier.low <= outlier.mean <= outlier.high <= 1e9


def test_interval_is_much_wider_than_for_independent_windows() -> None:
    ours = bootstrap(VALUES, RECORDS)
    naive = bootstrap(VALUES, np.arange(len(VALUES)), resamples=500)
    assert ours.high - ours.low > 3 * (naive.high - naive.low)


def test_longer_records_weigh_more() -> None:
    values, records = np.array([0.0, 0, 0, 4]), np.array(["a", "a", "a", "b"])
    assert bootstrap(values, records).mean == 1
    assert bootstrap(values, records).low == 0
    assert bootstrap(values, records).high == 4


def test_interval_is_the_same_each_time_and_a_constant_has_none() -> None:
    assert bootstrap(VALUES, RECORDS) == bootstrap(VALUES, RECORDS)
    constant = bootstrap(np.full(700, 2.0), RECORDS)
    assert (constant.low, constant.mean, constant.high) == (2, 2, 2)


def test_values_without_a_mean_are_refused() -> None:
    with pytest.raises(ValueError, match="0 values"):
        bootstrap(np.zeros(0), RECORDS)
    with pytest.raises(ValueError, match="3 values of 700 windows"):
        bootstrap(np.zeros(3), RECORDS)
