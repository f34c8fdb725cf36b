from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from fakes import Fakes, ecg, recording
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae.denoiser import Denoiser
from ipmdae.engine import Preprocessing
from ipmdae.methods.network import Network
from ipmdae.safeguards import safeguards


def uncertain(windows: np.ndarray) -> np.ndarray:
    """A network that is sure to a tenth of the scale, and twice as unsure of the second lead."""
    deviation = np.log(0.1 * (1 + np.arange(windows.shape[2])))
    return np.concatenate([windows, np.broadcast_to(deviation, windows.shape)], 2).astype("f4")


@pytest.mark.parametrize("fs", [250, 360])
@pytest.mark.parametrize("leads", [1, 2])
def test_uncertainty_is_told_in_millivolts(fake: Fakes, fs: float, leads: int) -> None:
    signal = np.column_stack([7 + 3 * ecg(fs, 5000)] * 2)
    signal[2000:2100, 0] = np.nan
    cleaned = fake(uncertain, leads, uncertainty=True).clean(recording(signal, fs))
    assert cleaned.sd is not None
    assert cleaned.sd.dtype == np.float32
    assert_array_equal(np.isnan(cleaned.sd), np.isnan(signal))
    low, high = np.nanpercentile(signal, [5, 95], axis=0)
    expected = 0.1 * (high - low) / 2 * (1 + np.arange(2) * (leads - 1))
    assert_allclose(np.nanmedian(cleaned.sd, axis=0), expected, rtol=0.02)
    assert_allclose(cleaned.recording.signal[200:-200, 1], signal[200:-200, 1], atol=0.3)
    assert fake().clean(recording(signal, fs)).sd is None


def test_leads_that_are_not_cleaned_have_no_uncertainty(fake: Fakes) -> None:
    sure = fake(uncertain, uncertainty=True)
    with pytest.warns(UserWarning, match="is flat"):
        sd = sure.clean(recording(np.column_stack([ecg(250, 900), np.ones(900)]))).sd
    assert sd is not None
    assert np.isnan(sd[:, 1]).all()
    with pytest.warns(UserWarning, match="is flat"):
        sd = sure.clean(recording(np.ones((900, 1)))).sd
    assert sd is not None
    assert np.isnan(sd).all()


def test_a_stretch_that_is_flat_passes_through(fake: Fakes) -> None:
    signal = ecg(250, 5000, leads=2)
    signal[1000:3500, 0] = 4.0
    cleaned = Denoiser(fake(lambda w: w + 1, uncertainty=False)).denoise(signal, 250)
    assert_allclose(cleaned[1500:3000, 0], 4.0, atol=1e-6)
    assert np.abs(cleaned[1500:3000, 1] - signal[1500:3000, 1]).min() > 0.3
    sd = fake(uncertain, uncertainty=True).clean(recording(signal)).sd
    assert sd is not None
    assert_array_equal(sd[1500:3000, 0], 0)


def test_what_fills_a_gap_does_not_count_for_the_scale(fake: Fakes) -> None:
    scales: list[float] = []

    def look(windows: np.ndarray) -> np.ndarray:
        scales.extend(windows.max(axis=(1, 2)))
        return windows

    gappy = ecg(250, 5000)
    gappy[1600:1960] = np.nan
    for fs in (250, 360):
        scales.clear()
        Denoiser(fake(look)).denoise(gappy, fs)
        assert max(scales) < 1.6


def lengths_of_windows(fake: Fakes, samples: int, max_latency: float | None = None) -> list[int]:
    """How long the windows of 10 s are that a network is given of a signal."""
    seen: list[int] = []

    def look(windows: np.ndarray) -> np.ndarray:
        seen.extend([windows.shape[1]] * len(windows))
        return windows

    settings = Preprocessing(fs=250, window=2500, overlap=500)
    denoiser = Network(replace(fake.model(look), preprocessing=settings), max_latency=max_latency)
    assert len(Denoiser(denoiser).denoise(ecg(250, samples), 250)) == samples
    return seen


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [(900, [900]), (751, [772]), (600, [772]), (2500, [2500]), (5000, [2500, 2500, 2500])],
)
def test_a_window_begins_with_the_signal(fake: Fakes, samples: int, lengths: list[int]) -> None:
    """The mirror image of a signal is no ECG: it fills up three seconds, or to a multiple of 32."""
    assert lengths_of_windows(fake, samples) == lengths


def test_the_first_windows_of_a_live_signal_grow(fake: Fakes) -> None:
    seen = lengths_of_windows(fake, 4000, max_latency=2.0)
    assert seen[:4] == [772, 772, 1028, 1252]
    assert seen[-1] == 2500
    assert sorted(seen) == seen


@pytest.mark.parametrize("samples", [1000, 2400, 4900])
def test_a_signal_shorter_than_a_window_ends_smoothly(samples: int) -> None:
    """The network's stages halve the rate, rounding up, and end as in training."""
    network = Network("ipmdae-nano", limits=safeguards(unreadable="network"))
    walks = np.random.default_rng(0).normal(0, 0.05, (samples, 8)).cumsum(axis=0)
    jumps = np.abs(np.diff(Denoiser(network).denoise(walks, 250), axis=0))
    assert jumps[-1].mean() < 0.4


def assert_threads_end(before: int) -> None:
    """Wait until no more threads are alive than before."""
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_an_error_of_the_network_arrives_though_it_runs_ahead(fake: Fakes) -> None:
    before, seen = threading.active_count(), set[threading.Thread]()

    def fails(windows: np.ndarray) -> np.ndarray:
        seen.add(threading.current_thread())
        raise MemoryError("too long")

    with pytest.raises(MemoryError, match="too long"):
        Denoiser(fake(fails)).denoise(ecg(250, 100_000), 250)
    assert threading.current_thread() not in seen
    assert_threads_end(before)


def test_a_signal_that_is_given_up_stops_the_network(fake: Fakes) -> None:
    before, calls = threading.active_count(), list[int]()

    def slow(windows: np.ndarray) -> np.ndarray:
        calls.append(len(windows))
        time.sleep(0.05)
        return windows

    denoiser, signal = fake(slow), recording(ecg(250, 200_000))
    survey = denoiser.survey(signal.header)
    survey.add(signal.signal)
    cleaned = denoiser.begin(250, survey.leads()).run([signal.signal])
    assert len(next(cleaned).cleaned) == 0  # the network is at work on it
    cleaned.close()
    assert_threads_end(before)
    assert len(calls) <= 2
