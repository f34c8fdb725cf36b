from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ipmdae import examples, formats
from ipmdae.pipeline.blocks import Trust
from ipmdae.quality import Grade, Reason, amplitude_warnings, quality
from ipmdae.recording import Recording
from ipmdae.result import Result


@pytest.fixture(scope="module")
def noisy() -> Recording:
    """Twenty real seconds of two leads."""
    return formats.read(examples.path("118e06_excerpt")).excerpt(0, 20)


def changed(recording: Recording, seconds: slice, lead: int, value: object) -> Recording:
    signal = recording.signal.copy()
    signal[round(seconds.start * 360) : round(seconds.stop * 360), lead] = value
    return recording.with_signal(signal)


def reasons(
    recording: Recording, lead: int = 0, cleaned: Result[Recording] | None = None
) -> list[Reason]:
    return [Reason(value) for value in quality(recording, cleaned).reason[:, lead]]


def test_a_real_recording_can_be_read(noisy: Recording) -> None:
    found = quality(noisy)
    assert found.leads == ("MLII", "V1")
    assert found.readable.shape == (20, 2)
    assert found.readable.all()
    assert found.unusable_segments() == []
    assert np.isnan(found.sd).all()


@pytest.mark.parametrize(("missing", "readable"), [(0.2, True), (0.3, False)])
def test_a_second_is_missing_where_a_quarter_of_it_is(
    noisy: Recording, missing: float, readable: bool
) -> None:
    found = quality(changed(noisy, slice(5, 5 + missing), 0, np.nan))
    assert found.readable[5, 0] == readable
    assert found.readable[:, 1].all()


def test_each_reason_is_found_where_it_is(noisy: Recording) -> None:
    top = float(noisy.signal[:, 1].max())
    bad = changed(noisy, slice(3, 5), 1, np.nan)
    bad = changed(bad, slice(7, 9), 1, -5.9)
    bad = changed(bad, slice(11.2, 11.3), 1, top)
    bad = changed(bad, slice(15, 15.5), 1, top - 21.0)
    bad = changed(bad, slice(15, 15.01), 1, top - 21.1)  # the lowest value is not held for long
    found = quality(bad)
    assert found.readable[:, 0].all()
    assert [(s.lead, s.start, s.stop, s.reason) for s in found.unusable_segments()] == [
        ("V1", 3, 5, Reason.MISSING),
        ("V1", 7, 9, Reason.LEAD_OFF),
        ("V1", 11, 12, Reason.SATURATED),
        ("V1", 15, 16, Reason.IMPOSSIBLE),
    ]
    assert found.unusable_segments(0) == []
    assert len(found.unusable_segments(1)) == 4


def test_a_noiseless_lead_that_rests_at_its_lowest_value_is_not_saturated() -> None:
    beat = np.concatenate([np.hanning(36), np.zeros(324)])
    assert quality(Recording.from_array(np.tile(beat, 10), 360)).readable.all()


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_lead_that_stands_still_for_a_while_is_off(noisy: Recording, value: float | None) -> None:
    middle = noisy.with_signal(noisy.signal - np.median(noisy.signal, axis=0))
    held = middle.signal[round(10.4 * 360), 0] if value is None else value
    found = reasons(changed(middle, slice(10.4, 12.6), 0, held))
    assert found[10:13] == [Reason.LEAD_OFF] * 3
    assert set(found[:10] + found[13:]) == {Reason.READABLE}


def test_r_waves_that_are_cut_off_for_a_few_samples_are_saturated() -> None:
    time = np.arange(20 * 360) / 360
    noise = np.random.default_rng(0).normal(0, 0.005, len(time))
    lead = np.exp(-0.5 * ((time % 0.8 - 0.4) / 0.012) ** 2) + noise
    whole, clipped = (Recording.from_array(x, 360) for x in (lead, np.minimum(lead, 0.8)))
    assert set(reasons(whole)) == {Reason.READABLE}
    assert reasons(clipped).count(Reason.SATURATED) > 15
    assert set(reasons(clipped.excerpt(0, 3))) == {Reason.READABLE}  # by chance, so rarely


