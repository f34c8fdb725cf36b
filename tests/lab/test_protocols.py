"""The protocols: what they draw is what they say, and the same each time."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from excerpts import NSTDB, QTDB

from ipmdae.lab.data import nstdb
from ipmdae.lab.data.augment import Augmentation
from ipmdae.lab.data.download import DatasetNotFoundError
from ipmdae.lab.evaluation.metrics import snr
from ipmdae.lab.protocols import stack
from ipmdae.lab.protocols.clinic import Clinic
from ipmdae.lab.protocols.reference import Reference, scale_to_unit_range
from ipmdae.lab.protocols.registry import open_protocol

NOTHING_ELSE = {f.name: 0.0 for f in fields(Augmentation) if f.name not in ("fs", "projection")}

pytestmark = pytest.mark.filterwarnings("ignore:100 of the 105 records:UserWarning")


def reference(**changes: Any) -> Reference:
    known: dict[str, Any] = {"qtdb_folder": QTDB, "nstdb_folder": NSTDB, "split_idx": 3}
    return Reference(**(known | changes))


def clinic(**changes: Any) -> Clinic:
    return Clinic(**({"qtdb_folder": QTDB, "nstdb_folder": NSTDB} | changes))


@pytest.mark.parametrize("level", [0.0, -6.0, 12.5])
def test_reference_noise_has_exactly_the_snr_of_its_own_formula(level: float) -> None:
    protocol = reference(snr=level)
    for pairs in (protocol.validation(), protocol.training(fresh=False)):
        noisy, clean = stack(pairs)
        np.testing.assert_allclose(snr(clean, noisy), level, atol=1e-3)
    fresh = protocol.training(fresh=True)
    drawn = [fresh.draw(index, epoch) for index in range(5) for epoch in range(2)]
    noisy, clean = (np.stack(side) for side in zip(*drawn, strict=True))
    np.testing.assert_allclose(snr(clean, noisy), level, atol=1e-3)


def test_reference_windows_are_scaled_by_the_clean_signal_and_share_their_noise() -> None:
    noisy, clean = stack(reference().validation())
    assert clean.shape == (24, 1250, 2)
    np.testing.assert_allclose(clean.min(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(clean.max(axis=1), 1, atol=1e-6)
    added = noisy - clean
    np.testing.assert_allclose(added[..., 0], added[..., 1], atol=1e-5)


def test_reference_noise_of_the_leads_is_independent_where_asked_for() -> None:
    apart = reference(common_noise=False)
    noisy, clean = stack(apart.validation())
    np.testing.assert_allclose(snr(clean, noisy), 0, atol=1e-3)
    drawn = [apart.training(fresh=True).draw(index) for index in range(5)]
    for noise in (noisy - clean, np.stack([pair[0] - pair[1] for pair in drawn])):
        alike = [np.corrcoef(window.T)[0, 1] for window in noise]
        assert np.median(np.abs(alike)) < 0.7  # now and then the short excerpt repeats a piece
    common = stack(reference().validation())[0] - clean
    alike = [
        np.corrcoef(a[:, 0], b[:, 0])[0, 1] for a, b in zip(common, noisy - clean, strict=True)
    ]
    np.testing.assert_allclose(alike, 1, atol=1e-4)


def test_reference_divides_the_records_in_the_order_of_the_split() -> None:
    training, validation = reference(split_idx=3).records
    assert training == ["sel100", "sel36", "sel52"]
    assert validation == ["sele0121", "sele0122"]


def test_static_noise_is_the_same_in_each_epoch_and_fresh_noise_is_not() -> None:
    static, fresh = reference().training(fresh=False), reference().training(fresh=True)
    assert len(static) == len(fresh) == 36
    np.testing.assert_array_equal(static.draw(4, 0)[0], static.draw(4, 1)[0])
    assert not np.array_equal(fresh.draw(4, 0)[0], fresh.draw(4, 1)[0])
    again = reference().training(fresh=True)
    np.testing.assert_array_equal(fresh.draw(4, 1)[0], again.draw(4, 1)[0])


def test_another_seed_draws_other_noise() -> None:
    ours, other = reference().validation(), reference(seed=1).validation()
    np.testing.assert_array_equal(ours.clean, other.clean)
    assert not np.array_equal(ours.noisy, other.noisy)


def test_reference_training_noise_is_the_first_half_of_channel_0() -> None:
    """A constant put into all other noise must not reach the training pairs, nor the reverse."""
    noise = nstdb.load(NSTDB, 250)
    np.testing.assert_array_equal(reference()._noise("train")[..., 0], noise.part("train")[..., 0])
    np.testing.assert_array_equal(reference()._noise("test")[..., 0], noise.part("test")[..., 1])


def test_flat_windows_stay_finite() -> None:
    flat = scale_to_unit_range(np.full((1, 10, 2), 3, np.float32))
    np.testing.assert_array_equal(flat, 0)


def test_missing_records_are_told_of() -> None:
    with pytest.warns(UserWarning, match="100 of the 105 records"):
        assert reference().records


@pytest.mark.parametrize("split_idx", [0, 5, 91])
def test_a_split_that_leaves_a_side_empty_is_refused(split_idx: int) -> None:
    with pytest.raises(ValueError, match=r"must lie in 1 … 4"):
        _ = reference(split_idx=split_idx).records


def test_missing_databases_say_how_to_fetch_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        reference(qtdb_folder=tmp_path).validation()
    with pytest.raises(DatasetNotFoundError, match="ipmdae download"):
        reference(nstdb_folder=tmp_path).validation()


def test_clinic_takes_single_leads_of_its_own_records() -> None:
    protocol = clinic()
    assert protocol.records == (["sel100", "sel52"], ["sel36"])
    assert len(protocol.training(fresh=True)) == 2 * 2 * 6
    noisy, clean = protocol.validation().draw(0)
    assert noisy.shape == clean.shape == (2500, 1)
    assert noisy.dtype == clean.dtype == np.float32


def test_clinic_input_is_scaled_by_itself_alone() -> None:
    pairs = clinic().training(fresh=True)
    for index in range(10):
        noisy, _ = pairs.draw(index)
        low, middle, high = np.percentile(noisy, (5, 50, 95))
        assert abs(middle) < 1e-3
        assert (high - low) / 2 == pytest.approx(1, abs=1e-3)


def test_clinic_snr_lies_in_its_range_and_some_windows_are_clean() -> None:
    pairs = clinic(snr_range=(0, 10)).training(fresh=True)
    clean_windows = 0
    for epoch in range(8):
        for index in range(len(pairs)):
            noisy, clean = pairs.draw(index, epoch)
            added = noisy - clean
            if added.std() < 1e-4:
                clean_windows += 1
            else:
                assert -0.1 <= 20 * np.log10(clean.std() / added.std()) <= 10.1
    assert 0.05 < clean_windows / (8 * len(pairs)) < 0.3


def test_a_clean_window_is_its_own_target() -> None:
    pairs = clinic(clean_share=1.0).training(fresh=True)
    for index in range(5):
        noisy, clean = pairs.draw(index)
        np.testing.assert_allclose(noisy, clean, atol=1e-5)


@pytest.mark.slow
def test_augmented_pairs_are_finite_selected_and_reproducible() -> None:
    pairs = clinic(augment=True, snr_range=(-10, 25)).training(fresh=True)
    assert 0 < len(pairs) <= len(clinic().training(fresh=True))
    drawn = [pairs.draw(index, epoch) for epoch in range(30) for index in range(len(pairs))]
    again = clinic(augment=True, snr_range=(-10, 25)).training(fresh=True)
    np.testing.assert_array_equal(again.draw(1, 2)[0], pairs.draw(1, 2)[0])
    for noisy, clean in drawn:
        assert noisy.shape == clean.shape == (2500, 1)
        assert noisy.dtype == clean.dtype == np.float32
        assert np.isfinite(noisy).all()
        assert np.isfinite(clean).all()
    alone = sum(clean.std() == 0 for _, clean in drawn)
    assert 0 < alone < 0.1 * len(drawn)


def test_augmented_targets_are_leads_between_those_recorded() -> None:
    pairs = replace(clinic(augment=True).training(fresh=True), clean_share=1.0)
    sides = Augmentation(fs=250, **NOTHING_ELSE)
    between = replace(pairs, augmentation=sides)
    recorded = replace(pairs, augmentation=replace(sides, projection=0))
    unlike = 0
    for index in range(len(pairs)):
        (one, _), (other, clean) = between.draw(index), recorded.draw(index)
        np.testing.assert_allclose(other, clean, atol=1e-5)
        unlike += abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.999
    assert 0.1 * len(pairs) < unlike < 0.9 * len(pairs)


def test_augmented_validation_is_of_what_was_recorded() -> None:
    training = clinic(augment=True).training(fresh=True).augmentation
    validation = clinic(augment=True).validation().augmentation
    as_recorded = clinic(augment=True, projected=False).training(fresh=True).augmentation
    assert training is not None
    assert validation is not None
    assert as_recorded is not None
    assert training.projection > 0
    assert validation.projection == as_recorded.projection == 0


def test_clinic_keeps_the_noise_of_training_validation_and_test_apart() -> None:
    segments = nstdb.load(NSTDB, 250).segments("validation")
    for kind, (signal, weight) in zip(nstdb.KINDS, clinic()._noise("validation"), strict=True):
        np.testing.assert_array_equal(signal, np.concatenate(segments[kind]))
        assert weight == 1


@pytest.mark.slow
def test_clinic_with_rhythms_changes_targets_and_not_their_noise() -> None:
    plain, hearts = (clinic(rhythms=share, clean_share=1.0) for share in (0.0, 1.0))
    changed = [
        not np.array_equal(plain.training(fresh=False).draw(i)[1], pair[1])
        for i in range(20)
        for pair in [hearts.training(fresh=False).draw(i)]
    ]
    assert sum(changed) > 15
    noisy, clean = hearts.training(fresh=False).draw(3)
    np.testing.assert_allclose(noisy, clean - np.median(clean) + np.median(noisy), atol=1e-5)


def test_clinic_validation_never_changes() -> None:
    pairs = clinic().validation()
    np.testing.assert_array_equal(pairs.draw(3, 0)[0], pairs.draw(3, 9)[0])


def test_clinic_without_validation_records_is_refused(tmp_path: Path) -> None:
    for file in QTDB.glob("sel100.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match="1 training and 0 validation"):
        _ = clinic(qtdb_folder=tmp_path).records


def test_unknown_protocol_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="reference, clinic"):
        open_protocol("nothing")
