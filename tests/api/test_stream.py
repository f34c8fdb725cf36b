from __future__ import annotations

import math
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes import Fakes, ecg, recording, smooth_band
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import ArrayLike

from ipmdae import examples, formats
from ipmdae.denoiser import Denoiser
from ipmdae.engine import ModelFile
from ipmdae.methods.network import Network
from ipmdae.pipeline.survey import Survey
from ipmdae.stream import Event, Streamer


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    """Twelve seconds of two leads with gaps: at the beginning, short, long, and at the end."""
    signal: np.ndarray = formats.read(examples.path("118e06_excerpt")).signal[:4320].copy()
    signal[:30, 0] = signal[700:740, 1] = signal[1500:2600, 0] = signal[-20:, 1] = np.nan
    return signal


def offset(signal: np.ndarray, fs: float) -> np.ndarray:
    r = recording(signal, fs)
    survey = Survey(r.header)
    survey.add(r.signal)
    return survey.leads().offset


def stream(streamer: Streamer, signal: np.ndarray, chunks: list[int]) -> np.ndarray:
    """Feed chunks of the given sizes, again and again, until the signal ends."""
    pieces, at = [], 0
    while at < len(signal):
        for size in (*chunks, 1):
            pieces.append(streamer.feed(signal[at : at + size]))
            at += size
    pieces.append(streamer.flush())
    return np.concatenate(pieces)


# The same as a file


@pytest.mark.slow
@given(chunks=st.lists(st.integers(0, 3000), max_size=6), fs=st.sampled_from([250, 360, 257.3]))
@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize("max_latency", [None, 2.5])
def test_any_chunks_give_what_a_file_gives(
    tiny_model: ModelFile,
    noisy: np.ndarray,
    max_latency: float | None,
    chunks: list[int],
    fs: float,
) -> None:
    whole = Denoiser(tiny_model, max_latency=max_latency).denoise(noisy, fs)
    streamer = Streamer(fs, 2, method=tiny_model, max_latency=max_latency, offset=offset(noisy, fs))
    live = stream(streamer, noisy, [*chunks, 300])
    assert live.shape == noisy.shape
    assert_array_equal(np.isnan(live), np.isnan(noisy))
    assert_allclose(live, whole, rtol=0, atol=1e-5 * np.nanstd(whole))


@pytest.mark.slow
@pytest.mark.parametrize("fs", [60, 128, 250, 360, 500, 1000, 2000, 4000])
@given(data=st.data())
@settings(
    deadline=None, max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_chunks_do_not_matter_to_the_last_bit(
    tiny_model: ModelFile, fs: float, data: st.DataObject
) -> None:
    samples = round(9 * fs)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    signal = ecg(fs, samples, 2) + 0.1 * rng.standard_normal((samples, 2)) + [0.4, -3.0]
    for _ in range(data.draw(st.integers(0, 4))):  # up to 4 s, which is longer than a line bridges
        begin, length = rng.integers(0, samples), rng.integers(1, round(4 * fs))
        signal[begin : begin + length, rng.integers(2)] = np.nan
    max_latency = data.draw(st.sampled_from([None, 8.0]))
    size = st.integers(0, samples) | st.integers(0, round(fs))
    results = []
    for chunks in data.draw(st.lists(st.lists(size, max_size=5), min_size=2, max_size=2)):
        streamer = Streamer(fs, 2, method=tiny_model, max_latency=max_latency)
        # The last goes on and on: not all too small, for these take long.
        results.append(stream(streamer, signal, [*chunks, round(fs / 3)]))
    for result in results:
        assert len(result) == samples
        assert_array_equal(np.isnan(result), np.isnan(signal))
        assert_array_equal(result, results[0])


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [90, 1000, 4320])
def test_first_windows_and_offsets_do_not_depend_on_chunks(noisy: np.ndarray, chunk: int) -> None:
    pieces = [stream(Streamer(360, 2, max_latency=2.0), noisy, [size]) for size in (300, chunk)]
    assert_array_equal(pieces[0], pieces[1])


@pytest.mark.parametrize("samples", [1, 2, 100, 499, 500, 501, 2000])
def test_as_many_samples_come_out_as_went_in(
    tiny_model: ModelFile, noisy: np.ndarray, samples: int
) -> None:
    for fs in (250, 128):
        streamer = Streamer(fs, 2, method=tiny_model)
        assert len(stream(streamer, noisy[100 : 100 + samples], [64])) == samples
        assert len(streamer.flush()) == 0


def test_one_sample_at_a_time(fake: Fakes) -> None:
    signal = ecg(360, 1500)
    whole = Denoiser(fake(smooth_band)).denoise(signal, 360)
    streamer = Streamer(360, 1, method=fake.model(smooth_band), offset=offset(signal, 360))
    assert_allclose(stream(streamer, signal, [1]), whole, atol=1e-5)


