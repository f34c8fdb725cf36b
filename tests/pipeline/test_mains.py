"""Powerline hum goes, the ECG stays, whatever the pieces in which it comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ipmdae import examples, formats
from ipmdae.pipeline.mains import MainsFilter, mains_delay, remove_mains
from ipmdae.pipeline.resample import resample

Signal = NDArray[np.float64]


def ecg(fs: float) -> Signal:
    """A minute of two nearly clean leads (time, leads)."""
    return resample(
        formats.read(examples.path("118e24_excerpt"), annotations=False).signal, 360, fs
    )


def hum(fs: float, samples: int, mains: float, harmonics: int) -> Signal:
    """Hum of 0.3 mV whose frequency drifts by 0.4 Hz within 20 s (time, 1)."""
    time = np.arange(samples) / fs
    frequency = mains + 0.05 + 0.2 * np.sin(2 * np.pi * time / 40)
    phase = 2 * np.pi * np.cumsum(frequency) / fs
    waves = [np.sin(k * phase + k) / k**2 for k in range(1, harmonics + 1)]
    return np.asarray(0.3 * np.sum(waves, axis=0)[:, None])


def power(x: Signal) -> float:
    return float(np.nanmean(np.square(x)))


@pytest.mark.parametrize("mains", [50, 60])
@pytest.mark.parametrize("fs", [128, 250, 360, 500, 1000])
def test_drifting_hum_is_attenuated_by_30_db(fs: float, mains: float) -> None:
    clean = ecg(fs)
    added = hum(fs, len(clean), mains, MainsFilter(fs, 2, mains).harmonics)
    left = remove_mains(clean + added, fs, mains) - clean
    assert power(left) < 1e-3 * power(added)


@pytest.mark.parametrize("mains", [50, 60])
def test_an_ecg_without_hum_hardly_changes(mains: float) -> None:
    clean = ecg(360)
    change = remove_mains(clean, 360, mains) - clean
    assert power(change) < 1e-3 * power(clean - np.median(clean, axis=0))
    assert np.abs(change).max() < 0.02


@pytest.mark.parametrize("fs", [500, 1000, 2000])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_pacing_spikes_leave_no_pulses_of_the_mains(fs: float, level: float) -> None:
    x = ecg(fs)
    paced = x.copy()
    middles = np.arange(round(0.35 * fs), len(x), round(0.85 * fs))
    near = middles[:, None] + np.arange(-round(0.012 * fs), round(0.012 * fs))
    for i in range(max(round(0.001 * fs), 1)):
        paced[middles + i] += 8
    added = level * hum(fs, len(x), 50, 3)
    left = remove_mains(paced + added, fs, 50) - remove_mains(x + added, fs, 50)
    np.testing.assert_allclose(left[middles], 8, atol=0.04)
    left[np.clip(near, 0, len(x) - 1).ravel()] = 0
    assert np.abs(left[round(fs) : -round(fs)]).max() < 0.04


def test_hum_that_starts_and_stops_is_followed() -> None:
    clean = ecg(360)
    added = hum(360, len(clean), 50, 3)
    added[:5000] = added[15_000:] = 0
    left = remove_mains(clean + added, 360, 50) - clean
    assert power(left[6000:14_000]) < 1e-3 * power(added[6000:14_000])
    assert np.abs(left[:4000]).max() < 0.02


def test_gaps_stay_and_hum_beside_them_goes() -> None:
    clean = ecg(360)
    added = hum(360, len(clean), 50, 3)
    noisy = clean + added
    noisy[1000:1100, 0] = noisy[4000:9000, 0] = noisy[:50, 1] = noisy[12_000, 1] = np.nan
    left = remove_mains(noisy, 360, 50)
    assert_array_equal(np.isnan(left), np.isnan(noisy))
    assert power(left - clean) < 1e-3 * power(added)
    assert np.isnan(remove_mains(np.full((900, 1), np.nan), 360, 50)).all()


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 4000), max_size=8),
    fs=st.sampled_from([128.0, 257.3, 360.0]),
)
def test_pieces_do_not_matter_and_lag_behind_as_declared(cuts: list[int], fs: float) -> None:
    signal = np.random.default_rng(0).standard_normal((4000, 2))
    stream = MainsFilter(fs, 2, 50)
    done: list[Signal] = []
    for piece in np.split(signal, sorted(cuts)):
        done.append(stream.feed(piece))
    waiting = 4000 - sum(map(len, done))
    assert waiting <= mains_delay(fs) * fs
    done.append(stream.flush())
    assert_allclose(np.concatenate(done), remove_mains(signal, fs, 50), atol=1e-9)


def test_a_filter_starts_anew_after_the_end() -> None:
    signal = ecg(250)[:1000]
    stream = MainsFilter(250, 2, 50)
    first = np.concatenate([stream.feed(signal), stream.flush()])
    assert_array_equal(np.concatenate([stream.feed(signal), stream.flush()]), first)
    assert stream.flush().shape == (0, 2)


@pytest.mark.parametrize("samples", [1, 2, 30, 500, 1001])
def test_any_length(samples: int) -> None:
    signal = 2000 + ecg(500)[:samples]
    cleaned = remove_mains(signal, 500, 60)
    assert cleaned.shape == signal.shape
    assert np.abs(cleaned - signal).max() < 0.1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="50 or 60 Hz, got 55"):
        MainsFilter(250, 1, 55)
    with pytest.raises(ValueError, match=r"at 100 Hz cannot contain 50 Hz"):
        MainsFilter(100, 1, 50)
    with pytest.raises(ValueError, match=r"\(time, 2\), got shape \(9, 3\)"):
        MainsFilter(250, 2, 50).feed(np.zeros((9, 3)))
