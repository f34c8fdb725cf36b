from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import Fakes, ecg, recording, smooth_band
from networks import random_tensors
from numpy.testing import assert_allclose, assert_array_equal

import ipmdae
from ipmdae import examples, formats
from ipmdae.denoiser import Denoiser
from ipmdae.engine import ModelFile, write_model
from ipmdae.methods import by_blocks
from ipmdae.methods.network import Network
from ipmdae.pipeline import network
from ipmdae.recording import Recording

# With networks that change nothing


@pytest.mark.parametrize("fs", [60, 128, 250, 257.3, 360, 1000, 4000])
def test_any_rate_goes_there_and_back(fake: Fakes, fs: float) -> None:
    signal = ecg(fs, round(7 * fs), leads=2)
    cleaned = Denoiser(fake()).denoise(signal, fs)
    inner = slice(round(0.3 * fs), -round(0.3 * fs))
    # A window puts its own median to zero: what is left of it is a step of the baseline.
    assert_allclose(cleaned[inner], signal[inner], atol=0.25)
    drift = np.abs(np.diff(cleaned - signal, axis=0))[inner].max()
    assert drift < 0.02


@pytest.mark.parametrize("leads", [1, 2, 3, 12, 15])
def test_any_number_of_leads_lead_by_lead(fake: Fakes, leads: int) -> None:
    signal = ecg(250, 1700, leads)
    clean = Denoiser(fake()).denoise(signal, 250)
    for lead in range(leads):
        assert_allclose(clean[:, lead], Denoiser(fake()).denoise(signal[:, lead], 250), atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*are its values volts")
@pytest.mark.parametrize("samples", [2, 3, 10, 499, 500, 501, 901, 1300, 5000])
@pytest.mark.parametrize("fs", [128, 250, 1000])
def test_any_length(fake: Fakes, samples: int, fs: float) -> None:
    cleaned = Denoiser(fake()).denoise(5 + ecg(fs, samples), fs)
    assert cleaned.shape == (samples, 1)
    assert np.isfinite(cleaned).all()
    assert np.abs(cleaned - 5).max() < 3


def test_one_sample_is_flat(fake: Fakes) -> None:
    with pytest.warns(UserWarning, match="lead 0 is flat"):
        assert_array_equal(Denoiser(fake()).denoise([3.5], 250), [3.5])


def test_constant_offsets_of_volts_are_put_back(fake: Fakes) -> None:
    signal = ecg(360, 3600, leads=2)
    offset = np.array([5000.0, -0.3])
    plain, shifted = (Denoiser(fake()).denoise(x, 360) for x in (signal, signal + offset))
    assert_allclose(shifted - offset, plain, atol=1e-6)


def test_the_gain_does_not_matter(fake: Fakes) -> None:
    signal = ecg(360, 3600)
    smooth = Denoiser(fake(lambda w: np.tanh(w))).denoise
    assert_allclose(smooth(signal * 7, 360), 7 * smooth(signal, 360), atol=1e-5)


def test_missing_samples_stay_missing_and_nothing_else(fake: Fakes) -> None:
    signal = ecg(360, 3600, leads=3)
    gappy = signal.copy()
    gappy[:40, 0] = gappy[1000:1900, 0] = gappy[3000, 1] = gappy[-5:, 1] = np.nan
    cleaned = Denoiser(fake()).denoise(gappy, 360)
    assert_array_equal(np.isnan(cleaned), np.isnan(gappy))
    whole = Denoiser(fake()).denoise(signal, 360)
    assert_allclose(cleaned[:, 2], whole[:, 2], atol=1e-6)
    # Only the neighbourhood of a gap is affected: windows of 2 s, scaled by what they hold.
    assert_allclose(cleaned[2900:2995, 1], whole[2900:2995, 1], atol=0.05)


def test_leads_that_need_no_cleaning_come_back_unchanged(fake: Fakes) -> None:
    signal = np.column_stack(
        [ecg(250, 1000), np.full(1000, 2.0), np.full(1000, np.nan), ecg(9, 1000)]
    )
    r = recording(
        signal, leads=("II", "V1", "V2", "Resp"), units=("mV", "mV", "mV", "l/s"), comments=("A",)
    )
    with pytest.warns(UserWarning, match="left unchanged") as caught:
        cleaned = Denoiser(fake(np.zeros_like)).denoise(r)
    assert [str(w.message) for w in caught] == [
        "lead V1 is flat: left unchanged",
        "lead V2 is without samples: left unchanged",
    ]
    assert_array_equal(cleaned.signal[:, 1:], signal[:, 1:])
    assert_allclose(cleaned.signal[:, 0], np.median(signal[:, 0]), atol=1e-6)
    assert cleaned.comments == (
        "A",
        "Cleaned by tiny: II",
        "Unchanged, flat: V1",
        "Unchanged, without samples: V2",
        "Unchanged, in l/s: Resp",
    )


def test_everything_else_is_kept(fake: Fakes) -> None:
    noisy = formats.read(examples.path("118e06_excerpt"))
    cleaned = Denoiser(fake(lambda w: 0.5 * w)).denoise(noisy)
    for field in dataclasses.fields(Recording):
        if field.name not in ("signal", "comments"):
            assert getattr(cleaned, field.name) == getattr(noisy, field.name)
    assert cleaned.comments == (*noisy.comments, "Cleaned by tiny: MLII, V1")
    assert np.abs(cleaned.signal - noisy.signal).max() > 0.5


@pytest.mark.parametrize(
    ("fs", "reason"), [(59.9, "too low for an ECG"), (1, "too low"), (4001, "too high for an ECG")]
)
def test_rates_that_make_no_sense_are_refused(fake: Fakes, fs: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Denoiser(fake()).denoise(ecg(250, 100), fs)


@pytest.mark.parametrize("x", [[], np.zeros((0, 2)), np.zeros((2, 3, 4)), 1.0, [np.inf, 1.0]])
def test_arrays_that_are_no_recording_are_refused(fake: Fakes, x: Any) -> None:
    with pytest.raises(ValueError, match=r"nothing to clean|must be \(time|infinite"):
        Denoiser(fake()).denoise(x, 250)


@pytest.mark.filterwarnings("ignore:.*are its values microvolts")
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(np.float32, np.float32), (np.float64, np.float64), (np.int16, np.float64)],
)
def test_arrays_keep_shape_and_precision(fake: Fakes, dtype: type, expected: type) -> None:
    x: np.ndarray = (100 * ecg(250, 800)[:, 0]).astype(dtype)
    cleaned = Denoiser(fake()).denoise(x, 250)
    assert cleaned.shape == (800,)
    assert cleaned.dtype == expected


