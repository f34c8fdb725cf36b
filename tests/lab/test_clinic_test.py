"""The test of protocol clinic: its pieces, its noise, and that neither hangs on anything else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from excerpts import NSTDB, QTDB

from ipmdae.lab.data import qtdb
from ipmdae.lab.protocols import clinic_test
from ipmdae.lab.protocols.clinic_test import CONDITIONS, FS, KINDS, PIECES, SNRS, ClinicTest, Piece

pytestmark = pytest.mark.filterwarnings("ignore:13 of the 14 test records:UserWarning")

ALL = np.arange(PIECES)


def excerpt() -> ClinicTest:
    return ClinicTest(qtdb_folder=QTDB, nstdb_folder=NSTDB)


@cache
def pieces() -> list[Piece]:
    return list(excerpt().pieces(ALL))


def test_pieces_are_the_recording_less_its_offset_evenly_spread() -> None:
    assert [piece.record for piece in pieces()] == ["sele0121"] * 2 * PIECES
    assert [piece.lead for piece in pieces()] == [0] * PIECES + [1] * PIECES
    signal = qtdb.read(QTDB, "sele0121").signal
    whole = signal - np.median(signal, axis=0)
    length = len(pieces()[0].clean)
    assert length == 30 * FS
    np.testing.assert_allclose(pieces()[0].clean, whole[:length, 0], atol=1e-6)
    np.testing.assert_allclose(pieces()[-1].clean, whole[-length:, 1], atol=1e-6)


def test_signal_to_noise_ratios_are_exact_and_one_noise_has_all_levels() -> None:
    piece = pieces()[3]
    noisy = piece.noisy()
    assert len(noisy) == len(CONDITIONS) == 1 + len(KINDS) * len(SNRS)
    np.testing.assert_array_equal(noisy[0], piece.clean)
    added = noisy[1:] - piece.clean
    powers = 10 * np.log10(piece.clean.var() / added.var(axis=1))
    np.testing.assert_allclose(powers, [snr for _, snr in CONDITIONS[1:]], atol=1e-3)
    for kind in np.split(added, len(KINDS)):
        assert np.abs(np.corrcoef(kind)).min() > 0.9999


def test_a_mixture_holds_all_kinds_with_equal_power() -> None:
    piece = pieces()[0]
    mixture = piece.noisy()[-1] - piece.clean
    shares = [np.corrcoef(mixture, kind)[0, 1] for kind in piece.noise]
    own = np.corrcoef(piece.noise)
    expected = own.sum(axis=0) / np.sqrt(own.sum())
    np.testing.assert_allclose(shares, expected, atol=1e-3)


def test_noise_places_are_all_different_and_the_leads_of_a_piece_far_apart() -> None:
    test, length = excerpt(), 7500
    clock = np.arange(225_000.0)
    channels = np.stack([clock, clock + 1_000_000], axis=1)
    test.__dict__["noise"] = np.broadcast_to(channels, (3, *channels.shape))
    count = len(clinic_test.all_records()) * PIECES
    starts = np.stack(
        [[test._noise_at(place, lead, length)[:, 0] for place in range(count)] for lead in (0, 1)]
    )
    for kind in range(3):
        assert len(np.unique(starts[..., kind])) == 2 * count
        seconds = np.sort(starts[..., kind].ravel() % 1_000_000) / FS
        assert (seconds[0], seconds[-1]) == (0, 870)
        assert np.diff(seconds).max() < 3.2
    apart = np.abs(np.diff(starts % 1_000_000, axis=0)) / FS
    assert apart.min() > 420
    assert np.mean(starts >= 1_000_000) == pytest.approx(0.5)
    assert not np.array_equal(starts[..., 0], starts[..., 1])


def test_a_part_of_the_pieces_is_the_same_as_in_all() -> None:
    some = list(excerpt().pieces(np.array([0, 9])))
    assert [piece.number for piece in some] == [piece.number for piece in pieces()[::9][:2]] + [
        piece.number for piece in pieces()[10::9]
    ]
    for piece in some:
        same = next(other for other in pieces() if other.number == piece.number)
        np.testing.assert_array_equal(piece.noisy(), same.noisy())


def test_missing_records_are_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="13 of the 14 test records are not in"):
        assert len(excerpt()) == 2 * PIECES
    (tmp_path / "sel100.hea").touch()
    with pytest.raises(ValueError, match="no test record of protocol clinic"):
        len(ClinicTest(qtdb_folder=tmp_path, nstdb_folder=NSTDB))


def test_noise_shorter_than_a_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="noise of 10 samples is shorter than a piece of 20"):
        clinic_test.piece_of(np.zeros((10, 2)), 0, 2, 20)
