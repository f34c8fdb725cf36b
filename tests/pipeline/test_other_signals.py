"""Signals beside the ECG, known by their names."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import ipmdae
from ipmdae import examples
from ipmdae.pipeline.other_signals import is_other
from ipmdae.recording import Recording


@pytest.mark.parametrize(
    "name",
    [
        *("EMG", "emg1", "RESP,", "EEG (C4-A1)", "EOG (right)", "foot GSR", "RespBelt", "Resp_2"),
        *("SCG", "PCG", "PPG", "Atmung", "ЭМГ", "呼吸"),
    ],
)
def test_signals_that_are_no_ecg_by_name(name: str) -> None:
    assert is_other(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "I", "aVR", "MLII", "V5", "ECG", "ECG resp", "EKG_EMG", "lead 1", "noise1", "CM5"),
        *("X", "vx", "Thorax_1", "Abdomen_1", "D3", "mod.V1", "chest", "A", "signal", "ЭКГ"),
    ],
)
def test_signals_that_may_be_an_ecg(name: str) -> None:
    assert not is_other(name)


@pytest.mark.parametrize("method", ["ipmdae-nano", "iir"])
def test_another_signal_comes_back_unchanged_though_it_is_in_millivolts(
    method: str,
) -> None:
    lead = ipmdae.read(examples.path("118e06_excerpt")).signal[:7200, 0]
    noisy = Recording.from_array(np.stack([lead, lead], axis=1), 360, ("II", "RESP"))
    with pytest.warns(UserWarning, match="lead RESP is named as another signal"):
        result = ipmdae.denoise(noisy, method=method, return_details=True)
    assert_array_equal(result.recording.signal[:, 1], lead)
    assert np.any(result.recording.signal[:, 0] != lead)
    assert "Unchanged, named as another signal: RESP" in result.recording.comments


def test_another_signal_of_a_stream_comes_back_unchanged() -> None:
    lead = ipmdae.read(examples.path("118e06_excerpt")).signal[:7200, 0]
    with pytest.warns(UserWarning, match="lead RESP is named as another signal"):
        streamer = ipmdae.Streamer(fs=360, leads=["II", "RESP"], method="ipmdae-nano")
    signal = np.stack([lead, lead], axis=1)
    cleaned = np.concatenate([streamer.feed(signal), streamer.flush()])
    assert_array_equal(cleaned[:, 1], lead)
    assert np.any(cleaned[:, 0] != lead)
