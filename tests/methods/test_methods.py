"""Methods by name: classical ones give the guarantees that a network gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ipmdae import examples, formats
from ipmdae.cleaning import denoise_file
from ipmdae.engine import ModelFile, write_model
from ipmdae.methods import (
    BlockMethod,
    Classical,
    Method,
    by_blocks,
    classical,
    lead_by_lead,
    method_names,
    open_method,
)
from ipmdae.methods.network import Network
from ipmdae.pipeline.resample import resample
from ipmdae.pipeline.survey import Leads
from ipmdae.recording import Recording

FS = 360.0
QUICK = [name for name in classical.quick() if name not in classical.LEARNERS]  # slow


def noisy(seconds: float = 10) -> Recording:
    return formats.read(examples.path("118e06_excerpt"), annotations=False).excerpt(0, seconds)


class Fake:
    """A rival that notes what it is given and does what it is told."""

    def __init__(self, result: float = 0.0) -> None:
        self.given: list[np.ndarray] = []
        self._result = result

    def denoise(self, x: np.ndarray, fs: float) -> np.ndarray:
        assert np.isfinite(x).all()
        self.given.append(x)
        return np.full(len(x), self._result)


def test_names_are_networks_and_classical_methods_that_need_no_fitting() -> None:
    assert method_names()[0] == "ipmdae-base"
    assert {"none", "iir", "wavelet", "neurokit"} <= set(method_names())
    assert not set(classical.LEARNERS) & set(method_names())
    assert set(classical.LEARNERS) == {
        name for name in classical.names() if isinstance(classical.get(name), classical.Learner)
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("fs", [128, 250, 360, 1000])
def test_every_classical_method_gives_the_guarantees(name: str, fs: float) -> None:
    x = resample(noisy().signal, FS, fs) + np.array([0, 700])
    signal = np.column_stack([x, np.full(len(x), 2.0), np.full(len(x), np.nan), x[:, 0]])
    signal[200:220, 0] = signal[300 : 300 + round(2 * fs), 1] = np.nan
    r = Recording(
        signal=signal,
        fs=fs,
        leads=("I", "II", "V1", "V2", "Resp"),
        units=("mV", "mV", "mV", "mV", "l/s"),
        comments=("A",),
    )
    with pytest.warns(UserWarning, match="left unchanged") as caught:
        cleaned = open_method(name).clean(r)
    assert len(caught) == 2
    result = cleaned.recording
    assert_array_equal(np.isnan(result.signal), np.isnan(signal))
    assert_array_equal(result.signal[:, 2:], signal[:, 2:])
    assert_array_equal(cleaned.noise, signal - result.signal)
    assert cleaned.sd is None
    if name != "neurokit-templateconvolution":  # a detector's filter, which keeps no scale
        offset = np.nanmedian((result.signal - signal)[:, :2], axis=0)
        assert np.abs(offset).max() < 1.5
    assert result.comments[:2] == ("A", f"Cleaned by {name}: I, II")
    assert result.comments[2:] == (
        "Unchanged, flat: V1",
        "Unchanged, without samples: V2",
        "Unchanged, in l/s: Resp",
    )
    kept = dataclasses.replace(result, signal=r.signal, comments=r.comments)
    assert (kept.leads, kept.units, kept.fs) == (r.leads, r.units, r.fs)


def test_short_gaps_are_bridged_and_long_ones_separate() -> None:
    signal = noisy().signal[:, :1].copy()
    signal[500 : 500 + 360] = signal[2000 : 2000 + 361] = np.nan
    fake = Fake()
    Classical("fake", fake).clean(Recording.from_array(signal, FS))
    assert [len(x) for x in fake.given] == [2000, 3600 - 2361]
    bridge = np.linspace(fake.given[0][499], fake.given[0][860], 362)
    assert_allclose(fake.given[0][499:861], bridge)


def test_short_stretches_are_extended() -> None:
    fake = Fake()
    Classical("fake", fake).clean(Recording.from_array([0.0, 1.0, 0.5], FS))
    assert [len(x) for x in fake.given] == [3 + 2 * (720 - 3)]


def test_long_leads_go_through_windows_that_leave_no_seam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    r = noisy(60)
    method = open_method("butterworth-0.5-40")
    whole = method.clean(r).recording.signal
    monkeypatch.setattr(lead_by_lead, "_WINDOW", 20.0)
    monkeypatch.setattr(lead_by_lead, "_OVERLAP", 10.0)
    assert_allclose(method.clean(r).recording.signal, whole, atol=0.01)


@pytest.mark.filterwarnings("ignore:The sampling rate is too low")
def test_rates_that_a_method_cannot_take_are_told() -> None:
    x = noisy().signal[:, 0]
    with pytest.raises(ValueError, match="neurokit-engzeemod2012 does not work at 90 Hz: "):
        open_method("neurokit-engzeemod2012").clean(Recording.from_array(x, 90))
    with pytest.raises(ValueError, match="method wild is unstable at 360 Hz"):
        Classical("wild", Fake(np.inf)).clean(Recording.from_array(x, FS))
    with pytest.raises(ValueError, match="too high for an ECG"):
        open_method("none").clean(Recording.from_array(x, 5000))


class Shortened(Fake):
    """A method that returns a sample too few."""

    def denoise(self, x: np.ndarray, fs: float) -> np.ndarray:
        return x[:-1]


def test_a_method_that_returns_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"method short returned an array of shape \(\d+,\) for"):
        Classical("short", Shortened()).clean(noisy())


def test_a_fitted_learner_can_be_wrapped() -> None:
    r = noisy(30)
    windows = r.signal[:10_240, 0].reshape(-1, 512)
    with pytest.raises(ValueError, match=r"must be fitted .*classical\.get\('wiener'\)"):
        open_method("wiener")
    rival = classical.get("wiener")
    assert isinstance(rival, classical.Learner)
    rival.fit(windows, 0.5 * windows, FS)
    cleaned = Classical("wiener", rival).clean(r.excerpt(5, 10)).recording
    assert np.isfinite(cleaned.signal).all()


def test_hum_is_removed_before_the_method_and_counts_as_removed() -> None:
    r = noisy()
    hum = 0.3 * np.sin(2 * np.pi * 60 * np.arange(r.samples) / FS)[:, None]
    signal = np.column_stack([r.signal + hum, np.full(r.samples, 2.0)])
    humming = Recording.from_array(signal, FS)
    method = open_method("none", mains=60)
    with pytest.warns(UserWarning, match="lead 3 is flat"):
        cleaned = method.clean(humming)
    assert np.mean((cleaned.noise[:, :2] - hum) ** 2) < 1e-3 * np.mean(hum**2)
    assert_array_equal(cleaned.recording.signal[:, 2], 2)
    assert method.name == "none after removal of 60 Hz interference"
    assert cleaned.recording.comments == (
        f"Cleaned by {method.name}: lead 1, lead 2",
        "Unchanged, flat: lead 3",
    )
    with pytest.warns(UserWarning, match="is flat"):
        half = method.clean(humming, strength=0.5)
    assert_allclose(half.noise, cleaned.noise / 2, atol=1e-12)
    with pytest.raises(ValueError, match="50 or 60"):
        open_method("none", mains=16.7)


@pytest.mark.parametrize("strength", [0.6, 1.0])
def test_hum_is_removed_from_a_signal_in_pieces_as_from_a_whole(strength: float) -> None:
    r = noisy(30)
    hum = 0.3 * np.sin(2 * np.pi * 50.2 * np.arange(r.samples) / FS)
    signal = np.column_stack([r.signal[:, 0] + hum, hum, r.signal[:, 1] + hum])
    signal[4000:4500, 2] = np.nan
    mixed = Recording(signal=signal, fs=FS, leads=("I", "Resp", "II"), units=("mV", "l/s", "mV"))
    method = open_method("ipmdae-base", mains=50)
    whole = method.clean(mixed, strength=strength)
    leads = Leads(
        names=mixed.leads,
        units=mixed.units,
        why=("", "in l/s", ""),
        offset=np.nanmedian(signal, axis=0),
    )
    pieces = np.split(signal, [1, 700, 701, 5000])
    assert isinstance(method, BlockMethod)
    begun = method.begin(FS, leads, strength=strength)
    blocks = list(begun.run(pieces))
    assert_array_equal(np.concatenate([block.noisy for block in blocks]), signal)
    cleaned = np.concatenate([block.cleaned for block in blocks])
    difference = cleaned - whole.recording.signal
    difference -= np.nanmedian(difference, axis=0)  # the offset is told in another way
    assert_allclose(difference[~np.isnan(signal)], 0, atol=1e-4)
    assert_array_equal(cleaned[:, 1], hum)


def test_a_file_is_freed_of_hum_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    r = noisy(30)
    hum = 0.3 * np.sin(2 * np.pi * 50.2 * np.arange(r.samples) / FS)[:, None]
    formats.write(r.with_signal(r.signal + hum), tmp_path / "humming")
    monkeypatch.setattr(by_blocks, "_VALUES_AT_ONCE", 1000)
    method = open_method("ipmdae-base", mains=50)

    def whole(*_: object, **__: object) -> None:
        pytest.fail("it was read whole")

    monkeypatch.setattr(type(method), "clean", whole)
    summary = denoise_file(tmp_path / "humming", tmp_path / "cleaned", method)
    assert summary.method == "ipmdae-base after removal of 50 Hz interference"
    cleaned = formats.read(tmp_path / "cleaned").signal
    monkeypatch.undo()
    direct = Network().clean(r).recording.signal
    assert np.sqrt(np.mean((cleaned - direct) ** 2)) < 0.05


def test_methods_are_given_by_name_path_model_or_open(
    tiny_model: ModelFile, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.safetensors"
    write_model(path, tiny_model)
    for method in (path, str(path), tiny_model, Network(tiny_model)):
        opened = open_method(method)
        assert isinstance(opened, Method)
        assert opened.name == "tiny"
    with pytest.raises(ValueError, match="unknown method 'abacus'; there are: ipmdae-base"):
        open_method("abacus")
    with pytest.raises(FileNotFoundError, match=r"abacus\.safetensors"):
        open_method("abacus.safetensors")


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(classical._MODULES, "iir", "not_there")
    with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[benchmark\]"):
        open_method("iir")