def test_a_network_of_several_leads_takes_them_together(fake: Fakes) -> None:
    swap = fake(lambda w: w[:, :, ::-1], leads=2)
    signal = ecg(250, 500, leads=2)
    signal /= np.diff(np.percentile(signal, [5, 95], axis=0), axis=0) / 2
    signal -= np.median(signal, axis=0)
    assert_allclose(Denoiser(swap).denoise(signal, 250), signal[:, ::-1], atol=1e-5)
    with pytest.raises(
        ValueError, match=r"cleans 2 leads at once, the recording has 3 \(0, 1, 2\)"
    ):
        Denoiser(swap).denoise(ecg(250, 500, leads=3), 250)


def test_a_network_of_several_leads_leaves_a_flat_one(fake: Fakes) -> None:
    signal = np.column_stack([ecg(250, 700), np.full(700, 2.0)])
    with pytest.warns(UserWarning, match="lead 1 is flat"):
        cleaned = Denoiser(fake(np.zeros_like, leads=2)).denoise(signal, 250)
    assert_array_equal(cleaned[:, 1], 2)
    assert_allclose(cleaned[:, 0], np.median(signal[:, 0]))
    with pytest.warns(UserWarning, match="is flat"):
        assert_array_equal(Denoiser(fake(leads=2)).denoise(np.ones((9, 2)), 250), 1)


def test_long_recordings_go_through_in_pieces(fake: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = ecg(250, 60_000, leads=3)
    whole = Denoiser(fake()).denoise(signal, 250)
    monkeypatch.setattr(by_blocks, "_VALUES_AT_ONCE", 30_000)
    monkeypatch.setattr(network, "_BATCH", 7)
    pieces = fake()
    assert_array_equal(Denoiser(pieces).denoise(signal, 250), whole)
    assert max(pieces._engine.batches) == 6  # type: ignore[attr-defined]


@pytest.mark.parametrize("shift", [1, 77, 200, 333, 1001])
def test_where_the_cuts_fall_hardly_matters(fake: Fakes, shift: int) -> None:
    """What a filter of finite reach gives changes by less than a step of the recorder, 5 µV."""
    signal = formats.read(examples.path("118e06_excerpt"), annotations=False).signal[:9000]
    cleaned = fake(smooth_band)
    whole, shifted = (Denoiser(cleaned).denoise(x, 250) for x in (signal, signal[shift:]))
    difference = (whole[shift:] - shifted)[250:-250]
    difference -= np.median(difference, axis=0)  # the offset, which is told by all samples
    assert np.abs(difference).max() < 0.005
    assert np.sqrt((difference**2).mean()) < 0.0003


# Strength and latency


def test_strength_removes_a_share_of_the_noise(fake: Fakes) -> None:
    noisy = recording(np.pad(ecg(360, 3600), ((0, 9), (0, 0)), constant_values=np.nan), 360)
    half = fake(lambda w: 0.5 * w)
    full = Denoiser(half).denoise(noisy).signal
    for strength in (0, 0.3, 1):
        mixed = half.clean(noisy, strength=strength)
        expected = noisy.signal - strength * (noisy.signal - full)
        assert_allclose(mixed.recording.signal, expected, atol=1e-12)
        assert_allclose(mixed.noise, noisy.signal - mixed.recording.signal)
    assert_array_equal(Denoiser(half, strength=0).denoise(noisy.signal, 360), noisy.signal)
    assert half.clean(noisy, strength=0.3).recording.comments == (
        "Cleaned by tiny, strength 0.3: lead 1",
    )
    for strength in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="strength must be 0"):
            half.clean(noisy, strength=strength)


