"""Where a method gives no finite number, the signal stays as it is and counts as unreadable."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from fakes import Fakes, Run, ecg, recording
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ipmdae
from ipmdae import examples, formats
from ipmdae.cleaning import denoise_file
from ipmdae.denoiser import Denoiser
from ipmdae.quality import Reason, quality
from ipmdae.stream import Event, Streamer
from ipmdae.without_mains import NetworkWithoutMains

pytestmark = pytest.mark.filterwarnings("ignore:lead .* no finite number:UserWarning")

FS, MARKED = 250, slice(3000, 3010)


def marked(leads: int = 1, fs: float = FS) -> np.ndarray:
    """A signal with a few samples that stand out."""
    signal = ecg(fs, 8000, leads)
    signal[MARKED, 0] = 9 + 0.01 * np.arange(10)
    return signal


def failing(value: float) -> Run:
    """A network that halves its input, and fails in windows in which samples stand out."""

    def run(windows: np.ndarray) -> np.ndarray:
        output = windows / 2
        output[windows.max(axis=(1, 2)) > 4] = value
        return output

    return run


def telling(value: float) -> Run:
    """The same, with an uncertainty that is one, or alone fails."""

    def run(windows: np.ndarray) -> np.ndarray:
        output = np.concatenate([windows / 2, np.zeros_like(windows)], axis=2)
        output[windows.max(axis=(1, 2)) > 4, :, 1] = value
        return output

    return run


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("fs", [FS, 360])
def test_the_signal_stays_where_a_network_fails(fake: Fakes, value: float, fs: float) -> None:
    noisy = recording(marked(fs=fs), fs)
    with pytest.warns(UserWarning, match="lead 1: the network gives no finite number in places"):
        cleaned = fake(failing(value)).clean(noisy)
    signal, spread = cleaned.recording.signal, cleaned.spread
    assert np.isfinite(signal).all()
    assert spread is not None
    failed = np.isinf(spread)
    assert failed[MARKED].all()
    assert failed.mean() < 0.3
    assert_array_equal(signal[failed], noisy.signal[failed])
    far = np.abs(np.arange(len(signal)) - 3005) > 6 * fs
    assert_allclose(signal[far], noisy.signal[far] / 2, atol=0.02)
    assert not failed[far].any()
    found = quality(noisy, cleaned)
    assert found.reason[int(3005 / fs), 0] == Reason.UNCERTAIN
    assert found.readable[-3:].all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e4])
def test_an_uncertainty_that_is_no_number_is_a_failure(fake: Fakes, value: float) -> None:
    noisy = recording(marked())
    cleaned = fake(telling(value), uncertainty=True).clean(noisy)
    assert cleaned.spread is not None
    assert not np.isnan(cleaned.spread).any()
    failed = np.isinf(cleaned.spread)
    assert failed[MARKED].all()
    assert_array_equal(cleaned.recording.signal[failed], noisy.signal[failed])


def test_missing_samples_stay_missing_and_other_leads_clean(fake: Fakes) -> None:
    signal = marked(2)
    signal[2990:3005, 0] = np.nan
    signal[5000:5100, 1] = np.nan
    cleaned = fake(failing(np.nan)).clean(recording(signal))
    assert_array_equal(np.isnan(cleaned.recording.signal), np.isnan(signal))
    assert cleaned.spread is not None
    assert not np.isinf(cleaned.spread[:, 1]).any()
    assert np.isnan(cleaned.spread[2990:3005, 0]).all()
    assert np.isinf(cleaned.spread[3005:3010, 0]).all()


@given(chunks=st.lists(st.integers(1, 4000), min_size=1, max_size=4))
@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_live_signal_stays_too_whatever_the_chunks(fake: Fakes, chunks: list[int]) -> None:
    signal = marked()
    events: list[Event] = []
    whole = fake(failing(np.nan)).clean(recording(signal))
    streamer = Streamer(
        FS,
        1,
        model=fake.model(failing(np.nan)),
        offset=[0.0],
        on_event=events.append,
    )
    pieces, at = [], 0
    while at < len(signal):
        for size in chunks:
            pieces.append(streamer.feed(signal[at : at + size]))
            at += size
    live = np.concatenate([*pieces, streamer.flush()])
    assert whole.spread is not None
    assert_allclose(live, whole.recording.signal, atol=1e-6)
    failed = np.isinf(whole.spread[:, 0])
    assert_array_equal(live[failed], signal[failed])
    (event,) = events
    assert event == Event(np.flatnonzero(failed)[0] / FS, "lead 1", "failed")


def test_hum_removed_first_changes_nothing(fake: Fakes) -> None:
    noisy = recording(marked())
    method = NetworkWithoutMains(fake(failing(np.nan)), 50)
    cleaned = method.clean(noisy)
    assert np.isfinite(cleaned.recording.signal).all()
    assert cleaned.spread is not None
    assert np.isinf(cleaned.spread[MARKED]).all()


@pytest.mark.parametrize("value", [1e10, 1e30, 1e38, 1e300, -1e300])
def test_no_finite_value_makes_a_true_network_fail_unseen(value: float, tmp_path: Path) -> None:
    noisy = formats.read(examples.path("118e06_excerpt"), annotations=False).with_leads([0])
    signal = noisy.signal[:9000].copy()
    signal[4000] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the amplitude
        details = ipmdae.denoise(signal, noisy.fs, return_details=True)
    assert np.isfinite(details.cleaned).all()
    assert not details.readable[4000]
    failed = np.isinf(details.uncertainty)
    assert_array_equal(details.cleaned[failed], signal[failed])
    assert not details.readable[failed].any()


def test_a_file_and_its_warning(fake: Fakes, tmp_path: Path) -> None:
    noisy = recording(marked())
    formats.write(noisy, tmp_path / "noisy.npz")
    blocks = []
    with pytest.warns(UserWarning, match="no finite number"):
        denoise_file(
            tmp_path / "noisy.npz",
            tmp_path / "cleaned.npz",
            Denoiser(fake.model(failing(np.nan))),
            watch=lambda first, block: blocks.append(block),
        )
    cleaned = formats.read(tmp_path / "cleaned.npz").signal
    assert np.isfinite(cleaned).all()
    assert_array_equal(cleaned[MARKED], noisy.signal[MARKED])
    assert any(block.spread is not None and np.isinf(block.spread).any() for block in blocks)
