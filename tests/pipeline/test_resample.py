from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae.pipeline.resample import Resampler, fraction, live_block, reach, resample

RATES = [(360, 250), (128, 250), (1000, 250), (250, 360), (257, 250), (333.3, 250), (4000, 250)]


def tone(fs: float, samples: int, frequency: float = 10.0) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * frequency * np.arange(samples) / fs))


@pytest.mark.parametrize(("fs", "new_fs"), RATES)
def test_a_tone_keeps_its_time_and_amplitude(fs: float, new_fs: float) -> None:
    new = resample(tone(fs, round(4 * fs)), fs, new_fs)
    error = np.abs(new - tone(new_fs, len(new)))
    assert error[50:-50].max() < 5e-5
    assert error.max() < 0.05


@pytest.mark.parametrize(("fs", "new_fs"), [(360, 250), (1000, 250)])
def test_what_the_new_rate_cannot_hold_is_removed(fs: int, new_fs: int) -> None:
    new = resample(tone(fs, 4 * fs, frequency=150), fs, new_fs)
    assert np.abs(new[100:-100]).max() < 1e-5


@pytest.mark.parametrize(("fs", "new_fs"), RATES)
def test_offset_and_slope_do_not_ring_at_the_ends(fs: float, new_fs: float) -> None:
    time = np.arange(round(2 * fs)) / fs
    new = resample(5 + 3 * time, fs, new_fs)
    assert_allclose(new, 5 + 3 * np.arange(len(new)) / new_fs, atol=1e-9)


@pytest.mark.slow
@given(
    samples=st.integers(1, 3000),
    fs=st.floats(60, 4000),
    new_fs=st.sampled_from([250.0, 360.0, 128.0]),
)
@settings(deadline=None)
@example(samples=459, fs=60.0, new_fs=250.0)
def test_lengths_are_exact_there_and_back(samples: int, fs: float, new_fs: float) -> None:
    x = np.random.default_rng(0).normal(size=(samples, 2))
    there = resample(x, fs, new_fs)
    assert there.shape == (len(there), 2)
    wanted = max(samples * new_fs / fs, 1)  # one that ends in a half may be rounded either way
    assert abs(len(there) - wanted) <= 0.5 + 1e-3
    back = resample(there, new_fs, fs, samples)
    assert back.shape == x.shape
    assert np.isfinite(back).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_and_dtype_are_kept(dtype: type) -> None:
    x: np.ndarray = tone(360, 720).astype(dtype)
    new = resample(np.column_stack([x, -x, x]), 360, 250)
    assert new.shape == (500, 3)
    assert new.dtype == resample(x, 360, 250).dtype == dtype
    assert_allclose(new[:, 0], resample(x, 360, 250), atol=1e-6)


def test_nothing_to_do_returns_the_signal() -> None:
    x = tone(250, 100)
    assert resample(x, 250.0, 250) is x


@pytest.mark.parametrize(("fs", "new_fs"), RATES)
def test_gaps_neither_spread_nor_vanish(fs: float, new_fs: float) -> None:
    x = np.column_stack([tone(fs, round(4 * fs))] * 2)
    gap = slice(round(1 * fs), round(2 * fs))
    x[gap, 0] = np.nan
    x[round(3 * fs), 1] = np.nan
    new = resample(x, fs, new_fs)
    missing = np.flatnonzero(np.isnan(new[:, 0]))
    assert_array_equal(missing, np.arange(missing[0], missing[-1] + 1))
    assert abs(missing[0] - new_fs) <= 1
    assert abs(missing[-1] - (2 * new_fs - new_fs / fs)) <= 1
    assert 1 <= np.isnan(new[:, 1]).sum() <= max(np.ceil(new_fs / fs), 1)
    assert abs(np.flatnonzero(np.isnan(new[:, 1]))[0] - 3 * new_fs) <= 1
    clear = np.r_[100 : round(new_fs * 0.8), round(new_fs * 2.2) : round(new_fs * 3.8)]
    assert_allclose(new[clear, 0], tone(new_fs, len(new))[clear], atol=0.01)


def test_a_lead_of_gaps_only_stays_one() -> None:
    assert np.isnan(resample(np.full((30, 1), np.nan), 360, 250)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("fs", "new_fs"), [*RATES, (60, 250), (250, 60), (250, 250)])
@pytest.mark.parametrize("sizes", [[100], [1, 0, 7, 1500], [5000, 3]])
@pytest.mark.parametrize("live", [False, True])
def test_pieces_give_what_the_whole_gives(
    fs: float, new_fs: float, sizes: list[int], live: bool
) -> None:
    x = np.random.default_rng(1).normal(size=(round(9 * fs), 2))
    resampler: Resampler[np.float64] = Resampler(fs, new_fs, 2, np.float64, live=live)
    block = live_block(fs, new_fs) if live else 1 << 16
    pieces, at, given_out = [], 0, 0
    while at < len(x):
        for size in sizes:
            pieces.append(resampler.feed(x[at : at + size]))
            at = min(at + size, len(x))
            given_out += len(pieces[-1])
            # All whose time lies so far back is out, but for a block that is not full.
            ready = (at - 1 - reach(fs, new_fs)) * (new_fs / fs)
            assert given_out >= ready - (block - 1 if fs != new_fs else 0) - 1e-6
    pieces.append(resampler.flush())
    result = np.concatenate(pieces)
    assert_allclose(result, resample(x, fs, new_fs), atol=1e-7 if live else 1e-9)
    whole: Resampler[np.float64] = Resampler(fs, new_fs, 2, np.float64, live=live)
    assert_array_equal(result, np.concatenate([whole.feed(x), whole.flush()]))


def test_the_filter_hears_nothing_beyond_its_reach() -> None:
    x = np.random.default_rng(2).normal(size=(4000, 1))
    for fs, new_fs in RATES:
        far = x.copy()
        far[2000 + reach(fs, new_fs) :] += 100
        at = round(2000 * new_fs / fs)
        assert_allclose(resample(far, fs, new_fs)[:at], resample(x, fs, new_fs)[:at], atol=1e-6)


def test_odd_rates_are_close_to_a_fraction() -> None:
    assert fraction(360, 250) == (25, 36)
    assert fraction(333.3, 250) == (2500, 3333)
    assert fraction(1, 20000) == (20000, 1)
    up, down = fraction(250, 360.123456)
    assert up / down == pytest.approx(360.123456 / 250, rel=1e-8)


def test_nothing_comes_out_of_nothing() -> None:
    resampler: Resampler[np.float32] = Resampler(360, 250, 2)
    assert resampler.feed(np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert resampler.flush().shape == (0, 2)


def test_a_whole_signal_may_become_longer() -> None:
    x = tone(360, 100)
    assert len(resample(x, 360, 250, 900)) == 900
    assert len(resample(x, 360, 250, 3)) == 3


@pytest.mark.parametrize("rates", [(0, 250), (250, -1), (np.nan, 250), (250, np.inf)])
def test_rates_must_be_positive(rates: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="sampling rates must be positive"):
        resample(np.ones(10), *rates)


def test_an_empty_signal_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample"):
        resample(np.ones((0, 2)), 360, 250)
