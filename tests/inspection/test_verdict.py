"""Verdicts on leads, the heart rate they report, and what a preview of cleaning says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ipmdae import examples, formats
from ipmdae.formats.blocks import WholeReader
from ipmdae.inspection.files import Inspection, Inspector, inspect
from ipmdae.inspection.heart_rate import WINDOW, detect_beats, heart_rate, r_peaks, windows
from ipmdae.inspection.preview import preview
from ipmdae.inspection.verdict import (
    REMOVED_BANDS,
    Verdict,
    disagreements,
    median_rates,
    percent,
    verdicts,
)
from ipmdae.pipeline.guarantees import reason
from ipmdae.pipeline.resample import resample
from ipmdae.recording import Recording
from ipmdae.result import Result


@pytest.fixture(scope="module")
def noisy() -> Recording:
    return formats.read(examples.path("118e06_excerpt"))


@pytest.fixture(scope="module")
def clean() -> Recording:
    return formats.read(examples.path("118e24_excerpt"))


def with_rates(recording: Recording, *signals: np.ndarray) -> Inspection:
    """Measures, with heart rates, of the recording with other samples: noisy, then cleaned."""
    inspector = Inspector(recording.header, heart_rates=True)
    inspector.add(*signals)
    return inspector.result()


def test_a_verdict_tells_shares_reasons_rates_and_what_was_removed(clean: Recording) -> None:
    t = np.arange(clean.samples) / clean.fs
    wander = 0.3 * np.sqrt(2) * np.sin(2 * np.pi * 0.3 * t)
    signal = clean.signal + np.column_stack([wander, 0 * wander])
    signal[360 * 20 : 360 * 35, 1] = np.nan
    found = with_rates(clean, signal, np.where(np.isnan(signal), np.nan, clean.signal))
    first, second = verdicts(found, {})
    assert (first.lead, first.grade, first.readable, first.why) == ("MLII", "limited", 1.0, "")
    assert second.unusable == pytest.approx(15 / 60)
    assert dict(second.reasons) == {"missing": 15, "error not predicted": 45}
    assert second.grade == "limited"
    assert "0 % good, 75 % limited, 25 % unusable (error not predicted 45 s" in second.sentence()
    assert first.removed == pytest.approx(0.3, rel=0.01)
    below, middle, above = (first.bands[name] for name, _, _ in REMOVED_BANDS)
    assert below == pytest.approx(0.3, rel=0.02)
    assert max(middle, above) < 0.03
    assert sum(value**2 for value in first.bands.values()) == pytest.approx(first.removed**2)
    assert second.removed == pytest.approx(0, abs=1e-9)
    assert first.rate_after == pytest.approx(72, abs=3)  # 72 beats are annotated in the minute


def test_leads_that_are_left_say_why(noisy: Recording) -> None:
    mixed = dataclasses.replace(noisy, units=("mV", "NU"))
    found = inspect(WholeReader(mixed))
    first, second = verdicts(found, {"V1": reason("V1", "NU", 1)})
    assert second.sentence() == "left unchanged (not a voltage)"
    assert (second.judged, second.grade) == (False, "")
    assert "not a voltage: in bpm" in verdicts(found, {"V1": "in bpm"})[1].sentence()
    assert first.judged


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "100 %"), (0.999, ">99 %"), (0.5, "50 %"), (0.001, "<1 %"), (0, "0 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert percent(share) == text
    assert percent(float("nan")) == "not known"


def test_grades_of_leads() -> None:
    def grade(good: float, limited: float) -> str:
        return Verdict(lead="I", good=good, limited=limited, unusable=1 - good - limited).grade

    assert grade(0.95, 0) == "good"
    assert grade(0.5, 0.1) == "limited"
    assert grade(0.1, 0.1) == "unusable"


def test_a_heart_rate_that_other_leads_do_not_have_is_named() -> None:
    rates = {"I": 72.0, "II": 73.0, "aVR": 141.0, "V1": float("nan")}
    found = [Verdict(lead=lead, rate_before=70.0, rate_after=rate) for lead, rate in rates.items()]
    (sentence,) = disagreements(found)
    assert "72 beats per minute" in sentence
    assert sentence.endswith("in aVR (141)")
    assert disagreements(found[:2]) == []


def test_r_peaks_are_the_annotated_beats(clean: Recording) -> None:
    signal = clean.signal[:, 0]
    peaks = r_peaks(lambda first, stop: signal[first:stop], len(signal), clean.fs)
    beats = clean.annotations["atr"].sample
    distance = np.abs(peaks[:, None] - beats).min(0)
    assert np.mean(distance < 0.1 * clean.fs) > 0.95
    assert np.mean(np.abs(peaks[:, None] - beats).min(1) < 0.1 * clean.fs) > 0.95


@pytest.mark.parametrize("fs", [125, 500, 1000, 2000, 4000])
def test_beats_are_found_at_any_rate(clean: Recording, fs: int) -> None:
    lead = clean.signal[:7200, 0]
    expected = detect_beats(lead, 360) / 360
    found = detect_beats(resample(0.5 * lead, 360, fs), fs) / fs
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_r_peaks_do_not_depend_on_pieces(clean: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = np.tile(clean.signal[:, 0], 2)

    def peaks() -> set[int]:
        return set(r_peaks(lambda i, j: signal[i:j], len(signal), 360).tolist())

    whole = peaks()
    monkeypatch.setattr("ipmdae.inspection.heart_rate._PIECE", 25.0)
    assert len(whole ^ peaks()) <= 0.05 * len(whole)


def test_segments_that_cannot_be_read_have_no_rate(clean: Recording) -> None:
    signal = np.where(np.arange(clean.samples)[:, None] < 360 * 30, clean.signal, np.nan)
    found = with_rates(clean, signal)
    assert median_rates(found, 0)[0] == median_rates(found, 0, 0, 30)[0] == pytest.approx(72, abs=6)
    assert np.isnan(median_rates(found, 0, 30, 60)).all()


def test_where_there_is_no_beat_there_is_no_rate() -> None:
    for signal in (
        np.zeros(5400),
        np.full(5400, np.nan),
        np.ones(10),
        np.arange(50.0),
        np.zeros(0),
    ):
        assert np.isnan(heart_rate(signal, 360))
        assert detect_beats(signal, 360).size == 0


@pytest.mark.parametrize("rate", [30, 150, 240, 300])
def test_the_heart_rate_of_slow_and_fast_beats(rate: int) -> None:
    t = np.arange(20 * 250) / 250
    apart = 60 / rate
    beats = np.arange(0.5, 19.5, apart)[:, None]
    waves = np.exp(-(((t - beats) / 0.018) ** 2) / 2)
    waves += 0.2 * np.exp(-(((t - beats - 0.45 * min(apart, 0.7)) / 0.03) ** 2) / 2)
    assert heart_rate(waves.sum(axis=0), 250) == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize(
    ("duration", "leads", "count"), [(3, 1, 1), (60, 2, 4), (86400, 1, 48), (86400, 100, 2)]
)
def test_rates_are_measured_at_so_many_places(duration: float, leads: int, count: int) -> None:
    times = windows(duration, leads)
    assert len(times) == count
    assert times[0] == 0
    assert max(times) <= max(duration - WINDOW, 0)


class Halved:
    """A method that removes half of the signal."""

    name = "halved"

    def clean(self, recording: Recording, *, strength: float = 1.0) -> Result[Recording]:
        return Result(noisy=recording, recording=recording.with_signal(recording.signal / 2))


@pytest.mark.slow
def test_a_preview_tries_parts_of_a_long_recording(
    noisy: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ipmdae.inspection.preview._MOST", 180.0)
    reader = WholeReader(
        Recording(
            signal=np.column_stack([np.tile(noisy.signal, (3, 1)), np.zeros(64800)]),
            fs=360,
            leads=("a", "b", "flat"),
        )
    )
    tried = preview(reader, inspect(reader), Halved())
    assert tried.refused == ""
    assert [v.why for v in tried.verdicts] == ["", "", "flat"]
    assert tried.seconds == 3 * 30
    short = WholeReader(noisy)
    assert preview(short, inspect(short), Halved()).seconds == 60


def test_a_preview_says_why_a_recording_would_be_refused(noisy: Recording) -> None:
    slow = WholeReader(dataclasses.replace(noisy, fs=20.0))
    assert "20 Hz is too low" in preview(slow, inspect(slow), Halved()).refused


def test_a_preview_without_a_voltage_refuses_nothing(noisy: Recording) -> None:
    none = WholeReader(dataclasses.replace(noisy, units=("l", "bpm")))
    tried = preview(none, None, Halved())
    assert tried.refused == ""
    assert [v.why for v in tried.verdicts] == ["not a voltage: in l", "not a voltage: in bpm"]
