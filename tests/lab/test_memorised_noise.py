"""Gain on changed test noise: what the changes do, and the table of differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from excerpts import DATASETS

from ipmdae.lab.protocols.clinic_test import KINDS, Piece
from tools import memorised_noise

pytestmark = pytest.mark.filterwarnings("ignore:13 of the 14 test records:UserWarning")


def piece(seed: int) -> Piece:
    rng = np.random.default_rng(seed)
    clean, noise = rng.standard_normal(500), rng.standard_normal((3, 500)) * (seed + 1)
    return Piece(number=seed, record="a", lead=0, clean=clean, noise=noise)


def test_reversed_noise_has_the_same_statistics_and_summed_noise_equal_parts() -> None:
    one, other = piece(1), piece(5)
    back = memorised_noise.reversed_in_time(one, other)
    np.testing.assert_array_equal(np.flip(back.noise, axis=1), one.noise)
    np.testing.assert_array_equal(back.clean, one.clean)
    both = memorised_noise.summed(one, other)
    parts = [part.noise / part.noise.std(axis=1, keepdims=True) for part in (one, other)]
    np.testing.assert_allclose(both.noise, parts[0] + parts[1])
    pieces = [piece(i) for i in range(4)]
    taken: list[tuple[Piece, Piece]] = []

    def change(first: Piece, second: Piece) -> Piece:
        taken.append((first, second))
        return first

    assert memorised_noise.changed(pieces, change) == pieces
    assert [second.number for _, second in taken] == [2, 3, 0, 1]


def test_a_filter_gains_the_same_and_the_identity_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    options = [f"--datasets={DATASETS}", "--part=1", f"--output={page}"]
    memorised_noise.main([*options, "--methods", "none", "iir"])
    rows = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if "`" in line]
    rows = [row for row in rows if len(row) == 5]
    assert [(row[0], row[1]) for row in rows] == [
        (f"`{method}`", kind) for method in ("none", "iir") for kind in KINDS
    ]
    for row in rows:
        gain, *differences = (float(cell.split(" [")[0]) for cell in row[2:])
        if row[0] == "`none`":
            assert gain == 0
        # A linear filter without phase: reversed noise is as hard but for the ends.
        assert abs(differences[0]) < (0.01 if row[0] == "`none`" else 0.5)
