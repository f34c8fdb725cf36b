"""Protocol P2: its beats and noise as specified, and the published numbers on the full data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from excerpts import FULL, NSTDB, QTDB, needs_full
from scipy.signal import resample_poly

from ipmdae.lab.data import nstdb, qtdb, splits
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.evaluation import candidates, metrics
from ipmdae.lab.protocols import deepfilter
from ipmdae.lab.protocols.deepfilter import DeepFilter

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")
RNG = np.random.default_rng(0)


@cache
def protocol() -> DeepFilter:
    return DeepFilter(qtdb_folder=QTDB, nstdb_folder=NSTDB)


@cache
def full() -> DeepFilter:
    assert FULL is not None
    return DeepFilter(qtdb_folder=FULL / qtdb.FOLDER, nstdb_folder=FULL / nstdb.FOLDER)


def bounds(marks: dict[int, str]) -> list[list[int]]:
    samples = np.array(sorted(marks))
    symbols = np.array([marks[sample] for sample in sorted(marks)])
    found: list[list[int]] = deepfilter.beat_bounds(samples, symbols).tolist()
    return found


def test_beats_go_from_10_samples_before_a_p_onset_to_the_next() -> None:
    marks = {100: "(", 110: "p", 120: ")", 130: "(", 140: "N", 300: "(", 310: "p", 340: "N"}
    assert bounds(marks) == [[90, 290]]
    assert bounds(marks | {500: "(", 510: "p"}) == [[90, 290], [290, 490]]


def test_a_beat_with_two_n_marks_is_left_out() -> None:
    marks = {100: "(", 110: "p", 140: "N", 300: "(", 310: "p", 500: "(", 510: "p"}
    assert bounds(marks | {200: "N"}) == [[290, 490]]
    assert bounds(marks | {290: "N"}) == [[90, 290], [290, 490]]


def test_beats_that_are_too_long_or_begin_too_early_are_left_out() -> None:
    assert bounds({20: "(", 30: "p", 364: "(", 370: "p"}) == [[10, 354]]
    assert bounds({20: "(", 30: "p", 365: "(", 370: "p"}) == []
    assert bounds({5: "(", 30: "p", 200: "(", 210: "p"}) == []


def test_a_p_wave_without_an_onset_is_ignored() -> None:
    assert bounds({50: "p", 100: "(", 110: "p", 300: "(", 310: "p"}) == [[90, 290]]


@pytest.mark.parametrize("length", [100, 101, 249, 344])
def test_resampling_is_that_of_the_mirrored_beat(length: int) -> None:
    beat = RNG.standard_normal(length).cumsum()
    resampled = deepfilter.resample_beat(beat)
    count = -(-length * 36 // 25)
    mirrored = np.concatenate([beat[::-1], beat, beat[::-1]])
    expected = resample_poly(mirrored, 360, 250)[count - 1 : 2 * count - 1]
    np.testing.assert_array_equal(resampled, expected)
    assert len(resampled) == count


def test_a_beat_lies_at_index_16_with_the_mean_of_its_ends_at_zero() -> None:
    beat = RNG.standard_normal(300) + 5
    window = deepfilter.frame(beat)
    assert window.shape == (512,)
    assert not window[:16].any()
    assert not window[316:].any()
    np.testing.assert_allclose(window[16:316], beat - (beat[0] + beat[-1]) / 2)
    assert window[16] == pytest.approx(-window[315])


def test_excerpts_give_beats_of_their_records_in_alphabetical_order() -> None:
    train, test = protocol().beats("train"), protocol().beats("test")
    assert list(dict.fromkeys(train.record.tolist())) == ["sel100", "sel36", "sel52", "sele0122"]
    assert set(test.record.tolist()) == {"sele0121"}
    for beats in (train, test):
        assert beats.clean.shape == (len(beats.record), 512)
        assert not beats.clean[:, :16].any()
        assert np.all(np.abs(beats.clean).max(axis=1) > 0.1)


def test_noise_factors_are_one_draw_with_the_training_first() -> None:
    factors = protocol().factors
    train, test = len(protocol().beats("train")), len(protocol().beats("test"))
    drawn = np.random.RandomState(1234)
    np.testing.assert_array_equal(factors["train"], drawn.randint(20, 200, train) / 100)
    np.testing.assert_array_equal(factors["test"], drawn.randint(20, 200, test) / 100)


@pytest.mark.parametrize("version", deepfilter.VERSIONS)
def test_noise_has_exactly_the_wanted_peak_to_peak_value(version: deepfilter.Version) -> None:
    beats = protocol().noisy_beats("test", version)
    ratio = np.ptp(beats.noisy - beats.clean, axis=1) / np.ptp(beats.clean, axis=1)
    np.testing.assert_allclose(ratio, beats.factor, rtol=1e-9)
    assert beats.factor.min() >= 0.2
    assert beats.factor.max() < 2


@pytest.mark.parametrize(
    ("part", "version", "channel", "half"),
    [("train", 1, 0, 0), ("test", 1, 1, 1), ("train", 2, 1, 0), ("test", 2, 0, 1)],
)
def test_versions_take_their_channel_and_half_of_the_raw_noise(
    part: deepfilter.Part, version: deepfilter.Version, channel: int, half: int
) -> None:
    beats = protocol().noisy_beats(part, version)
    noise = nstdb.read(NSTDB, "bw").signal[:, channel]
    piece = noise[half * len(noise) // 2 :][512:1024]
    added = beats.noisy[1] - beats.clean[1]
    np.testing.assert_allclose(added / np.ptp(added), piece / np.ptp(piece), atol=1e-9)


def test_noise_starts_over_when_less_than_a_window_remains() -> None:
    noise = np.arange(3 * 512 + 511.0)
    pieces = deepfilter.pieces(noise, 5)
    np.testing.assert_array_equal(pieces[:, 0], [0, 512, 1024, 0, 512])
    with pytest.raises(ValueError, match="shorter than one window"):
        deepfilter.pieces(noise[:511], 1)


def test_fresh_noise_is_of_the_same_part_but_from_random_places() -> None:
    beats, fresh = (protocol().noisy_beats("train", 1, fresh=fresh) for fresh in (False, True))
    np.testing.assert_array_equal(beats.clean, fresh.clean)
    np.testing.assert_array_equal(beats.factor, fresh.factor)
    added = fresh.noisy - fresh.clean
    np.testing.assert_allclose(np.ptp(added, axis=1), np.ptp(beats.noisy - beats.clean, axis=1))
    ramp = deepfilter.random_pieces(np.arange(600.0), 50)
    np.testing.assert_array_equal(np.diff(ramp, axis=1), 1)
    assert len(np.unique(ramp[:, 0])) > 25
    assert ramp.max() <= 599


def test_missing_records_are_told_of_and_a_side_without_any_is_refused(tmp_path: Path) -> None:
    for file in QTDB.glob("sel100.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    source = DeepFilter(qtdb_folder=tmp_path, nstdb_folder=NSTDB)
    with pytest.warns(UserWarning, match="104 of the 105 records"):
        assert source.records == {"train": ["sel100"], "test": []}
    with pytest.raises(ValueError, match="no test record"):
        source.beats("test")


def test_missing_databases_say_how_to_fetch_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        DeepFilter(qtdb_folder=tmp_path, nstdb_folder=NSTDB).beats("test")
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        DeepFilter(qtdb_folder=QTDB, nstdb_folder=tmp_path).noisy_beats("test", 1)
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        qtdb.read_marks(QTDB, "sel100", "nobody")


def test_lists_divide_all_records() -> None:
    train, test = splits.load("deepfilter", "train"), splits.load("deepfilter", "test")
    assert (len(train), len(test)) == (91, 14)
    assert sorted(train + test) == splits.load("reference", "sorted")


@pytest.mark.slow
@needs_full
def test_full_data_give_the_published_number_of_beats() -> None:
    assert {part: len(factors) for part, factors in full().factors.items()} == {
        "train": 72_002,
        "test": 13_316,
    }
    assert len(full().noisy_beats("test", 1)) == 13_316


@pytest.mark.slow
@needs_full
def test_full_data_give_the_published_iir_row() -> None:
    """Within 1 %, both versions pooled; a filter along the last axis cleans all beats at once."""
    rows = []
    for version in deepfilter.VERSIONS:
        test = full().noisy_beats("test", version)
        cleaned = candidates.get("iir").denoise(test.noisy, full().fs)[..., np.newaxis]
        clean = test.clean[..., np.newaxis]
        rows.append(
            [
                metrics.ssd(clean, cleaned).mean(),
                metrics.mad(clean, cleaned).mean(),
                metrics.prd_deepfilter(clean, cleaned, float(clean.mean())).mean(),
                metrics.cosine_similarity(clean, cleaned).mean(),
            ]
        )
    np.testing.assert_allclose(np.mean(rows, axis=0), (35.6, 0.595, 61.2, 0.735), rtol=0.01)
