"""Stand-ins: what the others' users hold goes in and comes out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mne
import neurokit2
import numpy as np
import pandas as pd
import pytest
import wfdb  # type: ignore[import-untyped]
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

import ipmdae
from ipmdae import adapters, examples
from ipmdae.adapters import ECGDenoiser, ecg_clean, mne_raw, wfdb_record

FS = 360.0
RECORD = str(examples.path("118e06_excerpt"))


def ecg(samples: int = 3600) -> np.ndarray:
    return np.asarray(ipmdae.read(RECORD, annotations=False).signal[:samples])


def test_stand_ins_are_listed_and_imported_when_used() -> None:
    for name in adapters.__all__:
        assert getattr(adapters, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = adapters.nonsense


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "ipmdae.adapters.sklearn")
    with pytest.raises(ModuleNotFoundError, match=r"ECGDenoiser needs .*: pip install"):
        _ = adapters.ECGDenoiser


# scikit-learn


def checks() -> list[Any]:
    """All checks of scikit-learn but that of the array API, which is an option of SciPy."""
    found = []
    chosen: list[dict[str, Any]] = [{}, {"method": "iir", "strength": 0.5}]
    for settings in chosen:
        for estimator, check in estimator_checks_generator(ECGDenoiser(**settings)):
            if check.func.__name__ != "check_array_api_input":
                found.append(pytest.param(estimator, check, id=check.func.__name__))
    return found


@pytest.mark.parametrize(("estimator", "check"), checks())
def test_scikit_learn_accepts_the_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_strips_are_cleaned_each_by_itself() -> None:
    strips = ecg(7200)[:, 0].reshape(8, 900).astype(np.float32)
    strips[2] = 1.5
    strips[3, 100:150] = np.nan
    transformer = ECGDenoiser(fs=FS, strength=0.7, mains=60)
    cleaned = transformer.fit_transform(strips)
    assert cleaned.dtype == np.float32
    for strip, expected in zip(strips, cleaned, strict=True):
        if np.ptp(strip) > 0:
            alone = ipmdae.denoise(strip, FS, strength=0.7, mains=60)
            assert_allclose(expected, alone, atol=1e-5)
    assert_array_equal(cleaned[2], strips[2])
    with pytest.raises(ValueError, match="900 features"):
        transformer.transform(strips[:, :800])
    with pytest.raises(ValueError, match="unknown method"):
        ECGDenoiser(method="abacus").fit(strips)


def test_it_stands_in_a_pipeline() -> None:
    strips = ecg(7200)[:, 0].reshape(8, 900)
    labels = np.arange(8) % 2
    pipeline = make_pipeline(ECGDenoiser(fs=FS), LogisticRegression(max_iter=10_000))
    assert pipeline.fit(strips, labels).predict(strips).shape == (8,)
    changed = clone(pipeline).set_params(ecgdenoiser__method="iir")
    assert changed.get_params()["ecgdenoiser__method"] == "iir"


# NeuroKit2


@pytest.mark.parametrize("kind", [list, np.asarray, pd.Series])
def test_ecg_clean_takes_and_gives_what_neurokit_does(kind: Any) -> None:
    x = ecg()[:, 0]
    cleaned = ecg_clean(kind(x), sampling_rate=360)
    assert type(cleaned) is type(neurokit2.ecg_clean(kind(x), sampling_rate=360))
    assert_array_equal(cleaned, ipmdae.denoise(x, 360))


def test_masked_samples_are_missing_to_ecg_clean() -> None:
    x = ecg()[:, 0].copy()
    x[1000:1200] = 50
    cleaned = ecg_clean(np.ma.masked_equal(x, 50), sampling_rate=360)
    assert np.flatnonzero(np.isnan(cleaned)).tolist() == list(range(1000, 1200))
    assert np.nanmax(np.abs(cleaned)) < 10


def test_ecg_clean_passes_options_and_other_methods_on() -> None:
    x = ecg()[:, 0]
    assert_array_equal(
        ecg_clean(x, 360, strength=0.5, mains=60), ipmdae.denoise(x, 360, strength=0.5, mains=60)
    )
    assert_array_equal(ecg_clean(x, 360, powerline=60), ecg_clean(x, 360, mains=60))
    for method in ("neurokit", "biosppy"):
        expected = neurokit2.ecg_clean(x, sampling_rate=360, method=method)
        assert_array_equal(ecg_clean(x, sampling_rate=360, method=method), expected)
    with pytest.raises(ValueError, match=r"one lead \(time,\), got shape \(3600, 2\)"):
        ecg_clean(ecg(), 360)


def test_what_neurokit_finds_in_the_cleaned_lead() -> None:
    x = ecg()[:, 0]
    _, found = neurokit2.ecg_peaks(ecg_clean(x, sampling_rate=360), sampling_rate=360)
    assert 8 <= len(found["ECG_R_Peaks"]) <= 20


def test_ecg_clean_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neurokit2", None)
    with pytest.raises(ModuleNotFoundError, match=r"ultralight-ipm-dae\[benchmark\]"):
        ecg_clean(ecg()[:, 0], 360, method="biosppy")
    assert len(ecg_clean(ecg()[:, 0], 360)) == 3600


# WFDB


@pytest.mark.parametrize("physical", [True, False])
def test_a_record_keeps_all_but_its_samples(physical: bool) -> None:
    record = wfdb.rdrecord(RECORD, physical=physical)
    cleaned = wfdb_record(record)
    assert isinstance(cleaned, wfdb.Record)
    expected = ipmdae.denoise(ipmdae.read(RECORD).signal, FS)
    kept = {"p_signal", "d_signal", "comments", "checksum", "init_value"}
    for name, value in vars(record).items():
        if name not in kept:
            assert getattr(cleaned, name) == value
    assert cleaned.comments[-1] == "Cleaned by ipmdae-base: MLII, V1"
    if physical:
        assert cleaned.d_signal is None
        assert_allclose(cleaned.p_signal, expected, atol=1e-9)
    else:
        assert cleaned.p_signal is None
        assert cleaned.d_signal.dtype == record.d_signal.dtype
        assert_allclose(cleaned.dac(), expected, atol=0.5 / 200 + 1e-9)
        assert cleaned.checksum == cleaned.calc_checksum()
        assert cleaned.init_value == cleaned.d_signal[0].tolist()


def test_a_record_in_other_units_keeps_them() -> None:
    record = wfdb.rdrecord(RECORD)
    record.p_signal[:, 0] *= 1000
    record.units = ["uV", "mmHg"]
    pressure = record.p_signal[:, 1].copy()
    cleaned = wfdb_record(record, method="iir", strength=0.5)
    expected = ipmdae.denoise(ecg(21_600)[:, :1], FS, method="iir", strength=0.5)
    assert_allclose(cleaned.p_signal[:, :1], 1000 * expected, atol=1e-6)
    assert_array_equal(cleaned.p_signal[:, 1], pressure)


def test_a_cleaned_record_can_be_written_and_read(tmp_path: Path) -> None:
    cleaned = wfdb_record(wfdb.rdrecord(RECORD, physical=False))
    cleaned.wrsamp(write_dir=str(tmp_path))
    read = wfdb.rdrecord(str(tmp_path / cleaned.record_name), physical=False)
    assert_array_equal(read.d_signal, cleaned.d_signal)


def test_records_that_cannot_be_cleaned_are_refused() -> None:
    record = wfdb.rdrecord(RECORD)
    record.p_signal = None
    with pytest.raises(ValueError, match="no samples"):
        wfdb_record(record)
    with pytest.raises(ValueError, match="has segments"):
        wfdb_record(wfdb.MultiRecord())


def test_digital_samples_that_would_not_fit_are_clipped_with_a_warning() -> None:
    record = wfdb.rdrecord(RECORD, physical=False)
    record.fmt = ["80", "80"]
    with pytest.warns(UserWarning, match="do not fit their format"):
        cleaned = wfdb_record(record)
    assert cleaned.d_signal.max() == 127


# MNE


def raw(*kinds: str) -> Any:
    data = np.stack([ecg()[:, i % 2] * 1e-3 for i in range(len(kinds))])
    info = mne.create_info([f"channel {i}" for i in range(len(kinds))], FS, list(kinds))
    made = mne.io.RawArray(data, info, first_samp=720, verbose=False)
    made.set_annotations(mne.Annotations([1.0], [0.5], ["mark"]))
    return made


def test_ecg_channels_are_cleaned_and_nothing_else_changes() -> None:
    before = raw("eeg", "ecg", "ecg")
    kept = before.copy()
    cleaned = mne_raw(before, strength=0.5)
    assert type(cleaned) is type(before)
    assert_array_equal(before.get_data(), kept.get_data())
    assert_array_equal(cleaned.get_data()[0], before.get_data()[0])
    expected = ipmdae.denoise(before.get_data()[1:].T * 1e3, FS, strength=0.5).T * 1e-3
    assert_allclose(cleaned.get_data()[1:], expected, atol=1e-12)
    assert cleaned.annotations == before.annotations
    assert cleaned.info["sfreq"] == FS


def test_channels_can_be_picked_by_name() -> None:
    before = raw("eeg", "misc")
    cleaned = mne_raw(before, picks=["channel 1"])
    assert_array_equal(cleaned.get_data()[0], before.get_data()[0])
    assert np.abs(cleaned.get_data()[1] - before.get_data()[1]).max() > 1e-4
    with pytest.raises(ValueError, match=r"no ECG channel to clean .*picks="):
        mne_raw(before)


@pytest.mark.parametrize("picks", [["channel 1", "channel 0"], [1, 0]])
def test_channels_may_be_picked_in_any_order(picks: list[Any]) -> None:
    before = raw("ecg", "ecg")
    expected = mne_raw(before).get_data()
    assert_allclose(mne_raw(before, picks=picks).get_data(), expected, atol=1e-15)


def test_stretches_that_were_not_recorded_stay_as_they_are() -> None:
    before = raw("ecg")
    zeros = slice(1800, 2160)
    before._data[0, zeros] = 0
    before.annotations.append(before.first_time + 5.0, 1.0, "BAD_ACQ_SKIP")
    cleaned = mne_raw(before)
    assert_array_equal(cleaned.get_data()[0, zeros], 0)
    gappy = before.get_data()[0] * 1e3
    gappy[zeros] = np.nan
    expected = ipmdae.denoise(gappy, FS)
    known = ~np.isnan(gappy)
    assert_allclose(cleaned.get_data()[0, known], expected[known] * 1e-3, atol=1e-12)