def test_a_low_latency_shows_the_network_less_of_the_future_only(fake: Fakes) -> None:
    signal = ecg(250, 6000)
    best, quick = (
        Denoiser(fake(smooth_band, max_latency=seconds)).denoise(signal, 250)
        for seconds in (None, 1)
    )
    assert_allclose(quick[500:], best[500:], atol=3e-3)
    assert fake(max_latency=1).latency(250) <= 1
    assert fake(max_latency=9).framing(250) == fake().framing(250)
    with pytest.raises(ValueError, match=r"0\.2 s is too short at 250 Hz: tiny needs 0\.2\d+ s"):
        Denoiser(fake(max_latency=0.2)).denoise(signal, 250)
    with pytest.raises(ValueError, match=r"1 s is too short at 360 Hz: tiny needs 1.6 s"):
        Denoiser(fake(max_latency=1)).denoise(signal, 360)


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
def test_a_latency_is_positive(seconds: float) -> None:
    with pytest.raises(ValueError, match="max_latency is a positive number of seconds, not"):
        Denoiser("iir", max_latency=seconds)


# With a network


@pytest.fixture
def noisy() -> np.ndarray:
    return formats.read(examples.path("118e06_excerpt"), annotations=False).signal[:7200]


def test_batches_do_not_matter(
    tiny_model: ModelFile, noisy: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Denoiser(tiny_model).denoise(noisy, 360)
    monkeypatch.setattr(network, "_BATCH", 1)
    assert_allclose(Denoiser(tiny_model).denoise(noisy, 360), whole, atol=1e-4)


def test_what_happens_far_away_does_not_matter(tiny_model: ModelFile, noisy: np.ndarray) -> None:
    changed = noisy.copy()
    changed[3600:] += 2
    cleaned = Network(tiny_model)
    a, b = (Denoiser(cleaned).denoise(recording(x, 360)).signal for x in (noisy, changed))
    difference = (b - a)[:2500]
    assert_allclose(difference - difference[0], 0, atol=1e-4)  # all but the offset


def test_models_are_given_by_path_name_or_as_they_are(
    tiny_model: ModelFile, noisy: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Denoiser(tiny_model).denoise(noisy[:800], 360)
    assert Network(tiny_model).name == "tiny"
    write_model(tmp_path / "tiny.safetensors", tiny_model)
    path = tmp_path / "tiny.safetensors"
    monkeypatch.setattr("ipmdae.weights.__path__", [str(tmp_path)])
    for model in (path, str(path), "tiny"):
        assert_array_equal(ipmdae.denoise(noisy[:800], 360, method=model), expected)
    with pytest.raises(ValueError, match="there are: tiny"):
        Network("unheard-of")
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        Network(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="backend"):
        Network(tiny_model, backend="abacus")


@pytest.mark.parametrize("kind", [{"leads": 2}, {"uncertainty": True}, {"residual": True}])
def test_networks_of_every_kind_run(
    noisy: np.ndarray, tiny_model: ModelFile, kind: dict[str, Any]
) -> None:
    architecture = dataclasses.replace(tiny_model.architecture, **kind)
    tensors = random_tensors(architecture)
    model = dataclasses.replace(tiny_model, architecture=architecture, tensors=tensors)
    cleaned = Network(model).clean(recording(noisy, 360))
    assert np.isfinite(cleaned.recording.signal).all()
    if architecture.uncertainty:
        assert cleaned.sd is not None
        assert (cleaned.sd >= 0).all()
    else:
        assert cleaned.sd is None


# The package


def test_importing_the_package_is_light_and_cleaning_needs_no_torch() -> None:
    code = (
        "import sys, ipmdae\n"
        "assert 'numpy' not in sys.modules\n"
        "assert {'denoise', 'Denoiser', 'Recording', 'read', 'write'} <= set(dir(ipmdae))\n"
        "for name in ipmdae.__all__: getattr(ipmdae, name)\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": _source()})
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ipmdae.nonsense


def _source() -> str:
    return str(Path(ipmdae.__file__).parents[1])


def test_examples_are_listed() -> None:
    assert examples.names() == ("118e06_excerpt", "118e24_excerpt")
    with pytest.raises(KeyError, match="there are 118e06_excerpt"):
        examples.path("100")
    assert formats.read(examples.path("118e24_excerpt")).duration == 60
