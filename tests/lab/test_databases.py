"""The database readers, on excerpts and, where they are found, on the full databases."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from excerpts import FULL, NSTDB, QTDB, needs_full
from hypothesis import given
from hypothesis import strategies as st

from ipmdae import formats
from ipmdae.lab.data import nstdb, qtdb
from ipmdae.lab.data.download import DatasetNotFoundError


def test_records_are_sorted() -> None:
    assert qtdb.record_names(QTDB) == ["sel100", "sel36", "sel52", "sele0121", "sele0122"]


def test_missing_databases_say_how_to_fetch_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="ipmdae download qtdb nstdb"):
        qtdb.record_names(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="ipmdae download qtdb nstdb"):
        nstdb.load(tmp_path)


def test_offset_of_sel100_is_read_as_it_is_and_taken_off_when_centred() -> None:
    raw = qtdb.read(QTDB, "sel100").signal
    assert np.all(np.median(raw, axis=0) > 4)
    centred = qtdb.read_centred(QTDB, "sel100")
    assert centred.dtype == np.float32
    np.testing.assert_allclose(np.median(centred, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.ptp(centred, axis=0), np.ptp(raw, axis=0), rtol=1e-5)


def test_noise_is_scored_per_channel_and_keeps_its_parts_apart() -> None:
    noise = nstdb.load(NSTDB, 250)
    for signal in noise.signals.values():
        np.testing.assert_allclose(signal.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(signal.std(axis=0), 1, atol=1e-4)
    train, test = noise.part("train"), noise.part("test")
    assert train.shape == test.shape == (3, 15_000, 2)
    bw = noise.signals["bw"]
    np.testing.assert_array_equal(train[0], bw[:15_000])
    np.testing.assert_array_equal(test[0], bw[-15_000:])


def half_hour(fs: float = 10.0) -> nstdb.Noise:
    """Records in which each sample is its own number."""
    samples = np.arange(round(1805.5 * fs), dtype=np.float32)
    return nstdb.Noise({kind: np.stack([samples] * 2, axis=1) for kind in nstdb.KINDS}, fs)


#: Where each record repeats what it had before, in s.
REPETITIONS = {"bw": ((627.4, 1806),), "em": ((289, 326), (590, 1806)), "ma": ()}


@pytest.mark.parametrize("kind", nstdb.KINDS)
def test_segments_share_no_noise_and_lie_seconds_apart(kind: str) -> None:
    noise = half_hour()
    intervals = []
    for part in ("train", "validation", "test"):
        for segment in noise.segments(part)[kind]:
            assert segment.shape[1] == 2
            intervals.append((segment[0, 0] / noise.fs, (segment[-1, 0] + 1) / noise.fs))
    intervals.sort()
    gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(intervals)]
    assert min(gaps) >= 5
    for first, last in REPETITIONS[kind]:
        assert all(end <= first or start >= last for start, end in intervals)
    assert sum(end - start for start, end in intervals) > 500


@pytest.mark.slow
@given(fs=st.sampled_from((10.0, 12.5)), seconds=st.floats(20, 1700))
def test_segments_of_an_excerpt_keep_apart(fs: float, seconds: float) -> None:
    samples = np.arange(round(seconds * fs), dtype=np.float32)
    noise = nstdb.Noise({kind: np.stack([samples] * 2, axis=1) for kind in nstdb.KINDS}, fs)
    for kind in nstdb.KINDS:
        seen = [
            set(np.concatenate(noise.segments(part)[kind])[:, 0])
            for part in ("train", "validation", "test")
        ]
        assert all(seen)
        assert sum(map(len, seen)) == len(set.union(*seen))


def test_gaps_in_a_training_record_are_refused(tmp_path: Path) -> None:
    recording = qtdb.read(QTDB, "sel36")
    signal = recording.signal.copy()
    signal[100:103, 1] = np.nan
    formats.write(recording.with_signal(signal), tmp_path / "sel36")
    with pytest.raises(ValueError, match=r"record sel36 .* 3 samples are missing"):
        qtdb.read_centred(tmp_path, "sel36")


def test_flat_noise_is_refused(tmp_path: Path) -> None:
    for kind in nstdb.KINDS:
        recording = nstdb.read(NSTDB, kind)
        formats.write(recording.with_signal(0 * recording.signal), tmp_path / kind)
    with pytest.raises(ValueError, match=r"noise bw .* flat"):
        nstdb.load(tmp_path)


@pytest.mark.slow
@needs_full
def test_full_qtdb_has_its_records_and_its_traps() -> None:
    assert FULL is not None
    folder = FULL / qtdb.FOLDER
    names = qtdb.record_names(folder)
    recordings = {name: qtdb.read(folder, name) for name in names}
    assert len(names) == 105
    assert {r.fs for r in recordings.values()} == {250.0}
    assert {len(r.leads) for r in recordings.values()} == {2}
    assert {len(r.signal) for r in recordings.values()} == {225_000, 224_999, 224_993}
    gains = [{x.gain for x in r.resolution if x} for r in recordings.values()]
    other_gain = [gain for gain in gains if gain != {200}]
    assert len(other_gain) == 5


@needs_full
def test_full_noise_leaves_a_gap_between_training_and_test() -> None:
    assert FULL is not None
    noise = nstdb.load(FULL / nstdb.FOLDER, 250)
    parts = noise.part("train").shape[1] + noise.part("test").shape[1]
    assert parts == 2 * 15 * 60 * 250
    assert 5 <= (len(noise.signals["bw"]) - parts) / 250 < 6
