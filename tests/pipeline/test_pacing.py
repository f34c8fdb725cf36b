"""Pacing spikes are found, kept out of the network and put back; QRS complexes are none."""

import numpy as np
import pytest

import ipmdae
from ipmdae import examples, formats
from ipmdae.pipeline.pacing import PacingCheck, PacingSearch, SpikeRemover, reach, spikes
from ipmdae.pipeline.resample import resample

RATES = (125.0, 250.0, 1000.0)


def paced(fs: float, seconds: float = 30, height: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """A paced ECG (time,) in mV, and the samples of its spikes of about 2 ms."""
    t = np.arange(round(seconds * fs)) / fs
    beats = np.arange(0.5, seconds - 0.5, 0.85)
    x = np.zeros(len(t))
    for beat in beats:
        x += 1.1 * np.exp(-0.5 * ((t - beat - 0.06) / 0.025) ** 2)
        x -= 0.4 * np.exp(-0.5 * ((t - beat - 0.32) / 0.06) ** 2)
    at = np.round(beats * fs).astype(int)
    x += 0.1 * np.sin(2 * np.pi * 0.3 * t)
    for k in range(max(round(0.002 * fs), 1)):
        x[at + k] += height
    return x, at


@pytest.mark.parametrize("fs", RATES)
def test_spikes_of_a_pacemaker_are_found(fs: float) -> None:
    x, at = paced(fs)
    check = PacingCheck(2, fs)
    check.add(np.stack([x, np.zeros_like(x)])[:, None])
    heights = check.heights()
    assert heights[0] == pytest.approx(1.5, rel=0.15)
    assert np.isnan(heights[1])
    found = spikes(x, fs, heights[0] / 2)
    assert len(found) == len(at)
    assert np.abs(found - at).max() <= reach(fs)


def checked(x: np.ndarray, fs: float) -> float:
    """The height that is found in a lead, in chunks of 10 s."""
    check = PacingCheck(1, fs)
    check.add(x.reshape(1, -1, round(10 * fs)))
    return float(check.heights()[0])


def test_pacing_may_be_intermittent() -> None:
    x, at = paced(250, seconds=300)
    x[at[at > 50 * 250]] -= 1.5
    assert checked(x, 250) == pytest.approx(1.5, rel=0.15)
    x[at[(at > 18 * 250) & (at <= 50 * 250)]] -= 1.5  # 20 s are left
    assert np.isnan(checked(x, 250))


def test_the_end_of_a_recording_does_not_matter() -> None:
    x, _ = paced(250, seconds=20)
    check = PacingCheck(1, 250)
    check.add(x.reshape(1, -1, 2500))
    check.add(np.zeros((1, 1, 250)))
    assert check.heights()[0] == pytest.approx(1.5, rel=0.15)


@pytest.mark.parametrize(("atrium", "ventricle"), [(0.5, 2.0), (1.0, 4.0), (4.0, 1.0)])
def test_spikes_of_two_chambers_have_two_heights(atrium: float, ventricle: float) -> None:
    x, at = paced(500, seconds=60, height=ventricle)
    x[at[1:] - 80] += atrium
    lower = min(atrium, ventricle)
    height = checked(x, 500)
    assert height == pytest.approx(lower, rel=0.15)
    found = set(spikes(x, 500, height / 2))
    assert {*at, *(at[1:] - 80)} <= found


@pytest.mark.parametrize("fs", RATES)
def test_beats_are_no_spikes(fs: float) -> None:
    recording = formats.read(examples.path("118e24_excerpt"))
    signal = resample(recording.signal, recording.fs, fs)
    check = PacingCheck(signal.shape[1], fs)
    check.add(signal.T[:, None])
    assert np.isnan(check.heights()).all()
    t = np.arange(5000) / fs
    infant = np.exp(-0.5 * (((t % 0.3) - 0.15) / 0.008) ** 2)
    check = PacingCheck(1, fs)
    check.add(infant[None, None])
    assert np.isnan(check.heights()).all()


def test_glitches_that_are_rare_or_of_any_height_are_no_pacing() -> None:
    rng = np.random.default_rng(0)
    x, _ = paced(250, height=0)
    x[[1000, 5000]] += 3
    few = PacingCheck(1, 250)
    few.add(x[None, None])
    assert np.isnan(few.heights()).all()
    x[rng.choice(len(x), 40, replace=False)] += 3 * rng.random(40) ** 3
    many = PacingCheck(1, 250)
    many.add(x[None, None])
    assert np.isnan(many.heights()).all()


@pytest.mark.parametrize("fs", RATES)
def test_pieces_do_not_matter_and_the_sum_is_the_signal(fs: float) -> None:
    x, _ = paced(fs)
    signal = np.column_stack([x, 0.5 * x])
    whole = SpikeRemover(np.array([1.5, np.nan]), fs)
    parts = [whole.feed(signal), whole.flush()]
    smooth, apart = (np.concatenate(part) for part in zip(*parts, strict=True))
    np.testing.assert_allclose(smooth + apart, signal, atol=1e-12)
    assert np.abs(np.diff(smooth[:, 0])).max() < 0.25
    assert not apart[:, 1].any()
    remover = SpikeRemover(np.array([1.5, np.nan]), fs)
    cuts = np.sort(np.random.default_rng(1).integers(0, len(signal), 60))
    pieces = [remover.feed(piece) for piece in np.split(signal, cuts)]
    again = np.concatenate([part[0] for part in (*pieces, remover.flush())])
    np.testing.assert_array_equal(again, smooth)


@pytest.mark.parametrize("fs", RATES)
def test_spikes_come_back_as_they_were(fs: float) -> None:
    x, at = paced(fs)
    rng = np.random.default_rng(0)
    noisy = x + 0.5 * np.sin(2 * np.pi * 0.2 * np.arange(len(x)) / fs)
    noisy += 0.02 * rng.standard_normal(len(x))
    cleaned = ipmdae.denoise(noisy, fs)
    k = reach(fs)
    inner = at[(at > 2 * fs) & (at < len(x) - 2 * fs)]

    def height(y: np.ndarray) -> np.ndarray:
        return np.asarray(y[inner] - (y[inner - k] + y[inner + k + 1]) / 2)

    np.testing.assert_allclose(height(cleaned), height(noisy), atol=0.1)


def searched(x: np.ndarray, fs: float) -> list[float]:
    """The height after each look at a live lead."""
    search = PacingSearch(1, fs)
    found = []
    while len(x):
        part, x = x[: search.room], x[search.room :]
        heights = search.add(part[:, None])
        if heights is not None:
            found.append(float(heights[0]))
    return found


def test_pacing_may_begin_late_in_a_live_signal() -> None:
    x, at = paced(250, seconds=180)
    found = searched(x, 250)
    assert found[0] == pytest.approx(1.5, rel=0.15)
    x[at[at < 90 * 250]] -= 1.5
    found = searched(x, 250)
    assert np.isnan(found[0])
    assert found[-1] == pytest.approx(1.5, rel=0.15)


def test_a_few_glitches_in_a_live_signal_are_no_pacing() -> None:
    x, _ = paced(250, seconds=180, height=0)
    at = 100 * 250 + np.arange(100, 600, 150)
    x[at] += 1.5
    assert np.isnan(searched(x, 250)).all()
