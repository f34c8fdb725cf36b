from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ipmdae import examples, formats
from ipmdae.inspection.spectrum import BANDS, Spectrum, SpectrumGatherer

FS = 360.0


def spectrum(signal: NDArray[np.float64], fs: float = FS, piece: int = 20_000) -> Spectrum:
    gatherer = SpectrumGatherer(fs, signal.shape[1], len(signal))
    for first in range(0, len(signal), piece):
        gatherer.add(signal[first : first + piece])
    return gatherer.spectrum()


def sine(frequency: float, rms: float, seconds: float = 60) -> NDArray[np.float64]:
    t = np.arange(int(seconds * FS)) / FS
    wave: NDArray[np.float64] = rms * np.sqrt(2) * np.sin(2 * np.pi * frequency * t)
    return wave


def test_bands_hold_the_rms_of_what_lies_in_them() -> None:
    signal = np.stack([sine(0.3, 0.5) + sine(10, 0.2), sine(50, 0.1)], axis=1)
    found = spectrum(signal)
    by_band = np.array([found.rms(low, high) for _, low, high in BANDS])
    np.testing.assert_allclose(by_band[:, 0], [0.5, 0, 0.2, 0, 0], atol=0.01)
    np.testing.assert_allclose(by_band[:, 1], [0, 0, 0, 0.1, 0], atol=0.01)


def test_bands_together_hold_the_power_of_noise() -> None:
    signal = np.random.default_rng(0).standard_normal((100_000, 1))
    found = spectrum(signal)
    power = sum(found.rms(low, high) ** 2 for _, low, high in BANDS)
    assert power == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_hum_is_seen_in_a_real_ecg(mains: float) -> None:
    clean = formats.read(examples.path("118e24_excerpt")).signal
    assert not spectrum(clean).hum(mains).any()
    loud = clean.copy()
    loud[:, 1] += sine(mains + 0.1, 0.05)
    hum = spectrum(loud).hum(mains)
    assert hum[0] == 0
    assert hum[1] == pytest.approx(0.05, rel=0.1)


def test_hum_above_half_the_rate_is_not_looked_for() -> None:
    assert spectrum(np.random.default_rng(0).standard_normal((6000, 1)), fs=100).hum(50) == [0]


def test_segments_with_gaps_are_left_out_lead_by_lead() -> None:
    signal = np.stack([sine(10, 0.2), sine(10, 0.2), np.full(21600, np.nan)], axis=1)
    signal[5000:5100, 1] = np.nan
    rms = spectrum(signal).rms(5, 25)
    np.testing.assert_allclose(rms[:2], 0.2, atol=0.005)
    assert np.isnan(rms[2])


def test_single_samples_may_be_missing() -> None:
    signal = sine(10, 0.2)[:, np.newaxis]
    signal[::1000] = np.nan
    np.testing.assert_allclose(spectrum(signal).rms(5, 25), 0.2, atol=0.005)


@pytest.mark.parametrize("samples", [1, 2, 100])
def test_short_signals_have_a_spectrum_or_none(samples: int) -> None:
    assert len(spectrum(np.ones((samples, 1))).density) >= 2
