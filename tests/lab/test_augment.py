"""What may happen to a recording, drawn for training."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from ipmdae.lab.data import augment
from ipmdae.lab.data.augment import Augmentation

FS = 250.0
NEVER = Augmentation(**{f.name: 0.0 for f in fields(Augmentation) if f.name != "fs"}, fs=FS)


def beats(length: int = 2500) -> np.ndarray:
    """An ECG-like train of pulses, (length, 1), 1 mV."""
    time = np.arange(length) / FS
    pulse = np.exp(-(((time % 0.8) - 0.4) ** 2) / (2 * 0.02**2))
    return pulse[:, np.newaxis].astype(np.float32)


def test_what_is_never_drawn_changes_nothing() -> None:
    rng, x = np.random.default_rng(0), beats()
    assert NEVER.tempo(rng) == 1
    assert NEVER.bandwidth(rng) is None
    np.testing.assert_array_equal(NEVER.disturb(x, 1.0, rng), x)


@pytest.mark.parametrize("name", ["mains", "white", "pop", "clip", "steps"])
def test_each_disturbance_changes_the_window_and_keeps_it_finite(name: str) -> None:
    changes, x = replace(NEVER, **{name: 1.0}), beats()
    y = changes.disturb(x, 1.0, np.random.default_rng(1))
    assert y.dtype == np.float32
    assert y.shape == x.shape
    assert np.isfinite(y).all()
    assert not np.array_equal(x, y)


def test_mains_are_a_line_at_50_or_60_hz() -> None:
    changes, flat = replace(NEVER, mains=1.0), np.zeros((2500, 1), np.float32)
    for seed in range(5):
        spectrum = np.abs(
            np.fft.rfft(changes.disturb(flat, 1.0, np.random.default_rng(seed))[:, 0])
        )
        peak = np.argmax(spectrum) * FS / 2500
        assert min(abs(peak - 50), abs(peak - 60)) < 0.5


@pytest.mark.parametrize("tempo", [0.75, 1.0, 1.3])
def test_tempo_changes_the_rate_of_beats_and_takes_what_reach_says(tempo: float) -> None:
    signal = beats(6000)
    window = augment.at_tempo(signal[: 100 + augment.reach(2000, tempo)], 100, 2000, tempo)
    assert window.shape == (2000, 1)
    expected = np.interp(100 + np.arange(2000) * tempo, np.arange(6000), signal[:, 0])
    np.testing.assert_allclose(window[:, 0], expected, atol=1e-3)


def test_low_pass_keeps_what_is_below_and_takes_what_is_above() -> None:
    time = np.arange(2500)[:, np.newaxis] / FS
    low, high = (np.sin(2 * np.pi * f * time).astype(np.float32) for f in (10, 80))
    np.testing.assert_allclose(augment.low_pass(low + high, 40, FS), low, atol=1e-3)


def test_targets_with_noise_of_their_own_are_left_out() -> None:
    time, x = np.arange(2500) / FS, beats()[:, 0]
    rng = np.random.default_rng(0)
    wander = x + np.sin(2 * np.pi * 0.2 * time)
    tremor = x + 0.05 * rng.standard_normal(len(x))
    windows = np.stack([x, wander, tremor, 0.1 * x]).astype(np.float32)
    assert augment.good_targets(windows, FS).tolist() == [True, False, False, False]


def test_a_projection_shows_the_lead_that_it_looks_along() -> None:
    leads = np.random.default_rng(0).standard_normal((3, 100, 2)).astype(np.float32)
    np.testing.assert_allclose(augment.project(leads, 0), leads[..., :1], atol=1e-6)
    np.testing.assert_allclose(augment.project(leads, np.pi / 2), leads[..., 1:], atol=1e-6)
    between = augment.project(leads, np.pi / 4)
    np.testing.assert_allclose(between, leads.sum(axis=2, keepdims=True) / np.sqrt(2), atol=1e-6)
    assert between.dtype == np.float32


def test_projections_are_drawn_as_often_as_asked_for() -> None:
    rng = np.random.default_rng(0)
    assert NEVER.angle(rng) is None
    angles = [replace(NEVER, projection=0.5).angle(rng) for _ in range(400)]
    drawn = [angle for angle in angles if angle is not None]
    assert 150 < len(drawn) < 250
    assert min(drawn) < 0.5
    assert max(drawn) > 5.8
