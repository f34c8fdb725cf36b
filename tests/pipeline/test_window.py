from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae.pipeline.window import MIN_SPREAD, Framing, OverlapAdd, blend, cut, robust_scale, starts


def signal(length: int, leads: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(length, leads))


@given(st.integers(1, 3000), st.integers(1, 300), st.data())
@settings(deadline=None)
def test_blending_what_was_cut_gives_the_signal(
    length: int, window: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    batch = data.draw(st.integers(1, 40))
    x = signal(length)
    first = starts(length, window, overlap)
    batches = (cut(x, first[i : i + batch], window) for i in range(0, len(first), batch))
    assert_allclose(blend(batches, length, window, overlap), x, atol=1e-9)


def test_windows_cover_the_signal_and_hold_true_samples_only() -> None:
    first = starts(6000, 2500, 500)
    assert_array_equal(first, [0, 2000, 3500])
    assert_array_equal(starts(2500, 2500, 500), [0])
    assert_array_equal(starts(4500, 2500, 500), [0, 2000])
    x = signal(6000)
    assert_array_equal(cut(x, first, 2500)[2], x[3500:])


def test_a_short_signal_is_mirrored_before_it_begins() -> None:
    x = np.array([[1.0], [2.0], [3.0]])
    assert_array_equal(cut(x, starts(3, 8, 2), 8)[0, :, 0], [2, 3, 3, 2, 1, 1, 2, 3])
    assert_array_equal(cut(x[:1], starts(1, 8, 2), 8)[0, :, 0], np.ones(8))


@pytest.mark.slow
@given(
    length=st.integers(1, 2000), latency=st.integers(1, 300), window=st.integers(300, 600),
    stops=st.lists(st.integers(1, 2000), max_size=5),
)  # fmt: skip
@settings(deadline=None)
def test_windows_for_a_latency_blend_to_the_signal(
    length: int, latency: int, window: int, stops: list[int]
) -> None:
    framing = Framing.within(latency, window)
    assert framing.latency == latency
    x = signal(length)
    adder: OverlapAdd[np.float64] = OverlapAdd(framing, 2, np.float64)
    pieces, after = [np.empty((0, 2))], 0
    for known in (*sorted(stop for stop in stops if stop < length), length):
        ends = framing.ends(after, known)
        for end, values in zip(ends.tolist(), cut(x[:known], ends - window, window), strict=True):
            pieces.append(adder.add(values, end))
            after = end
        # A sample counts when ``latency`` of them, itself included, are known.
        assert sum(map(len, pieces)) >= known - latency + 1
    if after < length:
        ends = np.array([length - window])
        pieces.append(adder.add(cut(x, ends, window)[0], length, last=True))
    else:
        pieces.append(adder.flush())
    assert_allclose(np.concatenate(pieces), x, atol=1e-9)


@given(
    window=st.integers(1, 6000),
    shortest=st.integers(1, 6000),
    step=st.sampled_from([1, 2, 16, 64]),
    end=st.integers(1, 8000),
)
def test_shorter_windows_differ_from_whole_ones_by_a_multiple_of_the_step(
    window: int, shortest: int, step: int, end: int
) -> None:
    framing = Framing.overlapping(window, 0, min(shortest, window), step)
    length = framing.length(end)
    assert (window - length) % step == 0
    assert min(max(end, framing.shortest), window) <= length <= window
    assert length - max(end, framing.shortest) < step


def test_transitions_are_smooth() -> None:
    ones_then_zeros = np.stack([np.ones((100, 1)), np.zeros((100, 1))])
    blended = blend([ones_then_zeros], 160, 100, 40)[:, 0]
    assert_array_equal(blended[:60], 1)
    assert_allclose(blended[60:70], 1, atol=1e-8)
    assert_allclose(blended[90:], 0, atol=1e-8)
    assert np.all(np.diff(blended) <= 0)
    assert np.abs(np.diff(blended)).max() < 0.08


def test_the_number_of_windows_must_fit() -> None:
    windows = np.zeros((3, 100, 1))
    with pytest.raises(ValueError, match="2 windows given, 260 samples have 3"):
        blend([windows[:2]], 260, 100, 20)
    with pytest.raises(ValueError, match="more than the 3 windows"):
        blend([windows, windows], 260, 100, 20)
    with pytest.raises(ValueError, match="0 windows given"):
        blend([], 260, 100, 20)


@pytest.mark.parametrize("overlap", [-1, 100])
def test_overlap_out_of_range(overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap must be 0 to less than the window 100"):
        starts(1000, 100, overlap)


def test_no_samples() -> None:
    with pytest.raises(ValueError, match="without samples"):
        starts(0, 100, 20)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_is_by_median_and_percentiles(dtype: type) -> None:
    windows: np.ndarray = np.random.default_rng(1).normal(3, 2, (4, 501, 3)).astype(dtype)
    scaled, offset, scale = robust_scale(windows)
    assert scaled.dtype == offset.dtype == scale.dtype == dtype
    assert offset.shape == scale.shape == (4, 1, 3)
    assert_allclose(offset[:, 0], np.median(windows, axis=1), rtol=1e-5)
    low, high = np.percentile(windows, [5, 95], axis=1)
    assert_allclose(scale[:, 0], (high - low) / 2, rtol=1e-5)
    assert_allclose(scaled * scale + offset, windows, rtol=1e-4, atol=1e-5)


def test_spikes_do_not_move_the_scale() -> None:
    windows = signal(2500)[None]
    spiked = windows.copy()
    spiked[:, ::100] = 1000
    _, offset, scale = robust_scale(windows)
    _, spiked_offset, spiked_scale = robust_scale(spiked)
    assert_allclose(spiked_offset, offset, atol=0.05)
    assert_allclose(spiked_scale, scale, rtol=0.1)


@given(st.floats(0.1, 50), st.floats(-500, 500))
def test_scaling_undoes_any_gain_and_offset(gain: float, offset: float) -> None:
    windows = signal(500)[None]
    assert_allclose(
        robust_scale(windows * gain + offset)[0], robust_scale(windows)[0], rtol=1e-6, atol=1e-6
    )


def test_flat_leads_keep_their_scale() -> None:
    windows = np.full((1, 100, 2), 7.0)
    windows[0, :, 1] += np.linspace(0, MIN_SPREAD, 100)
    scaled, offset, scale = robust_scale(windows)
    assert_array_equal(scale, 1)
    assert offset[0, 0, 0] == 7
    assert_array_equal(scaled[0, :, 0], 0)


def test_missing_samples_do_not_count_and_stay_missing() -> None:
    windows = signal(500)[None]
    gappy = windows.copy()
    gappy[0, 100:300, 0] = np.nan
    gappy[0, :, 1] = np.nan
    scaled, offset, scale = robust_scale(gappy)
    _, true_offset, true_scale = robust_scale(np.delete(windows, np.s_[100:300], axis=1))
    assert_allclose(offset[0, 0], [true_offset[0, 0, 0], 0])
    assert_allclose(scale[0, 0], [true_scale[0, 0, 0], 1])
    assert_array_equal(np.isnan(scaled), np.isnan(gappy))
