"""Synthetic rhythms: each has the property that names it."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ipmdae.lab.data import motion
from ipmdae.lab.data.rhythms import RHYTHMS, Rhythms, ecg_size

FS = 250.0
T = np.arange(5000) / FS
BEATS = np.arange(100, 5000, 200)
CLEAN = sum((np.exp(-0.5 * ((T - b / FS) / 0.012) ** 2) for b in BEATS), np.zeros(len(T)))


def drawn(name: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return RHYTHMS[name](CLEAN.copy(), BEATS, 1.0, FS, rng)


@pytest.mark.parametrize("name", RHYTHMS)
def test_every_rhythm_is_finite_and_of_the_size_of_an_ecg(name: str) -> None:
    for seed in range(20):
        y = drawn(name, seed)
        assert y.shape == CLEAN.shape
        assert np.isfinite(y).all()
        assert np.ptp(y) < 5


@pytest.mark.parametrize(
    ("name", "low", "high"), [("fibrillatory_waves", 3.3, 10), ("flutter_waves", 3.0, 6.3)]
)
def test_atrial_waves_have_their_frequencies(name: str, low: float, high: float) -> None:
    for seed in range(10):
        power = np.abs(np.fft.rfft((drawn(name, seed) - CLEAN) * np.hanning(5000))) ** 2
        frequency = np.fft.rfftfreq(5000, 1 / FS)
        assert low < frequency[power.argmax()] < high


def test_an_st_shift_leaves_what_lies_between_the_beats() -> None:
    added = drawn("st_shift", 0) - CLEAN
    since = (np.arange(5000) - 100) % 200 / FS
    assert np.abs(added[since > 0.6]).max() < 0.05 * np.abs(added).max()


def test_resynthesised_beats_keep_their_shape_at_another_rate() -> None:
    found = []
    for seed in range(10):
        y = drawn("resynthesised", seed)
        peaks = np.flatnonzero((y[1:-1] > 0.7) & (y[1:-1] >= y[:-2]) & (y[1:-1] > y[2:]))
        found.append(len(peaks))
    assert min(found) < 22
    assert max(found) > 40


def test_the_same_seed_draws_the_same_rhythm_and_short_windows_work() -> None:
    rhythms = Rhythms(fs=FS, share=1.0)
    clean = CLEAN[:, None].astype(np.float32)
    first, second = (rhythms.apply(clean, BEATS, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    for seed in range(30):
        y = rhythms.apply(clean[:800], BEATS[BEATS < 800], np.random.default_rng(seed))
        assert y.shape == (800, 1)
        assert y.dtype == np.float32
        assert np.isfinite(y).all()
    assert ecg_size(clean[:, 0]) == pytest.approx(np.ptp(np.percentile(clean, (0.5, 99.5))))


def test_motion_at_the_wrist_is_what_is_left_without_the_beats() -> None:
    rng = np.random.default_rng(0)
    noise = np.zeros(5000)
    noise[2000:3500] = np.cumsum(rng.standard_normal(1500)) * 0.05
    peaks = motion.r_peaks(CLEAN, FS)
    np.testing.assert_allclose(peaks, BEATS[(BEATS > 20)], atol=2)
    rest, sd = motion.without_beats(0.6 * CLEAN + noise, peaks, FS)
    assert sd == pytest.approx(0.6 * CLEAN[:175].std(), rel=0.3)
    assert np.std(rest[500:1900]) < 0.03
    assert np.corrcoef(rest[2000:3500], noise[2000:3500])[0, 1] > 0.98


def test_calm_ends_of_a_recording_are_not_motion() -> None:
    seconds = round(2 * FS)
    parts = [np.full(seconds, level) * (-1) ** np.arange(seconds) for level in (0, 0, 0, 9, 9, 9.0)]
    (noise,) = motion._loud(np.concatenate(parts), 1.0, FS)
    assert len(noise) == 4 * seconds


@pytest.mark.parametrize("kind", [motion.sway, motion.taps])
def test_synthetic_noise_is_finite_and_never_flat(
    kind: Callable[[int, float, np.random.Generator], NDArray[np.float32]],
) -> None:
    for seed in range(20):
        y = kind(5000, FS, np.random.default_rng(seed))
        assert y.shape == (5000, 1)
        assert y.dtype == np.float32
        assert np.isfinite(y).all()
        assert y.std() > 0
