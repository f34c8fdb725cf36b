"""Classical methods: each matches its description, and all are called alike."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, filtfilt, firwin, freqz, sosfiltfilt

from ipmdae import examples, formats
from ipmdae.methods import classical
from ipmdae.methods.filters import _kaiser_kernels, zero_phase, zero_phase_kernel
from ipmdae.pipeline.resample import resample

FS = 360.0
RNG = np.random.default_rng(0)
_PACKAGES = {
    "wavelet": "pywt",
    "emd": "PyEMD",
    "kalman": "statsmodels",
    "nlm": "pywt",
    "tv": "skimage",
    "neurokit": "neurokit2",
    "deepfade": "ecgdatakit",
}

here = [
    name
    for name in classical.names()
    if util.find_spec(_PACKAGES.get(name.split("-")[0], "scipy")) is not None
]


def fitted(name: str, length: int = 512) -> classical.LeadMethod:
    """A method, fitted on windows of an ECG with wander where it learns."""
    method = classical.get(name)
    if isinstance(method, classical.Learner):
        clean = ecg()[: len(ecg()) // length * length].reshape(-1, length)
        method.fit(clean + wander(clean.size).reshape(clean.shape), clean, FS)
    return method


def ecg() -> classical.Signal:
    """A minute of a nearly clean lead."""
    signal = formats.read(examples.path("118e24_excerpt"), annotations=False).signal[:, 0]
    return np.asarray(signal - np.median(signal))


def wander(samples: int) -> classical.Signal:
    """Two slow waves of 2 mV in all."""
    time = np.arange(samples) / FS
    return np.sin(2 * np.pi * 0.11 * time) + np.sin(2 * np.pi * 0.23 * time + 1)


@pytest.mark.parametrize("name", here)
def test_every_method_gives_a_finite_signal_of_the_same_shape_and_keeps_its_input(
    name: str,
) -> None:
    beat = (ecg() + wander(len(ecg())))[1000:1512]
    kept = beat.copy()
    method = fitted(name)
    cleaned = method.denoise(beat, FS)
    assert cleaned.shape == beat.shape
    assert np.isfinite(cleaned).all()
    np.testing.assert_array_equal(beat, kept)
    np.testing.assert_array_equal(method.denoise(beat, FS), cleaned)


@pytest.mark.parametrize(
    "name",
    sorted(
        set(here) & {"fir", "iir", "butterworth-0.5-40", "median", "wavelet", "emd", "kalman"}
        | set(here) & {"neurokit", "neurokit-biosppy"}
    ),
)
def test_what_removes_baseline_takes_wander_off_a_recording_and_leaves_the_ecg(name: str) -> None:
    clean = ecg()
    cleaned = classical.get(name).denoise(clean + wander(len(clean)), FS)
    inner = slice(1000, -1000)
    assert np.corrcoef(cleaned[inner], clean[inner])[0, 1] > 0.8
    before = np.mean(wander(len(clean))[inner] ** 2)
    assert np.mean((cleaned - clean)[inner] ** 2) < 0.15 * before


def test_none_changes_nothing() -> None:
    np.testing.assert_array_equal(classical.get("none").denoise(ecg(), FS), ecg())


@pytest.mark.parametrize("samples", [2000, 7001])
def test_zero_phase_by_fft_is_filtfilt(samples: int) -> None:
    x, taps = RNG.standard_normal(samples).cumsum(), firwin(301, 0.67, pass_zero=False, fs=FS)
    filtered = zero_phase(zero_phase_kernel(taps), x)
    np.testing.assert_allclose(filtered, filtfilt(taps, [1.0], x), atol=1e-9)


def test_fir_stops_below_and_passes_above_its_edge() -> None:
    high_pass, low_pass = _kaiser_kernels(FS)
    assert len(high_pass) == len(low_pass) == 2 * 2009 - 1
    for kernel, frequencies in ((high_pass, (0.3, 5.0)), (low_pass, (170.0, 100.0))):
        _, gain = freqz(kernel, worN=frequencies, fs=FS)
        assert abs(gain[0]) < 0.02
        assert abs(gain[1]) == pytest.approx(1, abs=0.05)


def test_fir_extends_a_beat_as_the_published_script_does() -> None:
    x = ecg()[1000:1512]
    taps = firwin(2009, 0.67, window=("kaiser", 0.0), pass_zero="highpass", fs=FS)
    held = np.concatenate([x[::-1], x, np.full(3 * 2009 - 512, x[-1])])
    high = filtfilt(taps, [1.0], held)[512:1024]
    ours = classical.get("fir").denoise(x, FS)
    np.testing.assert_allclose(ours, high, atol=0.05 * np.ptp(x))


@pytest.mark.parametrize("fs", [250.0, 360.0])
def test_butterworth_bandwidths(fs: float) -> None:
    """A wave passes at the middle and is halved twice over (both ways) at the edges."""
    time = np.arange(round(60 * fs)) / fs
    for name, low, high in (("butterworth-0.05-150", 0.05, 150), ("butterworth-0.5-40", 0.5, 40)):
        method = classical.get(name)
        for frequency, expected in ((low, 0.5), (10.0, 1.0), (high, 0.5)):
            if frequency >= fs / 2:
                continue
            wave = np.sin(2 * np.pi * frequency * time)
            cleaned = method.denoise(wave, fs)[len(time) // 4 : -len(time) // 4]
            assert np.ptp(cleaned) / 2 == pytest.approx(expected, abs=0.1)


def test_median_takes_off_what_changes_slowly_and_keeps_a_narrow_peak() -> None:
    peak = np.zeros(2000)
    peak[1000:1020] = 1
    ramp = np.linspace(0, 3, 2000)
    cleaned = classical.get("median").denoise(peak + ramp, FS)
    np.testing.assert_allclose(cleaned, peak, atol=0.05)


def test_wavelet_does_not_depend_on_where_the_beat_lies() -> None:
    pytest.importorskip("pywt")
    noisy = ecg() + wander(len(ecg())) + 0.05 * RNG.standard_normal(len(ecg()))
    method = classical.get("wavelet")
    moved = method.denoise(noisy[37:], FS)
    np.testing.assert_allclose(method.denoise(noisy, FS)[5037:-5000], moved[5000:-5000], atol=0.05)


@pytest.mark.parametrize("name", sorted(set(here) & {"wavelet", "tv", "emd", "nlm"}))
def test_what_smooths_takes_white_noise_off(name: str) -> None:
    clean = np.sin(2 * np.pi * 5 * np.arange(3600) / FS)
    noisy = clean + 0.2 * RNG.standard_normal(3600)
    error = np.std(classical.get(name).denoise(noisy, FS) - clean)
    assert error < 0.6 * np.std(noisy - clean)


@pytest.mark.parametrize("name", sorted(set(here) & {"tv", "nlm", "emd", "kalman"}))
def test_a_constant_is_kept_or_is_baseline(name: str) -> None:
    cleaned = classical.get(name).denoise(np.ones(600), FS)
    np.testing.assert_allclose(cleaned, 1 if name in {"tv", "nlm"} else 0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(set(here) & {"emd", "kalman", "nlm"})),
    fs=st.floats(60, 4000),
    begin=st.integers(0, 5000),
    length=st.integers(1, 600),
    gain=st.sampled_from([0.0, 1e-3, 1.0, 1e3]),
)
def test_any_length_rate_and_scale_gives_a_finite_signal_of_the_same_shape(
    name: str, fs: float, begin: int, length: int, gain: float
) -> None:
    x = gain * (ecg() + wander(len(ecg())))[begin : begin + length]
    cleaned = classical.get(name).denoise(x, fs)
    assert cleaned.shape == x.shape
    assert np.isfinite(cleaned).all()


@pytest.mark.parametrize("name", sorted(set(here) & {"emd", "kalman", "nlm"}))
@pytest.mark.parametrize("fs", [128, 1000])
def test_other_rates_give_nearly_the_same(name: str, fs: float) -> None:
    noisy = (ecg() + wander(len(ecg())))[:5400]
    there = classical.get(name).denoise(resample(noisy[:, None], FS, fs)[:, 0].astype(float), fs)
    back = resample(there[:, None], fs, FS, len(noisy))[:, 0]
    ours = classical.get(name).denoise(noisy, FS)
    assert np.corrcoef(back, ours)[0, 1] > 0.9


@pytest.mark.parametrize("name", sorted(set(here) & {"emd", "kalman", "nlm"}))
def test_missing_samples_stay_missing_or_are_refused(name: str) -> None:
    x = ecg()[:512].copy()
    x[100:110] = np.nan
    if name == "emd":
        with pytest.raises(ValueError, match="without missing samples"):
            classical.get(name).denoise(x, FS)
    else:
        assert np.isnan(classical.get(name).denoise(x, FS))[100:110].all()


@pytest.mark.parametrize("fs", [60.0, 360.0, 4000.0])
def test_kalman_is_a_butterworth_both_ways_but_at_the_ends(fs: float) -> None:
    pytest.importorskip("statsmodels")
    x = RNG.standard_normal(round(20 * fs)).cumsum() / np.sqrt(fs)
    edge = butter(2, 0.5, "highpass", output="sos", fs=fs)
    inner = slice(round(5 * fs), round(-5 * fs))
    method = classical.get("kalman")
    np.testing.assert_allclose(method.denoise(x, fs)[inner], sosfiltfilt(edge, x)[inner], atol=0.01)
    line = np.linspace(-3, 5, 700)
    np.testing.assert_allclose(method.denoise(line, fs), 0, atol=1e-6)


def test_emd_keeps_what_exceeds_the_threshold_from_zero_to_zero() -> None:
    pytest.importorskip("PyEMD")
    from ipmdae.methods.smoothing import _keeps

    mode = np.array([0.1, 0.2, -1.0, -3.0, -0.5, 0.5, 2.0, 0.1, -0.1])
    kept = _keeps(mode, np.array([2, 5, 8]), 2.0)
    np.testing.assert_array_equal(kept, [0, 0, 1, 1, 1, 0, 0, 0, 0])


def test_nlm_does_what_scikit_image_does_to_an_image_of_one_row() -> None:
    """Theirs weighs a patch by a Gaussian, so that they agree but roughly."""
    restoration = pytest.importorskip("skimage.restoration")
    clean = ecg()[:720]
    noisy = clean + 0.1 * RNG.standard_normal(720)
    ours = classical.get("nlm").denoise(noisy, FS)
    theirs = restoration.denoise_nl_means(
        noisy[np.newaxis], 21, 720, h=np.sqrt(2) * 0.6 * 0.1, fast_mode=False, preserve_range=True
    )
    assert np.std(ours - clean) < 1.1 * np.std(theirs - clean) < 0.8 * np.std(noisy - clean)
    assert np.std(ours - theirs) < 0.4 * np.std(noisy - clean)


def test_deepfade_takes_wander_off_an_upright_lead(qtdb_folder: Path) -> None:
    pytest.importorskip("ecgdatakit")
    recording = formats.read(qtdb_folder / "sel100", annotations=False)
    clean = recording.signal[:2500, 0] - np.median(recording.signal[:2500, 0])
    cleaned = classical.get("deepfade").denoise(clean + wander(2500), recording.fs)
    assert np.corrcoef(cleaned, clean)[0, 1] > 0.8
    short = classical.get("deepfade").denoise(clean[:99], recording.fs)
    assert short.shape == (99,)
    assert np.isfinite(short).all()


def test_lmmse_finds_a_linear_relation_exactly() -> None:
    clean = RNG.standard_normal((500, 8))
    noisy = clean @ RNG.standard_normal((8, 8)) + 3
    method = classical.get("lmmse")
    assert isinstance(method, classical.Learner)
    method.fit(noisy, clean, FS)
    np.testing.assert_allclose(method.denoise(noisy[0], FS), clean[0], atol=1e-4)


def test_wiener_of_white_signal_and_noise_is_a_gain() -> None:
    """With equal powers S / (S + N) is a half at all frequencies."""
    clean = RNG.standard_normal((4000, 32))
    noisy = clean + RNG.standard_normal((4000, 32))
    method = classical.get("wiener")
    assert isinstance(method, classical.Learner)
    method.fit(noisy, clean, FS)
    np.testing.assert_allclose(method.denoise(noisy[0], FS), noisy[0] / 2, atol=0.2)


def test_wiener_beats_no_filter_on_what_it_was_fitted_on() -> None:
    clean = ecg()[:20_480].reshape(-1, 512)
    noisy = clean + wander(clean.size).reshape(clean.shape)
    for name in ("wiener", "lmmse", "lmmse-fresh"):
        cleaned = np.stack([fitted(name).denoise(window, FS) for window in noisy[:4]])
        assert np.mean((cleaned - clean[:4]) ** 2) < 0.3 * np.mean((noisy - clean)[:4] ** 2)


@pytest.mark.parametrize("name", ["wiener", "lmmse"])
def test_learners_say_what_is_wrong(name: str) -> None:
    with pytest.raises(RuntimeError, match="must be fitted"):
        classical.get(name).denoise(ecg()[:512], FS)
    with pytest.raises(ValueError, match=r"fitted .*250 Hz"):
        fitted(name).denoise(ecg()[:512], 250)


def test_lmmse_refuses_another_length() -> None:
    with pytest.raises(ValueError, match="windows of 512 samples"):
        fitted("lmmse").denoise(ecg()[:511], FS)


def test_unknown_method_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"unknown method 'nothing'; there are: none, fir, iir"):
        classical.get("nothing")


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(classical._MODULES, "none", "not_there")
    with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[benchmark\]"):
        classical.get("none")


def test_a_missing_package_concerns_its_own_methods_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pywt", "skimage", "statsmodels", "PyEMD", "neurokit2"):
        monkeypatch.setitem(sys.modules, package, None)
    for name in ("wavelet", "nlm", "tv", "kalman", "emd", "neurokit"):
        assert classical.extra_of(name) == "benchmark"
        with pytest.raises(ModuleNotFoundError, match=rf"{name} needs .*\[benchmark\]"):
            classical.get(name)
    assert np.isfinite(classical.get("median").denoise(ecg()[:720], FS)).all()


def test_a_missing_torch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipmdae.methods.deepfade", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[train\]"):
        classical.get("deepfade")
