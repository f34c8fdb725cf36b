"""Beats that a network removed are found by the shape of the lead's QRS complex."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ipmdae.pipeline.beats import removed_beats
from ipmdae.pipeline.guard import guard
from ipmdae.safeguards import MODES

FS = 250.0
NOISE = np.random.default_rng(0).standard_normal((8, 1, 5000)).astype(np.float32)
SIZE = np.ones((1, 1), np.float32)

Signal = NDArray[np.float32]


def ecg(peaks: list[float], seconds: float = 20.0, width: float = 0.012) -> Signal:
    """A row (1, time) with QRS complexes of 1 mV at some seconds."""
    time = np.arange(round(seconds * FS)) / FS
    rows = [
        np.exp(-0.5 * ((time - peak) / width) ** 2)
        - 0.25 * np.exp(-0.5 * ((time - peak - 0.035) / 0.015) ** 2)
        for peak in peaks
    ]
    result: Signal = np.array(rows).sum(axis=0, keepdims=True).astype(np.float32)
    return result


REGULAR = [0.6 + 0.83 * i for i in range(23)]


def without(place: int) -> Signal:
    """The regular rhythm less one of its beats."""
    return ecg([peak for i, peak in enumerate(REGULAR) if i != place])


@given(place=st.integers(0, 22), gain=st.floats(0.5, 2), polarity=st.sampled_from([-1, 1]))
@settings(deadline=None, max_examples=25)
def test_a_removed_beat_is_found_and_no_other(place: int, gain: float, polarity: int) -> None:
    before = ecg(REGULAR) + (gain - 1) * (ecg(REGULAR) - without(place))
    weight = removed_beats(
        polarity * without(place), polarity * (before - without(place)), SIZE, FS
    )
    assert weight is not None
    there = np.abs(np.arange(before.shape[1]) / FS - REGULAR[place]) < 0.06
    assert (weight[0, there] == 1).all()
    assert (weight[0, np.abs(np.arange(before.shape[1]) / FS - REGULAR[place]) > 0.2] == 0).all()


def test_beats_that_were_kept_are_left() -> None:
    noisy = ecg(REGULAR) + 0.05 * NOISE[0]
    assert removed_beats(ecg(REGULAR), noisy - ecg(REGULAR), SIZE, FS) is None


@pytest.mark.parametrize("name", ["noise", "few beats", "short"])
def test_without_a_template_nothing_is_found(name: str) -> None:
    noise = NOISE[1]
    before, after = {
        "noise": (noise, 0.3 * noise[:, ::-1]),
        "few beats": (ecg([3.0, 9.0, 12.0]), ecg([3.0, 9.0])),
        "short": (ecg([1.0, 2.0], 2.5), ecg([1.0], 2.5)),
    }[name]
    assert removed_beats(after, before - after, SIZE, FS) is None


def test_other_shapes_of_noise_are_not_given_back() -> None:
    time = np.arange(5000) / FS
    sway = 0.8 * np.sin(2 * np.pi * 1.3 * time)
    pop = np.where((time > 7.1) & (time < 7.6), 1.5, 0)
    before = ecg(REGULAR) + (sway + pop).astype(np.float32)
    assert removed_beats(ecg(REGULAR), before - ecg(REGULAR), SIZE, FS) is None


@pytest.mark.parametrize("mode", list(MODES))
def test_the_guard_restores_a_premature_beat_in_every_mode(mode: str) -> None:
    peaks = sorted([*REGULAR, REGULAR[11] + 0.42])
    muscle = 0.06 * NOISE[4 + list(MODES).index(mode)]
    noisy = (ecg(peaks) + muscle)[0][None, :, None]
    cleaned = ecg(REGULAR)[0][None, :, None]
    guarded = guard(noisy, cleaned, None, FS, MODES[mode])
    place = round((REGULAR[11] + 0.42) * FS)
    assert guarded.signal[0, place - 5 : place + 6, 0].max() > 0.7
    assert mode in ("gentle", "diagnostic") or guarded.altered[0, place, 0] == 1
    assert guarded.altered[0, : place - 60].max() == 0
