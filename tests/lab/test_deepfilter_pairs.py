"""Training pairs of protocol P2: the published noise, patients held back, no test noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from excerpts import NSTDB, QTDB
from patients import patient

from ipmdae.lab.data import splits
from ipmdae.lab.protocols import stack
from ipmdae.lab.protocols.deepfilter import PADDING, VERSIONS, WINDOW, DeepFilter, Version
from ipmdae.lab.protocols.deepfilter_pairs import DeepFilterTraining, FreshPairs
from ipmdae.lab.protocols.registry import open_protocol

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")


def opened(version: Version = 1, **settings: Any) -> DeepFilterTraining:
    folders = {"qtdb_folder": QTDB, "nstdb_folder": NSTDB}
    protocol = open_protocol("deepfilter", version=version, **folders, **settings)
    assert isinstance(protocol, DeepFilterTraining)
    return protocol


@pytest.mark.parametrize("version", VERSIONS)
def test_training_pairs_are_the_published_noisy_beats(version: Version) -> None:
    published = DeepFilter(qtdb_folder=QTDB, nstdb_folder=NSTDB).noisy_beats("train", version)
    mine = np.flatnonzero(published.record != "sel36")
    pairs = opened(version).training(fresh=False)
    assert len(pairs) == len(mine) > 100
    noisy, clean = stack(pairs)
    assert noisy.shape == (len(mine), WINDOW, 1)
    np.testing.assert_array_equal(noisy[..., 0], published.noisy[mine].astype(np.float32))
    np.testing.assert_array_equal(clean[..., 0], published.clean[mine].astype(np.float32))


@pytest.mark.parametrize("version", VERSIONS)
def test_validation_has_other_patients_and_the_other_channel_of_training_noise(
    version: Version,
) -> None:
    published = DeepFilter(qtdb_folder=QTDB, nstdb_folder=NSTDB)
    other = published.noisy_beats("train", VERSIONS[2 - version])
    mine = np.flatnonzero(other.record == "sel36")
    noisy, _ = stack(opened(version).validation())
    np.testing.assert_array_equal(noisy[..., 0], other.noisy[mine].astype(np.float32))
    assert opened(version).records == (["sel100", "sel52", "sele0122"], ["sel36"])


def test_augmented_pairs_are_the_published_ones_bent() -> None:
    """Without tempo and wander a pair is a published one, perhaps upside down."""
    published, bent = opened().training(fresh=False), opened(augmented=True).training(fresh=True)
    assert len(bent) == len(published)
    noisy, clean = published.draw(7)
    upside_down = 0
    for epoch in range(40):
        drawn, beat = bent.draw(7, epoch)
        np.testing.assert_array_equal(bent.draw(7, epoch)[0], drawn)
        assert drawn.shape == beat.shape == (WINDOW, 1)
        assert drawn.dtype == beat.dtype == np.float32
        sign = 1 if abs(beat.max() - clean.max()) < abs(beat.max() + clean.min()) else -1
        upside_down += sign < 0
        assert np.ptp(beat) == pytest.approx(np.ptp(clean), rel=0.1)
        middle = PADDING  # the only sample that no tempo moves
        assert beat[middle] == pytest.approx(sign * clean[middle], abs=1e-5)
        wander = (drawn - beat)[middle] - sign * (noisy - clean)[middle]
        assert abs(float(wander[0])) <= np.ptp(beat) * (1 + 1e-5)
    assert 8 < upside_down < 32


def test_fresh_noise_changes_with_the_epoch_and_the_seed_alone() -> None:
    pairs = opened().training(fresh=True)
    again, other = opened().training(fresh=True), opened(seed=1).training(fresh=True)
    np.testing.assert_array_equal(pairs.draw(3, 1)[0], again.draw(3, 1)[0])
    assert not np.array_equal(pairs.draw(3, 1)[0], pairs.draw(3, 2)[0])
    assert not np.array_equal(pairs.draw(3, 1)[0], other.draw(3, 1)[0])


def test_fresh_beats_are_the_leads_seen_from_somewhere_at_some_tempo() -> None:
    pairs = opened().training(fresh=True)
    assert isinstance(pairs, FreshPairs)
    upright, other = (
        leads[pairs.number[3]].astype(np.float32) for leads in (pairs.clean, pairs.other_lead)
    )
    drawn = [pairs.draw(3, epoch)[1][:, 0] for epoch in range(60)]
    kinds = {"upright": 0, "turned": 0, "projected": 0, "other tempo": 0}
    plane = np.stack([upright, other], axis=1)
    for beat in drawn:
        left = np.linalg.lstsq(plane, beat, rcond=None)[1]
        kinds["upright"] += np.array_equal(beat, upright)
        kinds["turned"] += np.array_equal(beat, -upright)
        kinds["projected"] += bool(left < 1e-6) and not np.array_equal(abs(beat), abs(upright))
        kinds["other tempo"] += bool(left > 1e-6)
        assert np.isfinite(beat).all()
        assert not beat[:16].any()
    assert min(kinds.values()) > 0
    assert sum(kinds.values()) == len(drawn)


def test_fresh_factors_keep_to_the_published_range() -> None:
    pairs = opened().training(fresh=True)
    drawn = [pairs.draw(index) for index in range(len(pairs))]
    factor = np.array([np.ptp(noisy - clean) / np.ptp(clean) for noisy, clean in drawn])
    assert factor.min() > 0.19
    assert 1.8 < factor.max() < 2.0


def test_static_noise_is_the_same_in_each_epoch() -> None:
    pairs = opened().training(fresh=False)
    np.testing.assert_array_equal(pairs.draw(5, 0)[0], pairs.draw(5, 7)[0])


def test_a_folder_without_validation_records_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    load: Callable[[str, str], list[str]] = splits.load
    monkeypatch.setattr(
        splits, "load", lambda p, name: ["sel891"] if name == "validation" else load(p, name)
    )
    with pytest.raises(ValueError, match="4 training and 0 validation records"):
        opened().validation()


def test_there_are_two_versions() -> None:
    with pytest.raises(ValueError, match="versions 1 and 2, not 3"):
        open_protocol("deepfilter", version=3, qtdb_folder=QTDB, nstdb_folder=NSTDB)


def test_the_list_holds_whole_patients_of_the_training_records() -> None:
    validation = set(splits.load("deepfilter", "validation"))
    training = set(splits.load("deepfilter", "train"))
    test = set(splits.load("deepfilter", "test"))
    assert validation < training
    held_back = {patient(name) for name in validation}
    assert not held_back & {patient(name) for name in (training - validation) | test}