def test_strength_is_that_of_a_file(tiny_model: ModelFile, noisy: np.ndarray) -> None:
    whole = Denoiser(tiny_model, strength=0.4).denoise(noisy, 250)
    streamer = Streamer(250, 2, method=tiny_model, strength=0.4, offset=offset(noisy, 250))
    assert_allclose(stream(streamer, noisy, [999]), whole, atol=1e-5)


def test_without_a_given_offset_only_that_differs(tiny_model: ModelFile, noisy: np.ndarray) -> None:
    shifted = noisy + np.array([5, -3])
    whole = Denoiser(tiny_model).denoise(shifted, 250)
    live = stream(Streamer(250, 2, method=tiny_model), shifted, [999])
    assert_allclose(np.nanstd(live - whole, axis=0), 0, atol=1e-4)
    assert_allclose(np.nanmedian(live - whole, axis=0), 0, atol=1)


def test_a_network_of_several_leads(fake: Fakes) -> None:
    signal = ecg(250, 2000, leads=2)
    model = fake.model(lambda w: w[:, :, ::-1], leads=2)
    whole = Denoiser(model).denoise(signal, 250)
    streamer = Streamer(250, ["I", "II"], method=model, offset=offset(signal, 250))
    assert_allclose(stream(streamer, signal, [33]), whole, atol=1e-5)
    with pytest.raises(ValueError, match="cleans 2 leads at once, the recording has 3"):
        Streamer(250, 3, method=model)


# Latency


@pytest.mark.slow
@pytest.mark.parametrize("fs", [250, 60, 128, 360, 257.3, 1000])
@pytest.mark.parametrize("max_latency", [None, 6.0, 0.9])
def test_what_is_declared_is_true(fake: Fakes, fs: float, max_latency: float | None) -> None:
    model = fake.model()
    if fs != 250 and max_latency == 0.9:
        with pytest.raises(ValueError, match=r"too short at .* needs \d"):
            Streamer(fs, 1, method=model, max_latency=max_latency)
        return
    streamer = Streamer(fs, 1, method=model, max_latency=max_latency)
    if max_latency:
        assert streamer.latency <= max_latency
    signal, out, slack = ecg(fs, round(9 * fs)), 0, 0.0
    for at in range(0, len(signal), 7):
        out += len(streamer.feed(signal[at : at + 7]))
        fed = min(at + 7, len(signal))
        # Sample i has come when all samples before i / fs + latency are in.
        due = max(math.floor(fed - streamer.latency * fs + 1e-6) + 1, 0)
        assert out >= due
        slack = max(slack, out - due)
    assert out + len(streamer.flush()) == len(signal)
    # A window lets many samples out at once: only the first of them waited for so long.
    opening = Network(model, max_latency=max_latency).framing(fs).first / 250
    assert slack <= fs * (opening + 0.2) + 9


def test_a_gap_holds_up_for_two_seconds_at_most(fake: Fakes) -> None:
    signal = ecg(250, 6000, leads=2)
    signal[2000:4500, 0] = np.nan
    streamer = Streamer(250, 2, method=fake.model(), max_latency=1)
    out = 0
    for at in range(0, len(signal), 50):
        out += len(streamer.feed(signal[at : at + 50]))
        assert out >= at + 50 - (streamer.latency + 2) * 250
    assert out + len(streamer.flush()) == len(signal)


# What may happen


@pytest.mark.slow
def test_gaps_and_lost_leads_are_told(fake: Fakes) -> None:
    signal = ecg(250, 5000, leads=2)
    signal[100:200, 0] = signal[1000:2500, 1] = signal[4000:, 0] = np.nan
    expected = [
        Event(0.4, "I", "gap"),
        Event(0.8, "I", "back"),
        Event(4.0, "II", "gap"),
        Event(6.0, "II", "lost"),
        Event(10.0, "II", "back"),
        Event(16.0, "I", "gap"),
        Event(18.0, "I", "lost"),
    ]
    for size in (1, 77, 5000):
        events: list[Event] = []
        stream(
            Streamer(250, ["I", "II"], method=fake.model(), on_event=events.append), signal, [size]
        )
        assert [e for e in events if e.kind in ("gap", "lost", "back")] == expected
    events = []
    streamer = Streamer(250, ["ECG", "ECG"], method=fake.model(), on_event=events.append)
    stream(streamer, signal[:500], [500])
    assert [(e.time, e.lead, e.kind) for e in events if e.kind in ("gap", "back")] == [
        (0.4, "ECG", "gap"),
        (0.8, "ECG", "back"),
    ]