def test_clipped_tops_are_saturated(noisy: Recording) -> None:
    clipped = noisy.with_signal(np.minimum(noisy.signal, np.quantile(noisy.signal, 0.9, axis=0)))
    found = reasons(clipped)
    assert set(found) == {Reason.READABLE, Reason.SATURATED}
    assert found.count(Reason.SATURATED) >= 10


def test_untrusted_seconds_are_unusable_and_doubtful_ones_limited(noisy: Recording) -> None:
    sd = np.full(noisy.signal.shape, 0.01, np.float32)
    sd[360 * 4 : 360 * 6, 0] = 1.0
    sd[:, 1] = np.nan
    trust = np.zeros(noisy.signal.shape, np.uint8)
    trust[360 * 4 : 360 * 6, 0] = Trust.UNTRUSTED
    trust[360 * 8 : 360 * 9, 0] = Trust.LIMITED
    trust[360 * 9 : 360 * 10, 0] = Trust.ALTERED
    trust[360 * 12 : 360 * 12 + 40, 0] = Trust.UNTRUSTED  # too short to matter
    cleaned: Result[Recording] = Result(noisy=noisy, recording=noisy, sd=sd, trust=trust)
    found = quality(noisy, cleaned)
    assert [(s.start, s.stop, s.reason) for s in found.unusable_segments()] == [
        (4, 6, Reason.MOTION)
    ]
    assert found.grade[4, 0] == Grade.UNUSABLE
    assert found.grade[8:10, 0].tolist() == [Grade.LIMITED, Grade.LIMITED]
    assert found.reason[8:10, 0].tolist() == [Reason.NOISY, Reason.ALTERED]
    assert found.grade[12, 0] == Grade.GOOD
    assert found.sd[0, 0] == pytest.approx(0.01)
    assert found.sd[5, 0] == pytest.approx(1.0)
    assert np.isnan(found.sd[:, 1]).all()


def test_seconds_without_a_beat_are_a_lead_off_and_a_pause_is_not(noisy: Recording) -> None:
    signal = noisy.signal.copy()
    signal[360 * 3 : 360 * 7, 0] = signal[360 * 3, 0]
    signal[360 * 3 : 360 * 12, 1] = signal[360 * 3, 1]
    rng = np.random.default_rng(0)
    hiss = noisy.with_signal(signal + 0.005 * rng.standard_normal(signal.shape))
    found = quality(hiss, Result(noisy=hiss, recording=hiss))
    assert found.readable[:, 0].all()
    assert [(s.start, s.stop, s.reason) for s in found.unusable_segments(1)] == [
        (3, 12, Reason.LEAD_OFF)
    ]


def test_a_wander_of_many_millivolts_that_was_removed_is_no_impossible_amplitude(
    noisy: Recording,
) -> None:
    wild = noisy.with_signal(noisy.signal * 10)
    assert Reason.IMPOSSIBLE in reasons(wild)
    assert set(reasons(wild, cleaned=Result(noisy=wild, recording=noisy))) == {Reason.UNVERIFIED}


def test_only_voltages_are_judged(noisy: Recording) -> None:
    mixed = dataclasses.replace(noisy, units=("l", "mV"))
    assert quality(mixed).leads == ("V1",)
    with pytest.raises(ValueError, match="no lead is a voltage"):
        quality(dataclasses.replace(noisy, units=("l", "mmHg")))
    with pytest.raises(ValueError, match="same leads and samples"):
        quality(noisy, Result(noisy=noisy, recording=noisy.excerpt(0, 5)))


def test_two_leads_of_one_name_are_told_apart(noisy: Recording) -> None:
    twins = dataclasses.replace(changed(noisy, slice(3, 5), 1, np.nan), leads=("ECG", "ECG"))
    found = quality(twins)
    assert found.unusable_segments(0) == []
    assert len(found.unusable_segments(1)) == 1


def test_amplitudes_of_another_unit_are_named() -> None:
    leads = ["I", "II", "III", "flat", "empty"]
    found = amplitude_warnings(leads, np.array([1000.0, 1.0, 0.001 * 2, 0.0, np.nan]))
    assert [text.split(" has")[0] for text in found] == ["lead I", "lead III"]
    assert found[0].endswith("are its values microvolts?")
    assert found[1].endswith("are its values volts?")
