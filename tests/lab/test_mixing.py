"""Noise at an exact SNR."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmdae.lab.data import mixing


def windows(shape: tuple[int, ...], seed: int = 0, offset: float = 0.0) -> mixing.Array:
    return (np.random.default_rng(seed).standard_normal(shape) + offset).astype(np.float32)


@given(snr=st.floats(-20, 30), seed=st.integers(0, 1000), offset=st.floats(-3, 3))
def test_total_snr_is_exact_over_all_leads(snr: float, seed: int, offset: float) -> None:
    clean, noise = windows((3, 200, 2), seed, offset), windows((3, 200, 2), seed + 1, 0.5)
    added = mixing.mix(clean, noise, snr, of="total", per_lead=False).astype(float) - clean
    ratio = 10 * np.log10(np.mean(clean**2.0, axis=(1, 2)) / np.mean(added**2, axis=(1, 2)))
    np.testing.assert_allclose(ratio, snr, atol=1e-3)


@given(snr=st.floats(-20, 30), seed=st.integers(0, 1000))
def test_ac_snr_is_exact_for_each_lead(snr: float, seed: int) -> None:
    clean, noise = windows((3, 200, 2), seed, 4.0), windows((3, 200, 2), seed + 1, -2.0)
    added = mixing.mix(clean, noise, snr, of="ac", per_lead=True).astype(float) - clean
    ratio = 10 * np.log10(clean.var(axis=1) / added.var(axis=1))
    np.testing.assert_allclose(ratio, snr, atol=2e-2)


def test_each_window_may_have_its_own_snr() -> None:
    clean, noise = windows((2, 100, 1)), windows((2, 100, 1), 1)
    snr = np.array([0, 20]).reshape(2, 1, 1)
    added = mixing.mix(clean, noise, snr, of="ac", per_lead=True) - clean
    quiet = added[0].std() / clean[0].std(), added[1].std() / clean[1].std()
    np.testing.assert_allclose(quiet, (1, 0.1), rtol=1e-3)


def test_noise_without_power_adds_nothing() -> None:
    clean = windows((2, 50, 2))
    np.testing.assert_array_equal(
        mixing.mix(clean, np.zeros_like(clean), 0, of="total", per_lead=False), clean
    )


def test_cut_drops_the_rest() -> None:
    signal = np.arange(14, dtype=np.float32).reshape(7, 2)
    pieces = mixing.cut(signal, 3)
    assert pieces.shape == (2, 3, 2)
    np.testing.assert_array_equal(pieces.reshape(6, 2), signal[:6])


def test_cut_refuses_what_is_shorter_than_a_window() -> None:
    with pytest.raises(ValueError, match="shorter than one window of 10"):
        mixing.cut(np.zeros((9, 1), np.float32), 10)


def test_pieces_come_from_the_signal_turned_or_mirrored_or_neither() -> None:
    signal = np.arange(1, 31, dtype=np.float32).reshape(1, 30, 1)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(50):
        piece = mixing.draw_pieces(signal, 5, rng).ravel()
        seen.add((bool(piece[0] > 0), bool(abs(piece[1]) > abs(piece[0]))))
        assert set(np.abs(piece)) <= set(range(1, 31))
        assert np.all(np.abs(np.diff(piece)) == 1)
    assert len(seen) == 4
