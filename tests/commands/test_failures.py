"""Where a network gives no finite number, the signal stays as it is and counts as unreadable."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from fakes import Fakes, Run, ecg, recording
from numpy.testing import assert_allclose, assert_array_equal

import ipmdae
from ipmdae import examples, formats
from ipmdae.cleaning import denoise_file
from ipmdae.methods.network import Network
from ipmdae.pipeline.blocks import Trust
from ipmdae.quality import quality
from ipmdae.stream import Event, Streamer

pytestmark = pytest.mark.filterwarnings("ignore:the network gives no finite number:UserWarning")

FS, MARKED = 250, slice(3000, 3010)


def marked(leads: int = 1, fs: float = FS) -> np.ndarray:
    """A signal with a few samples that stand out."""
    signal = ecg(fs, 8000, leads)
    signal[MARKED, 0] = 9 + 0.01 * np.arange(10)
    return signal


def failing(value: float, of_uncertainty: float | None = None) -> Run:
    """A network that changes nothing, and fails in windows in which samples stand out.

    With ``of_uncertainty`` it states one, which takes that value there.
    """

    def run(windows: np.ndarray) -> np.ndarray:
        failed = windows.max(axis=(1, 2)) > 4
        output: np.ndarray = windows.copy()
        output[failed] = value
        if of_uncertainty is None:
            return output
        log_sd = np.full_like(windows, -5.0)
        log_sd[failed] = of_uncertainty
        return np.concatenate([output, log_sd], axis=2)

    return run


@pytest.mark.parametrize(("value", "sd"), [(np.nan, -5), (np.inf, np.nan), (0, np.nan), (0, 1e4)])
@pytest.mark.parametrize("fs", [FS, 360])
def test_the_signal_stays_and_counts_as_unreadable(
    fake: Fakes, value: float, sd: float, fs: float
) -> None:
    noisy = recording(marked(fs=fs), fs)
    cleaned = fake(failing(value, sd), uncertainty=True).clean(noisy)
    signal = cleaned.recording.signal
    assert np.isfinite(signal).all()
    assert cleaned.trust is not None
    assert (cleaned.trust[MARKED] == Trust.UNTRUSTED).all()
    far = np.abs(np.arange(len(signal)) - 3005) > 6 * fs
    assert (cleaned.trust[far] == Trust.GOOD).all()
    if value != 0:
        near = np.abs(np.arange(len(signal)) - 3005) < 100
        assert_allclose(signal[near], noisy.signal[near], atol=0.05)
    found = quality(noisy, cleaned)
    assert not found.readable[int(3005 / fs), 0]
    assert found.readable[-3:].all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_network_without_uncertainty_warns(fake: Fakes, value: float) -> None:
    signal = marked(2)
    signal[2990:3005, 0] = signal[5000:5100, 1] = np.nan
    noisy = recording(signal)
    with pytest.warns(UserWarning, match="gives no finite number in places; there the signal"):
        cleaned = fake(failing(value)).clean(noisy)
    assert_array_equal(np.isnan(cleaned.recording.signal), np.isnan(signal))
    assert_allclose(cleaned.recording.signal[3005:3010], signal[3005:3010], atol=1e-5)


def test_a_live_signal_stays_too(fake: Fakes) -> None:
    signal = marked()
    events: list[Event] = []
    model = fake.model(failing(np.nan, np.nan), uncertainty=True)
    streamer = Streamer(FS, 1, method=model, offset=[0.0], on_event=events.append)
    pieces = [streamer.feed(signal[at : at + 100]) for at in range(0, len(signal), 100)]
    live = np.concatenate([*pieces, streamer.flush()])
    assert_allclose(live, signal, atol=1e-5)
    assert any(event.kind == "unusable" for event in events)


def test_a_file_and_its_warning(fake: Fakes, tmp_path: Path) -> None:
    noisy = recording(marked())
    formats.write(noisy, tmp_path / "noisy.npz")
    with pytest.warns(UserWarning, match="no finite number"):
        denoise_file(
            tmp_path / "noisy.npz",
            tmp_path / "cleaned.npz",
            Network(fake.model(failing(np.nan, np.nan), uncertainty=True)),
        )
    cleaned = formats.read(tmp_path / "cleaned.npz").signal
    assert_allclose(cleaned, noisy.signal, atol=1e-5)


@pytest.mark.parametrize("value", [1e10, 1e30, 1e38, 1e300, -1e300])
def test_no_finite_value_makes_a_true_network_fail_unseen(value: float) -> None:
    noisy = formats.read(examples.path("118e06_excerpt"), annotations=False).with_leads([0])
    signal = noisy.signal[:9000].copy()
    signal[4000] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the amplitude
        details = ipmdae.denoise(signal, noisy.fs, return_details=True)
    assert np.isfinite(details.cleaned).all()
    assert not details.readable[4000]
