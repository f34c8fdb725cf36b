from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipmdae import examples, formats
from ipmdae.formats import SignalReader
from ipmdae.formats.blocks import WholeReader
from ipmdae.inspection.files import Inspector, check_comparable, excerpt, inspect, signal_to_noise
from ipmdae.pipeline.blocks import Trust
from ipmdae.recording import Recording


@pytest.fixture(scope="module")
def noisy() -> Recording:
    return formats.read(examples.path("118e06_excerpt"))


@pytest.fixture(scope="module")
def clean() -> Recording:
    return formats.read(examples.path("118e24_excerpt"))


def opened(recording: Recording) -> SignalReader:
    return WholeReader(recording)


def test_what_was_removed_is_measured(noisy: Recording, clean: Recording) -> None:
    found = inspect(opened(noisy), opened(clean))
    expected = np.std(noisy.signal - clean.signal, axis=0)
    np.testing.assert_allclose(found.removed_in_all, expected)
    assert found.seconds.removed.shape == (60, 2)
    assert found.spectra.keys() == {"recorded", "cleaned", "removed"}
    assert found.warnings() == []


def test_a_constant_offset_is_no_noise(noisy: Recording) -> None:
    found = inspect(opened(noisy), opened(noisy.with_signal(noisy.signal + np.array([1, 0]))))
    np.testing.assert_allclose(found.removed_in_all, 0, atol=1e-6)


def test_pieces_give_what_the_whole_gives(
    noisy: Recording, clean: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = inspect(opened(noisy), opened(clean))
    monkeypatch.setattr("ipmdae.inspection.files._AT_ONCE", 15)
    parts = inspect(opened(noisy), opened(clean))
    np.testing.assert_allclose(parts.seconds.removed, whole.seconds.removed, rtol=1e-12)
    np.testing.assert_array_equal(parts.quality.reason, whole.quality.reason)


def test_other_leads_are_left_out(noisy: Recording) -> None:
    mixed = dataclasses.replace(noisy, units=("l", "mV"))
    found = inspect(opened(mixed))
    assert found.leads == ("V1",)
    assert found.columns == (1,)
    assert np.isnan(found.removed_in_all).all()
    with pytest.raises(ValueError, match="no lead is a voltage"):
        inspect(opened(dataclasses.replace(noisy, units=("l", "l"))))


def test_microvolts_and_hum_are_named(noisy: Recording) -> None:
    t = np.arange(noisy.samples) / noisy.fs
    signal = noisy.signal + 0.1 * np.sin(2 * np.pi * 60 * t)[:, None]
    (hum,) = inspect(opened(noisy.with_signal(signal))).warnings()
    assert re.fullmatch(
        r"60 Hz powerline interference in MLII \(0.0[67]\d* mV\), V1 \(0.07\d* mV\): "
        "ipmdae denoise --mains 60 removes it first",
        hum,
    )
    (one, two) = inspect(opened(noisy.with_signal(noisy.signal * 1000))).warnings()
    assert "MLII" in one
    assert "V1" in two
    assert "microvolts" in one


@pytest.mark.slow
@given(st.lists(st.integers(0, 2000), max_size=8))
@settings(max_examples=10, deadline=None)
def test_blocks_of_any_size_give_what_a_reader_gives(cuts: list[int]) -> None:
    noisy, clean = (
        formats.read(examples.path(name), annotations=False).excerpt(0, 5)
        for name in ("118e06_excerpt", "118e24_excerpt")
    )
    sd = np.full(noisy.signal.shape, 0.01)
    trust = np.zeros(noisy.signal.shape, np.uint8)
    trust[360 * 3 : 360 * 4, 1] = Trust.UNTRUSTED
    inspector = Inspector(noisy.header)
    for part in np.split(np.arange(noisy.samples), sorted(cuts)):
        inspector.add(noisy.signal[part], clean.signal[part], sd[part], trust[part])
    found, expected = inspector.result(), inspect(opened(noisy), opened(clean))
    np.testing.assert_allclose(found.seconds.removed, expected.seconds.removed, rtol=1e-12)
    np.testing.assert_allclose(
        found.spectra["removed"].density, expected.spectra["removed"].density, rtol=1e-12
    )
    assert [(s.lead, s.start, s.stop) for s in found.quality.unusable_segments()] == [("V1", 3, 4)]


def test_a_recording_must_pass_by_whole(noisy: Recording) -> None:
    inspector = Inspector(noisy.header)
    inspector.add(noisy.signal[:-1])
    with pytest.raises(ValueError, match="not complete"):
        inspector.result()


def test_signal_to_noise_of_known_noise(clean: Recording) -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(clean.signal.shape)
    noise *= np.std(clean.signal, axis=0) / np.std(noise, axis=0) * 10 ** (-6 / 20)
    signal = clean.signal + noise + 5.0
    ratio = signal_to_noise(opened(clean), opened(clean.with_signal(signal)), opened(clean))
    np.testing.assert_allclose(ratio[0], 6, atol=1e-9)
    assert (ratio[1] == np.inf).all()
    signal[:1000, 0] = np.nan
    assert np.isfinite(signal_to_noise(opened(clean), opened(clean.with_signal(signal)))).all()


def test_recordings_that_are_no_twins_are_refused(noisy: Recording) -> None:
    for other, message in (
        (noisy.excerpt(0, 5), "samples are 21600 in one and 1800 in the other"),
        (dataclasses.replace(noisy, leads=("I", "II")), "leads are MLII, V1 in one and I, II"),
        (dataclasses.replace(noisy, fs=250), "fs are 360.0 in one and 250.0"),
    ):
        with pytest.raises(ValueError, match=message):
            check_comparable(noisy.header, other.header)


def test_an_excerpt_is_that_of_the_recording(noisy: Recording) -> None:
    np.testing.assert_array_equal(excerpt(opened(noisy), 10, 5).signal, noisy.excerpt(10, 5).signal)
    assert excerpt(opened(noisy), 58, 5).duration == 2
    with pytest.raises(ValueError, match="nothing was recorded from 60 s"):
        excerpt(opened(noisy), 60, 5)
