"""Protocol tfcdiff: targets, mixtures and counts are those of the published scripts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from excerpts import FULL, NSTDB, QTDB, copy_for_tfcdiff, needs_full

from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.evaluation import metrics
from ipmdae.lab.protocols.deepfilter import Part
from ipmdae.lab.protocols.tfcdiff import METRICS, Mixture, TFCDiff, _level, target_lead


@pytest.fixture(scope="module")
def protocol(tmp_path_factory: pytest.TempPathFactory) -> TFCDiff:
    folder = tmp_path_factory.mktemp("qtdb")
    copy_for_tfcdiff(folder)
    return TFCDiff(qtdb_folder=folder, nstdb_folder=NSTDB)


def test_windows_are_consecutive_then_random_of_each_lead(protocol: TFCDiff) -> None:
    test = protocol.windows("test")
    assert test.clean.shape == test.noisy.shape == (2 * (5 + 90), 3600)
    assert set(test.record) == {"sel123"}
    assert set(protocol.windows("train").record) == {"sele0121"}
    marks = qtdb.read_marks(QTDB, "sel100", "pu1")
    beats = marks.sample[np.array(marks.symbol) == "N"]
    for lead, first in enumerate((0, 95)):
        target = target_lead(qtdb.read(QTDB, "sel100").signal[:, lead], beats)
        assert len(target) == 60 * 360 - 2
        np.testing.assert_array_equal(test.clean[first : first + 5].ravel(), target[:18000])
    stream = np.random.RandomState(1234)
    np.testing.assert_array_equal(
        test.clean[5], np.roll(target_of(0), -stream.randint(0, 17999))[:3600]
    )


def target_of(lead: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    marks = qtdb.read_marks(QTDB, "sel100", "pu1")
    beats = marks.sample[np.array(marks.symbol) == "N"]
    return target_lead(qtdb.read(QTDB, "sel100").signal[:, lead], beats)


def test_noise_is_scaled_by_a_factor_of_the_published_range(protocol: TFCDiff) -> None:
    for part in ("train", "test"):
        side: Part = "train" if part == "train" else "test"
        windows = protocol.windows(side)
        ratio = np.ptp(windows.noisy - windows.clean, axis=1) / np.ptp(windows.clean, axis=1)
        np.testing.assert_allclose(ratio, windows.factor, rtol=1e-9)
        assert 0.2 <= windows.factor.min() < windows.factor.max() < 2
        again = TFCDiff(qtdb_folder=protocol.qtdb_folder, nstdb_folder=NSTDB).windows(side)
        np.testing.assert_array_equal(windows.noisy, again.noisy)


@pytest.mark.parametrize(
    ("version", "channel", "half"), [(1, 1, 1), (2, 0, 1), (3, 0, 0), (4, 1, 0)]
)
def test_versions_take_their_channel_and_half(
    protocol: TFCDiff, version: int, channel: int, half: int
) -> None:
    chosen = TFCDiff(qtdb_folder=protocol.qtdb_folder, nstdb_folder=NSTDB, version=version)
    signals = [nstdb.read(NSTDB, kind).signal[:, channel] for kind in ("bw", "em", "ma")]
    middle = len(signals[0]) // 2
    parts = np.array([s[middle:-1] if half else s[:middle] for s in signals])
    np.testing.assert_array_equal(chosen._noise("test"), parts)


def test_a_mixture_weighs_as_published() -> None:
    kinds = np.arange(3.0)[:, np.newaxis] + np.zeros(4000)
    mixed = Mixture(starts=(0, 10, 400), a1=30, a2=60).of(kinds)
    np.testing.assert_allclose(mixed, (30 * 0 + 70 * (60 * 1 + 40 * 2)) / 100)
    assert mixed.shape == (3600,)


def test_stretches_lose_their_lines_and_meet_without_a_step() -> None:
    time = np.arange(600)
    wave = np.sin(2 * np.pi * time / 50)
    bounds = np.array([200, 400])
    lines = np.concatenate([0.01 * time[:200], 5 - 0.02 * time[200:400], np.full(200, -3.0)])
    level = _level(wave + lines, bounds)
    assert np.abs(np.diff(level)).max() < 2 * np.abs(np.diff(wave)).max()
    assert np.corrcoef(level[20:180], wave[20:180])[0, 1] > 0.98
    assert abs(level.mean()) < 0.1


def test_targets_have_no_power_outside_the_band() -> None:
    power = np.abs(np.fft.rfft(target_of(0))) ** 2
    hertz = np.fft.rfftfreq(len(target_of(0)), 1 / 360)
    assert power[hertz > 50].sum() < 1e-3 * power.sum()


def test_wrong_versions_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="versions 1 to 4, not 5"):
        TFCDiff(qtdb_folder=QTDB, nstdb_folder=NSTDB, version=5)
    with pytest.raises(ValueError, match="no test record"):
        TFCDiff(qtdb_folder=QTDB, nstdb_folder=NSTDB).windows("test")


def test_its_metrics_are_there() -> None:
    assert all(callable(getattr(metrics, name)) for name in METRICS)


@needs_full
def test_full_data_have_twelve_test_records_of_358_windows() -> None:
    assert FULL is not None
    full = TFCDiff(qtdb_folder=FULL / qtdb.FOLDER, nstdb_folder=FULL / nstdb.FOLDER)
    counts = {part: [full._count(n) for n in names] for part, names in full._records.items()}
    assert counts == {"train": [358] * 93, "test": [358] * 12}