def test_a_lead_that_is_never_there_hinders_nobody(
    tiny_model: ModelFile, noisy: np.ndarray
) -> None:
    lost = noisy.copy()
    lost[:, 1] = np.nan
    live = stream(Streamer(360, 2, method=tiny_model), lost, [500])
    assert np.isnan(live[:, 1]).all()
    alone = stream(Streamer(360, 1, method=tiny_model), noisy[:, 0], [500])
    assert_allclose(live[:, :1], alone, atol=1e-5)


def test_a_lead_that_begins_late_keeps_its_offset(fake: Fakes) -> None:
    signal = 400 + ecg(250, 5000, leads=2)
    signal[:2000, 1] = np.nan
    live = stream(Streamer(250, 2, method=fake.model()), signal, [100])
    assert_allclose(live[2600:], signal[2600:], atol=0.5)


def test_flat_leads_pass_through(fake: Fakes) -> None:
    signal = np.column_stack([ecg(250, 3000), np.full(3000, 2.5)])
    live = stream(Streamer(250, 2, method=fake.model(np.zeros_like)), signal, [100])
    assert_allclose(live[:, 1], 2.5, atol=1e-6)
    assert_allclose(live[:, 0], np.median(signal[:500, 0]), atol=1e-6)


def test_a_rate_may_change(tiny_model: ModelFile, noisy: np.ndarray) -> None:
    streamer = Streamer(360, 2, method=tiny_model)
    first = [streamer.feed(noisy), streamer.restart(250)]
    assert streamer.fs == 250
    assert_allclose(
        np.concatenate(first), stream(Streamer(360, 2, method=tiny_model), noisy, [4320])
    )
    second = [streamer.feed(noisy), streamer.flush()]
    assert_allclose(
        np.concatenate(second), stream(Streamer(250, 2, method=tiny_model), noisy, [4320])
    )
    streamer.feed(noisy)
    with pytest.raises(ValueError, match="too low for an ECG"):
        streamer.restart(5)
    assert streamer.fs == 250
    assert len(streamer.feed(noisy)) > 0


@pytest.mark.parametrize("chunk", [np.zeros(2), np.zeros((5, 3)), np.zeros((1, 2, 2)), 1.0])
def test_chunks_of_another_shape_are_refused(tiny_model: ModelFile, chunk: object) -> None:
    with pytest.raises(ValueError, match=r"a chunk must be \(time, 2\)"):
        Streamer(250, 2, method=tiny_model).feed(chunk)  # type: ignore[arg-type]


def test_masked_samples_are_missing(tiny_model: ModelFile, noisy: np.ndarray) -> None:
    masked = np.ma.masked_invalid(noisy)
    masked.data[masked.mask] = -9999
    for chunk in (masked, list(masked), pd.DataFrame(noisy, dtype="Float64")):
        first = stream(Streamer(360, 2, method=tiny_model), noisy, [720])
        streamer = Streamer(360, 2, method=tiny_model)
        assert_array_equal(np.concatenate([streamer.feed(chunk), streamer.flush()]), first)


@pytest.mark.parametrize("chunk", [["1.0"], [True], [1j], np.array([None])])
def test_what_is_no_number_is_no_sample(tiny_model: ModelFile, chunk: ArrayLike) -> None:
    with pytest.raises(ValueError, match="real numbers"):
        Streamer(250, 1, method=tiny_model).feed(chunk)


def test_what_makes_no_sense_is_refused(tiny_model: ModelFile, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="infinite values"):
        Streamer(250, 1, method=tiny_model).feed([1, np.inf])
    with pytest.raises(ValueError, match="too high for an ECG"):
        Streamer(5000, 1, method=tiny_model)
    with pytest.raises(ValueError, match="at least one lead"):
        Streamer(250, 0, method=tiny_model)
    with pytest.raises(ValueError, match="strength must be"):
        Streamer(250, 1, method=tiny_model, strength=2)
    with pytest.raises(ValueError, match="offset must be one value a lead"):
        Streamer(250, 1, method=tiny_model, offset=[1, 2])
    with pytest.raises(FileNotFoundError):
        Streamer(250, 1, method=tmp_path / "none.safetensors")


def test_no_samples_are_samples_too(tiny_model: ModelFile) -> None:
    streamer = Streamer(250, ["I", "II"], method=tiny_model)
    assert streamer.leads == ("I", "II")
    nothings: list[ArrayLike] = [[], np.zeros((0, 2))]
    for nothing in nothings:
        assert streamer.feed(nothing).shape == (0, 2)
    assert streamer.flush().shape == (0, 2)


