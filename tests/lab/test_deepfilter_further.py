"""Beats of further databases for protocol deepfilter, and pairs that are drawn from them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from excerpts import NSTDB, QTDB
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ipmdae import formats
from ipmdae.lab.data import cinc2017, mitdb, splits
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.protocols import deepfilter_further
from ipmdae.lab.protocols.deepfilter import PADDING, WINDOW, DeepFilter
from ipmdae.lab.protocols.deepfilter_pairs import (
    DeepFilterTraining,
    FreshPairs,
    WidePairs,
    blend,
)
from ipmdae.recording import Annotations, Recording

Array = NDArray[np.float64]
RR = 0.8  # s


@pytest.fixture(scope="module")
def beats() -> Array:
    """Training beats of the QT Database's excerpts, (beats, 512)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # records are missing
        return DeepFilter(qtdb_folder=QTDB, nstdb_folder=NSTDB).beats("train").clean


def waves(seconds: float, fs: float, r_height: float, wander: float = 0.0) -> Array:
    """P, QRS and T as Gaussians at every :data:`RR`, on a ramp of ``wander`` mV/s, (time,)."""
    t = np.arange(round(seconds * fs)) / fs
    phase = t % RR
    sizes = ((0.1, 0.2, 0.02), (r_height, 0.36, 0.012), (0.2, 0.62, 0.04))
    ecg: Array = wander * t
    for height, at, sd in sizes:
        ecg += height * np.exp(-0.5 * ((phase - at) / sd) ** 2)
    return ecg


def write(path: Path, lead: Array, fs: float, leads: int = 1) -> None:
    """A record whose R peaks are annotated."""
    peaks = np.arange(0.36, len(lead) / fs, RR) * fs
    marks = Annotations(sample=peaks.astype(np.int64), symbol=("N",) * len(peaks))
    path.parent.mkdir(parents=True, exist_ok=True)
    names = tuple(f"lead{i}" for i in range(leads))
    signal = np.tile(np.round(lead, 3)[:, np.newaxis], leads)
    annotations = {"atr": marks}
    formats.write(Recording(signal=signal, fs=fs, leads=names, annotations=annotations), path)


@pytest.fixture
def hand_held(tmp_path: Path) -> Path:
    """Two normal recordings, one of them held back, atrial fibrillation, and one with wander."""
    held_back = splits.load("cinc2017", "held_back")[0]
    kinds = {"A00001": "N", held_back: "N", "A00004": "A", "A00005": "O"}
    for name in kinds:
        lead = waves(20, cinc2017.FS, 1.0, wander=0.5 if name == "A00005" else 0.0)
        write(tmp_path / name[:3] / name, lead, cinc2017.FS)
    rows = [f"{name},{kind}\n" for name, kind in kinds.items()]
    (tmp_path / "REFERENCE.csv").write_text("".join(rows))
    return tmp_path


def test_hand_held_beats_are_of_training_recordings_without_wander(hand_held: Path) -> None:
    beats = deepfilter_further.beats(None, hand_held)
    assert beats.shape == (pytest.approx(20 / RR, abs=4), WINDOW)
    assert not beats[:, :PADDING].any()
    lengths = WINDOW - PADDING - np.argmax(beats[:, ::-1] != 0, axis=1)
    np.testing.assert_allclose(lengths, RR * 360, atol=3)
    peaks = (np.argmax(beats, axis=1) - PADDING) / 360
    assert 0.2 <= peaks.min() <= peaks.max() <= 0.33
    assert np.ptp(peaks) < 0.01


def test_long_records_give_a_third_of_the_beats_of_each_lead(tmp_path: Path) -> None:
    write(tmp_path / "100", waves(30, mitdb.FS, -0.8), mitdb.FS, leads=2)
    write(tmp_path / "208", waves(30, mitdb.FS, 0.8), mitdb.FS, leads=2)  # never trained on
    beats = deepfilter_further.beats(tmp_path, None)
    assert len(beats) == pytest.approx(2 * 30 / RR / 3, abs=3)
    np.testing.assert_allclose(beats.min(axis=1), -0.8, atol=0.02)


def test_missing_databases_say_how_to_fetch_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="mitdb"):
        deepfilter_further.beats(tmp_path, None)
    with pytest.raises(DatasetNotFoundError, match="cinc2017"):
        deepfilter_further.beats(None, tmp_path)


@pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")
def test_wide_pairs_are_of_both_databases(hand_held: Path) -> None:
    """Some targets are beats of one database alone; nothing precedes a beat."""
    training = DeepFilterTraining(qtdb_folder=QTDB, nstdb_folder=NSTDB, cinc2017_folder=hand_held)
    pairs = training.training(fresh=True)
    assert isinstance(pairs, WidePairs)
    assert len(pairs) == len(pairs.number)
    drawn = np.array([pairs.draw(3, epoch) for epoch in range(80)])[..., 0]
    np.testing.assert_array_equal(drawn[5], np.array(pairs.draw(3, 5))[..., 0])
    noisy, clean = drawn[:, 0], drawn[:, 1]
    assert np.isfinite(drawn).all()
    assert not clean[:, :PADDING].any()
    factor = np.ptp(noisy - clean, axis=1) / np.ptp(clean, axis=1)
    assert 0.19 < factor.min() < factor.max() < 2
    own = np.stack([leads[pairs.number[3]] for leads in (pairs.clean, pairs.other_lead)])
    of_one = {"own": own, "further": pairs.further}
    found = {name: sum(spanned(beat, beats) for beat in clean) for name, beats in of_one.items()}
    assert min(found.values()) > 3
    assert sum(found.values()) < len(clean) - 10  # the rest are mixtures, or stretched


def spanned(beat: Array, beats: Array) -> bool:
    """True if a beat is a multiple of one of ``beats``, or a projection of two leads."""
    if len(beats) == 2:
        return bool(np.linalg.lstsq(beats.T, beat, rcond=None)[1] < 1e-6)
    sizes = beats @ beat / np.einsum("ij,ij->i", beats, beats)
    return bool((np.abs(beat - sizes[:, np.newaxis] * beats).max(axis=1) < 1e-4).any())


@pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")
def test_pairs_without_further_databases_are_of_the_qt_database() -> None:
    pairs = DeepFilterTraining(qtdb_folder=QTDB, nstdb_folder=NSTDB).training(fresh=True)
    assert type(pairs) is FreshPairs


@given(which=st.tuples(st.integers(0, 99), st.integers(0, 99)), share=st.floats(0, 0.5))
def test_a_blend_lies_between_two_beats(beats: Array, which: tuple[int, int], share: float) -> None:
    """It has the extent of the first; with itself, a beat stays as it is."""
    beat, other = (beats[i] for i in which)
    mixed = blend(beat, other, share)
    outside = beat == 0
    np.testing.assert_allclose(mixed[:PADDING], 0)
    np.testing.assert_allclose(mixed[outside], 0, atol=share * np.ptp(beat))
    assert np.ptp(mixed) <= np.ptp(beat) * (1 + 1e-9)
    np.testing.assert_allclose(blend(beat, beat, share), beat, atol=1e-9)
    np.testing.assert_array_equal(blend(beat, other, 0.0), beat)


def test_a_flat_beat_is_not_mixed(beats: Array) -> None:
    flat = np.zeros(WINDOW)
    flat[PADDING:300] = 1e-3 * np.sin(np.arange(300 - PADDING))
    np.testing.assert_array_equal(blend(beats[0], flat, 0.5), beats[0])
    np.testing.assert_array_equal(blend(flat, beats[0], 0.5), flat)
