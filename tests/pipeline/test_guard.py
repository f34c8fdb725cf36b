"""The guard on windows whose noise, and whose network's output, are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipmdae.pipeline.guard import LIMITED, Array, guard
from ipmdae.safeguards import MODES, Safeguards, safeguards, strength_of

FS = 250.0
T = np.arange(5000) / FS


def window(signal: np.ndarray) -> Array:
    return signal.astype(np.float32)[None, :, None]


def beats(height: float = 1.5) -> np.ndarray:
    return height * np.exp(-0.5 * (((T % 0.8) - 0.4) / 0.012) ** 2)


WANDER = 0.4 * np.sin(2 * np.pi * 0.25 * T)
F_WAVES = 0.05 * np.sin(2 * np.pi * 6 * T)
HISS = np.random.default_rng(0).standard_normal(5000)


def test_a_wave_removed_beside_baseline_wander_alone_is_given_back() -> None:
    noisy = window(beats() + 0.4 * F_WAVES + WANDER)
    found = guard(noisy, window(beats()), None, FS, Safeguards())
    np.testing.assert_allclose(found.signal, window(beats() + 0.4 * F_WAVES), atol=0.03)
    assert found.gain.min() > 0.7


def test_an_ectopic_beat_removed_from_a_quiet_signal_is_given_back() -> None:
    ectopic = 1.2 * np.exp(-0.5 * ((T - 10) / 0.04) ** 2)
    noisy = window(beats() + ectopic)
    found = guard(noisy, window(beats()), None, FS, Safeguards())
    # The part of a wide beat that lies below 0.7 Hz stays with the network.
    given = found.signal - window(beats())
    assert given.max() > 0.8 * ectopic.max()


def test_noise_is_not_given_back() -> None:
    noisy = window(beats() + 0.2 * HISS)
    found = guard(noisy, window(beats()), None, FS, Safeguards())
    np.testing.assert_array_equal(found.signal, window(beats()))
    assert not found.gain.any()
    assert not found.altered.any()


def test_flutter_under_noise_is_given_back_and_marked() -> None:
    flutter = 0.25 * np.sin(2 * np.pi * 5 * T)
    noisy = window(beats() + flutter + 0.05 * HISS)
    found = guard(noisy, window(beats()), None, FS, Safeguards())
    kept = (found.signal[0, :, 0] - beats()) @ flutter / (flutter @ flutter)
    assert kept == pytest.approx(1, abs=0.05)
    assert found.altered.all()


def test_gentle_gives_everything_but_wander_back_and_beats_nothing() -> None:
    noisy = window(beats() + WANDER + 0.1 * HISS)
    gentle = guard(noisy, window(beats()), None, FS, MODES["gentle"])
    rest = gentle.signal - window(beats() + 0.1 * HISS)
    assert np.sqrt(np.mean(rest**2)) < 0.02
    everything = guard(window(beats() + WANDER), window(beats()), None, FS, MODES["beats"])
    np.testing.assert_array_equal(everything.signal, window(beats()))


def test_seconds_that_may_have_lost_small_waves_are_limited() -> None:
    waves = np.where(T < 10, 0, 0.06 * np.sin(2 * np.pi * 5 * T))
    noise = np.where(T < 10, 0, 0.3 * HISS)  # too much for a periodic component to be found
    noisy = window(beats() + WANDER + waves + noise)
    found = guard(noisy, window(beats()), None, FS, Safeguards())
    level = found.doubt[0, :, 0]
    assert (level[T > 14] >= LIMITED).all()
    assert not level[T < 6].any()


def test_seconds_in_which_noise_is_left_are_limited_too() -> None:
    waves = np.where(T < 10, 0.01, 0.06) * np.sin(2 * np.pi * 5 * T)
    noisy = window(beats() + WANDER + waves)
    gentle = guard(noisy, window(beats()), None, FS, MODES["gentle"])
    level = gentle.doubt[0, :, 0]
    assert (level[T > 14] >= LIMITED).all()
    assert not level[T < 6].any()


def test_the_height_of_the_qrs_is_not_that_of_p_waves_in_a_slow_rhythm() -> None:
    qrs = 1.5 * np.exp(-0.5 * (((T % 2.4) - 1.2) / 0.012) ** 2)  # 25 a minute
    p_waves = 0.12 * np.exp(-0.5 * (((T % 0.67) - 0.3) / 0.025) ** 2)
    clean = window(qrs + p_waves)
    sd = np.full_like(clean, 0.02)  # 1.3 % of the QRS complex, 17 % of the P wave
    found = guard(clean + window(WANDER), clean, sd, FS, Safeguards())
    assert found.doubt.max() < LIMITED


def test_a_flattened_beat_under_doubt_is_replaced_by_a_filtered_one() -> None:
    noisy = window(beats(2.5) + 0.3 * HISS)
    sd = np.full_like(noisy, 0.01)
    sd[:, 2000:3000] = 1.0
    cleaned = window(beats(2.5))
    cleaned[:, 2000:3000] *= 0.05
    found = guard(noisy, cleaned, sd, FS, Safeguards())
    doubtful = found.signal[0, 2100:2900, 0]
    assert np.ptp(doubtful) > 2
    np.testing.assert_array_equal(found.signal[0, :1500, 0], cleaned[0, :1500, 0])
    assert (found.doubt[0, 2200:2800] >= 1).all()
    assert (found.doubt[0, :1500] < 1).all()
    kept = guard(noisy, cleaned, sd, FS, Safeguards(unreadable="network"))
    np.testing.assert_array_equal(kept.signal, cleaned)


@pytest.mark.slow
@given(
    st.integers(100, 3000),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.02, float("inf")]),
)
def test_any_window_comes_back_finite_and_each_lead_by_itself(
    time: int, batch: int, leads: int, limit: float
) -> None:
    rng = np.random.default_rng(time)
    noisy, cleaned = rng.standard_normal((2, batch, time, leads)).astype(np.float32)
    sd = np.abs(cleaned)
    found = guard(noisy, cleaned, sd, FS, Safeguards(guard=limit))
    assert all(part.shape == noisy.shape and np.isfinite(part).all() for part in found)
    alone = guard(noisy[:1, :, :1], cleaned[:1, :, :1], sd[:1, :, :1], FS, Safeguards(guard=limit))
    np.testing.assert_allclose(alone.signal[0, :, 0], found.signal[0, :, 0], atol=1e-5)


def test_what_is_no_safeguard_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown mode 'bold'; there are: diagnostic"):
        safeguards("bold")
    with pytest.raises(ValueError, match="unreadable must be classical"):
        safeguards(unreadable="nothing")
    with pytest.raises(ValueError, match="guard must be 0 or more"):
        Safeguards(guard=float("nan"))
    with pytest.raises(ValueError, match="max_attenuation_db"):
        strength_of(1, -3)


def test_an_attenuation_in_db_is_a_share_of_the_noise() -> None:
    assert strength_of(1, 20) == pytest.approx(0.9)
    assert strength_of(0.5, 20) == 0.5
    assert strength_of(0.8, None) == 0.8