@pytest.mark.slow
def test_changes_of_the_grade_are_told_as_the_signal_goes_out() -> None:
    recording = formats.read(examples.path("118e24_excerpt")).excerpt(0, 60)
    signal = recording.signal[:, :1].copy()
    rng = np.random.default_rng(0)
    begin, end = 20 * 360, 35 * 360
    signal[begin:end, 0] = signal[begin, 0] + 0.004 * rng.standard_normal(end - begin)
    events: list[Event] = []
    streamer = Streamer(fs=360, leads=["MLII"], method="ipmdae-nano", on_event=events.append)
    for chunk in np.array_split(signal, 37):
        streamer.feed(chunk)
    streamer.flush()
    off = [event for event in events if "lead off" in event.reason]
    assert [(event.lead, event.kind) for event in off] == [("MLII", "unusable")]
    assert 25 <= off[0].time <= 29  # six seconds without a beat after 20 s
    assert any(event.kind != "unusable" and event.time > 34 for event in events)
    kinds = [event.kind for event in events]
    assert all(a != b for a, b in pairwise(kinds))


def test_what_is_given_out_may_be_changed() -> None:
    signal = formats.read(examples.path("118e06_excerpt")).signal[:7200]
    told: list[list[Event]] = [[], []]
    for events, factor in zip(told, (1, 1000), strict=True):
        streamer = Streamer(
            360, ["MLII", "V1"], method="ipmdae-nano", max_latency=2.0, on_event=events.append
        )
        for first in range(0, len(signal), 90):
            ready = streamer.feed(signal[first : first + 90])
            ready *= factor
    assert told[0]
    assert told[0] == told[1]


def test_a_callback_that_raises_loses_no_samples(fake: Fakes, noisy: np.ndarray) -> None:
    calls = 0

    def once(event: Event) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError(event.kind)

    streamer = Streamer(360, 2, method=fake(max_latency=2.0), on_event=once)
    parts, raised = [], 0
    for first in range(0, len(noisy), 100):
        try:
            parts.append(streamer.feed(noisy[first : first + 100]))
        except RuntimeError:
            raised += 1
    parts.append(streamer.flush())
    assert raised == 1
    expected = Streamer(360, 2, method=fake(max_latency=2.0))
    whole = np.concatenate([expected.feed(noisy), expected.flush()])
    assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("chunk", [7, 360, 7200])
def test_pacing_is_found_after_the_opening(chunk: int) -> None:
    signal = formats.read(examples.path("118e06_excerpt")).signal[:7200, :1].copy()
    at = np.arange(100, len(signal) - 100, 300)
    signal[at] += 3
    streamer = Streamer(360, 1, method="ipmdae-nano", max_latency=2.0)
    parts = [streamer.feed(signal[i : i + chunk]) for i in range(0, len(signal), chunk)]
    cleaned = np.concatenate([*parts, streamer.flush()])
    assert len(cleaned) == len(signal)
    late = at[at > 6 * 360]
    before, after = (x[late, 0] - (x[late - 3, 0] + x[late + 3, 0]) / 2 for x in (signal, cleaned))
    assert_allclose(after, before, atol=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("fs", [250.0, 360.0])
def test_memory_does_not_grow_with_the_signal(fs: float) -> None:
    streamer = Streamer(fs, 1, method="ipmdae-nano")
    minute = ecg(fs, round(60 * fs))[:, :1]
    tracemalloc.start()
    try:
        held = []
        for _ in range(8):
            streamer.feed(minute)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[-1] - held[2] < minute.nbytes


def test_columns_that_are_called_as_the_leads_may_have_any_order(noisy: np.ndarray) -> None:
    frame = pd.DataFrame(noisy[:3600, :2], columns=["II", "V1"])
    results = []
    for columns in (["II", "V1"], ["V1", "II"]):
        streamer = Streamer(360, ("II", "V1"), max_latency=2.0)
        results.append(np.vstack([streamer.feed(frame[columns]), streamer.flush()]))
    assert_array_equal(results[0], results[1])


def test_rates_and_numbers_of_numpy_are_taken() -> None:
    streamer = Streamer(np.float32(360), np.int64(2), max_latency=2)
    assert (streamer.fs, streamer.leads) == (360.0, ("lead 1", "lead 2"))


def test_settings_of_another_kind_are_refused() -> None:
    with pytest.raises(TypeError, match="fs must be a sampling rate in Hz"):
        Streamer("360", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"a number or a list of names, not \[1, 2\]"):
        Streamer(360, [1, 2])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"a number or a list of names, not 2\.0"):
        Streamer(360, 2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="an offset must be finite"):
        Streamer(360, 2, offset=[np.inf, 0])


def test_columns_of_some_other_leads_are_refused() -> None:
    streamer = Streamer(360, ["I", "II"], max_latency=2)
    chunk = np.zeros((100, 2))
    with pytest.raises(ValueError, match=r"columns \['II', 'V1'\] are not the leads \['I', 'II'\]"):
        streamer.feed(pd.DataFrame(chunk, columns=["II", "V1"]))
    assert streamer.feed(pd.DataFrame(chunk, columns=["a", "b"])).shape == (0, 2)
